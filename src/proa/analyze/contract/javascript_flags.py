"""The flags of Node programs: commander, yargs, ``util.parseArgs``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed
from proa.analyze.contract.javascript_syntax import arguments, called, literal, properties, written
from proa.analyze.contract.reading import is_secret_name, variable
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_TYPES: dict[str, InputType] = {
    "number": "number",
    "boolean": "boolean",
    "string": "text",
    "array": "list",
    "count": "integer",
}
_LONG = re.compile(r"--(?:\[?no-?\]?)?[A-Za-z][\w-]*")


def flags(parsed: Parsed, texts: dict[str, str]) -> Iterator[Variable]:
    """Yield the flags that one file defines."""
    is_commander = b"commander" in parsed.data or b".requiredOption(" in parsed.data or b"program" in parsed.data
    is_yargs = b"yargs" in parsed.data or b"Argv" in parsed.data
    for call in parsed.nodes("call_expression", "new_expression"):
        given = arguments(call)
        if call.type == "new_expression":
            if field_text(call, "constructor").rpartition(".")[2] == "Option" and is_commander and given:
                yield from _commander(parsed, call, given, texts, is_required=False)
            continue
        name = called(call).rpartition(".")[2]
        first = literal(given[0]) if given else None
        if name in ("option", "requiredOption") and is_commander and first and first.startswith("-"):
            yield from _commander(parsed, call, given, texts, is_required=name == "requiredOption")
        elif name in ("option", "options", "positional") and is_yargs and given and name != "positional":
            if first is not None and not first.startswith("-"):
                yield from _yargs(parsed, call, first, properties(given[1] if len(given) > 1 else None), texts)
            elif given[0].type == "object":
                for key, value in properties(given[0]).items():
                    yield from _yargs(parsed, value, key, properties(value), texts)
        elif name == "parseArgs" and given:
            for key, value in properties(properties(given[0]).get("options")).items():
                yield from _yargs(parsed, value, key, properties(value), texts, by="parseArgs")


def _commander(
    parsed: Parsed, call: Node, given: list[Node], texts: dict[str, str], *, is_required: bool
) -> Iterator[Variable]:
    """Yield ``.option('-p, --port <number>', 'help', 3000)``, or ``new Option(…).default(3000).env('PORT')``."""
    said = literal(given[0]) or ""
    names = _LONG.findall(said)
    if not names:
        return
    long = names[0]
    short = re.findall(r"(?<![\w-])-\w\b", said)
    plain = [one for one in given[2:] if literal(one) is not None]
    default = written(plain[-1], texts) if plain else ""
    kind: InputType = "boolean" if "<" not in said and "[" not in said else "list" if "..." in said else "unknown"
    envvar: tuple[str, ...] = ()
    for method, one in _followed(call):
        text = written(one[0], texts) if one else ""
        if method == "default":
            default = text
        elif method == "env":
            envvar = (text,)
        elif method == "makeOptionMandatory":
            is_required = True
    help_ = literal(given[1]) or "" if len(given) > 1 else ""
    at = parsed.at(call, long)
    is_secret = any(is_secret_name(one) for one in (long, *envvar))
    yield variable(
        long, at, by="commander", kind="flag", type=kind, default=default, is_required=is_required and not default,
        help=help_, is_secret=is_secret, aliases=(*short, *envvar),
    )  # fmt: skip
    for name in envvar:
        yield variable(
            name, at, by="commander", type=kind, default=default, help=help_, is_secret=is_secret, aliases=(long,)
        )


def _followed(node: Node) -> Iterator[tuple[str, list[Node]]]:
    """Yield the methods called on what an expression makes, with their arguments."""
    around = node.parent
    while around is not None and around.type == "member_expression" and around.parent is not None:
        if around.parent.type != "call_expression":
            return
        yield field_text(around, "property"), arguments(around.parent)
        around = around.parent.parent


def _yargs(
    parsed: Parsed, node: Node, name: str, options: dict[str, Node], texts: dict[str, str], *, by: str = "yargs"
) -> Iterator[Variable]:
    if not re.fullmatch(r"[A-Za-z][\w.-]*", name):
        return
    kind = _TYPES.get(literal(options.get("type")) or "", "unknown")
    kind = next((_TYPES[word] for word in _TYPES if text_of(options.get(word)) == "true"), kind)
    alias = options.get("alias", options.get("short"))
    listed = alias.named_children if alias is not None and alias.type == "array" else [alias]
    aliases = tuple(f"{'-' if len(text) == 1 else '--'}{text}" for one in listed if (text := literal(one)))
    help_ = next((text for word in ("describe", "description", "desc") if (text := literal(options.get(word)))), "")
    required = next((text_of(options[word]) for word in ("demandOption", "demand", "required") if word in options), "")
    default = written(options.get("default"), texts)
    yield variable(
        f"--{name}", parsed.at(node, f"--{name}"), by=by, kind="flag", type=kind, default=default,
        is_required=required not in ("", "false") and not default, help=help_, aliases=aliases,
    )  # fmt: skip
