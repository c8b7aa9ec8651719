"""Python syntax where it matters: what names mean in a file, what an expression is known to be, what follows it."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed, above, holds
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType

if TYPE_CHECKING:
    from tree_sitter import Node

CASTS: dict[str, InputType] = {
    "int": "integer", "float": "number", "bool": "boolean", "strtobool": "boolean", "str": "text", "Path": "path",
    "Decimal": "number", "PosixPath": "path", "str2bool": "boolean", "to_bool": "boolean", "Csv": "list",
    "list": "list",
    "timedelta": "duration", "expanduser": "path", "abspath": "path", "parse_bool": "boolean", "as_bool": "boolean",
}  # fmt: skip
_KEEPS = frozenset({"lower", "upper", "strip", "rstrip", "lstrip", "casefold", "replace", "title", "encode", "decode"})
_TRUTHS = frozenset({"true", "1", "yes", "on", "t", "y", "false", "0", "no", "off"})
_ENDS = ("raise_statement", "assert_statement")


class Module:
    """A Python file with what its names mean."""

    def __init__(self, parsed: Parsed) -> None:
        self.parsed = parsed
        self.names: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.lists: dict[str, tuple[str, ...]] = {}
        for node in parsed.nodes("import_statement", "import_from_statement", "assignment"):
            if node.type == "assignment":
                self._assigned(node)
            else:
                self.names |= dict(_imported(node))

    def _assigned(self, node: Node) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None or left.type not in ("identifier", "attribute"):
            return
        name = text_of(left).removeprefix("self.")
        if right.type in ("identifier", "attribute", "call"):
            meaning = self.meaning(right)
            if meaning.partition(".")[0] in _ROOTS:
                self.names.setdefault(name, meaning)
        elif right.type in ("list", "tuple", "set"):
            texts = tuple(literal(child) for child in right.named_children if child.type == "string")
            self.lists[name] = tuple(text for text in texts if text is not None)
        elif _is_top(node) and (text := literal(right, self.constants)) is not None:
            self.constants.setdefault(name, text)

    def meaning(self, node: Node | None) -> str:
        """Return a dotted name with its imports spelt out; what a call returns is its name with ``()``.

        ``env.str`` after ``env = environs.Env()`` is ``environs.Env().str``.
        """
        if node is None:
            return ""
        if node.type == "call":
            return f"{self.meaning(node.child_by_field_name('function'))}()"
        if node.type == "attribute":
            whole = text_of(node).removeprefix("self.")
            if whole in self.names:
                return self.names[whole]
            return f"{self.meaning(node.child_by_field_name('object'))}.{field_text(node, 'attribute')}"
        name = text_of(node)
        return self.names.get(name, name) if node.type == "identifier" else ""


_ROOTS = frozenset(
    {"os", "environ", "environs", "decouple", "starlette", "typer", "click", "argparse", "dotenv", "optparse"}
)


def _is_top(node: Node) -> bool:
    statement = node.parent
    while statement is not None and statement.type in ("expression_statement", "block", "class_definition"):
        statement = statement.parent
    return statement is not None and statement.type == "module"


def _imported(node: Node) -> Iterator[tuple[str, str]]:
    source = field_text(node, "module_name")
    for child in node.children_by_field_name("name"):
        path = field_text(child, "name") if child.type == "aliased_import" else text_of(child)
        alias = field_text(child, "alias") if child.type == "aliased_import" else ""
        if source:
            yield alias or path, f"{source}.{path}"
        else:
            yield alias or path.partition(".")[0], path if alias else path.partition(".")[0]


def literal(node: Node | None, constants: Mapping[str, str] | None = None) -> str | None:
    """Return the text of an expression that is plain to see, through constants, ``+`` and f-strings; else None."""
    if node is None:
        return None
    known = constants or {}
    match node.type:
        case "string":
            parts = [_part(child, known) for child in node.named_children]
            return None if None in parts else "".join(part or "" for part in parts)
        case "concatenated_string" | "binary_operator":
            texts = [literal(child, known) for child in node.named_children]
            plus = node.type == "concatenated_string" or field_text(node, "operator") == "+"
            return "".join(one or "" for one in texts) if plus and None not in texts else None
        case "integer" | "float":
            return text_of(node).replace("_", "")
        case "true" | "false":
            return text_of(node)
        case "unary_operator":
            inner = literal(node.child_by_field_name("argument"), known)
            return f"-{inner}" if inner is not None and text_of(node).startswith("-") else None
        case "parenthesized_expression":
            return literal(node.named_children[0], known) if len(node.named_children) == 1 else None
        case "identifier":
            return known.get(text_of(node))
        case "attribute":
            return known.get(field_text(node, "attribute"))
        case _:
            return None


def _part(node: Node, known: Mapping[str, str]) -> str | None:
    match node.type:
        case "string_content":
            text = text_of(node)
            if not node.named_children:
                return text
            try:
                return str(ast.literal_eval(f'"""{text}"""'))
            except (ValueError, SyntaxError):
                return text
        case "interpolation":
            return literal(node.named_children[0], known) if len(node.named_children) == 1 else None
        case _:
            return ""


def written(node: Node | None, constants: Mapping[str, str]) -> str:
    """Return a default as it is shown: its text where it is plain, the source where it is short; None is nothing."""
    if node is None or text_of(node) in ("None", "...", "''", '""', "[]", "{}", "()"):
        return ""
    text = literal(node, constants)
    source = " ".join(text_of(node).split())
    return text if text is not None else source if len(source) <= 60 else f"{source[:59]}…"


def arguments(call: Node) -> tuple[list[Node], dict[str, Node]]:
    """Return a call's arguments, by place and by keyword."""
    given = call.child_by_field_name("arguments")
    places: list[Node] = []
    words: dict[str, Node] = {}
    for child in given.named_children if given is not None else ():
        if child.type == "keyword_argument":
            value = child.child_by_field_name("value")
            if value is not None:
                words[field_text(child, "name")] = value
        elif child.type not in ("comment", "list_splat", "dictionary_splat"):
            places.append(child)
    return places, words


