"""Go files with a cause of kept methods taken out, for a build that only measures what the cause costs.

Three ways, for three kinds of cause. A package that is to be given up altogether (text/template) is *emptied*: every
function of it panics, so it keeps nothing alive. A call of ``MethodByName`` and its like in somebody's own code is
*cut*: its operands are still evaluated, and the answer is empty. An import of ``plugin`` is *unplugged*: the file
gets the same names from a type of its own. Such a program is linked and weighed, never run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from tree_sitter import Language, Node

PREFIX = "proaStub"
FILE = "proa_stub.go"
"""The file that is added to a package whose calls are cut."""
HELPERS: Mapping[str, str] = {
    "ValueMethodByName": "(reflect.Value, string) reflect.Value { return reflect.Value{} }",
    "TypeMethodByName": "(reflect.Type, string) (reflect.Method, bool) { return reflect.Method{}, false }",
    "ValueMethod": "(reflect.Value, int) reflect.Value { return reflect.Value{} }",
    "TypeMethod": "(reflect.Type, int) reflect.Method { return reflect.Method{} }",
}
_FUNCTIONS = ("function_declaration", "method_declaration")
_OF_METHOD = ("Name", "Func", "Index", "PkgPath", "IsExported")
"""What is asked of a reflect.Method and not of a reflect.Value."""
_LITERALS = ("interpreted_string_literal", "raw_string_literal")
_PLUGIN = """
type {p}Plugin struct{{}}
type {p}Symbol any
func ({p}Plugin) Lookup(string) ({p}Symbol, error) {{ return nil, nil }}
//go:noinline
func {p}Open(string) (*{p}Plugin, error) {{ return nil, nil }}
"""

Edit = tuple[int, int, bytes]
"""Start, end, and what stands there instead."""


@lru_cache(maxsize=1)
def _language() -> Language:
    import tree_sitter_go
    from tree_sitter import Language

    return Language(tree_sitter_go.language())


def _parsed(source: bytes) -> Node:
    from tree_sitter import Parser

    return Parser(_language()).parse(source).root_node


def emptied(source: bytes, only: Collection[str] = (), *, with_variables: bool = True) -> bytes:
    r"""Return a file whose functions all panic; with ``only``, just those of these names.

    Without ``with_variables`` those of the package's own that nobody else can name go as well: setting them keeps
    what they are made of alive. Imports that nothing names any more stay, for their init functions' sake.

    >>> text = b'package a\nimport "fmt"\nvar size = fmt.Sprint(1)\nfunc F() { fmt.Println(size) }'
    >>> print(emptied(text, with_variables=False).decode())
    package a
    import _ "fmt"
    <BLANKLINE>
    //go:noinline
    func F() { panic("") }
    """
    root = _parsed(source)
    gone: list[Node] = []
    edits: list[Edit] = []
    for node in root.children:
        body = node.child_by_field_name("body") if node.type in _FUNCTIONS else None
        if body is not None and (not only or _text(node, "name") in only):
            gone.append(body)
            edits += [
                # Inlined it would leave no trace of who calls it.
                (node.start_byte, node.start_byte, b"//go:noinline\n"),
                (body.start_byte, body.end_byte, b'{ panic("") }'),
            ]
        elif node.type == "var_declaration" and not with_variables:
            own = [spec for spec in _walk(node) if spec.type == "var_spec" and _is_private(spec)]
            gone += own
            edits += [(spec.start_byte, spec.end_byte, b"") for spec in _whole(node, own)]
    edits += _blanked_imports(root, {node.id for node in gone})
    return _edited(source, edits)


def _is_private(spec: Node) -> bool:
    names = [_string(name) for name in spec.children_by_field_name("name")]
    return not any(name[:1].isupper() for name in names) and spec.parent is not None


def _whole(declaration: Node, specs: list[Node]) -> list[Node]:
    """Return the whole declaration where it is of one variable: ``var`` cannot stand alone."""
    is_list = any(child.type in ("var_spec_list", "(") for child in declaration.children)
    return specs if is_list or not specs else [declaration]


def _blanked_imports(root: Node, gone: Collection[int]) -> Iterator[Edit]:
    named = {
        _string(node)
        for node in _walk(root, gone)
        if node.type in ("package_identifier", "identifier")
        and node.parent is not None
        # `template.Template` in a type, `template.New` in an expression
        and node.parent.type in ("qualified_type", "selector_expression")
    }
    for node in _walk(root, gone):
        if node.type != "import_spec":
            continue
        name, path = node.child_by_field_name("name"), node.child_by_field_name("path")
        local = _string(name) if name is not None else _string(path).strip('"`').rpartition("/")[2]
        if path is not None and local not in named and local not in ("_", ".", "C"):
            yield (path if name is None else name).start_byte, path.start_byte, b"_ "


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A call of something named ``Method`` or ``MethodByName`` with one argument that is not a literal."""

    offset: int
    """Of the end of what is called: two calls in a row begin at the same byte."""
    line: int
    last_line: int
    choices: tuple[str, ...]
    """What it can be, the likeliest first."""


def calls_in(source: bytes) -> tuple[Call, ...]:
    r"""Return where a file may look methods up by a name not known beforehand.

    >>> [call.choices[0] for call in calls_in(b"package a\nfunc F(t T) { m, ok := t.MethodByName(n) }")]
    ['TypeMethodByName']
    """
    return tuple(
        Call(
            offset=function.end_byte,
            line=function.end_point[0] + 1,
            last_line=node.end_point[0] + 1,
            choices=_choices(node, function),
        )
        for node, function in _calls(_parsed(source))
    )


