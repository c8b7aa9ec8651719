"""Environment variables that the program's own code asks for: os.Getenv and its kin, and functions around them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.contract.reading import is_secret_name
from proa.analyze.syntax import (
    File,
    arguments,
    call_around,
    called_name,
    enclosing,
    enclosing_declaration,
    field_text,
    parameters,
    qualified_name,
    text_of,
    walk,
)
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_READS = re.compile(rb"\b(?:Getenv|LookupEnv|ExpandEnv|Unsetenv|Environ|[gG]etenv|[lL]ookup[eE]nv)\(")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ENDS = re.compile(r"(?:\b(?:panic|log\.Panic\w*|os\.Exit)|\bFatal\w*|\bPanic\w*|[eE]xit\w*)\(")
_FAILS = re.compile(r"return\b[^\n]*(?:errors\.New|fmt\.Errorf|[eE]rr\w*)\b")
_PARSERS: dict[str, InputType] = {
    "strconv.Atoi": "integer", "strconv.ParseInt": "integer", "strconv.ParseUint": "integer",
    "strconv.ParseBool": "boolean", "strconv.ParseFloat": "number", "time.ParseDuration": "duration",
    "net/url.Parse": "url", "net/url.ParseRequestURI": "url", "strings.Split": "list", "strings.Fields": "list",
    "os.Open": "path", "os.ReadFile": "path", "os.Stat": "path", "os.MkdirAll": "path", "path/filepath.Join": "path",
    "net.SplitHostPort": "address", "net.Listen": "address", "net.Dial": "address",
}  # fmt: skip
"""What a value is that one of these takes."""


def read_environment(source: GoSource, found: Found) -> None:
    """Gather the variables that the program's own code reads by name."""
    for file in source.files(_READS):
        for call in file.around(_READS, "call_expression"):
            if source.is_elsewhere(call):
                continue
            for variable in _variables(call, file, source):
                found.add(variable)


def _variables(call: Node, file: File, source: GoSource) -> Iterator[Variable]:
    qualified, given = qualified_name(call, file), arguments(call)
    name = called_name(call)
    if qualified in ("os.Environ", "syscall.Environ"):
        yield from _scanned(call, file, source)
    elif qualified == "os.ExpandEnv" and given:
        for use in source.uses(file, call, given[0]):
            for text in source.texts(given[0], use):
                for word in re.findall(r"\$\{?([A-Za-z_]\w*)", text):
                    yield _variable(word, "os.ExpandEnv", use, source)
    elif len(given) == 1 and (
        (name in ("Getenv", "LookupEnv") and qualified in (f"os.{name}", f"syscall.{name}"))
        or (qualified == name and _is_handed(call, file))
    ):
        yield from _read(call, given[0], file, source)


def _is_handed(call: Node, file: File) -> bool:
    """Say whether a bare name that is called is a parameter: a function that stands for os.Getenv."""
    function, name = enclosing_declaration(call), call.child_by_field_name("function")
    if function is None or name is None or name.type != "identifier" or b"func(" not in file.data:
        return False
    return text_of(name) in parameters(function)


def _read(call: Node, name: Node, file: File, source: GoSource) -> Iterator[Variable]:
    if name.type in ("slice_expression", "index_expression"):
        # A part of a text that is given at run time.
        return
    function = enclosing_declaration(call)
    wraps = function is not None and text_of(name) in parameters(function)
    needed = _is_required(call)
    default, kind = _default_node(call, file, source), _type(call, file)
    for use in source.uses(file, call, name):
        outer = use.at if use.at.id != call.id else None
        told = source.default(default, use, as_written=False)
        is_needed, read_as, secret = needed, kind, _is_kept_secret(call)
        if outer is not None and wraps:
            around = Use(use.at_file, outer, {}, use.at_file, outer)
            other = _other_argument(call, outer, text_of(name))
            told = told or source.default(other, around, as_written=False)
            told = told or source.default(_default_node(outer, use.at_file, source), around, as_written=False)
            is_needed = needed or _is_required(outer)
            read_as = kind if kind != "unknown" else _type(outer, use.at_file)
            secret = secret or _is_kept_secret(outer)
        for text in source.texts(name, use):
            if _NAME.fullmatch(text):
                by = qualified_name(call, file) if "." in qualified_name(call, file) else "os.Getenv"
                yield Variable(
                    name=text,
                    type=read_as,
                    default=told,
                    is_required=is_needed and not told,
                    is_secret=secret,
                    by=by,
                    where=(source.evidence(text, use),),
                )


