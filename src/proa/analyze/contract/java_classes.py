"""Classes that a JVM framework fills from properties: ``@ConfigurationProperties`` and ``@ConfigMapping``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from proa.analyze.contract.grammar import Parsed, parse_all
from proa.analyze.contract.java_names import Dialect, kebab, other_names, variable_of
from proa.analyze.contract.java_syntax import TYPES, annotation_of, literal, marks_of, type_in
from proa.analyze.contract.reading import SourceFile, variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_KINDS = ("class_declaration", "record_declaration", "interface_declaration")
_NEEDED = frozenset({"NotNull", "NotBlank", "NotEmpty"})
_MOST_DEPTH = 5


class _Spot(msgspec.Struct, frozen=True):
    prefix: str
    dialect: Dialect
    by: str
    depth: int = 0


def bound_classes(
    sources: Iterable[SourceFile], trees: Iterable[Parsed], dialect: Dialect, properties: Mapping[str, str]
) -> Iterator[Variable]:
    """Yield the variable of every field of every class that properties are bound to."""
    trees = tuple(trees)
    heads = [(parsed, node, *_head(node)) for parsed in trees for node in parsed.nodes(*_KINDS)]
    bound = [(parsed, node, by, prefix) for parsed, node, by, prefix in heads if by]
    if not bound:
        return
    by_name = {field_text(node, "name"): (parsed, node) for parsed, node, _, _ in heads}
    missing = _missing(bound, by_name)
    if missing:
        words = re.compile(rb"\b(?:class|record|interface|enum)\s+(?:" + b"|".join(missing) + rb")\b")
        for parsed in parse_all(sources, words, []):
            for node in parsed.nodes(*_KINDS):
                by_name.setdefault(field_text(node, "name"), (parsed, node))
    for parsed, node, by, prefix in bound:
        rules: Dialect = "microprofile" if by == "@ConfigMapping" else dialect
        yield from _fields(parsed, node, _Spot(prefix, rules, by), by_name, properties)


def _head(node: Node) -> tuple[str, str]:
    for name in ("ConfigurationProperties", "ConfigMapping"):
        found = marks_of(node).get(name)
        if found is not None:
            given = annotation_of(found, {})
            return f"@{name}", given.get("prefix") or given.get("value", "")
    return "", ""


def _missing(bound: list[tuple[Parsed, Node, str, str]], known: Mapping[str, object]) -> list[bytes]:
    said = {word for parsed, node, _, _ in bound for word in re.findall(r"\b[A-Z]\w+", text_of(node))}
    return sorted(word.encode() for word in said - set(known) - set(TYPES))


def _members(node: Node) -> Iterator[tuple[Node, str, str, Node | None]]:
    """Yield the fields of a class, the components of a record, the methods of an interface: name, type and default."""
    if node.type == "record_declaration":
        declared = node.child_by_field_name("parameters")
        for one in declared.named_children if declared is not None else ():
            yield one, field_text(one, "name"), field_text(one, "type"), None
        return
    body = node.child_by_field_name("body")
    for one in body.named_children if body is not None else ():
        if one.type == "field_declaration" and node.type == "class_declaration":
            if "static" in text_of(next(iter(one.named_children), None)).split():
                continue
            for part in one.children_by_field_name("declarator"):
                yield one, field_text(part, "name"), field_text(one, "type"), part.child_by_field_name("value")
        elif one.type == "method_declaration" and node.type == "interface_declaration":
            parameters = one.child_by_field_name("parameters")
            if parameters is not None and not parameters.named_children:
                yield one, field_text(one, "name"), field_text(one, "type"), None


def _fields(
    parsed: Parsed,
    node: Node,
    spot: _Spot,
    by_name: Mapping[str, tuple[Parsed, Node]],
    properties: Mapping[str, str],
) -> Iterator[Variable]:
    for member, own, type_text, value in _members(node):
        marks = marks_of(member)
        given = {name: annotation_of(one, {}) for name, one in marks.items()}
        own_name = given.get("WithName", {}).get("value") or kebab(own)
        name = f"{spot.prefix}.{own_name}" if spot.prefix else own_name
        inner = by_name.get(type_text)
        if inner is not None and spot.depth < _MOST_DEPTH:
            deeper = msgspec.structs.replace(spot, prefix=name, depth=spot.depth + 1)
            yield from _fields(*inner, deeper, by_name, properties)
            continue
        if type_text.startswith(("Map", "HashMap", "Logger")):
            continue
        default = properties.get(name, "") or given.get("DefaultValue", {}).get("value", "")
        default = (
            default
            or given.get("WithDefault", {}).get("value", "")
            or given.get("Bindable", {}).get("defaultValue", "")
        )
        is_set = bool(default) or name in properties or value is not None
        needed = bool(_NEEDED & set(marks)) or (spot.by == "@ConfigMapping" and not type_text.startswith("Optional"))
        yield variable(
            variable_of(name, spot.dialect),
            parsed.at(member, own),
            by=spot.by,
            type=type_in(type_text),
            default=(default if "${" not in default else "") or _written(value),
            is_required=needed and not is_set,
            aliases=other_names(name, spot.dialect),
        )


def _written(value: Node | None) -> str:
    if value is None or text_of(value) == "null":
        return ""
    text = literal(value, {})
    source = " ".join(text_of(value).split())
    return text if text is not None else source if len(source) <= 60 else f"{source[:59]}…"
