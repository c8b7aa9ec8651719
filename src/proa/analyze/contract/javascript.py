"""The contract of Node programs in JavaScript and TypeScript: ``process.env`` and functions around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.grammar import Parsed, above, of_language, parse_all
from proa.analyze.contract.javascript_files import configuration_files
from proa.analyze.contract.javascript_flags import flags
from proa.analyze.contract.javascript_schemas import schemas
from proa.analyze.contract.javascript_syntax import (
    FUNCTIONS,
    arguments,
    called,
    constants_of,
    ends,
    ends_without,
    key_of,
    literal,
    target,
    use,
    written,
)
from proa.analyze.contract.reading import Contract, SourceFile, is_secret_name, merged, variable
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType, Variable
from proa.records.evidence import Finding

if TYPE_CHECKING:
    from tree_sitter import Node

_ENDINGS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_WORDS = re.compile(
    rb"process\.env|import\.meta\.env|Deno\.env|Bun\.env|['\"](?:node:)?process['\"]|envalid|convict|dotenv|yargs|commander"
    rb"|parseArgs|createEnv|z\.object|[jJ]oi\.object|ConfigService|env-var|readFile|\benv:|znv"
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_ENVIRONMENTS = ("process.env", "import.meta.env", "Bun.env", "globalThis.process.env")
_OWN = frozenset({"MODE", "DEV", "PROD", "SSR", "BASE_URL"})
"""What Vite itself puts into ``import.meta.env``."""


class _Wrapper(NamedTuple):
    """A function of the program that reads the variable one of its parameters names."""

    name: str
    place: int
    default_place: int
    is_required: bool


class _Script:
    """One file, with what its constants and aliases mean."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.texts, self.lists = constants_of(parsed.nodes("variable_declarator"))
        self.aliases = set(_ENVIRONMENTS)
        for node in parsed.nodes("variable_declarator", "import_specifier"):
            name = field_text(node, "alias") or field_text(node, "name")
            if node.type == "import_specifier":
                source = above(node, "import_statement")
                is_process = (
                    source is not None and field_text(source, "source").strip("'\"").removeprefix("node:") == "process"
                )
                if is_process and field_text(node, "name") == "env":
                    self.aliases.add(name)
            elif text_of(node.child_by_field_name("value")) in _ENVIRONMENTS and name.isidentifier():
                self.aliases.add(name)

    def is_environment(self, node: Node | None) -> bool:
        """Say whether an expression is the whole environment."""
        if node is None:
            return False
        if node.type in ("parenthesized_expression", "as_expression", "non_null_expression", "satisfies_expression"):
            return self.is_environment(node.named_children[0])
        return text_of(node).replace("?.", ".") in self.aliases


def read_javascript(files: Iterable[SourceFile]) -> Contract:
    """Return what JavaScript and TypeScript sources, and the files of the ``config`` package, read."""
    files = tuple(files)
    sources = of_language(files, _ENDINGS)
    findings: list[Finding] = []
    scripts = [_Script(parsed) for parsed in parse_all(sources, _WORDS, findings)]
    wrappers: dict[str, _Wrapper] = {}
    found: list[Variable] = []
    reads_process = any(_reads_whole(script) for script in scripts)
    for script in scripts:
        found += _environment(script, wrappers)
        found += flags(script.parsed, script.texts)
        found += schemas(script.parsed, script.texts, reads_process=reads_process)
    found += _wrapped(sources, wrappers)
    found += configuration_files(files, [script.parsed for script in scripts])
    return Contract(variables=merged(found), findings=tuple(findings))


def _reads_whole(script: _Script) -> bool:
    return re.search(rb"process\.env\s*[,)\n};]|import\.meta\.env\s*[,)]|ConfigModule", script.parsed.data) is not None


def _environment(script: _Script, wrappers: dict[str, _Wrapper]) -> Iterator[Variable]:
    for node in script.parsed.nodes("member_expression", "subscript_expression", "object_pattern", "call_expression"):
        match node.type:
            case "member_expression" if script.is_environment(node.child_by_field_name("object")):
                yield from _read(script, node, field_text(node, "property"))
            case "subscript_expression" if script.is_environment(node.child_by_field_name("object")):
                yield from _indexed(script, node, node.child_by_field_name("index"), wrappers)
            case "object_pattern" if node.parent is not None:
                value = node.parent.child_by_field_name("value") or node.parent.child_by_field_name("right")
                if value != node and script.is_environment(value):
                    yield from _destructured(script, node)
            case "call_expression" if called(node) in ("Deno.env.get", "Bun.env.get") and arguments(node):
                yield from _indexed(script, node, arguments(node)[0], wrappers)


def _read(script: _Script, node: Node, name: str, *, by: str = "process.env") -> Iterator[Variable]:
    if not _NAME.fullmatch(name) or _is_written_to(node):
        return
    if "import.meta" in text_of(node)[:16]:
        if name in _OWN:
            return
        by = "import.meta.env"
    if (
        node.parent is not None
        and node.parent.type == "call_expression"
        and node.parent.child_by_field_name("function") == node
    ):
        return
    kind, default, whole = use(node, script.texts)
    yield variable(
        name,
        script.parsed.at(node, name),
        by=by,
        type=kind,
        default=default,
        is_required=not default and ends_without(node, whole),
        is_secret=is_secret_name(target(whole)) and kind in ("unknown", "text"),
    )