def _other_argument(call: Node, outer: Node, name: str) -> Node | None:
    """Return what a function around os.Getenv is given beside the name: the default, as its last argument."""
    function = enclosing_declaration(call)
    names = parameters(function) if function is not None else []
    place = names.index(name) if name in names else -1
    rest = [node for index, node in enumerate(arguments(outer)) if index != place]
    if not rest or rest[-1].type in ("func_literal", "unary_expression"):
        return None
    return rest[-1]


def _variable(name: str, by: str, use: Use, source: GoSource) -> Variable:
    return Variable(name=name, by=by, where=(source.evidence(name, use),))


def _scanned(call: Node, file: File, source: GoSource) -> Iterator[Variable]:
    """Yield the prefixes that a walk over all variables looks for, ``APP_*``."""
    scope = enclosing_declaration(call)
    for node in walk(scope):
        if node.type == "call_expression" and qualified_name(node, file) in ("strings.HasPrefix", "strings.CutPrefix"):
            prefix = arguments(node)[1] if len(arguments(node)) == 2 else None
            for use in source.uses(file, node, prefix):
                for text in source.texts(prefix, use):
                    if _NAME.fullmatch(text.removesuffix("=")):
                        name = text.removesuffix("=") if text.endswith("=") else f"{text}*"
                        yield _variable(name, "os.Environ", use, source)


# What the code around a reading says of it


def _default_node(call: Node, file: File, source: GoSource) -> Node | None:
    """Return the expression that takes the place of an empty variable, where the source says so."""
    outer = call_around(call)
    if outer is not None and qualified_name(outer, file) == "cmp.Or" and arguments(outer)[-1].id != call.id:
        return arguments(outer)[-1]
    declared, name = _declared(call)
    following = declared.next_named_sibling if declared is not None else None
    while following is not None and following.type == "comment":
        following = following.next_named_sibling
    if name and following is not None and following.type == "if_statement" and _is_empty(following, name):
        if source.is_elsewhere(following.child_by_field_name("consequence") or following):
            return None
        for node in walk(following.child_by_field_name("consequence")):
            if node.type == "assignment_statement" and text_of(node.child_by_field_name("left")) == name:
                return _only(node.child_by_field_name("right"))
            if node.type == "return_statement" and _FAILS.search(text_of(node)) is None and node.named_children:
                return _literal(_only(node.named_children[0]))
    return _returned_otherwise(declared)


def _returned_otherwise(declared: Node | None) -> Node | None:
    """Return the literal of ``if v := os.Getenv("A"); v != "" { return v }; return "x"``."""
    outer = declared.parent if declared is not None else None
    if outer is None or outer.type != "if_statement":
        return None
    following = outer.next_named_sibling
    if following is not None and following.type == "return_statement" and following.named_children:
        return _literal(_only(following.named_children[0]))
    return None


