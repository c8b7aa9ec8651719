"""Go struct types as their tags are read: fields with names, types, tags and comments; types found by name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.go_source import GoSource
from proa.analyze.syntax import (
    File,
    enclosing_declaration,
    field_text,
    literals_of,
    text_of,
    unquote,
    walk,
)
from proa.records.contract import InputType
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

_TAG = re.compile(r'([A-Za-z_][\w-]*):("(?:[^"\\]|\\.)*")')
_SIMPLE: dict[str, InputType] = {
    "string": "text", "bool": "boolean", "int": "integer", "int8": "integer", "int16": "integer", "int32": "integer",
    "int64": "integer", "uint": "integer", "uint8": "integer", "uint16": "integer", "uint32": "integer",
    "uint64": "integer", "float32": "number", "float64": "number", "time.Duration": "duration", "url.URL": "url",
    "net.IP": "address",
}  # fmt: skip
_LEAVES = frozenset({"time.Time", "url.URL", "time.Location", "regexp.Regexp", "big.Int", "os.File"})
"""Struct types of the standard library that are one value."""
_MOST_FIELDS = 20_000
"""Fields of one program that are looked at, through all structs in structs (arbitrary)."""
_MOST_DEPTH = 20


class Struct(NamedTuple):
    """A struct type where it is written."""

    node: Node
    file: File
    name: str
    """Empty where it has none."""


class Field(NamedTuple):
    """One field of a struct."""

    name: str
    type: Node
    tags: Mapping[str, str]
    is_embedded: bool
    node: Node
    file: File

    @property
    def kind(self) -> InputType:
        """Return what kind of value the field holds."""
        return kind_of(self.type)

    @property
    def is_exported(self) -> bool:
        """Say whether other packages, such as those that read tags, can set it."""
        return self.name[:1].isupper()

    @property
    def comment(self) -> str:
        """Return the words right above the field."""
        above = self.node.prev_named_sibling
        if above is None or above.type != "comment" or above.end_point[0] + 1 != self.node.start_point[0]:
            return ""
        return text_of(above).removeprefix("//").strip() if text_of(above).startswith("//") else ""


def kind_of(node: Node) -> InputType:
    """Return what kind of value a type holds; ``unknown`` for types with a name of their own."""
    while node.type == "pointer_type":
        node = node.named_children[0]
    if node.type in ("slice_type", "map_type", "array_type"):
        return "text" if text_of(node) == "[]byte" else "list"
    return _SIMPLE.get(text_of(node), "unknown")


def tags_of(text: str) -> dict[str, str]:
    r"""Return the parts of a struct tag.

    >>> tags_of('`env:"A,required" envDefault:"x \\"y\\""`')
    {'env': 'A,required', 'envDefault': 'x "y"'}
    """
    inner = unquote(text)
    return {found[1]: unquote(found[2]) for found in _TAG.finditer(inner)}


def fields_of(struct: Struct) -> Iterator[Field]:
    """Yield the fields of a struct in order, one for each name."""
    listed = next((child for child in struct.node.named_children if child.type == "field_declaration_list"), None)
    for node in listed.named_children if listed is not None else ():
        kind = node.child_by_field_name("type")
        if node.type != "field_declaration" or kind is None:
            continue
        tags = tags_of(field_text(node, "tag"))
        names = [text_of(child) for child in node.children_by_field_name("name")]
        for name in names:
            yield Field(name, kind, tags, False, node, struct.file)
        if not names:
            name = re.sub(r"\[.*", "", text_of(kind)).rpartition(".")[2].lstrip("*")
            yield Field(name, kind, tags, True, node, struct.file)


class Structs:
    """Finds the struct types of a program by name, each once."""

    def __init__(self, source: GoSource) -> None:
        self._source = source
        self._known: dict[tuple[str, str], Struct | None] = {}
        self._fields_left = _MOST_FIELDS
        self._depth = 0

    def of_type(self, node: Node | None, file: File) -> Struct | None:
        """Return the struct that a type is or points to; None where it is something else or not at hand."""
        while node is not None and node.type in ("pointer_type", "parenthesized_type"):
            node = node.named_children[0] if node.named_children else None
        if node is None or text_of(node) in _LEAVES:
            return None
        if node.type == "struct_type":
            return Struct(node, file, "")
        if node.type == "generic_type":
            node = node.named_children[0]
        if node.type == "type_identifier":
            return self.named(file.package, text_of(node))
        if node.type == "qualified_type":
            path = file.imports.get(field_text(node, "package"), "")
            package = self._source.sources.packages.get(path)
            return self.named(package, field_text(node, "name")) if package is not None else None
        return None

    def fields(self, struct: Struct) -> Iterator[Field]:
        """Yield the fields of a struct as long as there are any left to look at."""
        for field in fields_of(struct):
            self._fields_left -= 1
            if self._fields_left < 0:
                return
            yield field

    def named(self, package: Package, name: str) -> Struct | None:
        """Return the struct type of a package by its name."""
        key = (package.import_path, name)
        if key not in self._known:
            self._known[key] = None
            self._known[key] = self._find(package, name)
        return self._known[key]

    def _find(self, package: Package, name: str) -> Struct | None:
        pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\s+(?:=\s*)?[\w*.{\[]")
        for file in self._source.files_of([package], pattern):
            for node in file.nodes("[(type_spec) (type_alias)] @it"):
                if field_text(node, "name") == name:
                    kind = node.child_by_field_name("type")
                    if kind is not None and kind.type == "struct_type":
                        return Struct(kind, file, name)
                    return self.of_type(kind, file)
        return None

    def has_method(self, struct: Struct, *names: str) -> bool:
        """Say whether a named type has one of these methods: then it is one value for the library."""
        if not struct.name:
            return False
        words = "|".join(names).encode()
        pattern = re.compile(rb"func \(\w*\s*\*?" + struct.name.encode() + rb"\) (?:" + words + rb")\(")
        return any(True for _ in self._source.files_of([struct.file.package], pattern))

    def of_value(self, node: Node | None, file: File) -> Struct | None:
        """Return the struct type of an expression: ``&cfg``, ``&Config{}``, ``new(Config)``, ``cfg``, ``s.config``."""
        if self._depth >= _MOST_DEPTH:
            return None
        self._depth += 1
        try:
            return self._of_value(node, file)
        finally:
            self._depth -= 1

    def _of_value(self, node: Node | None, file: File) -> Struct | None:
        while node is not None and node.type in ("unary_expression", "parenthesized_expression"):
            node = node.child_by_field_name("operand") or (node.named_children[0] if node.named_children else None)
        if node is None:
            return None
        if node.type == "composite_literal":
            return self.of_type(node.child_by_field_name("type"), file)
        if node.type == "call_expression" and field_text(node, "function") == "new":
            given = node.child_by_field_name("arguments")
            inner = given.named_children[0] if given is not None and given.named_children else None
            return self.of_type(inner, file) or self._named_text(inner, file)
        if node.type == "identifier":
            return self._of_name(node, file)
        if node.type == "selector_expression":
            return self._of_field(node, file)
        return None

    def _named_text(self, node: Node | None, file: File) -> Struct | None:
        """Return the struct that an expression names, where the grammar takes a type for a value."""
        if node is not None and node.type in ("identifier", "type_identifier"):
            return self.named(file.package, text_of(node))
        if node is not None and node.type == "selector_expression":
            package = self._source.sources.packages.get(file.imports.get(field_text(node, "operand"), ""))
            return self.named(package, field_text(node, "field")) if package is not None else None
        return None

    def _of_name(self, node: Node, file: File) -> Struct | None:
        name, function = text_of(node), enclosing_declaration(node)
        if function is not None:
            found = self._declared(name, file, walk(function))
            if found is not None:
                return found
        pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
        for other in self._source.files_of([file.package], pattern):
            globals_ = (spec for spec in other.nodes("(var_spec) @it") if enclosing_declaration(spec) is None)
            found = self._declared(name, other, globals_)
            if found is not None:
                return found
        return None

    def _declared(self, name: str, file: File, nodes: Iterator[Node]) -> Struct | None:
        for node in nodes:
            if node.type in ("var_spec", "parameter_declaration"):
                names = [text_of(child) for child in node.children_by_field_name("name")]
                if name in names and node.child_by_field_name("type") is not None:
                    return self.of_type(node.child_by_field_name("type"), file)
            for value in literals_of([node], name):
                if value.type != "identifier":
                    found = self.of_value(value, file)
                    if found is not None:
                        return found
        return None

    def _of_field(self, node: Node, file: File) -> Struct | None:
        operand, name = node.child_by_field_name("operand"), field_text(node, "field")
        if operand is not None and text_of(operand) in file.imports:
            package = self._source.sources.packages.get(file.imports[text_of(operand)])
            if package is None:
                return None
            for other in self._source.files_of([package], re.compile(rb"\b" + name.encode() + rb"\b")):
                found = self._declared(name, other, iter(other.nodes("(var_spec) @it")))
                if found is not None:
                    return found
            return None
        outer = self.of_value(operand, file)
        for field in fields_of(outer) if outer is not None else ():
            if field.name == name:
                return self.of_type(field.type, field.file)
        return None
