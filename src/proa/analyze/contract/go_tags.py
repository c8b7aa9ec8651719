"""Variables named by struct tags: envconfig (both), caarlos0/env and cleanenv, with nested prefixes.

Each library is a way to name a field, and to go on into the struct it holds. The struct is that of the call that
reads it, ``envconfig.Process("app", &cfg)``; where the call shows no struct, every tagged one that stands in no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.contract.go_structs import Field, Struct, Structs, fields_of, kind_of
from proa.analyze.syntax import File, arguments, called_name, field_text, qualified_name, text_of, walk
from proa.records.contract import Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_KELSEY = "github.com/kelseyhightower/envconfig"
_SETHVARGO = "github.com/sethvargo/go-envconfig"
_CAARLOS = "github.com/caarlos0/env"
_CLEANENV = "github.com/ilyakaznacheev/cleanenv"
_CALLS = {
    _KELSEY: ("Process", "MustProcess", "CheckDisallowed"),
    _SETHVARGO: ("Process", "ProcessWith", "MustProcess", "ExtractDefaults"),
    _CAARLOS: ("Parse", "ParseWithOptions", "ParseAs", "ParseAsWithOptions", "ParseWithFuncs"),
    _CLEANENV: ("ReadConfig", "ReadEnv", "UpdateEnv", "GetDescription"),
}
_WORDS = re.compile(
    rb"\b(?:" + b"|".join(sorted({name.encode() for names in _CALLS.values() for name in names})) + rb")[(\[]"
)
_TAGGED = re.compile(rb"\b(?:env|envconfig|split_words|env-default|envPrefix|env-prefix):\"")
_MOST_LEVELS = 10


class _Way(NamedTuple):
    """How one library goes through one struct."""

    by: str
    prefix: str
    uses_names: bool = False
    """caarlos0/env: fields without a tag are read by their own name."""


_Step = tuple[list[Variable], _Way | None]
"""What a field says, and the way on into the struct that it holds."""


class _How(NamedTuple):
    """What walking a struct takes beside its place."""

    source: GoSource
    structs: Structs
    step: Callable[[Field, _Way, bool], _Step]


def read_tags(source: GoSource, structs: Structs, found: Found) -> None:
    """Gather the variables that struct tags name."""
    packages = [package for package in source.own if any(path.startswith(tuple(_CALLS)) for path in package.imports)]
    walked: set[tuple[int, str]] = set()
    for file in source.files_of(packages, _WORDS):
        for call in file.around(_WORDS, "call_expression"):
            path, _, name = qualified_name(call, file).rpartition(".")
            library = next((known for known in _CALLS if path.startswith(known)), "")
            if not library or name not in _CALLS[library]:
                continue
            for root, prefix in _roots(library, call, file, source, structs):
                way = _Way(library.rpartition("/")[2], prefix, _has_option(call, "UseFieldNameByDefault"))
                if (root.node.id, prefix) not in walked:
                    walked.add((root.node.id, prefix))
                    for variable in _walk(root, way, _How(source, structs, _STEPS[library])):
                        found.add(variable)


def _roots(library: str, call: Node, file: File, source: GoSource, structs: Structs) -> Iterator[tuple[Struct, str]]:
    name = called_name(call)
    given = arguments(call)
    place = {_KELSEY: 0, _CAARLOS: 1, _CLEANENV: 0, _SETHVARGO: 1}[library]
    names = {
        _KELSEY: given[:1],
        _CAARLOS: _option(call, "Prefix"),
        _SETHVARGO: _prefix_lookup(call),
        _CLEANENV: [],
    }[library]
    for use in source.uses(file, call, *names, *given[place : place + 2]):
        prefix = source.text(names[0], use) if names else ""
        if library == _KELSEY and prefix:
            prefix = prefix.upper() + "_"
        if name.startswith("ParseAs"):
            root = structs.of_type(_type_argument(call), file)
        else:
            root = _target(library, call, file, structs)
        if root is None and use.at.id != call.id:
            root = next((one for node in arguments(use.at) if (one := structs.of_value(node, use.at_file))), None)
        if root is not None:
            yield root, prefix
        else:
            yield from ((one, prefix) for one in _outermost(source, structs))


def _target(library: str, call: Node, file: File, structs: Structs) -> Struct | None:
    name, given = called_name(call), arguments(call)
    if library == _CAARLOS:
        node = given[0] if given else None
    elif library == _SETHVARGO:
        targets = _option(call, "Target")
        node = targets[0] if targets else (given[1] if len(given) > 1 else None)
    else:
        node = given[1] if name not in ("ReadEnv", "UpdateEnv") and len(given) > 1 else (given[0] if given else None)
    return structs.of_value(node, file)


def _option(call: Node, key: str) -> list[Node]:
    """Return the value of a named field of any literal among a call's arguments."""
    for node in walk(call.child_by_field_name("arguments")):
        if node.type == "keyed_element" and text_of(node.named_children[0]) == key:
            value = node.named_children[-1]
            return [value.named_children[0] if value.type == "literal_element" and value.named_children else value]
    return []


def _has_option(call: Node, key: str) -> bool:
    return any(text_of(node) == "true" for node in _option(call, key))


def _prefix_lookup(call: Node) -> list[Node]:
    for node in walk(call.child_by_field_name("arguments")):
        if node.type == "call_expression" and called_name(node) == "PrefixLookuper":
            return arguments(node)[:1]
    return []


