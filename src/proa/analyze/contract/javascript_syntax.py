"""JavaScript and TypeScript syntax where it matters: literals, objects, what becomes of a value."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import above, holds
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType

if TYPE_CHECKING:
    from tree_sitter import Node

FUNCTIONS = (
    "function_declaration",
    "function_expression",
    "arrow_function",
    "method_definition",
    "generator_function_declaration",
)
_CASTS: dict[str, InputType] = {
    "Number": "integer", "parseInt": "integer", "Number.parseInt": "integer", "parseFloat": "number",
    "Number.parseFloat": "number", "Boolean": "boolean", "String": "text", "toNumber": "integer",
    "parseBool": "boolean",
    "parseBoolean": "boolean", "ms": "duration", "path.resolve": "path", "path.join": "path", "URL": "url",
    "BigInt": "integer",
}  # fmt: skip
_KEEPS = frozenset({"toLowerCase", "toUpperCase", "trim", "toString", "replace", "replaceAll"})
_TRUTHS = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off"})
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r", "\n": ""}


def literal(node: Node | None, constants: Mapping[str, str] | None = None) -> str | None:
    """Return the text of an expression that is plain to see, through constants; else None."""
    if node is None:
        return None
    match node.type:
        case "string":
            return _unescaped(text_of(node)[1:-1])
        case "template_string":
            return _unescaped(text_of(node)[1:-1]) if not holds(node, "template_substitution") else None
        case "number":
            text = text_of(node).replace("_", "").removesuffix("n")
            return str(int(text, 0)) if re.fullmatch(r"0[xob][0-9a-fA-F]+", text) else text
        case "true" | "false":
            return text_of(node)
        case "unary_expression":
            inner = literal(node.child_by_field_name("argument"), constants)
            return f"-{inner}" if inner is not None and field_text(node, "operator") == "-" else None
        case "parenthesized_expression" | "as_expression" | "non_null_expression" | "satisfies_expression":
            return literal(node.named_children[0], constants) if node.named_children else None
        case "identifier":
            return (constants or {}).get(text_of(node))
        case "member_expression":
            return (constants or {}).get(text_of(node))
        case _:
            return None


def _unescaped(text: str) -> str:
    def sign(match: re.Match[str]) -> str:
        code = match[1] or match[2] or match[3]
        if code:
            return chr(int(code, 16)) if int(code, 16) < 0x110000 else ""
        return _PLAIN.get(match[4], match[4])

    return _ESCAPE.sub(sign, text) if "\\" in text else text


def written(node: Node | None, constants: Mapping[str, str] | None = None) -> str:
    """Return a default as it is shown: its text where it is plain, else the source where it is short."""
    if node is None or text_of(node) in ("undefined", "null", "''", '""', "``", "[]", "{}"):
        return ""
    text = literal(node, constants)
    source = " ".join(text_of(node).split())
    return text if text is not None else source if len(source) <= 60 else f"{source[:59]}…"


def arguments(call: Node) -> list[Node]:
    """Return a call's arguments in order."""
    given = call.child_by_field_name("arguments")
    return [child for child in given.named_children if child.type != "comment"] if given is not None else []


def called(call: Node) -> str:
    """Return what is called, as written without line breaks, ``?.`` and type arguments: ``z.coerce.number``."""
    return re.sub(r"\s+|\?(?=\.)", "", text_of(call.child_by_field_name("function")))


def properties(node: Node | None) -> dict[str, Node]:
    """Return an object literal's values by key; methods and spreads are left out."""
    found: dict[str, Node] = {}
    for pair in node.named_children if node is not None and node.type == "object" else ():
        if pair.type == "pair" and (value := pair.child_by_field_name("value")) is not None:
            found[key_of(pair)] = value
    return found


def key_of(pair: Node) -> str:
    """Return the key of a pair of an object literal or pattern."""
    return field_text(pair, "key").strip("'\"`[]")


