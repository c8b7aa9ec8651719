"""Command lines that are a struct: kong, go-flags and go-arg, with the variables that stand for their flags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.go_flags import dashed, variable_of
from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.contract.go_structs import Field, Struct, Structs, kind_of
from proa.analyze.syntax import File, arguments, called_name, qualified_name, walk
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_KONG = "github.com/alecthomas/kong"
_GO_FLAGS = "github.com/jessevdk/go-flags"
_GO_ARG = "github.com/alexflint/go-arg"
_CALLS = {
    _KONG: ("Parse", "New", "Must"),
    _GO_FLAGS: ("Parse", "ParseArgs", "NewParser", "NewNamedParser", "AddGroup", "AddCommand"),
    _GO_ARG: ("MustParse", "Parse", "NewParser"),
}
_WORDS = re.compile(
    rb"\b(?:" + b"|".join(sorted({name.encode() for names in _CALLS.values() for name in names})) + rb")\("
)
_KONG_TYPES: dict[str, InputType] = {
    "path": "path",
    "existingfile": "path",
    "existingdir": "path",
    "counter": "integer",
}
_PLUGGED = re.compile(rb"`[^`]*\b(?:help|name|default):\"")
_OWN_READERS = ("UnmarshalText", "Decode", "UnmarshalFlag", "UnmarshalJSON")
_MOST_LEVELS = 10


class _Way(NamedTuple):
    """Where in a command line a struct stands."""

    by: str
    prefix: str = ""
    env_prefix: str = ""
    default_envs: str = ""
    """kong.DefaultEnvars: every flag has a variable of this prefix."""
    delimiter: str = "."


_Step = tuple[Variable | None, tuple[str, ...], _Way | None]
"""The flag, its variables, and the way on into the struct that the field holds."""


class _How(NamedTuple):
    """What walking a struct takes beside its place."""

    source: GoSource
    structs: Structs
    step: Callable[[Field, _Way, bool], _Step]


def read_structs(source: GoSource, structs: Structs, found: Found) -> None:
    """Gather the flags and variables of command lines that are structs."""
    packages = [package for package in source.own if any(path.startswith(tuple(_CALLS)) for path in package.imports)]
    walked: set[int] = set()
    for file in source.files_of(packages, _WORDS):
        for call in file.around(_WORDS, "call_expression"):
            library = _library(call, file)
            if not library:
                continue
            way = _way(library, file, source)
            for root in _roots(call, file, source, structs):
                if root.node.id not in walked:
                    walked.add(root.node.id)
                    for variable in _walk(root, way, _How(source, structs, _STEPS[library])):
                        found.add(variable)


def _library(call: Node, file: File) -> str:
    qualified, name = qualified_name(call, file), called_name(call)
    path = qualified.rpartition(".")[0]
    for library, names in _CALLS.items():
        if name in names and path.startswith(library):
            return library
    # parser.AddGroup("Name", "what", &options) of a parser that was made before.
    if name in ("AddGroup", "AddCommand") and any(path.startswith(_GO_FLAGS) for path in file.imports.values()):
        return _GO_FLAGS
    return ""


def _way(library: str, file: File, source: GoSource) -> _Way:
    way = _Way(library.rpartition("/")[2])
    pattern = re.compile(rb"\bDefaultEnvars\(")
    for other in source.files_of([file.package], pattern) if library == _KONG else ():
        for call in other.around(pattern, "call_expression"):
            for node in arguments(call)[:1]:
                way = way._replace(default_envs=source.text(node, Use(other, call, {}, other, call)))
    delimiter = re.search(rb'NamespaceDelimiter = "([^"]*)"', file.data)
    return way._replace(delimiter=delimiter[1].decode()) if delimiter else way


def _roots(call: Node, file: File, source: GoSource, structs: Structs) -> Iterator[Struct]:
    for node in arguments(call):
        root = structs.of_value(node, file)
        if root is not None and root.file.package.import_path in source.sources.local_paths:
            yield root
            return
    for use in source.uses(file, call, *arguments(call)[:1]):
        for node in arguments(use.at) if use.at.id != call.id else ():
            root = structs.of_value(node, use.at_file)
            if root is not None:
                yield root
                break


def _walk(struct: Struct, way: _Way, how: _How, level: int = 0) -> Iterator[Variable]:
    if level > _MOST_LEVELS:
        return
    for field in how.structs.fields(struct):
        if way.by == "kong" and field.is_embedded and field.name == "Plugins":
            for plugged in _plugged(struct, how.source):
                yield from _walk(plugged, way, how, level + 1)
            continue
        if not field.is_exported and not field.is_embedded:
            continue
        held = how.structs.of_type(field.type, field.file)
        if held is not None and how.structs.has_method(
            held, "UnmarshalText", "Decode", "UnmarshalFlag", "UnmarshalJSON"
        ):
            held = None
        flag, variables, onward = how.step(field, way, held is not None)
        if flag is not None:
            use = Use(field.file, field.node, {}, field.file, field.node)
            whole = Variable(
                name=flag.name,
                kind="flag",
                type=flag.type if flag.type != "unknown" else kind_of(field.type),
                default=flag.default,
                is_required=flag.is_required and not flag.default,
                help=flag.help or field.comment,
                by=way.by,
                aliases=(*flag.aliases, *variables),
                where=(how.source.evidence(flag.name, use),),
            )
            yield whole
            yield from (variable_of(whole, name) for name in variables)
        if held is not None and onward is not None:
            yield from _walk(held, onward, how, level + 1)


def _plugged(struct: Struct, source: GoSource) -> Iterator[Struct]:
    """Yield what kong.Plugins can hold: tagged structs of the package's own variables; more the source does not say."""
    for file in source.files_of([struct.file.package], _PLUGGED):
        for spec in file.nodes("(var_spec) @it"):
            kind = spec.child_by_field_name("type")
            if kind is None or kind.type != "struct_type" or not _PLUGGED.search(kind.text or b""):
                continue
            if not any(node.id == struct.node.id for node in walk(kind)):
                yield Struct(kind, file, "")


