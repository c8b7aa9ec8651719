"""Flags that are literals, ``&cli.StringFlag{Name: "listen", EnvVars: []string{"LISTEN"}}``: urfave/cli 1, 2 and 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from proa.analyze.contract.go_flags import dashed, variable_of
from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.sites import fields
from proa.analyze.syntax import File, arguments, called_name, field_text, walk
from proa.records.contract import InputType, Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_LIBRARY = "github.com/urfave/cli"
_LITERAL = re.compile(rb"\b[A-Z]\w*Flag(?:\[[^\]]*\])?\{")
_SOURCES = ("EnvVars", "EnvVar", "Env")
_TYPES: tuple[tuple[str, InputType], ...] = (
    ("Slice", "list"), ("Map", "list"), ("Bool", "boolean"), ("Int", "integer"), ("Uint", "integer"),
    ("Float", "number"), ("Duration", "duration"), ("Path", "path"), ("String", "text"), ("Count", "integer"),
)  # fmt: skip


def read_literals(source: GoSource, found: Found) -> None:
    """Gather the flags that are written as literals, and the variables that stand for them."""
    packages = [package for package in source.own if any(path.startswith(_LIBRARY) for path in package.imports)]
    for file in source.files_of(packages, _LITERAL):
        for literal in file.around(_LITERAL, "composite_literal"):
            kind = _type_name(literal, file)
            if kind:
                for variable in _flag(literal, kind, file, source):
                    found.add(variable)


def _type_name(literal: Node, file: File) -> str:
    """Return the flag's type, ``StringFlag``, where it is one of the library."""
    kind = literal.child_by_field_name("type")
    if kind is not None and kind.type == "generic_type":
        kind = kind.named_children[0]
    if kind is None or kind.type != "qualified_type":
        return ""
    is_known = file.imports.get(field_text(kind, "package"), "").startswith(_LIBRARY)
    name = field_text(kind, "name")
    return name if is_known and name.endswith("Flag") else ""


def _flag(literal: Node, kind: str, file: File, source: GoSource) -> Iterator[Variable]:
    given = fields(literal)
    named = [given.get(key) for key in ("Name", "Aliases", "EnvVars", "EnvVar", "Sources", "Value", "Usage")]
    for use in source.uses(file, literal, *named):
        for text in source.texts(given.get("Name"), use):
            # In version 1 a name has its aliases behind it: "config, c".
            names = [part.strip() for part in text.split(",") if part.strip()]
            names += source.elements(given.get("Aliases"), use)
            variables = _variables(given, use, source)
            if not names:
                continue
            flag = Variable(
                name=dashed(names[0]),
                kind="flag",
                type=next((known for word, known in _TYPES if word in kind), "unknown"),
                default=source.default(given.get("Value"), use),
                is_required="Required" in given and given["Required"].type == "true",
                help=source.text(given.get("Usage"), use),
                by="urfave/cli",
                aliases=(*(dashed(name) for name in names[1:]), *variables),
                where=(source.evidence(dashed(names[0]), use),),
            )
            yield flag
            yield from (variable_of(flag, name) for name in variables)


def _variables(given: dict[str, Node], use: Use, source: GoSource) -> list[str]:
    names = source.elements(given.get("EnvVars"), use)
    names += [part.strip() for text in source.texts(given.get("EnvVar"), use) for part in text.split(",")]
    for call in walk(given.get("Sources")):
        if call.type == "call_expression" and called_name(call) in _SOURCES:
            names += [text for node in arguments(call) for text in source.texts(node, use)]
    return [name for name in dict.fromkeys(names) if re.fullmatch(r"[A-Za-z_]\w*", name)]