def _type_argument(call: Node) -> Node | None:
    for child in call.named_children:
        if child.type == "type_arguments":
            inner = child.named_children[0]
            return inner.named_children[0] if inner.type == "type_elem" else inner
        if child.type == "index_expression":
            return child.child_by_field_name("index")
    return None


def _outermost(source: GoSource, structs: Structs) -> list[Struct]:
    """Return the tagged structs that stand in no other."""
    tagged: dict[int, Struct] = {}
    inner: set[int] = set()
    for file in source.files(_TAGGED):
        for node in file.nodes("(type_spec) @it"):
            kind = node.child_by_field_name("type")
            if kind is not None and kind.type == "struct_type" and _TAGGED.search(kind.text or b""):
                struct = Struct(kind, file, field_text(node, "name"))
                tagged[kind.start_byte + hash(file.name)] = struct
                for field in fields_of(struct):
                    held = structs.of_type(field.type, file)
                    if held is not None:
                        inner.add(held.node.start_byte + hash(held.file.name))
    return [struct for key, struct in tagged.items() if key not in inner]


def _walk(struct: Struct, way: _Way, how: _How, level: int = 0) -> Iterator[Variable]:
    if level > _MOST_LEVELS:
        return
    for field in how.structs.fields(struct):
        if not field.is_exported and not field.is_embedded:
            continue
        held = how.structs.of_type(field.type, field.file)
        if held is not None and how.structs.has_method(held, "UnmarshalText", "Decode", "Set", "SetValue", "EnvDecode"):
            held = None
        variables, onward = how.step(field, way, held is not None)
        use = Use(field.file, field.node, {}, field.file, field.node)
        for variable in variables:
            yield Variable(
                name=variable.name,
                type=variable.type if variable.type != "unknown" else kind_of(field.type),
                default=variable.default,
                is_required=variable.is_required and not variable.default,
                help=variable.help or field.comment,
                by=way.by,
                aliases=variable.aliases,
                where=(how.source.evidence(variable.name, use),),
            )
        if held is not None and onward is not None:
            yield from _walk(held, onward, how, level + 1)


def _kelsey(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/kelseyhightower/envconfig, gatherInfo()."""
    tags = field.tags
    if tags.get("ignored", "") in ("true", "1"):
        return [], None
    given = tags.get("envconfig", "")
    own = given or ("_".join(_split(field.name)) if tags.get("split_words", "") in ("true", "1") else field.name)
    key = (way.prefix + own).upper()
    if holds:
        return [], way._replace(prefix=way.prefix if field.is_embedded else key + "_")
    variable = Variable(
        name=key,
        default=tags.get("default", ""),
        is_required=tags.get("required", "") in ("true", "1"),
        help=tags.get("desc", ""),
        # The library also looks for the tag's own name, without any prefix.
        aliases=(given.upper(),) if given and way.prefix else (),
    )
    return [variable], None


def _split(name: str) -> list[str]:
    """Return the words of a name as envconfig splits it.

    >>> _split("MultiWordVar"), _split("HTTPServer")
    (['Multi', 'Word', 'Var'], ['HTTP', 'Server'])
    """
    gathered = re.findall(r"([^A-Z]+|[A-Z]+[^A-Z]+|[A-Z]+)", name)
    words: list[str] = []
    for word in gathered:
        parts = re.fullmatch(r"([A-Z]+)([A-Z][^A-Z]+)", word)
        words += [parts[1], parts[2]] if parts else [word]
    return words


def _sethvargo(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/sethvargo/go-envconfig, keyAndOpts()."""
    name, _, rest = field.tags.get("env", "").partition(",")
    default = re.search(r"\bdefault=(.*)$", rest)
    options = [part.strip() for part in (rest[: default.start()] if default else rest).split(",")]
    prefix = next((part.removeprefix("prefix=") for part in options if part.startswith("prefix=")), "")
    if holds and not name.strip():
        return [], way._replace(prefix=way.prefix + prefix)
    if not name.strip():
        return [], None
    variable = Variable(
        name=way.prefix + name.strip(), default=default[1] if default else "", is_required="required" in options
    )
    return [variable], None


def _caarlos(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/caarlos0/env/v11, parseFieldParams()."""
    tag, tags = field.tags.get("env"), field.tags
    name, *options = (tag or "").split(",")
    if name == "-":
        return [], None
    if holds and not name:
        return [], way._replace(prefix=way.prefix + tags.get("envPrefix", ""))
    if not name and way.uses_names:
        name = "_".join(_split(field.name)).upper()
    if not name:
        return [], None
    required = {"required", "notEmpty"} & {option.strip() for option in options}
    return [Variable(name=way.prefix + name, default=tags.get("envDefault", ""), is_required=bool(required))], None


def _cleanenv(field: Field, way: _Way, holds: bool) -> _Step:
    """Source: https://pkg.go.dev/github.com/ilyakaznacheev/cleanenv, readStructMetadata()."""
    tags = field.tags
    names = [name for name in tags.get("env", "").split(",") if name]
    if holds and not names:
        return [], way._replace(prefix=way.prefix + tags.get("env-prefix", ""))
    found = [way.prefix + name for name in names]
    if not found:
        return [], None
    variable = Variable(
        name=found[0],
        default=tags.get("env-default", ""),
        is_required=tags.get("env-required", "") == "true",
        help=tags.get("env-description", ""),
        aliases=tuple(found[1:]),
    )
    return [variable], None


_STEPS: dict[str, Callable[[Field, _Way, bool], _Step]] = {
    _KELSEY: _kelsey,
    _SETHVARGO: _sethvargo,
    _CAARLOS: _caarlos,
    _CLEANENV: _cleanenv,
}
