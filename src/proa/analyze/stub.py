"""Whether the files that stand in for cgo do any work, or only say that there is no cgo."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
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
    bodies = [
        node.child_by_field_name("body")
        for node in _parse(source).children
        if node.type in ("function_declaration", "method_declaration") and _name(node) != b"init"
    ]
    return all(_is_plain_body(body) for body in bodies if body is not None)


def declared(source: bytes) -> frozenset[bytes]:
    r"""Return the names that a Go file declares for its whole package; methods are not among them.

    >>> sorted(declared(b"package a\nconst x = 1\ntype T struct{}\nfunc F() {}\nfunc (T) M() {}"))
    [b'F', b'T', b'x']
    """
    found: set[bytes] = set()
    for node in _parse(source).children:
        if node.type == "function_declaration":
            found.add(_name(node))
        elif node.type in ("type_declaration", "const_declaration", "var_declaration"):
            found |= set(_declared_in(node))
    return frozenset(found - {b"", b"_", b"init"})


def _declared_in(node: Any) -> Iterator[bytes]:
    for child in node.named_children:
        if child.type in ("type_spec", "type_alias", "const_spec", "var_spec"):
            yield from (bytes(name.text) for name in child.children_by_field_name("name"))
        elif child.type.endswith("_spec_list"):
            yield from _declared_in(child)


_BINDING = frozenset(("parameter_declaration", "variadic_parameter_declaration", "var_spec", "const_spec", "type_spec"))


def refers_to(source: bytes, names: frozenset[bytes]) -> bool:
    r"""Say whether a Go file uses one of these names without giving it a meaning of its own.

    >>> refers_to(b"package a\nfunc F() int { return lost }", frozenset([b"lost"]))
    True
    >>> refers_to(b"package a\nfunc F(lost int) T { return T{lost: 1}.lost() }", frozenset([b"lost"]))
    False
    """
    if not any(name in source for name in names):
        return False
    used: set[bytes] = set()
    bound: set[bytes] = set()
    queue = [_parse(source)]
    while queue:
        node = queue.pop()
        if node.type in ("identifier", "type_identifier"):
            used.add(bytes(node.text))
            continue
        if node.type in _BINDING:
            bound |= {bytes(name.text) for name in node.children_by_field_name("name")}
        elif node.type in ("short_var_declaration", "range_clause"):
            left = node.child_by_field_name("left")
            bound |= {bytes(name.text) for name in left.named_children} if left is not None else set()
        # The key of T{key: value} is a field's name.
        skip = node.named_children[:1] if node.type == "keyed_element" else []
        queue += [child for child in node.named_children if child not in skip]
    return bool((used - bound) & names)


def _parse(source: bytes) -> Any:
    from tree_sitter import Language, Parser
    from tree_sitter_go import language

    return Parser(Language(language())).parse(source).root_node


def lost_names(directory: Path, *, cgo_files: Sequence[str], others: Sequence[str]) -> frozenset[bytes]:
    """Return the names that a package declares only in its cgo files."""
    found = frozenset(name for file in cgo_files for name in declared(_read(directory / file)))
    return found - frozenset(name for file in others for name in declared(_read(directory / file)))


def misses(directory: Path, files: Sequence[str], names: frozenset[bytes], *, qualifier: str = "") -> bool:
    """Say whether a package's files use lost names, its own or those of an imported package (``qualifier``)."""
    if not names:
        return False
    if qualifier:
        every = b"|".join(re.escape(name) for name in sorted(names))
        pattern = re.compile(rb"(?<![\w.])" + re.escape(qualifier.encode()) + rb"\.(?:" + every + rb")\b")
        return any(pattern.search(_read(directory / file)) for file in files)
    return any(refers_to(_read(directory / file), names) for file in files)


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
