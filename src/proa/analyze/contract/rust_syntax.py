"""Rust syntax where it matters: literals, constants, attributes, what becomes of a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed, above
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType

if TYPE_CHECKING:
    from tree_sitter import Node

TYPES: dict[str, InputType] = {
    **dict.fromkeys(("u8", "u16", "u32", "u64", "u128", "usize"), "integer"),
    **dict.fromkeys(("i8", "i16", "i32", "i64", "i128", "isize"), "integer"),
    **dict.fromkeys(("NonZeroU16", "NonZeroU32", "NonZeroU64", "NonZeroUsize"), "integer"),
    "f32": "number", "f64": "number", "bool": "boolean", "Url": "url", "Uri": "url", "PathBuf": "path", "Path": "path",
    "SocketAddr": "address", "IpAddr": "address", "Ipv4Addr": "address", "Duration": "duration", "Vec": "list",
    "String": "text", "SecretString": "text", "Level": "text", "LevelFilter": "text",
}  # fmt: skip
_SAME = frozenset({
    "ok", "map", "as_deref", "as_ref", "and_then", "filter", "to_lowercase", "to_string", "into", "trim", "map_err",
    "with_context", "context", "ok_or", "ok_or_else", "wrap_err", "to_owned", "as_str", "or_else", "into_string",
    "wrap_err_with", "as_deref_mut", "flatten", "transpose",
})  # fmt: skip
_MAKES = frozenset({"to_string", "into", "to_owned", "from", "String::from", "Ok", "Some", "PathBuf::from", "new"})


def type_in(text: str) -> InputType:
    """Return what a Rust type means; of what it holds where it is optional.

    >>> type_in("Option<u16>"), type_in("std::path::PathBuf"), type_in("Money")
    ('integer', 'path', 'unknown')
    """
    return next((TYPES[word] for word in re.findall(r"\w+", text) if word in TYPES), "unknown")


def literal(node: Node | None, constants: Mapping[str, str]) -> str | None:
    """Return the text of an expression that is plain to see, through constants and ``.to_string()``; else None."""
    if node is None:
        return None
    match node.type:
        case "string_literal" | "raw_string_literal":
            return unquoted(text_of(node))
        case "integer_literal" | "float_literal":
            return re.sub(r"_?(?:[ui](?:8|16|32|64|128|size)|f(?:32|64))$", "", text_of(node)).replace("_", "")
        case "boolean_literal":
            return text_of(node)
        case "negative_literal" | "unary_expression":
            inner = literal(node.named_children[0], constants) if node.named_children else None
            return f"-{inner}" if inner is not None and text_of(node).startswith("-") else None
        case "reference_expression":
            return literal(node.child_by_field_name("value"), constants)
        case "closure_expression" | "block":
            body = node.child_by_field_name("body") if node.type == "closure_expression" else None
            return literal(body or (node.named_children[0] if len(node.named_children) == 1 else None), constants)
        case "call_expression":
            function = node.child_by_field_name("function")
            if function is not None and function.type == "field_expression":
                method = field_text(function, "field")
                return literal(function.child_by_field_name("value"), constants) if method in _MAKES else None
            given = arguments(node)
            return literal(given[0], constants) if called(node) in _MAKES and len(given) == 1 else None
        case "identifier":
            return constants.get(text_of(node))
        case "scoped_identifier":
            return constants.get(field_text(node, "name"))
        case _:
            return None


def unquoted(text: str) -> str:
    """Return the text of a string literal as written."""
    raw = re.fullmatch(r'b?r(#*)"(.*)"\1', text, re.DOTALL)
    if raw:
        return raw[2]
    inner = text[text.find('"') + 1 : -1]
    return inner.replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def constants_of(parsed: Parsed) -> dict[str, str]:
    """Return the texts that ``const`` and ``static`` names stand for."""
    found: dict[str, str] = {}
    for node in parsed.nodes("const_item", "static_item"):
        text = literal(node.child_by_field_name("value"), found)
        if text is not None:
            found[field_text(node, "name")] = text
    return found


def arguments(call: Node) -> list[Node]:
    """Return a call's arguments in order."""
    given = call.child_by_field_name("arguments")
    return [one for one in given.named_children if "comment" not in one.type] if given is not None else []


