"""Rust structs that are filled from the environment: envy, figment, config."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from proa.analyze.contract.grammar import Parsed, above
from proa.analyze.contract.reading import variable
from proa.analyze.contract.rust_clap import attributes, words_of
from proa.analyze.contract.rust_syntax import arguments, called, literal, type_in
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_READERS = re.compile(r".*(?:from_env|extract|try_deserialize|try_into)(?:::<.*>)?", re.DOTALL)
_MOST_DEPTH = 4


class _Way(msgspec.Struct, frozen=True):
    """How a library names what it reads."""

    by: str
    prefix: str
    separator: str


def structs_read(trees: Iterable[Parsed], constants: Mapping[str, str]) -> Iterator[Variable]:
    """Yield the fields of every struct that is read from the environment as a whole."""
    trees = tuple(trees)
    structs = {field_text(node, "name"): (parsed, node) for parsed in trees for node in parsed.nodes("struct_item")}
    for parsed in trees:
        if not re.search(rb"envy::|figment|Environment::", parsed.data):
            continue
        for call in parsed.nodes("call_expression"):
            if _READERS.fullmatch(called(call)) and (name := _read_as(call, structs)):
                way = _way(call, constants)
                if way is not None:
                    yield from _fields(name, way, structs, way.prefix, 0)


def _read_as(call: Node, structs: Mapping[str, object]) -> str:
    """Return the struct a value is read as: by its turbofish, by what it is bound to, by what is returned."""
    holder = above(call, "let_declaration")
    turbofish = re.search(r"::<(.*)>$", called(call), re.DOTALL)
    said = [turbofish[1] if turbofish else "", field_text(holder, "type") if holder is not None else ""]
    function = above(call, "function_item")
    if function is not None:
        said.append(field_text(function, "return_type"))
        block = above(call, "impl_item")
        said.append(field_text(block, "type") if block is not None else "")
    return next((word for text in said for word in re.findall(r"\w+", text) if word in structs), "")


def _way(call: Node, constants: Mapping[str, str]) -> _Way | None:
    scope = above(call, "function_item", "source_file")
    text = text_of(scope)
    if "envy::" in text:
        prefix = _argument(scope, r"envy::prefixed", constants)
        return _Way("envy", prefix, "")
    if "Environment::" in text:
        prefix = _argument(scope, r"(?:config::)?Environment::with_prefix", constants)
        separator = _argument(scope, r".*\.separator", constants) or "."
        joint = _argument(scope, r".*\.prefix_separator", constants) or (separator if separator != "." else "_")
        return _Way("config", f"{prefix.upper()}{joint}" if prefix else "", separator)
    if "Env::" in text or "figment" in text:
        prefix = _argument(scope, r"(?:\w+::)*Env::prefixed", constants)
        return _Way("figment", prefix.upper(), _argument(scope, r".*\.split", constants) or "")
    return None


def _argument(scope: Node | None, pattern: str, constants: Mapping[str, str]) -> str:
    for call in walk(scope):
        if call.type == "call_expression" and re.fullmatch(pattern, called(call), re.DOTALL) and arguments(call):
            return literal(arguments(call)[0], constants) or ""
    return ""


def _fields(
    name: str, way: _Way, structs: Mapping[str, tuple[Parsed, Node]], prefix: str, depth: int
) -> Iterator[Variable]:
    parsed, node = structs[name]
    whole = words_of(attributes(node), "serde")
    for field in parsed.nodes("field_declaration", under=node):
        words = words_of(attributes(field), "serde")
        if "skip" in words or "skip_deserializing" in words:
            continue
        own, type_text = words.get("rename") or field_text(field, "name").removeprefix("r#"), field_text(field, "type")
        inner = next((word for word in re.findall(r"\w+", type_text) if word in structs and word != name), "")
        if inner and depth < _MOST_DEPTH and (way.separator not in ("", ".") or "flatten" in words):
            deeper = prefix if "flatten" in words else f"{prefix}{own}{way.separator}".upper()
            yield from _fields(inner, way, structs, deeper, depth + 1)
            continue
        is_open = "default" in words or "default" in whole or type_text.startswith("Option") or way.by != "envy"
        yield variable(
            f"{prefix}{own}".upper(), parsed.at(field, own), by=way.by, type=type_in(type_text),
            is_required=not is_open, is_secret="Secret" in type_text,
        )  # fmt: skip
