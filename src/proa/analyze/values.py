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
"""What one answer may cost: large programs lead from one expression to very many (arbitrary).

A step is an expression looked at; other work counts as many as take its time (measured, roughly)."""
_MOST_ANSWERS = 40
"""So many times that for all answers together: 8 s at worst; caddy takes a fifth of it (measured)."""
_STEPS_TO_PARSE = 10
_BYTES_PARSED = 8 << 10
_BYTES_MATCHED = 128 << 10
_BYTES_SEARCHED = 4 << 20
_FILES_SEARCHED = 100
_NODES_SEEN = 250
_CALLS_SEEN = 10
"""What makes up a step."""
_MOST_TEXT = 64 << 10
"""Characters of one text: joining a text with itself doubles it, and 30 lines of source would fill the memory."""
_NOTHING_OPEN = 1 << 30
_MOST_DEPTH = 12


_Key = tuple[str | int, ...]


class _Look(NamedTuple):
    """Where an expression stands, what parameters are known to be, and how far it is from the question."""

    file: File
    bound: Mapping[str, Values]
    depth: int


class Evaluation:
    """What the expressions of one program can be; what was found is kept.

    However the program is made, an answer ends within a budget of steps, and so do all answers together. One that was
    cut short says so with HOLE; once the budget for all is used up, every answer but a literal's is HOLE.
    """

    def __init__(self, sources: Sources, *, steps: int) -> None:
        self._sources = sources
        self._steps = steps
        self._left = 0.0
        self._left_in_all = float(steps * _MOST_ANSWERS)
        self._known: dict[_Key, Values] = {}
        self._open: dict[_Key, int] = {}
        """What is being found, the outermost first, and its place."""
        self._outermost = _NOTHING_OPEN
        """The place of the outermost of those that was met again and taken for nothing."""

    def values(self, node: Node | None, file: File, bound: Mapping[str, Values] | None = None) -> Values:
        """Return every text an expression can have, with HOLE for what is not known.

        ``bound`` is what the parameters of the function around it are known to be.
        """
        if node is not None and node.type in LITERALS:
            return self._literal(node)
        allowed = self._left = min(self._steps, self._left_in_all)
        found = self._of(node, file, bound or {}, 0)
        self._left_in_all -= min(allowed - self._left, allowed)
        return found | UNKNOWN if self._is_spent() else found

    def _is_spent(self) -> bool:
        return self._left < 0

    def _of(self, node: Node | None, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        self._left -= 1
        while node is not None and node.type == "parenthesized_expression":
            node = node.named_children[0] if node.named_children else None
        if node is None or depth > _MOST_DEPTH or self._is_spent():
            return UNKNOWN
        key = (f"{file.package.import_path}/{file.name}", node.start_byte, node.end_byte)
        is_again = key in self._open
        found, _ = self._found(key, lambda: self._values(node, file, bound, depth))
        if is_again and bound:
            # A function that calls itself, perhaps with other arguments.
            return UNKNOWN
        return found if len(found) <= MOST_VALUES and all(len(text) <= _MOST_TEXT for text in found) else UNKNOWN

    def _once(self, key: _Key, find: Callable[[], Values]) -> Values:
        """Return what was found for a key before, or find it."""
        if key in self._known:
            return self._known[key]
        found, is_whole = self._found(key, find)
        if self._is_spent():
            # Kept as well: no other answer shall pay for it again.
            found |= UNKNOWN
        if is_whole or self._is_spent():
            self._known[key] = found
        return found

    def _found(self, key: _Key, find: Callable[[], Values]) -> tuple[Values, bool]:
        """Return what is found, and whether all of it: while something is being found, it adds nothing to itself.

        What was found inside such a circle lacks what its beginning is still to add.
        """
        if key in self._open:
            self._outermost = min(self._outermost, self._open[key])
            return frozenset(), False
        before, self._outermost = self._outermost, _NOTHING_OPEN
        place = self._open[key] = len(self._open)
        try:
            found = find()
        finally:
            del self._open[key]
        is_whole = self._outermost >= place
        self._outermost = before if is_whole else min(before, self._outermost)
        return found, is_whole

    def _made(self, texts: Values) -> Values:
        """Return texts that were put together; one made from itself may grow with every turn."""
        return texts if self._outermost == _NOTHING_OPEN else texts | UNKNOWN

    def _literal(self, node: Node) -> Values:
        text = unquote(text_of(node))
        return frozenset({text}) if len(text) <= _MOST_TEXT else UNKNOWN

    def _values(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        kind = node.type
        if kind in LITERALS:
            return self._literal(node)
        if kind == "variadic_argument":
            return self._elements(node.named_children[0] if node.named_children else None, file, depth + 1)
        if kind == "int_literal":
            return frozenset({text_of(node)})
        if kind == "binary_expression" and field_text(node, "operator") == "+":
            sides = [self._of(node.child_by_field_name(name), file, bound, depth + 1) for name in ("left", "right")]
            return self._made(joined(sides))
        if kind == "unary_expression" and field_text(node, "operator") == "*":
            return self._of(node.child_by_field_name("operand"), file, bound, depth + 1)
        if kind == "identifier":
            return self._identifier(node, file, bound, depth)
        if kind == "selector_expression":
            return self._selector(node, file, depth)
        if kind == "index_expression" and text_of(node) == "os.Args[0]":
            return frozenset({SELF})
        if kind == "call_expression":
            return self._call(node, file, bound, depth)
        if kind == "type_conversion_expression":
            return self._of(node.child_by_field_name("operand"), file, bound, depth + 1)
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
        for node in self._paid(walk(scope.child_by_field_name("body"))):
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
            return self._of(right.named_children[index], look.file, look.bound, look.depth + 1)
        # v, err := f(): the first result of a call whose first result is a text.
        return self._of(right.named_children[0], look.file, look.bound, look.depth + 1) if index == 0 else UNKNOWN

    def _specified(self, node: Node, index: int, count: int, look: _Look) -> Values:
        value = node.child_by_field_name("value")
        if value is None:
            # A const without a value repeats the one before; a string variable is empty at first.
            return frozenset({""}) if field_text(node, "type") == "string" else UNKNOWN
        given = value.named_children
        return self._of(given[index], look.file, look.bound, look.depth + 1) if len(given) == count else UNKNOWN

    def _set_by_pointer(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        """Return what a call given ``&name`` can set: for flag.StringVar(&name, "flag", "default", …) its default."""
        call = call_around(node)
        if call is not None and called_name(call) in ("StringVar", "StringVarP", "IntVar", "IntVarP"):
            given = arguments(call)
            place = 3 if called_name(call).endswith("P") else 2
            if len(given) > place:
                return self._of(given[place], file, bound, depth + 1) | UNKNOWN
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
            found |= self._of(inner, file, {}, depth + 1)
        return frozenset(found)

    def _elements_of_name(self, node: Node, file: File, depth: int) -> Values:
        name = text_of(node)
        scope = enclosing(node)
        places: list[tuple[File, Node | None]] = (
            [(file, scope.child_by_field_name("body"))] if scope is not None else []
        )
        places += [(other, other.root) for other in self._files([file.package], name)]
        for other, root in places:
            given = [right for right in literals_of(self._paid(walk(root)), name) if right.type == "composite_literal"]
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
                if self._is_spent():
                    return
                data = self._sources.text(package, name)
                self._left -= 1 / _FILES_SEARCHED + len(data) / _BYTES_SEARCHED
                if wanted not in data:
                    continue
                if not self._sources.is_parsed(package, name):
                    self._left -= max(_STEPS_TO_PARSE, len(data) / _BYTES_PARSED)
                file = self._sources.file(package, name)
                if file is not None:
                    yield file

    def _paid(self, nodes: Iterable[Node], *, in_a_step: int = _NODES_SEEN) -> Iterator[Node]:
        """Yield nodes as long as there are steps left."""
        for node in nodes:
            if self._is_spent():
                return
            self._left -= 1 / in_a_step
            yield node

    def _package_level(self, package: Package, name: str, depth: int) -> Values:
        return self._once(("name", package.import_path, name), lambda: self._named(package, name, depth))

    def _named(self, package: Package, name: str, depth: int) -> Values:
        found: set[str] = set()
        is_declared = False
        for file in self._files([package], name):
            for node in self._paid(file.nodes("[(const_spec) (var_spec)] @it")):
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
        for node in self._paid(file.nodes("[(assignment_statement) (unary_expression)] @it")):
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
            for node in self._paid(file.nodes("(keyed_element) @it")):
                key, value = node.named_children[0], node.named_children[-1]
                if text_of(key) == name and value.named_children:
                    found |= self._of(value.named_children[0], file, {}, depth + 2)
            for node in self._paid(file.nodes("(assignment_statement) @it")):
                left = node.child_by_field_name("left")
                for index, child in enumerate(left.named_children if left is not None else ()):
                    if child.type == "selector_expression" and field_text(child, "field") == name:
                        count = len(left.named_children) if left is not None else 1
                        found |= self._right(node, index, count, _Look(file, {}, depth + 2))
        return frozenset(found)

    def _call(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        name, given = qualified_name(node, file), arguments(node)

        def value(index: int) -> Values:
            return self._of(given[index], file, bound, depth + 1) if index < len(given) else UNKNOWN

        if name in ("path/filepath.Join", "path.Join"):
            return self._made(path_joined([value(index) for index in range(len(given))]))
        if name in _SAME_TEXT:
            return value(0)
        if name == "os.Executable":
            return frozenset({SELF})
        if name == "os.TempDir":
            return frozenset({TEMPORARY})
        if name == "os.Getwd":
            return frozenset({"."})
        if name == "fmt.Sprintf":
            return self._made(formatted([value(index) for index in range(len(given))]))
        if name == "net.JoinHostPort":
            return self._made(joined([value(0), frozenset({":"}), value(1)]))
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
        given = [self._of(node, file, bound, depth + 1) for node in arguments(call)]
        for other in self._files([package], f"func {called_name(call)}("):
            for declared in self._paid(other.nodes("(function_declaration) @it")):
                if field_text(declared, "name") == called_name(call):
                    return self._results(declared, other, dict(zip(parameters(declared), given, strict=False)), depth)
        return UNKNOWN

    def _results(self, function: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        found: set[str] = set()
        for node in self._paid(walk(function.child_by_field_name("body"))):
            if node.type == "return_statement" and enclosing(node) == function:
                results = node.named_children[0].named_children if node.named_children else []
                found |= self._of(results[0], file, bound, depth + 1) if results else UNKNOWN
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
            self._left -= len(other.data) / _BYTES_MATCHED
            calls = other.around(re.compile(rb"\b" + name.encode() + rb"\("), "call_expression")
            for call in self._paid(calls, in_a_step=_CALLS_SEEN):
                if called_name(call) == name:
                    has_caller = True
                    given = arguments(call)
                    value = given[position] if position < len(given) else None
                    found |= self._of(value, other, {}, depth + 1)
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