def called(call: Node) -> str:
    """Return what is called, as written."""
    return re.sub(r"\s+", "", text_of(call.child_by_field_name("function")))


def macro_texts(node: Node) -> list[str]:
    """Return the string literals a macro is given."""
    return [unquoted(text_of(one)) for one in walk(node) if one.type in ("string_literal", "raw_string_literal")]


def use(call: Node, constants: Mapping[str, str]) -> tuple[InputType, str, bool]:
    """Return the type a value is made into, its default, and whether the program ends without it."""
    kind: InputType = "unknown"
    node, is_parsed = call, False
    while node.parent is not None:
        around = node.parent
        if around.type == "try_expression":
            # ``?`` after ``ok()`` gives up quietly; after a Result the caller is told.
            return kind, "", True
        if around.type in ("await_expression", "parenthesized_expression"):
            node = around
            continue
        if around.type != "field_expression" or around.parent is None:
            break
        method, outer = field_text(around, "field"), around.parent
        if outer.type == "generic_function":
            outer = outer.parent or outer
        if outer.type != "call_expression":
            break
        given = arguments(outer)
        if method == "parse":
            is_parsed = True
            kind = type_in(text_of(outer.child_by_field_name("function")).rpartition("parse")[2]) or kind
        elif method in ("unwrap_or", "unwrap_or_else"):
            text = literal(given[0], constants) if given else None
            if text is None and given and re.search(r"\b(?:panic|exit)\b", text_of(given[0])):
                return kind, "", True
            return _kind(kind, outer, is_parsed), text or _shown(given), False
        elif method == "unwrap_or_default":
            return _kind(kind, outer, is_parsed), "", False
        elif method in ("map_or", "map_or_else", "is_ok_and"):
            kind = "boolean" if text_of(given[0]) in ("false", "true") else kind
            return kind, literal(given[0], constants) or "" if given else "", False
        elif method in ("expect", "unwrap"):
            return _kind(kind, outer, is_parsed), "", True
        elif method in ("is_ok", "is_err", "is_some", "is_none"):
            return "boolean", "", False
        elif method in ("and_then", "map") and given and (match := re.search(r"parse::<(\w+)>", text_of(given[0]))):
            kind = type_in(match[1])
        elif method == "split":
            return "list", "", False
        elif method not in _SAME:
            break
        node = outer
    return _kind(kind, node, is_parsed), *_matched(node, constants)


def _shown(given: list[Node]) -> str:
    source = " ".join(text_of(given[0]).split()) if given else ""
    source = re.sub(r"^\|[^|]*\|\s*", "", source)
    return source if len(source) <= 60 else f"{source[:59]}…"


def _kind(kind: InputType, node: Node, is_parsed: bool) -> InputType:
    """Return the declared type of what a parsed value is bound to, where nothing nearer says it."""
    if kind != "unknown" or not is_parsed:
        return kind
    holder = above(node, "let_declaration", "field_initializer", "function_item")
    return type_in(field_text(holder, "type")) if holder is not None and holder.type == "let_declaration" else kind


def _matched(node: Node, constants: Mapping[str, str]) -> tuple[str, bool]:
    """Return what ``match env::var(…) { Ok(x) => …, Err(_) => … }`` does without the variable."""
    around = node.parent
    if around is None or around.type != "match_expression" or around.child_by_field_name("value") != node:
        return "", False
    for arm in walk(around.child_by_field_name("body")):
        if arm.type == "match_arm" and re.match(r"Err|None|_", field_text(arm, "pattern")):
            value = arm.child_by_field_name("value")
            ends = re.search(r"\b(?:panic|bail)!|process::exit|return Err", text_of(value)) is not None
            return literal(value, constants) or "", ends
    return "", False


def target(node: Node) -> str:
    """Return what a value is bound to: a variable or a field."""
    holder = above(node, "let_declaration", "field_initializer", "block")
    if holder is None or holder.type == "block":
        return ""
    return field_text(holder, "pattern") or field_text(holder, "field") or field_text(holder, "name")
