"""What a Go expression can be, as the source shows it.

The values are those the source shows; a variable set by the linker (``-X``) or through reflection keeps what its
source says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.syntax import (
    LITERALS,
    File,
    arguments,
    call_around,
    called_name,
    enclosing,
    field_text,
    literals_of,
    parameter_place,
    parameters,
    qualified_name,
    text_of,
    unquote,
    walk,
)
from proa.analyze.texts import HOLE, MOST_VALUES, SELF, TEMPORARY, UNKNOWN, Values, formatted, joined, path_joined
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

    from proa.analyze.files import Sources

MOST_STEPS = 400
"""Expressions looked at for one answer: large programs lead from one to very many (arbitrary)."""
_STEPS_TO_PARSE = 10
"""What parsing a file counts for against that (measured, roughly)."""
_MOST_DEPTH = 12


class _Look(NamedTuple):
    """Where an expression stands, what parameters are known to be, and how far it is from the question."""

    file: File
    bound: Mapping[str, Values]
    depth: int


class Evaluation:
    """What the expressions of one program can be; what was found is kept."""

    def __init__(self, sources: Sources, *, steps: int) -> None:
        """Follow an answer for ``steps`` expressions at most, then take it as not known."""
        self._sources = sources
        self._steps = steps
        self._steps_left = 0
        self._busy: set[tuple[str, int, int]] = set()
        self._known: dict[tuple[str, ...], Values] = {}

    def values(
        self, node: Node | None, file: File, bound: Mapping[str, Values] | None = None, depth: int = 0
    ) -> Values:
        """Return every text an expression can have, with HOLE for what is not known."""
        if not self._busy:
            self._steps_left = self._steps
        self._steps_left -= 1
        if node is None or depth > _MOST_DEPTH or self._steps_left < 0:
            return UNKNOWN
        key = (f"{file.package.import_path}/{file.name}", node.start_byte, node.end_byte)
        if key in self._busy:
            return frozenset()
        self._busy.add(key)
        try:
            found = self._values(node, file, bound or {}, depth)
        finally:
            self._busy.discard(key)
        return found if len(found) <= MOST_VALUES else UNKNOWN

    def _values(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        kind = node.type
        if kind in LITERALS:
            return frozenset({unquote(text_of(node))})
        if kind == "int_literal":
            return frozenset({text_of(node)})
        if kind == "parenthesized_expression":
            return self.values(node.named_children[0] if node.named_children else None, file, bound, depth)
        if kind == "binary_expression" and field_text(node, "operator") == "+":
            sides = [self.values(node.child_by_field_name(name), file, bound, depth + 1) for name in ("left", "right")]
            return joined(sides)
        if kind == "unary_expression" and field_text(node, "operator") == "*":
            return self.values(node.child_by_field_name("operand"), file, bound, depth + 1)
        if kind == "identifier":
            return self._identifier(node, file, bound, depth)
        if kind == "selector_expression":
            return self._selector(node, file, depth)
        if kind == "index_expression" and text_of(node) == "os.Args[0]":
            return frozenset({SELF})
        if kind == "call_expression":
            return self._call(node, file, bound, depth)
        if kind == "type_conversion_expression":
            return self.values(node.child_by_field_name("operand"), file, bound, depth + 1)
        return UNKNOWN

    def _identifier(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        name = text_of(node)
        scope = enclosing(node)
        while scope is not None:
            position = parameter_place(scope, name)
            if position is not None:
                if name in bound:
                    return bound[name]
                return self._from_callers(scope, position, file, depth)
            found = self._assigned(scope, name, file, bound, depth)
            if found is not None:
                return found
            scope = enclosing(scope)
        return self._package_level(file.package, name, depth)

    def _assigned(self, scope: Node, name: str, file: File, bound: Mapping[str, Values], depth: int) -> Values | None:
        """Return what a function assigns to a name it declares, or None where it declares none of that name."""
        found: set[str] = set()
        is_declared = False
        for node in walk(scope.child_by_field_name("body")):
            kind = node.type
            if kind in ("short_var_declaration", "assignment_statement"):
                left = node.child_by_field_name("left")
                names = [text_of(child) for child in left.named_children] if left is not None else []
                if name in names:
                    is_declared = is_declared or kind == "short_var_declaration"
                    found |= self._right(node, names.index(name), len(names), _Look(file, bound, depth))
            elif kind in ("var_spec", "const_spec"):
                names = [text_of(child) for child in node.children_by_field_name("name")]
                if name in names:
                    is_declared = True
                    found |= self._specified(node, names.index(name), len(names), _Look(file, bound, depth))
            elif kind == "range_clause":
                left = node.child_by_field_name("left")
                names = [text_of(child) for child in left.named_children] if left is not None else []
                if name in names:
                    is_declared = True
                    is_element = names.index(name) == 1
                    right = node.child_by_field_name("right")
                    found |= self._elements(right, file, depth + 1) if is_element else UNKNOWN
            elif kind == "unary_expression" and text_of(node) == "&" + name:
                found |= self._set_by_pointer(node, file, bound, depth)
        return frozenset(found) if is_declared else None

    def _right(self, node: Node, index: int, count: int, look: _Look) -> Values:
        right = node.child_by_field_name("right")
        operator = field_text(node, "operator")
        if right is None or operator not in ("", "="):
            return UNKNOWN
        if len(right.named_children) == count:
            return self.values(right.named_children[index], look.file, look.bound, look.depth + 1)
        # v, err := f(): the first result of a call whose first result is a text.
        return self.values(right.named_children[0], look.file, look.bound, look.depth + 1) if index == 0 else UNKNOWN

    def _specified(self, node: Node, index: int, count: int, look: _Look) -> Values:
        value = node.child_by_field_name("value")
        if value is None:
            # A const without a value repeats the one before; a string variable is empty at first.
            return frozenset({""}) if field_text(node, "type") == "string" else UNKNOWN
        given = value.named_children
        return self.values(given[index], look.file, look.bound, look.depth + 1) if len(given) == count else UNKNOWN

    def _set_by_pointer(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        """Return what a call given ``&name`` can set: for flag.StringVar(&name, "flag", "default", …) its default."""
        call = call_around(node)
        if call is not None and called_name(call) in ("StringVar", "StringVarP", "IntVar", "IntVarP"):
            given = arguments(call)
            place = 3 if called_name(call).endswith("P") else 2
            if len(given) > place:
                return self.values(given[place], file, bound, depth + 1) | UNKNOWN
        return UNKNOWN

    def _elements(self, node: Node | None, file: File, depth: int) -> Values:
        """Return every text a slice, array or map literal can hold as an element."""
        if node is None or depth > _MOST_DEPTH:
            return UNKNOWN
        if node.type == "identifier":
            return self._elements_of_name(node, file, depth)
        if node.type != "composite_literal":
            return UNKNOWN
        body = node.child_by_field_name("body")
        found: set[str] = set()
        for element in body.named_children if body is not None else ():
            value = element.named_children[-1] if element.named_children else None
            inner = value.named_children[0] if value is not None and value.type == "literal_element" else value
            found |= self.values(inner, file, None, depth + 1)
        return frozenset(found)

    def _elements_of_name(self, node: Node, file: File, depth: int) -> Values:
        name = text_of(node)
        scope = enclosing(node)
        places: list[tuple[File, Node | None]] = (
            [(file, scope.child_by_field_name("body"))] if scope is not None else []
        )
        places += [(other, other.root) for other in self._files([file.package], name)]
        for other, root in places:
            given = [right for right in literals_of(root, name) if right.type == "composite_literal"]
            if len(given) == 1:
                return self._elements(given[0], other, depth + 1)
        return UNKNOWN

    def _is_local(self, package: Package) -> bool:
        return package.import_path in self._sources.local_paths

    def _files(self, packages: Iterable[Package], word: str) -> Iterator[File]:
        """Yield the files of some packages that mention a word, as long as there are steps left."""
        wanted = word.encode()
        for package in packages:
            for name in package.files:
                if self._steps_left < 0:
                    return
                if wanted not in self._sources.text(package, name):
                    continue
                if not self._sources.is_parsed(package, name):
                    self._steps_left -= _STEPS_TO_PARSE
                file = self._sources.file(package, name)
                if file is not None:
                    yield file

    def _once(self, key: tuple[str, ...], find: Callable[[], Values]) -> Values:
        """Return what was found for a key before, or find it; while it is being found, nothing."""
        if key not in self._known:
            self._known[key] = frozenset()
            self._known[key] = find()
        return self._known[key]

    def _package_level(self, package: Package, name: str, depth: int) -> Values:
        return self._once(("name", package.import_path, name), lambda: self._named(package, name, depth))

    def _named(self, package: Package, name: str, depth: int) -> Values:
        found: set[str] = set()
        is_declared = False
        for file in self._files([package], name):
            for node in file.nodes("[(const_spec) (var_spec)] @it"):
                names = [text_of(child) for child in node.children_by_field_name("name")]
                if name not in names:
                    continue
                is_global = enclosing(node) is None
                if is_global:
                    is_declared = True
                    found |= self._specified(node, names.index(name), len(names), _Look(file, {}, depth))
            found |= self._set_elsewhere(file, name, depth)
        return frozenset(found) if is_declared else UNKNOWN

    def _set_elsewhere(self, file: File, name: str, depth: int) -> Values:
        found: set[str] = set()
        for node in file.nodes("[(assignment_statement) (unary_expression)] @it"):
            if node.type == "unary_expression":
                if text_of(node) == "&" + name:
                    found |= self._set_by_pointer(node, file, {}, depth)
                continue
            left = node.child_by_field_name("left")
            names = [text_of(child) for child in left.named_children] if left is not None else []
            if name in names:
                found |= self._right(node, names.index(name), len(names), _Look(file, {}, depth))
        return frozenset(found)

    def _selector(self, node: Node, file: File, depth: int) -> Values:
        operand, field = node.child_by_field_name("operand"), field_text(node, "field")
        if operand is not None and operand.type == "identifier" and text_of(operand) in file.imports:
            package = self._sources.packages.get(file.imports[text_of(operand)])
            return self._package_level(package, field, depth + 1) if package is not None else UNKNOWN
        if not self._is_local(file.package):
            return UNKNOWN
        return self._field(file.package, field, depth) | UNKNOWN

    def _field(self, package: Package, name: str, depth: int) -> Values:
        """Return the texts given to a struct field of this name anywhere in its package."""
        return self._once(("field", package.import_path, name), lambda: self._given_to_field(package, name, depth))

    def _given_to_field(self, package: Package, name: str, depth: int) -> Values:
        found: set[str] = set()
        for file in self._files([package], name):
            for node in file.nodes("(keyed_element) @it"):
                key, value = node.named_children[0], node.named_children[-1]
                if text_of(key) == name and value.named_children:
                    found |= self.values(value.named_children[0], file, {}, depth + 2)
            for node in file.nodes("(assignment_statement) @it"):
                left = node.child_by_field_name("left")
                for index, child in enumerate(left.named_children if left is not None else ()):
                    if child.type == "selector_expression" and field_text(child, "field") == name:
                        count = len(left.named_children) if left is not None else 1
                        found |= self._right(node, index, count, _Look(file, {}, depth + 2))
        return frozenset(found)

    def _call(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        name, given = qualified_name(node, file), arguments(node)

        def value(index: int) -> Values:
            return self.values(given[index], file, bound, depth + 1) if index < len(given) else UNKNOWN

        if name in ("path/filepath.Join", "path.Join"):
            return path_joined([value(index) for index in range(len(given))])
        if name in _SAME_TEXT:
            return value(0)
        if name == "os.Executable":
            return frozenset({SELF})
        if name == "os.TempDir":
            return frozenset({TEMPORARY})
        if name == "fmt.Sprintf":
            return formatted([value(index) for index in range(len(given))])
        if name == "net.JoinHostPort":
            return joined([value(0), frozenset({":"}), value(1)])
        if name in _EXTENSION:
            return frozenset(posixpath.splitext(text)[1] if not text.endswith(HOLE) else HOLE for text in value(0))
        if name == "cmp.Or":
            return frozenset().union(*(value(index) for index in range(len(given))))
        if name in _WITH_DEFAULT:
            return value(_WITH_DEFAULT[name]) | UNKNOWN
        return self._returned(node, file, bound, depth)

    def _returned(self, call: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        """Return what a function of the program's own module returns for these arguments."""
        function = call.child_by_field_name("function")
        if function is None or depth > _MOST_DEPTH // 2:
            return UNKNOWN
        package: Package | None = file.package
        if function.type == "selector_expression":
            operand = field_text(function, "operand")
            package = self._sources.packages.get(file.imports[operand]) if operand in file.imports else None
        elif function.type != "identifier":
            return UNKNOWN
        if package is None or not self._is_local(package):
            return UNKNOWN
        given = [self.values(node, file, bound, depth + 1) for node in arguments(call)]
        for other in self._files([package], f"func {called_name(call)}("):
            for declared in other.nodes("(function_declaration) @it"):
                if field_text(declared, "name") == called_name(call):
                    return self._results(declared, other, dict(zip(parameters(declared), given, strict=False)), depth)
        return UNKNOWN

    def _results(self, function: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        found: set[str] = set()
        for node in walk(function.child_by_field_name("body")):
            if node.type == "return_statement" and enclosing(node) == function:
                results = node.named_children[0].named_children if node.named_children else []
                found |= self.values(results[0], file, bound, depth + 1) if results else UNKNOWN
        return frozenset(found) or UNKNOWN

    def _from_callers(self, function: Node, position: int, file: File, depth: int) -> Values:
        """Return what the program's own packages give for a parameter of one of their functions."""
        if function.type == "func_literal" or not self._is_local(file.package) or depth > _MOST_DEPTH // 2:
            return UNKNOWN
        name = field_text(function, "name")
        packages = self._sources.local if name[:1].isupper() else (file.package,)
        key = ("given", file.package.import_path, file.name, str(function.start_byte), str(position))
        return self._once(key, lambda: self._given_by(packages, name, position, depth))

    def _given_by(self, packages: Sequence[Package], name: str, position: int, depth: int) -> Values:
        found: set[str] = set()
        has_caller = False
        for other in self._files(packages, name + "("):
            for call in other.around(re.compile(rb"\b" + name.encode() + rb"\("), "call_expression"):
                if called_name(call) == name:
                    has_caller = True
                    given = arguments(call)
                    value = given[position] if position < len(given) else None
                    found |= self.values(value, other, {}, depth + 1)
        return frozenset(found) if has_caller else UNKNOWN


_SAME_TEXT = frozenset(
    {
        "string",
        "net/http.Dir",
        "path.Clean",
        "path/filepath.Clean",
        "path/filepath.FromSlash",
        "path/filepath.ToSlash",
        "path/filepath.Abs",
        "path/filepath.EvalSymlinks",
        "strings.TrimSpace",
        "os.ExpandEnv",
        "strconv.Itoa",
        "strconv.Atoi",
        "strconv.ParseInt",
        "strconv.FormatInt",
        "int",
        "net/url.Parse",
    }
)
"""Calls whose text is that of their first argument, as far as a file or address is meant."""
_EXTENSION = ("path.Ext", "path/filepath.Ext")
_WITH_DEFAULT = {
    "flag.String": 1,
    "flag.Int": 1,
    "github.com/spf13/pflag.String": 1,
    "github.com/spf13/pflag.Int": 1,
    "github.com/spf13/pflag.StringP": 2,
    "github.com/spf13/pflag.IntP": 2,
}
"""Calls that return a text given as an argument unless the user says otherwise, and its place."""