def _is_written_to(node: Node) -> bool:
    around = node.parent
    if around is None:
        return False
    if around.type == "assignment_expression":
        return around.child_by_field_name("left") == node
    return around.type == "unary_expression" and field_text(around, "operator") == "delete"


def _indexed(script: _Script, node: Node, key: Node | None, wrappers: dict[str, _Wrapper]) -> Iterator[Variable]:
    if key is None:
        return
    name = literal(key, script.texts)
    if name is not None:
        yield from _read(script, node, name)
        return
    if key.type != "identifier":
        return
    listed = _looped(script, key)
    for one in listed:
        scope = above(node, "statement_block", "program")
        while scope is not None and above(scope, *FUNCTIONS) is not None and not ends(scope):
            scope = above(scope, "statement_block", "program")
        yield variable(one, script.parsed.at(node, one), by="process.env", is_required=ends(scope))
    if not listed and (wrapper := _wrapper(node, text_of(key))) is not None:
        wrappers[wrapper.name] = wrapper


def _looped(script: _Script, key: Node) -> tuple[str, ...]:
    """Return the names of the list that a loop or a callback runs over."""
    name = text_of(key)
    loop = above(key, "for_in_statement")
    over = loop.child_by_field_name("right") if loop is not None and field_text(loop, "left") == name else None
    if over is None:
        function = above(key, *FUNCTIONS)
        call = above(function, "call_expression") if function is not None else None
        if function is None or call is None or name not in _parameters(function)[:1]:
            return ()
        member = call.child_by_field_name("function")
        if member is None or field_text(member, "property") not in (
            "forEach",
            "filter",
            "map",
            "every",
            "some",
            "find",
        ):
            return ()
        over = member.child_by_field_name("object")
    while over is not None and over.type in ("as_expression", "parenthesized_expression"):
        over = over.named_children[0]
    if over is not None and over.type == "array":
        return tuple(text for one in over.named_children if (text := literal(one, script.texts)) is not None)
    return script.lists.get(text_of(over), ())


def _parameters(function: Node) -> list[str]:
    declared = function.child_by_field_name("parameters") or function.child_by_field_name("parameter")
    if declared is None:
        return []
    if declared.type == "identifier":
        return [text_of(declared)]
    names = []
    for one in declared.named_children:
        inner = one.child_by_field_name("pattern") or one.child_by_field_name("left") or one
        names.append(text_of(inner))
    return names


def _wrapper(node: Node, name: str) -> _Wrapper | None:
    function = above(node, *FUNCTIONS)
    if function is None or name not in _parameters(function):
        return None
    own = field_text(function, "name")
    around = function.parent
    if not own and around is not None and around.type in ("variable_declarator", "pair", "public_field_definition"):
        own = field_text(around, "name") or key_of(around)
    names = _parameters(function)
    place = names.index(name)
    others = [at for at, one in enumerate(names) if at != place]
    default = next((at for at in others if re.search("def|fallback|alt|init|or", names[at], re.IGNORECASE)), -1)
    is_required = ends(function.child_by_field_name("body"))
    return _Wrapper(own, place, default, is_required) if own.isidentifier() else None


def _wrapped(sources: tuple[SourceFile, ...], wrappers: dict[str, _Wrapper]) -> Iterator[Variable]:
    if not wrappers:
        return
    words = re.compile(rb"\b(?:" + b"|".join(re.escape(name).encode() for name in wrappers) + rb")\s*[<(]")
    for parsed in parse_all(sources, words, []):
        script = _Script(parsed)
        for call in parsed.nodes("call_expression"):
            wrapper = wrappers.get(called(call).rpartition(".")[2])
            given = arguments(call)
            name = literal(given[wrapper.place], script.texts) if wrapper and len(given) > wrapper.place else None
            if wrapper is None or name is None or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                continue
            at = wrapper.default_place
            kind, other, whole = use(call, script.texts)
            default = (written(given[at], script.texts) if 0 <= at < len(given) else "") or other
            yield variable(
                name,
                parsed.at(call, name),
                by=wrapper.name,
                type=kind,
                default=default,
                is_required=wrapper.is_required and not default and not 0 <= at < len(given),
                is_secret=is_secret_name(target(whole)) and kind in ("unknown", "text"),
            )


def _destructured(script: _Script, pattern: Node) -> Iterator[Variable]:
    """Yield ``const { A, B: b, C = 'x' } = process.env``."""
    scope = above(pattern, "statement_block", "program")
    for one in pattern.named_children:
        inner, default = one, ""
        name = local = text_of(one)
        if one.type == "pair_pattern":
            name = key_of(one)
            inner = one.child_by_field_name("value") or one
            local = text_of(inner)
        if inner.type in ("object_assignment_pattern", "assignment_pattern"):
            default = written(inner.child_by_field_name("right"), script.texts)
            local = field_text(inner, "left")
            name = local if one.type != "pair_pattern" else name
        if not _NAME.fullmatch(name) or one.type == "rest_pattern":
            continue
        kind: InputType = "unknown"
        required = False
        for use_of in walk(scope) if not default else ():
            if use_of.type == "identifier" and text_of(use_of) == local:
                used, other, whole = use(use_of, script.texts)
                default = default or other
                kind = used if kind == "unknown" else kind
                required = required or ends_without(use_of, whole)
        yield variable(
            name, script.parsed.at(one, name), by="process.env", type=kind, default=default,
            is_required=required and not default, is_secret=is_secret_name(local),
        )  # fmt: skip
