"""The flags of Python programs: argparse, click and typer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from proa.analyze.contract.python_syntax import CASTS, Module, arguments, literal, written
from proa.analyze.contract.reading import is_secret_name, variable
from proa.analyze.syntax import field_text, text_of, walk
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_CLICK = ("click.option", "asyncclick.option", "rich_click.option", "cloup.option")
_CLICK_TYPES: dict[str, InputType] = {
    "INT": "integer", "FLOAT": "number", "BOOL": "boolean", "Path": "path", "File": "path", "IntRange": "integer",
    "FloatRange": "number", "Choice": "text", "STRING": "text", "UUID": "text", "DateTime": "text",
}  # fmt: skip


def flags(module: Module, known: dict[str, str]) -> Iterator[Variable]:
    """Yield the flags one file defines, and the variables that stand for them."""
    for call in module.parsed.nodes("call"):
        said = module.meaning(call.child_by_field_name("function"))
        if said.endswith((".add_argument", ".add_option")):
            yield from _flag(module, call, said, known)
        elif said in _CLICK:
            yield from _flag(module, call, "click", known)
    if any(said.startswith("typer") for said in module.names.values()):
        for function in module.parsed.nodes("function_definition"):
            yield from _typer(module, function, known)


def _flag(module: Module, call: Node, said: str, known: dict[str, str]) -> Iterator[Variable]:
    places, words = arguments(call)
    by = "click" if said == "click" else "argparse"
    names = [text for one in places if (text := literal(one, known)) and text.startswith("-")]
    if not names:
        return
    action = literal(words.get("action")) or ""
    if action in ("help", "version"):
        return
    # ``--yes/--no`` of click is one switch with two names.
    names = [part.strip() for name in names for part in name.split("/") if part.strip()]
    is_switch = (
        action.startswith("store_true")
        or action in ("store_false", "count")
        or "BooleanOptionalAction" in text_of(words.get("action"))
    )
    is_switch = (
        is_switch or text_of(words.get("is_flag")) == "True" or any("/" in (literal(one) or "") for one in places)
    )
    type_node = words.get("type")
    word = text_of(
        type_node.child_by_field_name("function") if type_node is not None and type_node.type == "call" else type_node
    )
    word = word.rpartition(".")[2]
    kind: InputType = (
        "boolean" if is_switch and action != "count" else CASTS.get(word, _CLICK_TYPES.get(word, "unknown"))
    )
    if words.get("nargs") is not None or text_of(words.get("multiple")) == "True" or action == "append":
        kind = "list"
    yield from _named(
        module, call, names, by,
        kind=kind,
        default=written(words.get("default"), known),
        is_required=text_of(words.get("required")) == "True",
        help=literal(words.get("help"), known) or "",
        envvar=_texts(words.get("envvar"), known),
    )  # fmt: skip


def _texts(node: Node | None, known: dict[str, str]) -> tuple[str, ...]:
    listed: Sequence[Node | None] = (
        node.named_children if node is not None and node.type in ("list", "tuple") else [node]
    )
    return tuple(text for one in listed if (text := literal(one, known)))


def _named(
    module: Module,
    node: Node,
    names: Sequence[str],
    by: str,
    *,
    kind: InputType,
    default: str,
    is_required: bool,
    help: str,  # noqa: A002
    envvar: tuple[str, ...],
) -> Iterator[Variable]:
    """Yield a flag by its long name, and each variable that stands for it."""
    long = next((name for name in names if name.startswith("--")), names[0])
    others = tuple(name for name in names if name != long)
    at = module.parsed.at(node, long)
    is_secret = any(is_secret_name(name) for name in (*names, *envvar))
    yield variable(
        long, at, by=by, kind="flag", type=kind, default=default, is_required=is_required, help=help,
        is_secret=is_secret,
        aliases=(*others, *envvar),
    )  # fmt: skip
    for name in envvar:
        yield variable(name, at, by=by, type=kind, default=default, is_secret=is_secret, help=help, aliases=(long,))


def _typer(module: Module, function: Node, known: dict[str, str]) -> Iterator[Variable]:
    """Yield the options of a typer command: parameters given ``typer.Option``, and plain ones with a default."""
    around = function.parent
    is_command = around is not None and around.type == "decorated_definition" and any(
        module.meaning(one.named_children[0]).endswith((".command()", ".callback()"))
        for one in around.named_children if one.type == "decorator" and one.named_children
    )  # fmt: skip
    declared = function.child_by_field_name("parameters")
    for parameter in declared.named_children if declared is not None else ():
        option = next((one for one in walk(parameter) if one.type == "call"
                       and module.meaning(one.child_by_field_name("function")) == "typer.Option"), None)  # fmt: skip
        if parameter.type not in ("typed_parameter", "typed_default_parameter", "default_parameter"):
            continue
        own = field_text(parameter, "name") or text_of(parameter.named_children[0])
        value = parameter.child_by_field_name("value")
        words_of_type = [
            text_of(one) for one in walk(parameter.child_by_field_name("type")) if one.type == "identifier"
        ]
        if "Context" in words_of_type or (option is None and (not is_command or value is None or value.type == "call")):
            continue
        places, words = arguments(option) if option is not None else ([], {})
        names = [text for one in places if (text := literal(one, known)) and text.startswith("-")]
        if value is None or value == option:
            first = places[0] if places and not (literal(places[0]) or "").startswith("-") else None
            value = words.get("default", first) if value == option else None
        is_required = option is not None and (value is None or text_of(value) == "...")
        kind: InputType = next((CASTS[word] for word in words_of_type if word in CASTS), "unknown")
        names = [part for name in names for part in name.split("/") if part] or [f"--{own.replace('_', '-')}"]
        yield from _named(
            module, parameter, names, "typer",
            kind=kind, default=written(value, known), is_required=is_required,
            help=literal(words.get("help"), known) or "", envvar=_texts(words.get("envvar"), known),
        )  # fmt: skip