def _is_required(call: Node) -> bool:
    """Say whether the program ends, or a function fails, where the variable is empty."""
    declared, name = _declared(call)
    if declared is None or not name:
        around: Node | None = call
        while around is not None and around.type not in ("if_statement", "block"):
            around = around.parent
        # if os.Getenv("A") == "" { log.Fatal(…) }
        text = text_of(around.child_by_field_name("condition")) if around is not None else ""
        is_compared = around is not None and around.type == "if_statement" and f'{text_of(call)} == ""' in text
        return is_compared and _gives_up(around)
    inside = declared.parent if declared.parent is not None and declared.parent.type == "if_statement" else None
    statement = inside if inside is not None else declared.next_named_sibling
    while statement is not None and statement.type == "comment":
        statement = statement.next_named_sibling
    return (
        statement is not None
        and statement.type == "if_statement"
        and _is_empty(statement, name)
        and _gives_up(statement)
    )


def _gives_up(statement: Node | None) -> bool:
    body = text_of(statement.child_by_field_name("consequence")) if statement is not None else ""
    return _ENDS.search(body) is not None or _FAILS.search(body) is not None


def _is_empty(statement: Node, name: str) -> bool:
    condition = text_of(statement.child_by_field_name("condition"))
    forms = (rf'{name} == ""', rf"len\({name}\) == 0", r"!ok\b", r"!found\b", r"!exists\b", r"!set\b", r"!present\b")
    return any(re.search(form, condition) for form in forms)


def _declared(call: Node) -> tuple[Node | None, str]:
    """Return the statement that gives a reading its name, and the name."""
    node = call.parent
    if node is not None and node.type == "expression_list":
        node = node.parent
    if node is None or node.type not in ("short_var_declaration", "assignment_statement"):
        return None, ""
    left = node.child_by_field_name("left")
    return node, text_of(left.named_children[0]) if left is not None and left.named_children else ""


def _type(call: Node, file: File) -> InputType:
    """Return what a value must be, by what it is handed to."""
    outer = call_around(call)
    if outer is not None and (kind := _PARSERS.get(qualified_name(outer, file))):
        return kind
    parent = call.parent
    if parent is not None and parent.type == "binary_expression" and re.search(r'"(?:true|1|yes)"', text_of(parent)):
        return "boolean"
    _, name = _declared(call)
    scope = enclosing(call)
    if not name or scope is None or not _NAME.fullmatch(name):
        return "unknown"
    pattern = re.compile(rb"\b" + name.encode() + rb"\b")
    body = scope.child_by_field_name("body")
    for found in pattern.finditer(file.data, call.end_byte, body.end_byte if body is not None else call.end_byte):
        node = file.root.descendant_for_byte_range(found.start(), found.end())
        user = call_around(node) if node is not None else None
        if user is not None and (kind := _PARSERS.get(qualified_name(user, file))):
            return kind
    return "unknown"


def _is_kept_secret(call: Node) -> bool:
    """Say whether a value goes where secrets go: a field or variable of such a name, SetBasicAuth."""
    outer = call_around(call)
    if outer is not None and called_name(outer) in ("SetBasicAuth", "SetAuthToken", "UserPassword"):
        place = [node.id for node in arguments(outer)].index(call.id) if call.id in _ids(outer) else 0
        return place == len(arguments(outer)) - 1
    node: Node | None = call.parent
    while node is not None and node.type in ("expression_list", "literal_element", "parenthesized_expression"):
        node = node.parent
    if node is not None and node.type == "keyed_element":
        return is_secret_name(text_of(node.named_children[0]))
    if node is not None and node.type in ("short_var_declaration", "assignment_statement"):
        left = node.child_by_field_name("left")
        name = left.named_children[0] if left is not None and left.named_children else None
        last = field_text(name, "field") if name is not None and name.type == "selector_expression" else text_of(name)
        return is_secret_name(last)
    return False


def _ids(call: Node) -> list[int]:
    return [node.id for node in arguments(call)]


def _only(node: Node | None) -> Node | None:
    if node is not None and node.type == "expression_list":
        return node.named_children[0] if node.named_children else None
    return node


def _literal(node: Node | None) -> Node | None:
    return node if node is not None and (node.type.endswith("literal") or node.type == "identifier") else None
