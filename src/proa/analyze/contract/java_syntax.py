"""Java syntax where it matters: literals, constants, annotations, what becomes of a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed, above, holds
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType

if TYPE_CHECKING:
    from tree_sitter import Node

TYPES: dict[str, InputType] = {
    "int": "integer", "Integer": "integer", "long": "integer", "Long": "integer", "short": "integer",
    "Short": "integer",
    "double": "number", "Double": "number", "float": "number", "Float": "number", "BigDecimal": "number",
    "boolean": "boolean", "Boolean": "boolean", "Duration": "duration", "URI": "url", "URL": "url", "Path": "path",
    "File": "path", "Resource": "path", "List": "list", "Set": "list", "InetAddress": "address", "DataSize": "text",
    "String": "text", "OptionalInt": "integer", "OptionalLong": "integer", "BigInteger": "integer",
}  # fmt: skip
_CASTS: dict[str, InputType] = {
    "Integer.parseInt": "integer", "Integer.valueOf": "integer", "Long.parseLong": "integer", "Long.valueOf": "integer",
    "Double.parseDouble": "number", "Double.valueOf": "number", "Boolean.parseBoolean": "boolean",
    "Boolean.valueOf": "boolean", "Duration.parse": "duration", "URI.create": "url", "Path.of": "path",
    "Paths.get": "path",
    "Integer::parseInt": "integer", "Integer::valueOf": "integer", "Boolean::parseBoolean": "boolean",
    "Long::parseLong": "integer", "Boolean::valueOf": "boolean",
}  # fmt: skip


def type_in(text: str) -> InputType:
    """Return the type that a declared Java type means; of what it holds where it is optional.

    >>> type_in("Optional<Integer>"), type_in("Money")
    ('integer', 'unknown')
    """
    return next((TYPES[word] for word in re.findall(r"\w+", text) if word in TYPES), "unknown")


def literal(node: Node | None, constants: Mapping[str, str]) -> str | None:
    """Return the text of an expression that is plain to see, through constants and ``+``; else None."""
    if node is None:
        return None
    match node.type:
        case "string_literal":
            text = text_of(node)
            inner = text[3:-3].strip() if text.startswith('"""') else text[1:-1]
            return inner.replace('\\"', '"').replace("\\$", "$").replace("\\\\", "\\")
        case "decimal_integer_literal" | "decimal_floating_point_literal":
            return text_of(node).rstrip("lLdDfF").replace("_", "")
        case "true" | "false":
            return text_of(node)
        case "unary_expression" if text_of(node).startswith("-"):
            inner_text = literal(node.named_children[0], constants)
            return f"-{inner_text}" if inner_text is not None else None
        case "binary_expression" if field_text(node, "operator") == "+":
            texts = [literal(one, constants) for one in node.named_children]
            return "".join(one or "" for one in texts) if None not in texts else None
        case "parenthesized_expression":
            return literal(node.named_children[0], constants)
        case "identifier":
            return constants.get(text_of(node))
        case "field_access":
            return constants.get(field_text(node, "field"))
        case _:
            return None


def constants_of(parsed: Parsed) -> dict[str, str]:
    """Return the texts that ``static final`` names stand for."""
    found: dict[str, str] = {}
    for field in parsed.nodes("field_declaration", "constant_declaration"):
        if "final" not in text_of(field).split("=")[0] and field.type == "field_declaration":
            continue
        for one in field.children_by_field_name("declarator"):
            text = literal(one.child_by_field_name("value"), found)
            if text is not None:
                found[field_text(one, "name")] = text
    return found


def called(call: Node) -> str:
    """Return the name of the method that is called."""
    return field_text(call, "name")


def arguments(call: Node) -> list[Node]:
    """Return a call's arguments in order."""
    given = call.child_by_field_name("arguments")
    return [one for one in given.named_children if "comment" not in one.type] if given is not None else []


def annotation_of(node: Node, constants: Mapping[str, str]) -> dict[str, str]:
    """Return what an annotation is given; a list's texts one a line, the only one as ``value``."""
    found: dict[str, str] = {}
    given = node.child_by_field_name("arguments")
    for one in given.named_children if given is not None else ():
        if one.type == "element_value_pair":
            found[field_text(one, "key")] = _value(one.child_by_field_name("value"), constants)
        else:
            found["value"] = _value(one, constants)
    return found


