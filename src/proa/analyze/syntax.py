"""Go syntax read where it matters: one file's tree, and what its nodes are called, given and stand in.

What an expression can be is ``values``' to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from proa.analyze.texts import HOLE
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

LITERALS = ("interpreted_string_literal", "raw_string_literal")
_FUNCTIONS = ("function_declaration", "method_declaration", "func_literal")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@lru_cache(maxsize=1)
def _language() -> Language:
    import tree_sitter_go
    from tree_sitter import Language

    return Language(tree_sitter_go.language())


@lru_cache(maxsize=32)
def _query(source: str) -> Query:
    from tree_sitter import Query

    return Query(_language(), source)


class File:
    """One Go file and its syntax tree."""

    def __init__(self, package: Package, name: str, data: bytes) -> None:
        from tree_sitter import Parser

        self.package = package
        self.name = name
        self.data = data
        self.root = Parser(_language()).parse(data).root_node
        self._captured: dict[str, list[Node]] = {}

    def nodes(self, query: str) -> list[Node]:
        """Return what a query captures as ``@it``, in the order of the file."""
        from tree_sitter import QueryCursor

        if query not in self._captured:
            found = QueryCursor(_query(query)).captures(self.root).get("it", ())
            self._captured[query] = sorted(found, key=lambda node: node.start_byte)
        return self._captured[query]

    @property
    def calls(self) -> list[Node]:
        """Return every call in the file."""
        return self.nodes("(call_expression) @it")

    @cached_property
    def imports(self) -> Mapping[str, str]:
        """Return import paths by the name they have in this file."""
        found = {}
        for node in self.nodes("(import_spec) @it"):
            path = unquote(field_text(node, "path"))
            found[field_text(node, "name") or _usual_name(path)] = path
        return found

    def around(self, pattern: re.Pattern[bytes], kind: str) -> Iterator[Node]:
        """Yield the innermost node of a kind around each place where a pattern is found.

        Far faster than a query over the whole tree where few places match.
        """
        for found in pattern.finditer(self.data):
            node = self.root.descendant_for_byte_range(found.end() - 1, found.end())
            while node is not None and node.type != kind:
                node = node.parent
            if node is not None:
                yield node

    def calls_at(self, line: int, name: str) -> tuple[Node, ...]:
        """Return the calls of something named ``name`` at a line: those that start there, else that span it."""
        row = line - 1
        spanning = [
            call for call in self.calls if call.start_point[0] <= row <= call.end_point[0] and called_name(call) == name
        ]
        exact = [call for call in spanning if row in (call.start_point[0], _name_row(call))]
        return tuple(exact or spanning[-1:])


def called_name(call: Node) -> str:
    """Return the last name of what is called: ``Get`` of ``http.Get(…)`` and of ``client.Get(…)``."""
    function = _called(call)
    if function is None:
        return ""
    return field_text(function, "field") if function.type == "selector_expression" else text_of(function)


def _called(call: Node) -> Node | None:
    """Return the function of a call without the type arguments and parentheses around it."""
    function = call.child_by_field_name("function")
    while function is not None and function.type in ("parenthesized_expression", "index_expression", "generic_type"):
        function = function.named_children[0] if function.named_children else None
    return function


def qualified_name(call: Node, file: File) -> str:
    """Return what is called with its package's import path: ``net/http.Get``; methods by their bare name."""
    function = _called(call)
    if function is None or function.type != "selector_expression":
        return called_name(call)
    operand = field_text(function, "operand")
    return f"{file.imports[operand]}.{called_name(call)}" if operand in file.imports else called_name(call)


def arguments(call: Node) -> list[Node]:
    """Return a call's arguments in order."""
    given = call.child_by_field_name("arguments")
    return [child for child in given.named_children if child.type != "comment"] if given is not None else []


