"""Flags as flag, pflag (and with it cobra) and kingpin register them: calls with a name, a default and a help text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, Use
from proa.analyze.syntax import File, arguments, called_name, field_text, qualified_name, text_of
from proa.records.contract import InputType, Variable
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

STANDARD = "flag"
PFLAG = ("github.com/spf13/pflag", "github.com/ogier/pflag")
COBRA = "github.com/spf13/cobra"
KINGPIN = ("github.com/alecthomas/kingpin/v2", "github.com/alecthomas/kingpin", "gopkg.in/alecthomas/kingpin.v2")
FLAG_PACKAGES = frozenset({STANDARD, *PFLAG, COBRA, *KINGPIN, "k8s.io/component-base/cli/flag"})
"""A package that imports none of these registers no flag: a call of the same shape there is something else."""

_SCALARS: dict[str, InputType] = {
    "String": "text", "Bool": "boolean", "Int": "integer", "Int8": "integer", "Int16": "integer", "Int32": "integer",
    "Int64": "integer", "Uint": "integer", "Uint8": "integer", "Uint16": "integer", "Uint32": "integer",
    "Uint64": "integer", "Float32": "number", "Float64": "number", "Duration": "duration", "IP": "address",
    "IPNet": "address", "IPMask": "address", "BytesHex": "text", "BytesBase64": "text", "Text": "text",
    "StringSlice": "list", "StringArray": "list", "IntSlice": "list", "Int32Slice": "list", "Int64Slice": "list",
    "UintSlice": "list", "BoolSlice": "list", "DurationSlice": "list", "Float32Slice": "list", "Float64Slice": "list",
    "IPSlice": "list", "IPNetSlice": "list", "StringToString": "list", "StringToInt": "list", "StringToInt64": "list",
}  # fmt: skip
_FREE = {"Var": (1, -1, 2), "VarP": (1, 2, 3), "VarPF": (1, 2, 3)}
_FUNCTIONS = {"Func": (0, -1, 1), "BoolFunc": (0, -1, 1), "FuncP": (0, 1, 2), "BoolFuncP": (0, 1, 2)}
_COUNTS = {"Count": (0, -1, 1), "CountP": (0, 1, 2), "CountVar": (1, -1, 2), "CountVarP": (1, 2, 3)}
_NAME = re.compile(r"[A-Za-z0-9?][A-Za-z0-9._:/-]*")


class Shape(NamedTuple):
    """Where a registering function has what, by argument; -1 for what it does not take."""

    given: int
    name: int
    short: int
    default: int
    help: int
    type: InputType


def _shapes() -> dict[str, Shape]:
    found = {}
    for base, kind in _SCALARS.items():
        found[base] = Shape(3, 0, -1, 1, 2, kind)
        found[base + "P"] = Shape(4, 0, 1, 2, 3, kind)
        found[base + "Var"] = Shape(4, 1, -1, 2, 3, kind)
        found[base + "VarP"] = Shape(5, 1, 2, 3, 4, kind)
    for table, more, kind in ((_FREE, 1, "unknown"), (_FUNCTIONS, 2, "unknown"), (_COUNTS, 1, "integer")):
        for word, (name, short, told) in table.items():
            found[word] = Shape(told + more, name, short, -1, told, kind)
    return found


SHAPES = _shapes()
CALLS = re.compile(rb"\b(?:" + "|".join(sorted(SHAPES, key=len, reverse=True)).encode() + rb")\((?!\))")
"""Not ``x.String()``, which takes nothing."""
FLAG = re.compile(rb"\bFlag\(")
_REQUIRED = re.compile(rb"\bMark(?:Persistent)?FlagRequired\(")


def read_flags(source: GoSource, found: Found) -> None:
    """Gather the flags that the program's own packages register."""
    packages = [package for package in source.own if FLAG_PACKAGES & set(package.imports)]
    for file in source.files_of(packages, CALLS, FLAG):
        for variable in flags_of(file, source):
            found.add(variable)
    for file in source.files_of(packages, _REQUIRED):
        for call in file.around(_REQUIRED, "call_expression"):
            for use in source.uses(file, call, *arguments(call)[:1]):
                for name in source.texts(_argument(arguments(call), 0), use):
                    found.require("flag", dashed(name))


def flags_of(file: File, source: GoSource) -> Iterator[Variable]:
    """Yield the flags that one file registers."""
    for call in registrations(file):
        yield from flags_at(call, file, source)


def registrations(file: File) -> Iterator[Node]:
    """Yield the calls of one file that register a flag."""
    for call in file.around(CALLS, "call_expression"):
        shape = SHAPES.get(called_name(call))
        if shape is not None and len(arguments(call)) == shape.given and _is_flag_set(call, file):
            yield call
    if _imports(file.package, KINGPIN):
        for call in file.around(FLAG, "call_expression"):
            if called_name(call) == "Flag" and len(arguments(call)) == 2:
                yield call


def flags_at(call: Node, file: File, source: GoSource) -> Iterator[Variable]:
    """Yield what one registering call makes: a flag, or one for each caller of the function around it."""
    shape = SHAPES.get(called_name(call))
    return _flag(call, shape, file, source) if shape is not None else _kingpin(call, file, source)


def dashed(name: str) -> str:
    """Return a flag's name as people type it.

    >>> dashed("listen"), dashed("v")
    ('--listen', '-v')
    """
    return f"--{name}" if len(name) > 1 else f"-{name}"


