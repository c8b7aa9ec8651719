"""Go syntax read where it matters: calls at a line, and what a string expression can be.

Only files that are asked for are parsed. ``Values`` of an expression are all the texts it can have, with ``HOLE``
in place of every part that is only known at run time: ``"http://" + host`` is ``{"http://" + HOLE}``. The values
are those the source shows; a variable set by the linker (``-X``) or through reflection keeps what its source says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Language, Node, Query

HOLE = "\x00"
"""Stands for a part of a text that is not known before run time."""
SELF = "\x01"
"""Stands for the path of the program itself."""
TEMPORARY = "/tmp"  # noqa: S108 - the name it has in the image
Values = frozenset[str]
_Kept = TypeVar("_Kept")
UNKNOWN: Values = frozenset({HOLE})

_MOST_FILE_BYTES = 4 << 20
"""Larger Go files are generated tables (arbitrary)."""
_MOST_FILES = 64
"""Syntax trees that are kept; one takes ten times its source (measured)."""
_MOST_TEXTS = 1024
_MOST_VALUES = 64
_MOST_DEPTH = 12
_MOST_STEPS = 400
"""Expressions looked at for one answer: large programs lead from one to very many (arbitrary)."""
_STEPS_TO_PARSE = 10
"""What parsing a file counts for against that (measured, roughly)."""
_FUNCTIONS = ("function_declaration", "method_declaration", "func_literal")
_LITERALS = ("interpreted_string_literal", "raw_string_literal")
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


class _Look(NamedTuple):
    """Where an expression stands, what parameters are known to be, and how far it is from the question."""

    file: File
    bound: Mapping[str, Values]
    depth: int


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
            path = _unquote(_field_text(node, "path"))
            found[_field_text(node, "name") or _usual_name(path)] = path
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


class Sources:
    """The source files of a program's packages, parsed when asked for."""

    def __init__(self, packages: Iterable[Package], *, main: str, steps: int = _MOST_STEPS) -> None:
        """Follow an answer for ``steps`` expressions at most, then take it as not known."""
        self._steps = steps
        self.packages = {package.import_path: package for package in packages if not package.is_standard}
        self.main = main
        self._files: dict[tuple[str, str], File | None] = {}
        self._texts: dict[tuple[str, str], bytes] = {}
        self._busy: set[tuple[str, int, int]] = set()
        self._known: dict[tuple[str, ...], Values] = {}
        self._steps_left = 0

    def package(self, import_path: str) -> Package | None:
        """Return a package of the program; ``main`` is the program's own."""
        return self.packages.get(self.main if import_path == "main" else import_path)

    @cached_property
    def local(self) -> tuple[Package, ...]:
        """Return the packages of the program's own module, and others whose source is a local folder."""
        own = self.packages.get(self.main)
        return tuple(
            package
            for package in self.packages.values()
            if package.is_local or (own is not None and package.module == own.module)
        )

    def text(self, package: Package, name: str) -> bytes:
        """Return a file's bytes; empty where it cannot be read or is too large."""
        key = (package.import_path, name)
        if key not in self._texts:
            _make_room(self._texts, _MOST_TEXTS)
            self._texts[key] = _read(Path(package.directory) / name)
        return self._texts[key]

    def file(self, package: Package, name: str) -> File | None:
        """Return a file parsed, or None where it cannot be read."""
        key = (package.import_path, name)
        if key in self._files:
            self._files[key] = self._files.pop(key)
        else:
            _make_room(self._files, _MOST_FILES)
            self._steps_left -= _STEPS_TO_PARSE
            data = self.text(package, name)
            self._files[key] = File(package, name, data) if data else None
        return self._files[key]

    def files(self, packages: Iterable[Package], *mentioning: str) -> Iterator[File]:
        """Yield the files of some packages that mention any of these words."""
        words = [word.encode() for word in mentioning]
        for package in packages:
            for name in package.files:
                if self._busy and self._steps_left < 0:
                    return
                data = self.text(package, name)
                if any(word in data for word in words) and (file := self.file(package, name)) is not None:
                    yield file

    # What an expression can be

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
        return found if len(found) <= _MOST_VALUES else UNKNOWN

    def _values(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        kind = node.type
        if kind in _LITERALS:
            return frozenset({_unquote(_text(node))})
        if kind == "int_literal":
            return frozenset({_text(node)})
        if kind == "parenthesized_expression":
            return self.values(node.named_children[0] if node.named_children else None, file, bound, depth)
        if kind == "binary_expression" and _field_text(node, "operator") == "+":
            sides = [self.values(node.child_by_field_name(name), file, bound, depth + 1) for name in ("left", "right")]
            return _joined(sides)
        if kind == "unary_expression" and _field_text(node, "operator") == "*":
            return self.values(node.child_by_field_name("operand"), file, bound, depth + 1)
        if kind == "identifier":
            return self._identifier(node, file, bound, depth)
        if kind == "selector_expression":
            return self._selector(node, file, depth)
        if kind == "index_expression" and _text(node) == "os.Args[0]":
            return frozenset({SELF})
        if kind == "call_expression":
            return self._call(node, file, bound, depth)
        if kind == "type_conversion_expression":
            return self.values(node.child_by_field_name("operand"), file, bound, depth + 1)
        return UNKNOWN

    def _identifier(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        name = _text(node)
        scope = _enclosing(node)
        while scope is not None:
            position = _parameter(scope, name)
            if position is not None:
                if name in bound:
                    return bound[name]
                return self._from_callers(scope, position, file, depth)
            found = self._assigned(scope, name, file, bound, depth)
            if found is not None:
                return found
            scope = _enclosing(scope)
        return self._package_level(file.package, name, depth)

    def _assigned(self, scope: Node, name: str, file: File, bound: Mapping[str, Values], depth: int) -> Values | None:
        """Return what a function assigns to a name it declares, or None where it declares none of that name."""
        found: set[str] = set()
        is_declared = False
        for node in _walk(scope.child_by_field_name("body")):
            kind = node.type
            if kind in ("short_var_declaration", "assignment_statement"):
                left = node.child_by_field_name("left")
                names = [_text(child) for child in left.named_children] if left is not None else []
                if name in names:
                    is_declared = is_declared or kind == "short_var_declaration"
                    found |= self._right(node, names.index(name), len(names), _Look(file, bound, depth))
            elif kind in ("var_spec", "const_spec"):
                names = [_text(child) for child in node.children_by_field_name("name")]
                if name in names:
                    is_declared = True
                    found |= self._specified(node, names.index(name), len(names), _Look(file, bound, depth))
            elif kind == "range_clause":
                left = node.child_by_field_name("left")
                names = [_text(child) for child in left.named_children] if left is not None else []
                if name in names:
                    is_declared = True
                    is_element = names.index(name) == 1
                    right = node.child_by_field_name("right")
                    found |= self.elements(right, file, bound, depth + 1) if is_element else UNKNOWN
            elif kind == "unary_expression" and _text(node) == "&" + name:
                found |= self._set_by_pointer(node, file, bound, depth)
        return frozenset(found) if is_declared else None

    def _right(self, node: Node, index: int, count: int, look: _Look) -> Values:
        right = node.child_by_field_name("right")
        operator = _field_text(node, "operator")
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
            return frozenset({""}) if _field_text(node, "type") == "string" else UNKNOWN
        given = value.named_children
        return self.values(given[index], look.file, look.bound, look.depth + 1) if len(given) == count else UNKNOWN

    def _set_by_pointer(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        """Return what a call given ``&name`` can set: for flag.StringVar(&name, "flag", "default", …) its default."""
        call = _call_around(node)
        if call is not None and called_name(call) in ("StringVar", "StringVarP", "IntVar", "IntVarP"):
            given = arguments(call)
            place = 3 if called_name(call).endswith("P") else 2
            if len(given) > place:
                return self.values(given[place], file, bound, depth + 1) | UNKNOWN
        return UNKNOWN

    def elements(
        self, node: Node | None, file: File, bound: Mapping[str, Values] | None = None, depth: int = 0
    ) -> Values:
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
            found |= self.values(inner, file, bound, depth + 1)
        return frozenset(found)

    def _elements_of_name(self, node: Node, file: File, depth: int) -> Values:
        name = _text(node)
        scope = _enclosing(node)
        places: list[tuple[File, Node | None]] = (
            [(file, scope.child_by_field_name("body"))] if scope is not None else []
        )
        places += [(other, other.root) for other in self.files([file.package], name)]
        for other, root in places:
            given = [right for right in _literals_of(root, name) if right.type == "composite_literal"]
            if len(given) == 1:
                return self.elements(given[0], other, None, depth + 1)
        return UNKNOWN

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
        for file in self.files([package], name):
            for node in file.nodes("[(const_spec) (var_spec)] @it"):
                names = [_text(child) for child in node.children_by_field_name("name")]
                if name not in names:
                    continue
                is_global = _enclosing(node) is None
                if is_global:
                    is_declared = True
                    found |= self._specified(node, names.index(name), len(names), _Look(file, {}, depth))
            found |= self._set_elsewhere(file, name, depth)
        return frozenset(found) if is_declared else UNKNOWN

    def _set_elsewhere(self, file: File, name: str, depth: int) -> Values:
        found: set[str] = set()
        for node in file.nodes("[(assignment_statement) (unary_expression)] @it"):
            if node.type == "unary_expression":
                if _text(node) == "&" + name:
                    found |= self._set_by_pointer(node, file, {}, depth)
                continue
            left = node.child_by_field_name("left")
            names = [_text(child) for child in left.named_children] if left is not None else []
            if name in names:
                found |= self._right(node, names.index(name), len(names), _Look(file, {}, depth))
        return frozenset(found)

    def _selector(self, node: Node, file: File, depth: int) -> Values:
        operand, field = node.child_by_field_name("operand"), _field_text(node, "field")
        if operand is not None and operand.type == "identifier" and _text(operand) in file.imports:
            package = self.packages.get(file.imports[_text(operand)])
            return self._package_level(package, field, depth + 1) if package is not None else UNKNOWN
        if file.package not in self.local:
            return UNKNOWN
        return self._field(file.package, field, depth) | UNKNOWN

    def _field(self, package: Package, name: str, depth: int) -> Values:
        """Return the texts given to a struct field of this name anywhere in its package."""
        return self._once(("field", package.import_path, name), lambda: self._given_to_field(package, name, depth))

    def _given_to_field(self, package: Package, name: str, depth: int) -> Values:
        found: set[str] = set()
        for file in self.files([package], name):
            for node in file.nodes("(keyed_element) @it"):
                key, value = node.named_children[0], node.named_children[-1]
                if _text(key) == name and value.named_children:
                    found |= self.values(value.named_children[0], file, {}, depth + 2)
            for node in file.nodes("(assignment_statement) @it"):
                left = node.child_by_field_name("left")
                for index, child in enumerate(left.named_children if left is not None else ()):
                    if child.type == "selector_expression" and _field_text(child, "field") == name:
                        count = len(left.named_children) if left is not None else 1
                        found |= self._right(node, index, count, _Look(file, {}, depth + 2))
        return frozenset(found)

    def _call(self, node: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        name, given = qualified_name(node, file), arguments(node)

        def value(index: int) -> Values:
            return self.values(given[index], file, bound, depth + 1) if index < len(given) else UNKNOWN

        if name in ("path/filepath.Join", "path.Join"):
            return _path_joined([value(index) for index in range(len(given))])
        if name in _SAME_TEXT:
            return value(0)
        if name == "os.Executable":
            return frozenset({SELF})
        if name == "os.TempDir":
            return frozenset({TEMPORARY})
        if name == "fmt.Sprintf":
            return _formatted([value(index) for index in range(len(given))])
        if name == "net.JoinHostPort":
            return _joined([value(0), frozenset({":"}), value(1)])
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
            operand = _field_text(function, "operand")
            package = self.packages.get(file.imports[operand]) if operand in file.imports else None
        elif function.type != "identifier":
            return UNKNOWN
        if package is None or package not in self.local:
            return UNKNOWN
        given = [self.values(node, file, bound, depth + 1) for node in arguments(call)]
        for other in self.files([package], f"func {called_name(call)}("):
            for declared in other.nodes("(function_declaration) @it"):
                if _field_text(declared, "name") == called_name(call):
                    return self._results(declared, other, dict(zip(_parameters(declared), given, strict=False)), depth)
        return UNKNOWN

    def _results(self, function: Node, file: File, bound: Mapping[str, Values], depth: int) -> Values:
        found: set[str] = set()
        for node in _walk(function.child_by_field_name("body")):
            if node.type == "return_statement" and _enclosing(node) == function:
                results = node.named_children[0].named_children if node.named_children else []
                found |= self.values(results[0], file, bound, depth + 1) if results else UNKNOWN
        return frozenset(found) or UNKNOWN

    def _from_callers(self, function: Node, position: int, file: File, depth: int) -> Values:
        """Return what the program's own packages give for a parameter of one of their functions."""
        if function.type == "func_literal" or file.package not in self.local or depth > _MOST_DEPTH // 2:
            return UNKNOWN
        name = _field_text(function, "name")
        packages = self.local if name[:1].isupper() else (file.package,)
        key = ("given", file.package.import_path, file.name, str(function.start_byte), str(position))
        return self._once(key, lambda: self._given_by(packages, name, position, depth))

    def _given_by(self, packages: Sequence[Package], name: str, position: int, depth: int) -> Values:
        found: set[str] = set()
        has_caller = False
        for other in self.files(packages, name + "("):
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


# The shape of the tree


def called_name(call: Node) -> str:
    """Return the last name of what is called: ``Get`` of ``http.Get(…)`` and of ``client.Get(…)``."""
    function = call.child_by_field_name("function")
    while function is not None and function.type in ("parenthesized_expression", "index_expression", "generic_type"):
        function = function.named_children[0] if function.named_children else None
    if function is None:
        return ""
    return _field_text(function, "field") if function.type == "selector_expression" else _text(function)


def qualified_name(call: Node, file: File) -> str:
    """Return what is called with its package's import path: ``net/http.Get``; methods by their bare name."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "selector_expression":
        return called_name(call)
    operand = _field_text(function, "operand")
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
            return f"{package}.{_field_text(node, 'name')}"
        if node.type == "method_declaration":
            receiver = node.child_by_field_name("receiver")
            kinds = re.search(r"(\*?)\s*([A-Za-z_]\w*)\s*(?:\[[^\]]*\])?\s*\)$", _text(receiver) if receiver else "")
            if kinds is None:
                return ""
            owner = f"(*{kinds[2]})" if kinds[1] else kinds[2]
            return f"{package}.{owner}.{_field_text(node, 'name')}"
    return ""


def enclosing_declaration(node: Node) -> Node | None:
    """Return the declared function or method around a node."""
    found = node.parent
    while found is not None and found.type not in ("function_declaration", "method_declaration"):
        found = found.parent
    return found


def text_of(node: Node | None) -> str:
    """Return a node's source; empty for none."""
    return _text(node)


def _enclosing(node: Node) -> Node | None:
    """Return the function a node stands in; for a function, the one around it."""
    found = node.parent
    while found is not None and found.type not in _FUNCTIONS:
        found = found.parent
    return found


def _call_around(node: Node) -> Node | None:
    found = node.parent
    while found is not None and found.type in ("argument_list", "parenthesized_expression"):
        found = found.parent
    return found if found is not None and found.type == "call_expression" else None


def _parameters(function: Node) -> list[str]:
    declared = function.child_by_field_name("parameters")
    names: list[str] = []
    for node in declared.named_children if declared is not None else ():
        if node.type == "parameter_declaration":
            names += [_text(child) for child in node.children_by_field_name("name")] or [""]
    return names


def _parameter(function: Node, name: str) -> int | None:
    names = _parameters(function)
    return names.index(name) if name in names else None


def _literals_of(root: Node | None, name: str) -> Iterator[Node]:
    """Yield the expressions a name is declared with or assigned below a node."""
    for node in _walk(root):
        if node.type in ("short_var_declaration", "assignment_statement"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None and right is not None and [_text(child) for child in left.named_children] == [name]:
                yield from right.named_children[:1]
        elif node.type == "var_spec":
            value = node.child_by_field_name("value")
            if [_text(child) for child in node.children_by_field_name("name")] == [name] and value is not None:
                yield from value.named_children[:1]


def _walk(root: Node | None) -> Iterator[Node]:
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(node.named_children))


def _name_row(call: Node) -> int:
    function = call.child_by_field_name("function")
    return function.end_point[0] if function is not None else call.start_point[0]


def _text(node: Node | None) -> str:
    return node.text.decode("utf-8", "replace") if node is not None and node.text is not None else ""


def _field_text(node: Node, name: str) -> str:
    return _text(node.child_by_field_name(name))


def _usual_name(path: str) -> str:
    """Return the name a package most likely has: ``chi`` of ``github.com/go-chi/chi/v5``."""
    parts = [part for part in path.split("/") if not re.fullmatch(r"v[0-9]+", part)] or [path]
    return re.sub(r"^go-|\.v[0-9]+$|-go$", "", parts[-1])


def _make_room(kept: dict[tuple[str, str], _Kept], most: int) -> None:
    """Forget what was not used for longest."""
    while len(kept) >= most:
        del kept[next(iter(kept))]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_FILE_BYTES:
            return b""
        return path.read_bytes()
    except OSError:
        return b""


# Texts


def _unquote(text: str) -> str:
    r"""Return what a Go string literal says.

    >>> _unquote(r'"a\tb\u00e9"'), _unquote("`a\\tb`")
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


def _joined(sides: Sequence[Values]) -> Values:
    if _too_many(sides):
        return UNKNOWN
    return frozenset("".join(parts) for parts in product(*sides))


def _path_joined(parts: Sequence[Values]) -> Values:
    if not parts or _too_many(parts):
        return UNKNOWN
    return frozenset(posixpath.normpath("/".join(part for part in texts if part)) for texts in product(*parts))


def _too_many(sides: Sequence[Values]) -> bool:
    count = 1
    for side in sides:
        count *= max(len(side), 1)
    return count > _MOST_VALUES


def _formatted(given: Sequence[Values]) -> Values:
    r"""Return what Sprintf makes of a format and its arguments.

    >>> sorted(_formatted([frozenset({"http://%s:%d/%q%%"}), frozenset({"db"}), UNKNOWN]))
    ['http://db:\x00/\x00%']
    """
    if not given or _too_many(given):
        return UNKNOWN
    return frozenset(_filled(texts[0], texts[1:]) for texts in product(*given))


def _filled(text: str, given: Sequence[str]) -> str:
    left = iter(given)

    def verb(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        following = next(left, HOLE)
        return following if found[0] in ("%s", "%d", "%v") else HOLE

    return re.sub(r"%[-+# 0]*[0-9*]*(?:\.[0-9*]+)?(?:\[\d+\])?[a-zA-Z%]", verb, text)


__all__ = [
    "HOLE",
    "SELF",
    "TEMPORARY",
    "UNKNOWN",
    "File",
    "Sources",
    "Values",
    "arguments",
    "called_name",
    "enclosing_declaration",
    "enclosing_function",
    "qualified_name",
    "text_of",
]