def _calls(root: Node) -> Iterator[tuple[Node, Node]]:
    for node in _walk(root):
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        if function is None or function.type != "selector_expression":
            continue
        given = node.child_by_field_name("arguments")
        words = [child for child in given.named_children if child.type != "comment"] if given is not None else []
        if (
            _text(function, "field") in ("Method", "MethodByName")
            and len(words) == 1
            and words[0].type not in _LITERALS
        ):
            yield node, function


def _choices(call: Node, function: Node) -> tuple[str, ...]:
    name = _text(function, "field")
    is_pair = call.parent is not None and call.parent.type == "expression_list" and _left_names(call) == 2
    uses = call.parent if call.parent is not None and call.parent.type == "selector_expression" else None
    is_of_type = is_pair or (uses is not None and _text(uses, "field") in _OF_METHOD)
    order = ("Type", "Value") if is_of_type else ("Value", "Type")
    return tuple(f"{owner}{name}" for owner in order)


def _left_names(call: Node) -> int:
    statement = call.parent.parent if call.parent is not None else None
    left = statement.child_by_field_name("left") if statement is not None else None
    return left.named_child_count if left is not None else 0


def cut(source: bytes, choices: Mapping[int, str]) -> bytes:
    r"""Return a file whose calls at these offsets go to functions of ``helpers`` instead.

    >>> text = b"package a\nfunc F(v reflect.Value, n string) { v.MethodByName(n) }"
    >>> cut(text, {calls_in(text)[0].offset: "ValueMethodByName"}).splitlines()[1]
    b'func F(v reflect.Value, n string) { proaStubValueMethodByName(v, n) }'
    """
    edits: list[Edit] = []
    for call, function in _calls(_parsed(source)):
        if (choice := choices.get(function.end_byte)) is None:
            continue
        operand, given = function.child_by_field_name("operand"), call.child_by_field_name("arguments")
        if operand is None or given is None:
            continue
        edits += [
            (call.start_byte, call.start_byte, f"{PREFIX}{choice}(".encode()),
            # From the end of the operand to after the opening parenthesis.
            (operand.end_byte, given.start_byte + 1, b", "),
        ]
    return _edited(source, edits)


def helpers(package: str) -> bytes:
    """Return a Go file of a package with the functions that ``cut`` calls.

    None of them may be inlined, or what comes after the call would be seen never to run, and be left out too.
    """
    functions = "".join(f"//go:noinline\nfunc {PREFIX}{name}{rest}\n" for name, rest in HELPERS.items())
    return f'package {package}\n\nimport "reflect"\n\n{functions}'.encode()


def unplugged(source: bytes) -> bytes | None:
    r"""Return a file that no longer imports ``plugin``; None where it does not.

    >>> print(unplugged(b'package a\nimport "plugin"\nvar p, err = plugin.Open("x")').decode())
    package a
    <BLANKLINE>
    var p, err = proaStubOpen("x")
    """
    root = _parsed(source)
    edits: list[Edit] = []
    local = ""
    for node in _walk(root):
        if node.type == "import_spec" and _text(node, "path").strip('"`') == "plugin":
            local = _text(node, "name") or "plugin"
            whole = node.parent if node.parent is not None and node.parent.type == "import_declaration" else node
            edits.append((whole.start_byte, whole.end_byte, b""))
    if not edits:
        return None
    for node in _walk(root):
        if node.type not in ("selector_expression", "qualified_type"):
            continue
        owner = node.child_by_field_name("operand") or node.child_by_field_name("package")
        field = node.child_by_field_name("field") or node.child_by_field_name("name")
        if owner is not None and field is not None and _string(owner) == local:
            edits.append((owner.start_byte, field.start_byte, PREFIX.encode()))
    return _edited(source, edits)


def plugin_types(package: str) -> bytes:
    """Return a Go file of a package with what ``unplugged`` names."""
    return f"package {package}\n{_PLUGIN.format(p=PREFIX)}".encode()


def function_at(source: bytes, offset: int) -> str:
    """Return the name of the declared function a byte is in; empty at package level."""
    node = _parsed(source).descendant_for_byte_range(offset, offset)
    while node is not None and node.type not in _FUNCTIONS:
        node = node.parent
    return _text(node, "name") if node is not None else ""


def package_name(source: bytes) -> str:
    """Return the name in a file's package clause; empty where there is none."""
    clause = next((node for node in _parsed(source).children if node.type == "package_clause"), None)
    return _string(clause.named_children[0]) if clause is not None and clause.named_children else ""


def _walk(root: Node, without: Collection[int] = ()) -> Iterator[Node]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.id in without:
            continue
        yield node
        waiting.extend(reversed(node.named_children))


def _edited(source: bytes, edits: Iterable[Edit]) -> bytes:
    pieces, at = [], 0
    for start, end, words in sorted(edits, key=lambda edit: (edit[0], edit[1])):
        pieces += [source[at:start], words]
        at = end
    return b"".join([*pieces, source[at:]])


def _string(node: Node | None) -> str:
    return node.text.decode(errors="replace") if node is not None and node.text is not None else ""


def _text(node: Node, field: str) -> str:
    return _string(node.child_by_field_name(field))