def use(node: Node, constants: Mapping[str, str]) -> tuple[InputType, str, Node]:
    """Return the type a value is made into, the default after ``||`` or ``??``, and the whole expression."""
    kind: InputType = "unknown"
    default = ""
    while node.parent is not None:
        around = node.parent
        match around.type:
            case "parenthesized_expression" | "as_expression" | "non_null_expression" | "satisfies_expression":
                pass
            case "binary_expression":
                operator = field_text(around, "operator")
                right = around.child_by_field_name("right")
                if operator in ("||", "??"):
                    if right != node and right is not None and not holds(right, "throw_statement"):
                        default = default or _last(right, constants)
                elif operator in ("===", "==", "!==", "!="):
                    said = {literal(one) for one in around.named_children}
                    return ("boolean" if said & _TRUTHS else kind), default, around
                else:
                    return kind, default, node
            case "unary_expression":
                operator = field_text(around, "operator")
                if operator not in ("+", "!"):
                    return kind, default, node
                if operator == "!" and (around.parent is None or around.parent.type != "unary_expression"):
                    return kind, default, around
                kind = "integer" if operator == "+" else "boolean"
                node = around.parent if operator == "!" and around.parent is not None else around
                continue
            case "arguments" if around.parent is not None:
                call = around.parent
                name = called(call) if call.type == "call_expression" else field_text(call, "constructor")
                if name not in _CASTS or around.named_children[0] != node:
                    return kind, default, node
                kind = kind if kind != "unknown" else _CASTS[name]
                around = call
            case "member_expression" if around.parent is not None and around.parent.type == "call_expression":
                method = field_text(around, "property")
                if method not in _KEEPS:
                    return ("list" if method == "split" else kind), default, node
                around = around.parent
            case "ternary_expression":
                if around.child_by_field_name("condition") == node:
                    other = literal(around.child_by_field_name("alternative"), constants)
                    return kind, default or other or "", around
            case _:
                return kind, default, node
        node = around
    return kind, default, node


def _last(node: Node, constants: Mapping[str, str]) -> str:
    """Return what is left when all others are empty: of ``process.env.B || 'x'`` it is x."""
    if "process.env" in text_of(node) and node.type != "template_string":
        tail = node.child_by_field_name("right") if node.type == "binary_expression" else None
        return _last(tail, constants) if tail is not None else ""
    return written(node, constants)


def target(node: Node) -> str:
    """Return what an expression is assigned to or passed as."""
    around = node.parent
    while around is not None:
        match around.type:
            case "variable_declarator" | "public_field_definition" | "field_definition":
                return field_text(around, "name") or field_text(around, "property")
            case "assignment_expression":
                return field_text(around, "left").rpartition(".")[2]
            case "pair":
                return key_of(around)
            case (
                "parenthesized_expression"
                | "binary_expression"
                | "ternary_expression"
                | "as_expression"
                | "non_null_expression"
            ):
                around = around.parent
            case _:
                return ""
    return ""


def ends_without(node: Node, whole: Node) -> bool:
    """Say whether the program throws or exits where a value is not there."""
    around = node.parent
    while around is not None and around.type in (
        "parenthesized_expression", "non_null_expression", "as_expression", "binary_expression"
    ):  # fmt: skip
        right = around.child_by_field_name("right") if around.type == "binary_expression" else None
        if right is not None and right != node and field_text(around, "operator") in ("||", "??"):
            return (
                ends(right)
                or re.match(r"(?:raise|fail|panic|throwError|throw_|die|required|missing)\w*\(", text_of(right))
                is not None
            )
        around = around.parent
    call = above(node, "arguments", "statement_block", "program")
    if call is not None and call.type == "arguments" and call.parent is not None:
        name = called(call.parent) if call.parent.type == "call_expression" else ""
        if name in (
            "assert",
            "assert.ok",
            "invariant",
            "tiny_invariant",
            "nullthrows",
            "requireEnv",
        ) and call.named_children[0] in (node, whole):
            return True
    names = {text_of(node), target(whole)} - {""}
    scope = above(node, "statement_block", "program")
    while scope is not None:
        for one in walk(scope):
            if one.type == "if_statement" and ends(one.child_by_field_name("consequence")):
                condition = field_text(one, "condition")
                if any(_says_missing(condition, name) for name in names):
                    return True
        scope = above(scope, "program") if scope.type != "program" else None
    return False


def _says_missing(condition: str, name: str) -> bool:
    if "&&" in condition:
        return False
    quoted = re.escape(name)
    empty = rf"(?<![\w.]){quoted}\s*={{2,3}}\s*(?:undefined|null|''|\"\")"
    return re.search(rf"!\s*{quoted}(?![\w.\[(])|{empty}|typeof\s+{quoted}\s*!==?\s*['\"]string", condition) is not None


def ends(node: Node | None) -> bool:
    """Say whether something throws or leaves the process."""
    return holds(node, "throw_statement") or any(
        one.type == "call_expression" and called(one) in ("process.exit", "exit", "Deno.exit") for one in walk(node)
    )


def constants_of(nodes: Iterator[Node] | list[Node]) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Return the texts and the lists of texts that ``const`` names stand for."""
    texts: dict[str, str] = {}
    lists: dict[str, tuple[str, ...]] = {}
    for node in nodes:
        value = node.child_by_field_name("value")
        while value is not None and value.type in ("as_expression", "satisfies_expression", "parenthesized_expression"):
            value = value.named_children[0]
        if value is None or (node.parent is not None and not text_of(node.parent).startswith("const")):
            continue
        name = field_text(node, "name")
        if value.type == "array":
            lists[name] = tuple(text for one in value.named_children if (text := literal(one)) is not None)
        elif (text := literal(value)) is not None:
            texts[name] = text
    return texts, lists
