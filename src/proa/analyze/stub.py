"""Whether the files that stand in for cgo do any work, or only say that there is no cgo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

_MOST_BYTES = 1 << 20
"""Longer files are not parsed; nobody writes a stub of a megabyte."""
_SMALL_PART = 0.05
"""A stand-in this much smaller than what it stands for is a stub whatever it does (arbitrary)."""

_PLAIN = frozenset(
    [
        "nil",
        "true",
        "false",
        "iota",
        "identifier",
        "type_identifier",
        "selector_expression",
        "composite_literal",
        "int_literal",
        "float_literal",
        "imaginary_literal",
        "rune_literal",
        "interpreted_string_literal",
        "raw_string_literal",
    ]
)
_EXCUSES = frozenset(("errors.New", "fmt.Errorf", "panic", "fmt.Sprintf", "new", "make", "log.Fatal", "log.Println"))


def is_stub(directory: Path, *, stand_ins: Sequence[str], cgo_files: Sequence[str], kept: Sequence[str]) -> bool:
    """Say whether a package without cgo lacks its work.

    ``stand_ins`` are compiled only without cgo, ``kept`` with and without. Where nothing stands in, the package is a
    stub if most of its Go was in the cgo files; otherwise if no function of the stand-ins does more than answer.
    """
    lost_bytes = _size(directory, cgo_files)
    if not stand_ins:
        return lost_bytes > _size(directory, kept)
    if _size(directory, stand_ins) < _SMALL_PART * lost_bytes:
        return True
    return all(is_excuse(_read(directory / name)) for name in stand_ins)


def is_excuse(source: bytes) -> bool:
    r"""Say whether no function in a Go file does more than return what is at hand, an error, or panic.

    >>> is_excuse(b'package a\nfunc F() error { return errors.New("built without cgo") }')
    True
    >>> is_excuse(b"package a\nfunc F(b []byte) (n int) { for range b { n++ }; return n }")
    False
    """
    from tree_sitter import Language, Parser
    from tree_sitter_go import language

    root = Parser(Language(language())).parse(source).root_node
    bodies = [
        node.child_by_field_name("body")
        for node in root.children
        if node.type in ("function_declaration", "method_declaration") and _name(node) != b"init"
    ]
    return all(_is_plain_body(body) for body in bodies if body is not None)


def _is_plain_body(body: Any) -> bool:
    statements = [
        statement
        for child in body.named_children
        for statement in (child.named_children if child.type == "statement_list" else [child])
        if statement.type != "comment"
    ]
    return all(_is_plain_statement(statement) for statement in statements)


def _is_plain_statement(node: Any) -> bool:
    if node.type == "var_declaration":
        return True
    if node.type == "return_statement":
        return all(_is_plain(value) for listed in node.named_children for value in listed.named_children)
    return node.type == "expression_statement" and all(_is_plain(value) for value in node.named_children)


def _is_plain(node: Any) -> bool:
    if node.type == "call_expression":
        return bool(node.child_by_field_name("function").text.decode() in _EXCUSES)
    if node.type in ("unary_expression", "parenthesized_expression"):
        return all(_is_plain(child) for child in node.named_children)
    return node.type in _PLAIN


def _name(node: Any) -> bytes:
    name = node.child_by_field_name("name")
    return bytes(name.text) if name is not None else b""


def _size(directory: Path, names: Iterable[str]) -> int:
    total = 0
    for name in names:
        try:
            total += (directory / name).stat().st_size
        except OSError:
            continue
    return total


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES)
    except OSError:
        return b""
