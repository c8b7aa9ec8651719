"""The contract of Python programs: ``os.environ`` and functions around it; the usual libraries are read beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.grammar import Parsed, above, of_language, parse_all
from proa.analyze.contract.python_flags import flags
from proa.analyze.contract.python_libraries import libraries
from proa.analyze.contract.python_settings import settings_classes
from proa.analyze.contract.python_syntax import (
    Module,
    arguments,
    ends_without,
    is_guarded,
    literal,
    shared_constants,
    target,
    use,
    written,
)
from proa.analyze.contract.reading import Contract, SourceFile, is_secret_name, merged, variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import Variable
from proa.records.evidence import Finding

if TYPE_CHECKING:
    from tree_sitter import Node

_WORDS = (
    rb"environ|getenv|BaseSettings|decouple|argparse|optparse|\bclick\b|typer|starlette\.config|load_dotenv|dotenv_values"
    rb"|dj_database_url|from_envvar|from_prefixed_env"
)
_MAPPING = ("os.environ", "os.environb")
_GETTERS = ("os.getenv", "os.environ.get", "os.environ.pop", "os.environ.setdefault", "os.getenvb", "os.environb.get")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class Wrapper(NamedTuple):
    """A function of the program that reads the variable one of its parameters names."""

    name: str
    place: int
    parameter: str
    default_place: int
    default_parameter: str
    is_required: bool


def read_python(files: Iterable[SourceFile]) -> Contract:
    """Return what Python sources read of their configuration."""
    sources = of_language(files, (".py",))
    findings: list[Finding] = []
    models = rb"|BaseModel|dataclass" if any(b"BaseSettings" in one.data for one in sources) else b""
    modules = [Module(parsed) for parsed in parse_all(sources, re.compile(_WORDS + models), findings)]
    constants = shared_constants(modules)
    instances = {name: said for module in modules for name, said in module.names.items() if said.endswith("()")}
    for module in modules:
        # ``from .settings import env``: what another file made.
        for name, said in list(module.names.items()):
            last = said.rpartition(".")[2]
            if last in instances and not said.endswith("()") and not said.startswith("os."):
                module.names[name] = instances[last]
    wrappers: dict[str, Wrapper] = {}
    found: list[Variable] = []
    for module in modules:
        known = {**constants, **module.constants}
        found += _environment(module, known, wrappers)
        found += libraries(module, known)
        found += flags(module, known)
    found += settings_classes(modules, constants)
    found += _wrapped(sources, wrappers, constants, modules)
    return Contract(variables=merged(found), findings=tuple(findings))


def _environment(module: Module, known: dict[str, str], wrappers: dict[str, Wrapper]) -> Iterator[Variable]:
    for node in module.parsed.nodes("subscript", "call", "comparison_operator"):
        match node.type:
            case "subscript" if module.meaning(node.child_by_field_name("value")) in _MAPPING:
                if not _is_written_to(node):
                    yield from _read(module, node, (node.child_by_field_name("subscript"), None), known, wrappers)
            case "call" if module.meaning(node.child_by_field_name("function")) in _GETTERS:
                places, words = arguments(node)
                key = places[0] if places else words.get("key")
                default = places[1] if len(places) > 1 else words.get("default")
                yield from _read(module, node, (key, default), known, wrappers)
            case "comparison_operator" if len(node.named_children) == 2:
                left, right = node.named_children
                if module.meaning(right) in _MAPPING and (name := literal(left, known)):
                    yield variable(name, module.parsed.at(node), by="os.environ")


def _is_written_to(node: Node) -> bool:
    around = node.parent
    while around is not None and around.type in ("pattern_list", "expression_list", "tuple_pattern"):
        around = around.parent
    if around is None or around.type == "delete_statement":
        return around is not None
    return around.type == "assignment" and around.child_by_field_name("left") == node


def _read(
    module: Module,
    node: Node,
    given: tuple[Node | None, Node | None],
    known: dict[str, str],
    wrappers: dict[str, Wrapper],
) -> Iterator[Variable]:
    """Yield the variables of one read; one that is named by a parameter makes its function a wrapper."""
    key, default = given
    if key is None:
        return
    names = _names(module, key, known)
    kind, other, whole = use(node, known)
    said = written(default, known) or other
    is_subscript = node.type == "subscript"
    for name in names:
        if not _NAME.fullmatch(name):
            continue
        is_required = not said and default is None
        if is_subscript:
            is_required = is_required and not is_guarded(node, name)
        else:
            is_required = is_required and ends_without(node, whole)
        yield variable(
            name,
            module.parsed.at(node, name),
            by="os.environ" if is_subscript else module.meaning(node.child_by_field_name("function")),
            type=kind,
            default=said,
            is_required=is_required,
            is_secret=is_secret_name(target(whole)) and kind in ("unknown", "text"),
        )
    if not names and key.type == "identifier" and (wrapper := _wrapper(node, key, default, whole)) is not None:
        wrappers[wrapper.name] = wrapper


def _names(module: Module, key: Node, known: dict[str, str]) -> tuple[str, ...]:
    """Return the names a key can be: a literal, a constant, or each of the list that a loop runs over."""
    if key.type != "identifier" or above(key, "function_definition") is None or text_of(key).isupper():
        if (name := literal(key, known)) is not None:
            return (name,)
    elif (name := literal(key)) is not None:
        return (name,)
    if key.type != "identifier":
        return ()
    loop = above(
        key,
        "for_statement",
        "list_comprehension",
        "generator_expression",
        "dictionary_comprehension",
        "set_comprehension",
    )
    clause = loop
    if loop is not None and loop.type != "for_statement":
        clause = next((one for one in loop.named_children if one.type == "for_in_clause"), None)
    if clause is None or field_text(clause, "left") != text_of(key):
        return ()
    over = clause.child_by_field_name("right")
    if over is not None and over.type in ("list", "tuple", "set"):
        return tuple(text for child in over.named_children if (text := literal(child, known)) is not None)
    return module.lists.get(text_of(over), ())


def _wrapper(node: Node, key: Node, default: Node | None, whole: Node) -> Wrapper | None:
    function = above(node, "function_definition")
    if function is None:
        return None
    declared = function.child_by_field_name("parameters")
    names = [_parameter(child) for child in (declared.named_children if declared is not None else ())]
    names = [name for name in names if name not in ("self", "cls", "*", "/", "")]
    name = text_of(key)
    if name not in names:
        return None
    place = names.index(name)
    second = text_of(default) if default is not None and text_of(default) in names else ""
    if not second:
        second = next((one for one in names if one in ("default", "fallback", "default_value")), "")
    own = field_text(function, "name")
    is_plain = default is None or text_of(default) == second
    is_required = is_plain and (node.type == "subscript" or ends_without(node, whole))
    if own.startswith("__"):
        return None
    at = names.index(second) if second else -1
    return Wrapper(own, place, name, at, second, is_required)


def _parameter(node: Node) -> str:
    if node.type == "identifier":
        return text_of(node)
    inner = node.child_by_field_name("name")
    if inner is not None:
        return text_of(inner)
    return text_of(node.named_children[0]) if node.named_children else text_of(node)


def _wrapped(
    sources: tuple[SourceFile, ...], wrappers: dict[str, Wrapper], constants: dict[str, str], modules: list[Module]
) -> Iterator[Variable]:
    """Yield what the program's own functions around the environment are called with."""
    if not wrappers:
        return
    by_path = {module.parsed.path: module for module in modules}
    words = re.compile(rb"\b(?:" + b"|".join(re.escape(name).encode() for name in wrappers) + rb")\s*\(")
    for parsed in parse_all(sources, words, []):
        module = by_path.get(parsed.path)
        known = {**constants, **(module.constants if module is not None else {})}
        for call in parsed.nodes("call"):
            wrapper = wrappers.get(field_text(call, "function").rpartition(".")[2])
            if wrapper is not None:
                yield from _wrapped_call(parsed, call, wrapper, known)


def _wrapped_call(parsed: Parsed, call: Node, wrapper: Wrapper, known: dict[str, str]) -> Iterator[Variable]:
    places, words = arguments(call)
    key = places[wrapper.place] if len(places) > wrapper.place else words.get(wrapper.parameter)
    name = literal(key, known)
    if name is None or not _NAME.fullmatch(name) or not re.search("[A-Z]", name):
        return
    at = wrapper.default_place
    default = places[at] if 0 <= at < len(places) else words.get(wrapper.default_parameter)
    kind, other, whole = use(call, known)
    said = written(default, known) or other
    yield variable(
        name,
        parsed.at(call, name),
        by=wrapper.name,
        type=kind,
        default=said,
        is_required=wrapper.is_required and default is None and not said,
        is_secret=is_secret_name(target(whole)) and kind in ("unknown", "text"),
    )