def use(node: Node, constants: Mapping[str, str]) -> tuple[InputType, str, Node]:
    """Return the type a value is made into, the default after an ``or``, and the whole expression."""
    kind: InputType = "unknown"
    default = ""
    while node.parent is not None:
        around = node.parent
        match around.type:
            case "parenthesized_expression":
                pass
            case "boolean_operator" if field_text(around, "operator") == "or" and _is(around, "left", node):
                default = default or written(around.child_by_field_name("right"), constants)
            case "argument_list" if around.parent is not None and around.parent.type == "call":
                called = around.parent.child_by_field_name("function")
                cast = CASTS.get(text_of(called).rpartition(".")[2])
                if cast is None or around.named_children[0] != node:
                    return kind, default, node
                kind = kind if kind != "unknown" else cast
                around = around.parent
            case "attribute" if around.parent is not None and around.parent.type == "call":
                method = field_text(around, "attribute")
                if method not in _KEEPS:
                    return ("list" if method in ("split", "splitlines") else kind), default, node
                around = around.parent
            case "comparison_operator":
                said = {literal(one) for one in walk(around) if one.type == "string"}
                is_truth = any(text is not None and text.lower() in _TRUTHS for text in said)
                return ("boolean" if is_truth else kind), default, around
            case _:
                return kind, default, node
        node = around
    return kind, default, node


def _is(around: Node, name: str, node: Node) -> bool:
    return around.child_by_field_name(name) == node


def target(node: Node) -> str:
    """Return what an expression is assigned to or passed as: a variable, an attribute, a keyword, a key."""
    around = node.parent
    while around is not None:
        match around.type:
            case "assignment":
                return field_text(around, "left").rpartition(".")[2].split("[")[-1].strip("'\"]")
            case "keyword_argument":
                return field_text(around, "name")
            case "pair":
                return field_text(around, "key").strip("'\"")
            case "named_expression":
                return field_text(around, "name")
            case "parenthesized_expression" | "boolean_operator" | "conditional_expression":
                around = around.parent
            case _:
                return ""
    return ""


def is_guarded(node: Node, name: str) -> bool:
    """Say whether a subscript is only reached where the variable is set, or its absence is caught without an end."""
    around = node.parent
    while around is not None and around.type not in ("function_definition", "class_definition", "module"):
        if around.type in ("if_statement", "conditional_expression", "while_statement"):
            condition = around.child_by_field_name("condition") or (
                around.named_children[1] if around.type == "conditional_expression" else None
            )
            if condition is not None and name in text_of(condition) and condition.start_byte != node.start_byte:
                return True
        if around.type == "try_statement":
            clauses = [one for one in around.named_children if one.type == "except_clause"]
            if any(_ends(clause) for clause in clauses):
                return False
            return bool(clauses)
        around = around.parent
    return False


def ends_without(node: Node, whole: Node) -> bool:
    """Say whether the program raises or exits where a value is not there: ``if not value: raise …``."""
    around = whole.parent
    if around is not None and around.type == "boolean_operator" and field_text(around, "operator") == "or":
        return "exit(" in field_text(around, "right")
    name = target(whole)
    scope = above(node, "function_definition", "module")
    for one in walk(scope):
        if one.type != "if_statement":
            if one.type == "assert_statement" and _says_missing(text_of(one)[7:], name, node, one, asserted=True):
                return True
            continue
        condition = one.child_by_field_name("condition")
        body = one.child_by_field_name("consequence")
        if condition is not None and _ends(body) and _says_missing(text_of(condition), name, node, condition):
            return True
    return False


def _says_missing(text: str, name: str, node: Node, around: Node, *, asserted: bool = False) -> bool:
    words = text.split(",", maxsplit=1)[0].replace("(", " ").replace(")", " ").split()
    is_inside = around.start_byte <= node.start_byte and node.end_byte <= around.end_byte
    if is_inside:
        return asserted or text.lstrip("( ").startswith("not ") or text.rstrip(") ").endswith("is None")
    if not name or name not in words:
        return False
    at = words.index(name)
    if asserted:
        return at == 0 and (len(words) == 1 or words[1:4] == ["is", "not", "None"])
    return words[at - 1 : at] == ["not"] or words[at + 1 : at + 3] == ["is", "None"]


def _ends(node: Node | None) -> bool:
    return holds(node, *_ENDS) or any(
        one.type == "call" and field_text(one, "function") in ("sys.exit", "exit", "os._exit", "quit", "parser.error")
        for one in walk(node)
    )


def shared_constants(modules: Iterable[Module]) -> dict[str, str]:
    """Return the constants of all files that mean one thing wherever they are."""
    found: dict[str, set[str]] = {}
    for module in modules:
        for name, text in module.constants.items():
            found.setdefault(name, set()).add(text)
    return {name: next(iter(texts)) for name, texts in found.items() if len(texts) == 1}
