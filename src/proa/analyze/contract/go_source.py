"""One Go program's source as the readers of its configuration ask it: files by words, values, callers, places.

A name that a function is given, ``func option(name string) { flag.String(name, …) }``, is read once for each call of
the function: a ``Use`` is one such reading, with what the parameters are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from proa.analyze.contract.reading import skipped
from proa.analyze.files import Sources
from proa.analyze.syntax import (
    LITERALS,
    File,
    arguments,
    called_name,
    enclosing_declaration,
    field_text,
    parameters,
    text_of,
    unquote,
    walk,
)
from proa.analyze.texts import HOLE, Values
from proa.records.evidence import Evidence, Finding
from proa.records.project import Main, Package

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_USES = 400
"""Calls of one function that are followed (arbitrary)."""
_MOST_USES_IN_ALL = 8_000
"""So many of all together: functions that call one another make thousands of few lines."""
_MOST_LEVELS = 3
_ANY = re.compile(rb"")
_UNITS_NS = {"Nanosecond": 1, "Microsecond": 10**3, "Millisecond": 10**6, "Second": 10**9, "Minute": 60 * 10**9}
_UNITS_NS["Hour"] = 3600 * 10**9


class Use(NamedTuple):
    """One reading: the call or literal that reads, what parameters are there, and where that is written."""

    file: File
    node: Node
    bound: Mapping[str, Values]
    at_file: File
    at: Node
    """The outermost call that leads to ``node``, in ``at_file``; the node itself where none is between."""


class GoSource:
    """A program's source files, with the questions that every reader of the contract has."""

    def __init__(self, sources: Sources, main: Main, *, system: str = "linux") -> None:
        self.sources = sources
        self.main = main
        self.system = system
        self.own = sorted(sources.local, key=lambda package: package.import_path != main.import_path)
        self._broken: dict[str, File] = {}
        self._uses_left = _MOST_USES_IN_ALL

    def files(self, *patterns: re.Pattern[bytes]) -> Iterator[File]:
        """Yield the program's own files that any pattern is found in, the main package's first."""
        yield from self.files_of(self.own, *patterns)

    def files_of(self, packages: Sequence[Package], *patterns: re.Pattern[bytes]) -> Iterator[File]:
        """Yield the files of some packages that any pattern is found in and that Go's grammar accepts."""
        for package in packages:
            for name in (*package.files, *package.cgo_files):
                text = self.sources.text(package, name)
                if any(pattern.search(text) for pattern in patterns):
                    file = self.sources.file(package, name)
                    if file is not None and self._is_whole(file):
                        yield file

    def _is_whole(self, file: File) -> bool:
        if not file.root.has_error:
            return True
        self._broken[self.place(file)] = file
        return False

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Return one finding for every file that was left out because of its syntax."""
        return tuple(skipped(place, _first_error(file)) for place, file in sorted(self._broken.items()))

    # Values

    def texts(self, node: Node | None, use: Use) -> list[str]:
        """Return the texts an expression can have that are known as a whole."""
        if node is None:
            return []
        if node.type in LITERALS:
            return [unquote(text_of(node))]
        return sorted(text for text in self.sources.values(node, use.file, use.bound) if HOLE not in text)

    def text(self, node: Node | None, use: Use) -> str:
        """Return the only text an expression can have; empty where it is not known or can be several."""
        found = self.texts(node, use)
        return found[0] if len(found) == 1 else ""

    def elements(self, node: Node | None, use: Use) -> list[str]:
        """Return the texts of a slice literal ``[]string{"A", "B"}`` in order."""
        if node is None or node.type != "composite_literal":
            return self.texts(node, use)
        body = node.child_by_field_name("body")
        found: list[str] = []
        for child in body.named_children if body is not None else ():
            inner = child.named_children[0] if child.type == "literal_element" and child.named_children else child
            found += self.texts(inner, use)
        return found

    def default(self, node: Node | None, use: Use, *, as_written: bool = True) -> str:
        """Return a default as people would write it: a text, a number, ``30s``; else the expression itself."""
        if node is None:
            return ""
        if node.type == "composite_literal":
            return ",".join(self.elements(node, use))
        if node.type in ("nil", "true", "false", "int_literal", "float_literal"):
            return "" if node.type == "nil" else text_of(node)
        span = duration(node)
        if span:
            return span
        known = self.text(node, use)
        if known or node.type in LITERALS:
            return known
        return "" if not as_written or self.texts(node, use) else " ".join(text_of(node).split())[:80]

    # Calls and places

    def uses(
        self,
        file: File,
        node: Node,
        *named: Node | None,
        levels: int = _MOST_LEVELS,
        within: re.Pattern[bytes] = _ANY,
    ) -> Iterator[Use]:
        """Yield each reading of a call: one, or one for each caller where the names are given as parameters.

        ``levels`` is through how many functions they are followed, and only into files that ``within`` is found in.
        """
        parts = [part for part in named if part is not None]
        yield from self._uses(Use(file, node, {}, file, node), parts, levels, within)

    def _uses(self, use: Use, named: Sequence[Node], levels: int, within: re.Pattern[bytes] = _ANY) -> Iterator[Use]:
        function = enclosing_declaration(use.at)
        given = parameters(function) if function is not None else []
        words = {text_of(node) for part in named for node in walk(part) if node.type == "identifier"} & set(given)
        if function is None or levels <= 0 or not words:
            yield use
            return
        for caller, call in self.callers(function, use.at_file):
            self._uses_left -= 1
            if self._uses_left < 0:
                return
            if not within.search(caller.data):
                continue
            passed = [(name, node) for name, node in zip(given, arguments(call), strict=False) if name in words]
            # An argument that is itself a parameter there is known by its callers in turn.
            for further in self._uses(
                Use(caller, call, {}, caller, call), [node for _, node in passed], levels - 1, within
            ):
                bound = {name: self.sources.values(node, caller, further.bound) for name, node in passed}
                yield Use(use.file, use.node, bound, further.at_file, further.at)

    def callers(self, function: Node, file: File) -> Iterator[tuple[File, Node]]:
        """Yield the calls of a declared function in its own package and, where it is exported, in the program's."""
        name, path = field_text(function, "name"), file.package.import_path
        packages: list[Package] = [file.package]
        if name[:1].isupper():
            packages += [package for package in self.own if path in package.imports and package.import_path != path]
        pattern = call_of(name)
        count = 0
        for other in self.files_of(packages, pattern):
            for call in other.around(pattern, "call_expression"):
                if called_name(call) == name and count < _MOST_USES and _can_be(call, function, other, path):
                    count += 1
                    yield other, call

    def place(self, file: File) -> str:
        """Return a file by its path in the project, or in ``module@version``."""
        return place_of(file, self.main)

    def evidence(self, symbol: str, use: Use) -> Evidence:
        """Return where a reading is written."""
        return Evidence(
            package=use.at_file.package.import_path,
            symbol=symbol,
            file=self.place(use.at_file),
            line=use.at.start_point[0] + 1,
        )

    def is_elsewhere(self, node: Node) -> bool:
        """Say whether a node is reached on other systems only: ``if runtime.GOOS == "windows" {…}``."""
        child, found = node, node.parent
        while found is not None:
            if found.type == "if_statement" and _part(found, "consequence") == child.id:
                condition = text_of(found.child_by_field_name("condition"))
                system = re.search(r'runtime\.GOOS == "(\w+)"', condition)
                if system is not None and "||" not in condition and system[1] != self.system:
                    return True
            if found.type == "expression_case" and _is_for_system(found):
                named = re.findall(r'"(\w+)"', text_of(found.child_by_field_name("value")))
                if named and self.system not in named:
                    return True
            child, found = found, found.parent
        return False