def enclosing_function(node: Node, package: str) -> str:
    """Return the linker's name of the declared function around a node; empty at package level.

    ``package`` is the import path as the linker writes it (``main`` for the program's own).
    """
    while node.parent is not None:
        node = node.parent
        if node.type == "function_declaration":
            return f"{package}.{field_text(node, 'name')}"
        if node.type == "method_declaration":
            receiver = node.child_by_field_name("receiver")
            kinds = re.search(r"(\*?)\s*([A-Za-z_]\w*)\s*(?:\[[^\]]*\])?\s*\)$", text_of(receiver) if receiver else "")
            if kinds is None:
                return ""
            owner = f"(*{kinds[2]})" if kinds[1] else kinds[2]
            return f"{package}.{owner}.{field_text(node, 'name')}"
    return ""


def enclosing_declaration(node: Node) -> Node | None:
    """Return the declared function or method around a node."""
    found = node.parent
    while found is not None and found.type not in ("function_declaration", "method_declaration"):
        found = found.parent
    return found


def enclosing(node: Node) -> Node | None:
    """Return the function a node stands in; for a function, the one around it."""
    found = node.parent
    while found is not None and found.type not in _FUNCTIONS:
        found = found.parent
    return found


def call_around(node: Node) -> Node | None:
    """Return the call a node is an argument of."""
    found = node.parent
    while found is not None and found.type in ("argument_list", "parenthesized_expression"):
        found = found.parent
    return found if found is not None and found.type == "call_expression" else None


def parameters(function: Node) -> list[str]:
    """Return the names of a function's parameters in order; empty for one without a name."""
    declared = function.child_by_field_name("parameters")
    names: list[str] = []
    for node in declared.named_children if declared is not None else ():
        if node.type == "parameter_declaration":
            names += [text_of(child) for child in node.children_by_field_name("name")] or [""]
    return names


def parameter_place(function: Node, name: str) -> int | None:
    """Return which parameter of a function has this name."""
    names = parameters(function)
    return names.index(name) if name in names else None


def literals_of(nodes: Iterable[Node], name: str) -> Iterator[Node]:
    """Yield the expressions a name is declared with or assigned among some nodes."""
    for node in nodes:
        if node.type in ("short_var_declaration", "assignment_statement"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None and [text_of(child) for child in left.named_children] == [name]:
                yield from right.named_children[:1]
        elif node.type == "var_spec":
            value = node.child_by_field_name("value")
            if [text_of(child) for child in node.children_by_field_name("name")] == [name] and value is not None:
                yield from value.named_children[:1]


def walk(root: Node | None) -> Iterator[Node]:
    """Yield a node and all below it, in the order of the source."""
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def _name_row(call: Node) -> int:
    function = call.child_by_field_name("function")
    return function.end_point[0] if function is not None else call.start_point[0]


def text_of(node: Node | None) -> str:
    """Return a node's source; empty for none."""
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def field_text(node: Node, name: str) -> str:
    """Return the source of a node's field; empty where it has none."""
    return text_of(node.child_by_field_name(name))


def _usual_name(path: str) -> str:
    """Return the name a package most likely has: ``chi`` of ``github.com/go-chi/chi/v5``."""
    parts = [part for part in path.split("/") if not re.fullmatch(r"v[0-9]+", part)] or [path]
    return re.sub(r"^go-|\.v[0-9]+$|-go$", "", parts[-1])


def unquote(text: str) -> str:
    r"""Return what a Go string literal says.

    >>> unquote(r'"a\tb\u00e9"'), unquote("`a\\tb`")
    ('a\tbé', 'a\\tb')
    """
    if text[:1] != '"':
        return text.strip("`").replace("\r", "")
    return re.sub(r"\\(?:x(..)|u(....)|U(........)|([0-7]{3})|(.))", _escape, text[1:-1])


def _escape(found: re.Match[str]) -> str:
    code = found[1] or found[2] or found[3]
    if code or found[4]:
        try:
            return chr(int(code, 16) if code else int(found[4], 8))
        except ValueError:
            return HOLE
    return _ESCAPES.get(found[5], found[5])
