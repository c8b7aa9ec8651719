"""A use of the standard library brought together with its source: the calls at its line, the chain from main."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import msgspec

from proa.analyze.callgraph import CallGraph, Use, outermost_first
from proa.analyze.files import Sources
from proa.analyze.rules import Rule, read_rules
from proa.analyze.syntax import File, arguments
from proa.analyze.texts import UNKNOWN, Values
from proa.outside.gobinary import Frame, GoBinary, package_of
from proa.records.evidence import Evidence, LeftOut, Need, NeedKind
from proa.records.project import Main, Package

if TYPE_CHECKING:
    from tree_sitter import Node

_MOST_CHAIN = 12
"""Links of a chain that are kept as evidence, those nearest to the use and main itself (arbitrary)."""
_DATA = rb"net/http\.DefaultTransport"


class Program:
    """Everything that is known of one linked program: its machine code, its packages, their source."""

    def __init__(self, binary: GoBinary, main: Main, packages: Sequence[Package]) -> None:
        self.binary = binary
        self.main = main
        self.sources = Sources(packages, main=main.import_path)
        self.graph = CallGraph(binary, self.sources.packages, data=_DATA)
        self.import_paths = frozenset(package.import_path for package in packages)

    @cached_property
    def local_paths(self) -> frozenset[str]:
        """Return the import paths of the packages whose source is the user's own."""
        return frozenset(package.import_path for package in self.sources.local)

    @cached_property
    def uses(self) -> list[Use]:
        """Return every use of a function that has a rule: the user's own first, the nearest to main first."""
        return sorted(self.graph.uses(read_rules()), key=self._distance)

    def _distance(self, use: Use) -> tuple[bool, int, int]:
        package = self.sources.package(package_of(use.stack[0].function))
        is_local = package is not None and package.import_path in self.local_paths
        return not is_local, self.graph.depth(use.caller), use.address

    @property
    def root(self) -> Path:
        """Return the folder of the program's module."""
        if not self.main.module_version:
            return Path(self.main.module_directory or self.main.directory)
        # The go command runs elsewhere for a module version; its files are above the package's own.
        below = self.main.import_path.removeprefix(self.main.module).strip("/")
        return Path(self.main.directory.removesuffix(below)) if below else Path(self.main.directory)

    def is_linked(self, function: str) -> bool:
        """Say whether the source's function is in the program; what stands at package level is."""
        return not function or self.binary.holds(function)

    def symbol_package(self, package: Package) -> str:
        """Return a package's import path as the linker writes it in the names of functions."""
        if package.import_path == self.main.import_path:
            return "main"
        folder, slash, last = package.import_path.rpartition("/")
        return folder + slash + last.replace(".", "%2e")

    def evidence(self, frame: Frame) -> Evidence:
        """Return a frame as a place people find: by path in the project, or in ``module@version``."""
        package = self.sources.package(package_of(frame.function))
        name = PurePosixPath(frame.file).name
        if package is None:
            return Evidence(package=package_of(frame.function), symbol=frame.function, file=name, line=frame.line)
        return Evidence(
            package=package.import_path, symbol=frame.function, file=self.place(package, name), line=frame.line
        )

    def place(self, package: Package, name: str) -> str:
        """Return a package's file by its path in the project, or in ``module@version``."""
        if package.import_path in self.local_paths and not package.module_version:
            directory = Path(package.directory)
            if directory.is_relative_to(self.root):
                return (directory.relative_to(self.root) / name).as_posix()
        inner = package.import_path.removeprefix(package.module).strip("/")
        module = f"{package.module}@{package.module_version}" if package.module_version else package.module
        return "/".join(part for part in (module, inner, name) if part)