def _kong(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/alecthomas/kong, flattenedFields() and parseTag()."""
    tags = _kong_tags(field)
    if tags.get("kong") == "-" or "arg" in tags:
        return None, (), None
    env_prefix = way.env_prefix + tags.get("envprefix", "")
    if "cmd" in tags:
        return None, (), way._replace(prefix="", env_prefix=env_prefix)
    if holds and (field.is_embedded or "embed" in tags):
        return None, (), way._replace(prefix=way.prefix + tags.get("prefix", ""), env_prefix=env_prefix)
    name = way.prefix + (tags.get("name") or _kebab(field.name))
    variables = tuple(way.env_prefix + one.strip() for one in tags.get("env", "").split(",") if one.strip())
    if tags.get("env") == "-":
        variables = ()
    elif not variables and way.default_envs:
        variables = (f"{way.default_envs}_{name}".upper().replace("-", "_").replace(".", "_"),)
    flag = Variable(
        name=dashed(name),
        kind="flag",
        type=_KONG_TYPES.get(tags.get("type", ""), "unknown"),
        default=_without_variables(tags.get("default", "")),
        is_required="required" in tags,
        help=_without_variables(tags.get("help", "")),
        aliases=tuple(f"-{short}" for short in (tags.get("short", ""),) if short)
        + tuple(dashed(alias) for alias in tags.get("aliases", "").split(",") if alias),
    )
    return flag, variables, None


def _kong_tags(field: Field) -> dict[str, str]:
    """Return a field's tags, those inside ``kong:"…"`` among them."""
    inner = field.tags.get("kong", "")
    words = re.findall(r"(\w+)(?:='((?:[^'\\]|\\.)*)'|=([^,]*))?(?:,|$)", inner) if inner != "-" else []
    return {**field.tags, **{name: quoted or plain for name, quoted, plain in words}}


def _kebab(name: str) -> str:
    """Return the flag of a field as kong names it.

    >>> _kebab("TLSCertFile"), _kebab("StateDir"), _kebab("UUID")
    ('tls-cert-file', 'state-dir', 'uuid')
    """
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+[a-z]*", name)
    return "-".join(words).lower()


def _without_variables(text: str) -> str:
    """Return a text of kong, unless it has a part that is filled in later: ``${default_mode}``."""
    return "" if re.fullmatch(r"\$\{\w+\}", text) else text


def _go_flags(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/jessevdk/go-flags, scanStruct()."""
    tags = field.tags
    if "no-flag" in tags or "positional-args" in tags:
        return None, (), None
    if holds and ("group" in tags or "command" in tags or field.is_embedded):
        prefix = way.prefix + (tags["namespace"] + way.delimiter if tags.get("namespace") else "")
        env_prefix = way.env_prefix + (tags["env-namespace"] + "_" if tags.get("env-namespace") else "")
        return None, (), way._replace(prefix=prefix, env_prefix=env_prefix)
    long, short = tags.get("long", ""), tags.get("short", "")
    if not long and not short:
        return None, (), way if holds and field.is_embedded else None
    flag = Variable(
        name=dashed(way.prefix + long) if long else f"-{short}",
        kind="flag",
        default=tags.get("default", ""),
        is_required=tags.get("required", "").lower() in ("true", "yes", "1"),
        help=tags.get("description", ""),
        aliases=(f"-{short}",) if long and short else (),
    )
    return flag, ((way.env_prefix + tags["env"]),) if tags.get("env") else (), None


def _go_arg(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/alexflint/go-arg, cmdFromStruct()."""
    words = [word.strip() for word in field.tags.get("arg", "").split(",")]
    if field.is_embedded and holds:
        return None, (), way
    if "-" in words or "positional" in words:
        return None, (), None
    if any(word.startswith("subcommand") for word in words):
        return None, (), way
    long = next((word[2:] for word in words if word.startswith("--")), field.name.lower())
    variables = [word for word in words if word == "env" or word.startswith("env:")]
    names = tuple(word.partition(":")[2] or field.name.upper() for word in variables)
    flag = Variable(
        name=dashed(long),
        kind="flag",
        default=field.tags.get("default", ""),
        is_required="required" in words,
        help=field.tags.get("help", ""),
        aliases=tuple(word for word in words if re.fullmatch(r"-\w", word)),
    )
    return flag, names, None


_STEPS: dict[str, Callable[[Field, _Way, bool], _Step]] = {_KONG: _kong, _GO_FLAGS: _go_flags, _GO_ARG: _go_arg}