def _flag(call: Node, shape: Shape, file: File, source: GoSource) -> Iterator[Variable]:
    given = arguments(call)
    name, told = given[shape.name], given[shape.help]
    short = given[shape.short] if shape.short >= 0 else None
    default = given[shape.default] if shape.default >= 0 else None
    for use in source.uses(file, call, name, short, default, told):
        shorthand = source.text(short, use)
        for text in source.texts(name, use):
            if _NAME.fullmatch(text):
                yield Variable(
                    name=dashed(text),
                    kind="flag",
                    type=shape.type,
                    default=source.default(default, use),
                    help=source.text(told, use),
                    by="pflag" if shape.short >= 0 or _imports(file.package, (*PFLAG, COBRA)) else "flag",
                    aliases=(f"-{shorthand}",) if shorthand else (),
                    where=(source.evidence(dashed(text), use),),
                )


def _is_flag_set(call: Node, file: File) -> bool:
    """Say whether a call can be that of a flag set: of a flag package, or a method of a value."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "selector_expression":
        return False
    operand = field_text(function, "operand")
    if operand in file.imports:
        return file.imports[operand] in (STANDARD, *PFLAG)
    return True


def _imports(package: Package, paths: tuple[str, ...]) -> bool:
    return any(path in package.imports for path in paths)


def _argument(given: list[Node], place: int) -> Node | None:
    return given[place] if place < len(given) else None


# kingpin: app.Flag("name", "help").Short('n').Default("x").Envar("NAME").Required().StringVar(&x)

_ENDS: dict[str, InputType] = {
    **{name: kind for name, kind in _SCALARS.items() if kind != "list"},
    "Strings": "list", "Ints": "list", "Int64List": "list", "DurationList": "list", "StringMap": "list",
    "IPList": "list", "URLList": "list", "TCPList": "list", "Enums": "list", "ExistingFiles": "list",
    "ExistingDirs": "list", "Enum": "text", "URL": "url", "TCP": "address", "Bytes": "text",
    "Counter": "integer", "HexBytes": "text",
    "ExistingFile": "path", "ExistingDir": "path", "ExistingFileOrDir": "path", "File": "path", "OpenFile": "path",
    "Float": "number", "Regexp": "text",
}  # fmt: skip


def _kingpin(call: Node, file: File, source: GoSource) -> Iterator[Variable]:
    name, told = arguments(call)
    for use in source.uses(file, call, name, told):
        links = dict(_links(call))
        outer = Use(use.at_file, use.at, {}, use.at_file, use.at)
        # A function that returns the flag is followed by further words about it where it is called.
        beyond = dict(_links(use.at)) if use.at.id != call.id else {}
        default = ",".join(
            [source.default(node, use) for node in links.get("Default", ())]
            or [source.default(node, outer) for node in beyond.get("Default", ())]
        )
        words = {**links, **beyond}
        kind: InputType = next(
            (_ENDS[word.removesuffix("Var")] for word in words if word.removesuffix("Var") in _ENDS), "unknown"
        )
        variables = [text for node in links.get("Envar", ()) for text in source.texts(node, use)]
        variables += [text for node in beyond.get("Envar", ()) for text in source.texts(node, outer)]
        for text in source.texts(name, use):
            if not _NAME.fullmatch(text):
                continue
            flag = Variable(
                name=dashed(text),
                kind="flag",
                type=kind,
                default=default,
                is_required="Required" in words,
                help=source.text(told, use) or source.text(told, outer),
                by="kingpin",
                aliases=(*_shorthand(words), *variables),
                where=(source.evidence(dashed(text), use),),
            )
            yield flag
            yield from (variable_of(flag, variable) for variable in variables)


def variable_of(flag: Variable, name: str) -> Variable:
    """Return the environment variable that stands for a flag."""
    return Variable(
        name=name,
        kind="environment",
        type=flag.type,
        default=flag.default,
        is_secret=flag.is_secret,
        help=flag.help,
        by=flag.by,
        aliases=(flag.name,),
        where=flag.where,
    )


def _links(call: Node) -> Iterator[tuple[str, list[Node]]]:
    """Yield the methods called on a call's result, and on theirs, in order."""
    node: Node | None = call
    while node is not None:
        selector = node.parent
        if selector is None or selector.type != "selector_expression":
            return
        outer = selector.parent
        if outer is None or outer.type != "call_expression":
            return
        yield called_name(outer), arguments(outer)
        node = outer


def _shorthand(words: dict[str, list[Node]]) -> tuple[str, ...]:
    given = words.get("Short", [])
    rune = text_of(given[0]).strip("'") if given else ""
    return (f"-{rune}",) if len(rune) == 1 else ()


def is_parsed(name: str, source: GoSource) -> bool:
    """Say whether the program's own code parses a package's own flag set: flag.Parse(), or hands it on."""
    pattern = re.compile(rb"\b(?:Parse\(\)|CommandLine\b|AddGoFlagSet\()")
    for file in source.files_of([package for package in source.own if name in package.imports], pattern):
        for call in file.around(re.compile(rb"\bParse\("), "call_expression"):
            if qualified_name(call, file) == f"{name}.Parse":
                return True
        wanted = "|".join(known for known, path in file.imports.items() if path == name)
        if wanted and re.search(rf"\b(?:{wanted})\.CommandLine\b".encode(), file.data):
            return True
    return False