def _value(node: Node | None, constants: Mapping[str, str]) -> str:
    if node is not None and node.type == "element_value_array_initializer":
        return "\n".join(literal(one, constants) or "" for one in node.named_children)
    return literal(node, constants) or ""


def marks_of(node: Node) -> dict[str, Node]:
    """Return the annotations of a declaration by their last name."""
    modifiers = next((one for one in node.named_children if one.type == "modifiers"), None)
    return {
        field_text(one, "name").rpartition(".")[2]: one
        for one in (modifiers.named_children if modifiers is not None else ())
        if one.type in ("annotation", "marker_annotation")
    }


def declared_type(annotation: Node) -> str:
    """Return the type of what an annotation stands before: a field, a parameter, a method's parameter."""
    holder = above(annotation, "field_declaration", "formal_parameter", "method_declaration")
    if holder is None:
        return ""
    if holder.type == "method_declaration" and field_text(holder, "type") == "void":
        parameters = holder.child_by_field_name("parameters")
        return text_of(parameters)
    return field_text(holder, "type")


def use(call: Node, constants: Mapping[str, str]) -> tuple[InputType, str, bool]:
    """Return the type a value is made into, its default, and whether the program ends without it."""
    kind: InputType = "unknown"
    default, node = "", call
    while node.parent is not None:
        around = node.parent
        if around.type == "parenthesized_expression":
            node = around
        elif around.type == "argument_list" and around.parent is not None and around.parent.type == "method_invocation":
            outer = around.parent
            name = f"{field_text(outer, 'object')}.{called(outer)}"
            if name in _CASTS:
                kind = _CASTS[name] if kind == "unknown" else kind
                if kind != "boolean" and not default and around.named_children[0] == call:
                    # What parses a number ends with an exception where there is none.
                    return kind, default, True
            elif name in ("Objects.requireNonNull", "Preconditions.checkNotNull"):
                return kind, default, True
            elif name == "Objects.requireNonNullElse":
                return kind, literal(arguments(outer)[-1], constants) or "", False
            elif called(outer) not in ("ofNullable", "map", "of") or around.named_children[0] != node:
                return kind, default, False
            node = outer
        elif around.type == "method_invocation" and around.child_by_field_name("object") == node:
            given = arguments(around)
            method = called(around)
            if method == "orElse" and given:
                default = literal(given[0], constants) or default
            elif method == "orElseThrow":
                return kind, default, True
            elif method == "map" and given:
                kind = _CASTS.get(text_of(given[0]), kind)
            elif method == "split":
                return "list", default, False
            elif method not in ("filter", "orElseGet", "trim", "toLowerCase", "toUpperCase", "strip"):
                return kind, default, False
            node = around
        else:
            break
    return kind, default or _ternary(node, constants), _ends_without(node)


def _name_of(node: Node) -> str:
    holder = above(node, "variable_declarator", "assignment_expression", "expression_statement", "method_declaration")
    if holder is None:
        return ""
    return field_text(holder, "name") if holder.type == "variable_declarator" else field_text(holder, "left")


def _ternary(node: Node, constants: Mapping[str, str]) -> str:
    """Return the other side of ``x != null ? x : "d"``, of the value itself or of the name it is given."""
    names = {text_of(node), _name_of(node)} - {""}
    scope = above(node, "block", "class_body")
    for one in walk(scope):
        if one.type != "ternary_expression":
            continue
        condition = field_text(one, "condition").strip("()")
        for name in names:
            if re.match(rf"{re.escape(name)}\s*!=\s*null", condition):
                return literal(one.child_by_field_name("alternative"), constants) or ""
            if re.match(rf"{re.escape(name)}\s*==\s*null", condition):
                return literal(one.child_by_field_name("consequence"), constants) or ""
    return ""


def _ends_without(node: Node) -> bool:
    name = _name_of(node)
    scope = above(node, "block", "class_body")
    for one in walk(scope) if name else ():
        if one.type == "if_statement":
            condition = field_text(one, "condition")
            body = one.child_by_field_name("consequence")
            if re.search(rf"(?<![\w.]){re.escape(name)}\s*==\s*null", condition) and (
                holds(body, "throw_statement") or "System.exit" in text_of(body)
            ):
                return True
    return False