def place_of(file: File, main: Main) -> str:
    """Return a file by its path in the program's folder, or in ``module@version``."""
    directory = Path(file.package.directory)
    root = Path(main.module_directory or main.directory)
    if not file.package.module_version and directory.is_relative_to(root):
        return (directory.relative_to(root) / file.name).as_posix()
    inner = file.package.import_path.removeprefix(file.package.module).strip("/")
    module = "@".join(part for part in (file.package.module, file.package.module_version) if part)
    return "/".join(part for part in (module, inner, file.name) if part)


def duration(node: Node) -> str:
    """Return what ``2 * time.Minute`` is as Go prints it, ``2m0s``; empty for anything else."""
    found = re.fullmatch(r"(?:([0-9]{1,18}) ?\* ?)?time\.([A-Z][a-z]+)(?: ?\* ?([0-9]{1,18}))?", text_of(node))
    if found is None or found[2] not in _UNITS_NS:
        return ""
    left = int(found[1] or 1) * int(found[3] or 1) * _UNITS_NS[found[2]]
    if left < 10**9:
        unit, name = next((unit, name) for unit, name in ((10**6, "ms"), (10**3, "µs"), (1, "ns")) if left % unit == 0)
        return f"{left // unit}{name}" if left else "0s"
    hours, rest = divmod(left, 3600 * 10**9)
    minutes, rest = divmod(rest, 60 * 10**9)
    seconds = f"{rest / 10**9:g}s"
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + seconds


@lru_cache(maxsize=256)
def call_of(name: str) -> re.Pattern[bytes]:
    """Return what a call of this name looks like, before anything is parsed."""
    return re.compile(rb"\b" + re.escape(name.encode()) + rb"(?:\[[^\]]*\])?\(")


def _can_be(call: Node, function: Node, file: File, path: str) -> bool:
    """Say whether a call can be one of a function of a package: a method of some value, or by the package's name."""
    called = call.child_by_field_name("function")
    if called is not None and called.type in ("index_expression", "generic_type"):
        called = called.named_children[0]
    is_selected = called is not None and called.type == "selector_expression"
    operand = field_text(called, "operand") if called is not None and is_selected else ""
    if function.type == "method_declaration":
        return is_selected and operand not in file.imports
    return file.imports.get(operand) == path if is_selected else file.package.import_path == path


def _part(node: Node, field: str) -> int:
    part = node.child_by_field_name(field)
    return part.id if part is not None else -1


def _is_for_system(case: Node) -> bool:
    switch = case.parent
    return switch is not None and text_of(switch.child_by_field_name("value")) == "runtime.GOOS"


def _first_error(file: File) -> int:
    return next((node.start_point[0] + 1 for node in walk(file.root) if node.is_error or node.is_missing), 1)
