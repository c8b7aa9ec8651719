"""What stops the linker from leaving methods out, and the files that stub it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec

from proa.errors import BuildFailed
from proa.outside.dumpdep import Reached
from proa.pipeline.deadcode_link import PLUGIN, Case, Linked, read_source, source_files
from proa.records.project import Package
from proa.tune import deadcode, stub

ITERATORS = ("reflect",)
_COMPLAINT = re.compile(r"([^\s:]+\.go):(\d+):\d+: ")


class Root(msgspec.Struct, frozen=True, kw_only=True):
    """A function the linker marked, and its way there."""

    symbol: str
    chain: tuple[str, ...]
    given_up: tuple[str, ...] = ()
    """Packages of the standard library that have to go with it."""


class Stubs:
    """What is to be stubbed so far, and the files that do it."""

    def __init__(self, case: Case) -> None:
        self._case = case
        self._emptied: dict[str, None] = {}
        self._calls: dict[str, dict[stub.Call, int]] = {}
        self.is_unplugged = False
        self.keeps_variables = False
        self.packages: list[Package] = []
        """Those with cut calls."""

    def empty(self, packages: Sequence[str]) -> bool:
        """Give up packages of the standard library; say whether one of them is new."""
        known = len(self._emptied)
        self._emptied |= {path: None for path in packages if path in self._case.by_path}
        return len(self._emptied) > known

    def cut(self, package: Package) -> bool:
        """Cut the calls in a package; say whether there is one that was not cut before.

        Where it has none, a function with the call was inlined from a package it imports.
        """
        imported = (self._case.by_path.get(path) for path in package.imports)
        for one in (package, *(one for one in imported if one is not None and not one.is_standard)):
            fresh = {
                file: dict.fromkeys(calls, 0)
                for file in source_files(one)
                if file not in self._calls and (calls := stub.calls_in(read_source(file)))
            }
            if fresh:
                self._calls |= fresh
                self.packages.append(one)
                return True
        return False

    def complain(self, text: str) -> bool:
        """Take what the compiler said of cut calls for a reason to read them otherwise; say whether it was of any."""
        places = {(PurePosixPath(name).name, int(line)) for name, line in _COMPLAINT.findall(text)}
        was_of_any = False
        for file, calls in self._calls.items():
            name = PurePosixPath(file).name
            for call, choice in calls.items():
                # One step for however many complaints: the next choice may be right.
                lines = range(call.line, call.last_line + 1)
                if choice < len(call.choices) and any((name, line) in places for line in lines):
                    calls[call] += 1
                    was_of_any = True
        return was_of_any

    def files(self) -> dict[str, bytes]:
        """Return every changed and added file by the path it stands for."""
        case = self._case
        found: dict[str, bytes] = {}
        for path in self._emptied:
            for file in source_files(case.by_path[path]):
                only = deadcode.only_functions(path)
                keeps = bool(only) or self.keeps_variables
                found[file] = stub.emptied(read_source(file), only, with_variables=keeps)
        for file, calls in self._calls.items():
            chosen = {call.offset: call.choices[choice] for call, choice in calls.items() if choice < len(call.choices)}
            source = read_source(file)
            found[file] = stub.cut(source, chosen)
            found[f"{PurePosixPath(file).parent}/{stub.FILE}"] = stub.helpers(stub.package_name(source))
        for package in case.owners.importers(PLUGIN) if self.is_unplugged else ():
            for file in source_files(package):
                source = found.get(file) or read_source(file)
                if (without := stub.unplugged(source)) is not None:
                    found[file] = without
                    found[f"{package.directory}/plugin_{stub.FILE}"] = stub.plugin_types(stub.package_name(source))
        return found


def marked_functions(reached: Reached, *, is_plugged: bool) -> tuple[str, ...]:
    """Return the marked functions that are causes: with plugins, all later ones may be there because of those."""
    return tuple(symbol for symbol in reached.marked() if not is_plugged or reached.turn(symbol.encode()) == 0)


def find_roots(case: Case, reached: Reached, marked: Sequence[str]) -> list[Root]:
    """Return, for each marked function, the one that has to be stubbed, and the linker's way there."""
    found: list[Root] = []
    for symbol in marked:
        chain = deadcode.asking(deadcode.trimmed(reached.chain(symbol)))
        packages = () if case.owners.is_own(chain[-1]) else deadcode.given_up(chain, case.owners)
        # Every type of reflect has the same iterator over methods: one cause, not three.
        if packages != ITERATORS or all(root.given_up != ITERATORS for root in found):
            found.append(Root(symbol=chain[-1], chain=chain, given_up=packages))
    return found


def add_stubs(case: Case, stubs: Stubs, roots: Sequence[Root], *, is_plugged: bool) -> bool:
    """Stub what was found; say whether anything is new."""
    is_new = is_plugged and not stubs.is_unplugged
    stubs.is_unplugged |= is_plugged
    for root in roots:
        package = case.owners.package(root.symbol)
        if root.given_up:
            is_new |= stubs.empty(root.given_up)
        elif package is not None and not package.is_standard:
            is_new |= stubs.cut(package)
    return is_new


def relink(case: Case, stubs: Stubs, name: str) -> Linked:
    """Link with the stubs; what the compiler says of a cut call tells what it is a call of. Raises BuildFailed."""
    while True:
        try:
            return case.link(name, stubs.files())
        except BuildFailed as error:
            if not stubs.complain(error.output):
                if stubs.keeps_variables:
                    raise
                # Something refers to a variable after all.
                stubs.keeps_variables = True