class Site:
    """One use of one function, with its source where that is at hand."""

    def __init__(self, use: Use, rule: Rule, program: Program) -> None:
        self.use = use
        self.rule = rule
        self.program = program
        frame = use.stack[0]
        self.package = program.sources.package(package_of(frame.function))
        self.where = program.evidence(frame)

    @property
    def is_local(self) -> bool:
        """Say whether the use stands in the user's own source."""
        return self.package is not None and self.package.import_path in self.program.local_paths

    @cached_property
    def file(self) -> File | None:
        """Return the parsed file of the use, or None where it is not at hand."""
        name = PurePosixPath(self.use.stack[0].file).name
        if self.package is None or not name.endswith(".go") or name not in self.package.files:
            return None
        return self.program.sources.file(self.package, name)

    @cached_property
    def calls(self) -> tuple[Node, ...]:
        """Return the calls in the source that this use can be; empty where it is a function value."""
        if self.file is None or not self.use.is_call:
            return ()
        return self.file.calls_at(self.use.stack[0].line, self.use.name.rpartition(".")[2])

    def given(self, place: int) -> list[Node]:
        """Return the expressions given at a place of the argument list, of every call the use can be."""
        found = []
        for call in self.calls:
            listed = arguments(call)
            if place < 0:
                found += listed
            elif place < len(listed):
                found.append(listed[place])
        return found

    def values(self, place: int | None = None) -> Values:
        """Return what the deciding argument can be; HOLE alone where the source does not say."""
        nodes = self.given(self.rule.argument if place is None else place)
        if not nodes or self.file is None:
            return UNKNOWN
        return frozenset().union(*(self.program.sources.values(node, self.file) for node in nodes))

    @cached_property
    def chain(self) -> tuple[Evidence, ...]:
        """Return the way from main to the use, in calling order."""
        stacks = [*self.program.graph.chain(self.use.caller), self.use.stack] if self.is_reached else [self.use.stack]
        frames = [frame for frame in outermost_first(stacks) if self.program.graph.is_own(frame.function)]
        links = [self.program.evidence(frame) for frame in frames]
        return tuple(links if len(links) <= _MOST_CHAIN else [links[0], *links[1 - _MOST_CHAIN :]])

    @cached_property
    def is_reached(self) -> bool:
        """Say whether direct calls and mentioned function values lead from main to the use."""
        return self.program.graph.is_reached(self.use.caller)

    def sentence(self, note: str = "") -> str:
        """Return the use in one line: who calls what, where."""
        verb = "calls" if self.use.is_call else "uses"
        text = f"{self.where.symbol} {verb} {self.use.name} ({self.where.file}:{self.where.line})"
        if not self.is_reached:
            text += ", reached through an interface or function value"
        return f"{text}: {note}" if note else text

    def need(self, what: str = "", note: str = "", kind: NeedKind | None = None) -> Judged:
        """Return the verdict that something is needed."""
        need = Need(kind=kind or self.rule.kind, what=what, reason=self.sentence(note), evidence=self.chain)
        return Judged(need=need, is_local=self.is_local, is_reached=self.is_reached)

    def left_out(self, note: str, kind: NeedKind | None = None) -> Judged:
        """Return the verdict that nothing is needed here, and why."""
        return Judged(left_out=LeftOut(kind=kind or self.rule.kind, reason=self.sentence(note)), is_local=self.is_local)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict on one use: a need, or why there is none."""

    need: Need | None = None
    left_out: LeftOut | None = None
    is_local: bool = True
    is_reached: bool = True


def composite(node: Node | None, type_name: str) -> Node | None:
    """Return the composite literal of a type that an expression is (``T{…}`` or ``&T{…}``), or None."""
    while node is not None and node.type in ("unary_expression", "parenthesized_expression", "literal_element"):
        node = node.named_children[0] if node.named_children else None
    if node is None or node.type != "composite_literal":
        return None
    kind = node.child_by_field_name("type")
    return node if kind is not None and kind.text is not None and kind.text.decode() == type_name else None


def fields(literal: Node) -> dict[str, Node]:
    """Return the named fields of a composite literal and their expressions."""
    body = literal.child_by_field_name("body")
    found = {}
    for element in body.named_children if body is not None else ():
        if element.type == "keyed_element" and len(element.named_children) == 2:
            key, value = element.named_children
            if key.text is not None and value.named_children:
                found[key.text.decode()] = value.named_children[0]
    return found


def local_name(file: File, import_path: str) -> str:
    """Return the name a package has in a file, or an empty string where it is not imported."""
    return next((name for name, path in file.imports.items() if path == import_path), "")


def every(nodes: Iterable[Any]) -> Iterator[Any]:
    """Yield nodes and all below them."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.named_children)
