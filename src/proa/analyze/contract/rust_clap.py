"""The flags of Rust programs: clap and structopt, derived or built."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed
from proa.analyze.contract.reading import is_secret_name, variable
from proa.analyze.contract.rust_syntax import arguments, called, literal, type_in, unquoted
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_DERIVES = re.compile(r"\b(?:Parser|Args|StructOpt|Clap|Subcommand)\b")
_WORD = re.compile(
    r'(?<![\w."])(\w+)\s*(?:=\s*((?:"(?:[^"\\]|\\.)*")|[^,"()]*(?:\([^()]*\))?[^,"()]*)|\(\s*((?:"(?:[^"\\]|\\.)*")|[^()]*)\s*\))?\s*(?:,|$)',
    re.DOTALL,
)


def clap(parsed: Parsed, constants: Mapping[str, str]) -> Iterator[Variable]:
    """Yield the flags one file defines, and the variables that stand for them."""
    if not re.search(rb"clap|structopt|StructOpt|Parser|Args", parsed.data):
        return
    for node in parsed.nodes("struct_item", "enum_item"):
        if _DERIVES.search(" ".join(text_of(one) for one in attributes(node) if "derive" in text_of(one))):
            yield from _derived(parsed, node, constants)
    for call in parsed.nodes("call_expression"):
        if re.fullmatch(r"(?:clap::)?Arg::(?:new|with_name)", called(call)) and arguments(call):
            yield from _built(parsed, call, constants)


def attributes(node: Node) -> list[Node]:
    """Return the attributes and documentation before an item or a field, in order."""
    found = []
    before = node.prev_named_sibling
    while before is not None and before.type in ("attribute_item", "line_comment", "block_comment"):
        found.append(before)
        before = before.prev_named_sibling
    return found[::-1]


def words_of(nodes: list[Node], *names: str) -> dict[str, str]:
    """Return the words of the attributes of some names: ``#[arg(long, env = "PORT")]`` gives long and env.

    A word without a value has an empty one; a text is without its quotes.
    """
    found: dict[str, str] = {}
    for node in nodes:
        match = re.fullmatch(r"#\[\s*(\w+)\s*\((.*)\)\s*\]", text_of(node), re.DOTALL)
        if node.type != "attribute_item" or match is None or match[1] not in names:
            continue
        for one in _WORD.finditer(match[2]):
            value = (one[2] or one[3] or "").strip()
            found[one[1]] = unquoted(value) if value.startswith(('"', 'r"', "r#")) else value
    return found


def _documentation(nodes: list[Node]) -> str:
    lines = [text_of(one).strip().removeprefix("///").strip() for one in nodes if text_of(one).startswith("///")]
    return " ".join(lines).split(". ")[0]


def _derived(parsed: Parsed, item: Node, constants: Mapping[str, str]) -> Iterator[Variable]:
    for field in parsed.nodes("field_declaration", under=item):
        before = attributes(field)
        words = words_of(before, "arg", "clap", "structopt")
        if not {"long", "short", "env"} & set(words):
            continue
        own, type_text = field_text(field, "name").removeprefix("r#"), field_text(field, "type")
        long = words.get("long") or own.replace("_", "-")
        names = [f"--{long}"] if "long" in words else []
        if "short" in words:
            names.append(f"-{words['short'].strip(chr(39)) or own[0]}")
        default = next(
            (words[word] for word in ("default_value_t", "default_value", "default_values_t") if word in words), ""
        )
        default = constants.get(default.rpartition("::")[2], default).removesuffix(".to_string()").strip('"')
        kind: InputType = "boolean" if type_text == "bool" else type_in(type_text)
        is_open = (
            type_text == "bool" or type_text.startswith(("Option", "Vec")) or any("default" in word for word in words)
        )
        envvar = words["env"] or own.upper() if "env" in words else ""
        yield from _named(
            parsed, field, names, constants.get(envvar.rpartition("::")[2], envvar), kind=kind, default=default,
            is_required=not is_open, help_=words.get("help") or _documentation(before), is_secret="Secret" in type_text,
        )  # fmt: skip


def _built(parsed: Parsed, call: Node, constants: Mapping[str, str]) -> Iterator[Variable]:
    """Yield ``Arg::new("port").long("port").env("PORT").default_value("8080")``."""
    words: dict[str, str] = {}
    node = call
    while node.parent is not None and node.parent.type == "field_expression":
        outer = node.parent.parent
        if outer is None or outer.type != "call_expression":
            break
        given = arguments(outer)
        words[field_text(node.parent, "field")] = (literal(given[0], constants) or text_of(given[0])) if given else ""
        node = outer
    names = [f"--{words['long']}"] if "long" in words else []
    names += [f"-{words['short'].strip(chr(39))}"] if "short" in words else []
    action = words.get("action", "")
    is_switch = "SetTrue" in action or "SetFalse" in action or words.get("takes_value") == "false"
    kind: InputType = "boolean" if is_switch else type_in(words.get("value_parser", ""))
    default = words.get("default_value", "")
    yield from _named(
        parsed, call, names, words.get("env", ""), kind=kind, default=default, help_=words.get("help", ""),
        is_required=words.get("required") == "true" and not default, is_secret=False,
    )  # fmt: skip


def _named(
    parsed: Parsed,
    node: Node,
    names: list[str],
    envvar: str,
    *,
    kind: InputType,
    default: str,
    is_required: bool,
    help_: str,
    is_secret: bool,
) -> Iterator[Variable]:
    is_secret = is_secret or any(is_secret_name(one) for one in (*names, envvar))
    if names:
        yield variable(
            names[0], parsed.at(node, names[0]), by="clap", kind="flag", type=kind, default=default, help=help_,
            is_required=is_required, is_secret=is_secret, aliases=(*names[1:], envvar),
        )  # fmt: skip
    if envvar:
        yield variable(
            envvar, parsed.at(node, envvar), by="clap", type=kind, default=default, help=help_,
            is_required=is_required, is_secret=is_secret, aliases=tuple(names[:1]),
        )  # fmt: skip
