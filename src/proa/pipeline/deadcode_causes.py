"""Who in a linked Go program is responsible for keeping its unused methods: causes with chains and places."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

import msgspec

from proa.analyze.callgraph import Use, outermost_first
from proa.analyze.sites import Program
from proa.errors import BinaryDamaged
from proa.outside.gobinary import Frame, open_go, package_of
from proa.pipeline.deadcode_link import PLUGIN, Case, Linked, read_source, source_files
from proa.pipeline.deadcode_stubs import ITERATORS, Root, Stubs
from proa.records.evidence import Evidence
from proa.records.project import Package
from proa.records.tuning import Cause
from proa.tune import deadcode, stub

PLUGIN_OPEN = "plugin.Open"
_MOST_EVIDENCE = 5
_BY_NAME = re.compile(rb"\.MethodByName\(\s*[\"`]Methods[\"`]\s*\)")
"""Asks for a method whose name reflect's own iterators over methods have as well, since Go 1.26."""


def find_causes(case: Case, linked: Linked, chart: Program | None, roots: Sequence[Root], stubs: Stubs) -> list[Cause]:
    """Return a cause for every module that leads to a marked function, each once."""
    found: dict[tuple[str, str], Cause] = {}
    cut = _cut_calls(chart, stubs) if chart is not None else {}
    for root in roots:
        for cause in _causes_of(case, linked, chart, root, cut.get(root.symbol, [])):
            key = cause.symbol, cause.module
            known = found.get(key, cause)
            shorter, longer = (known, cause) if len(known.chain) <= len(cause.chain) else (cause, known)
            evidence = tuple(dict.fromkeys((*shorter.evidence, *longer.evidence)))[:_MOST_EVIDENCE]
            found[key] = msgspec.structs.replace(shorter, evidence=evidence)
    return sorted(found.values(), key=lambda cause: (cause.symbol, len(cause.chain), cause.module))


def open_chart(case: Case, linked: Linked) -> Program | None:
    """Return the machine code of a program; None where it cannot be read for this platform."""
    try:
        program = Program(open_go(linked.file), case.main, case.packages)
    except BinaryDamaged:
        return None
    return program if program.graph.can_read else None


def _cut_calls(chart: Program, stubs: Stubs) -> dict[str, list[Use]]:
    """Return the calls that were cut, by the function whose machine code has them: they may be inlined there."""
    names = [f"{chart.symbol_package(one)}.{stub.PREFIX}{name}" for one in stubs.packages for name in stub.HELPERS]
    found: dict[str, list[Use]] = {}
    for use in chart.graph.uses(names) if names else ():
        found.setdefault(chart.binary.names[use.caller], []).append(use)
    return found


def _causes_of(case: Case, linked: Linked, chart: Program | None, root: Root, cut: Sequence[Use]) -> list[Cause]:
    if not root.given_up:
        return list(_own_causes(case, linked, chart, root, cut))
    users = list(_users(case, linked, chart, root)) if chart is not None else []
    if chart is not None and root.given_up == ITERATORS and not users:
        users = list(_askers(case, linked, chart, root))
        if users:
            return users
    cause = deadcode.cause_of(root.chain, case.owners, modules=case.owners.paths)
    if any(user.module == cause.module for user in users):
        return users
    # Reached otherwise than by a call or a function value: through an interface, say.
    at = deadcode.last_own(root.chain, case.owners)
    package = case.owners.package(root.chain[at]) if at >= 0 else None
    place = Evidence(package=package.import_path if package else "", symbol=root.chain[max(at, 0)])
    return [*users, msgspec.structs.replace(cause, evidence=(place,))]


def _own_causes(case: Case, linked: Linked, chart: Program | None, root: Root, cut: Sequence[Use]) -> Iterator[Cause]:
    """Yield the causes of a marked function of the program's own modules: its calls that were cut."""
    way = _chain_to(linked, chart, root.symbol) or root.chain
    if chart is None or not cut:
        evidence = _call_places(case, root.symbol, chart)
        yield deadcode.cause_of(way, case.owners, evidence=evidence, modules=case.owners.paths)
        return
    for use in cut:
        # The function itself, and those with the call that were inlined into it.
        chain = (*way, *(frame.function for frame in use.stack[-2::-1]))
        yield _cause_at(case, chart, chain, use.stack[0])


def _users(case: Case, linked: Linked, chart: Program, root: Root) -> Iterator[Cause]:
    """Yield a cause for every use of the packages that were given up."""
    # Where methods are still kept, what was reached after the mark may be there only because of it.
    latest = linked.reached.turn(root.symbol.encode())
    is_kept = latest >= 0 and bool(linked.reached.marked())
    for use in chart.graph.uses(deadcode.entries(root.given_up)):
        if not is_kept or linked.reached.turn(chart.binary.names[use.caller].encode()) <= latest:
            chain = deadcode.joined(_way_to(linked, chart, use), use.name, root.chain)
            yield _cause_at(case, chart, chain, use.stack[0])


def _cause_at(case: Case, chart: Program, chain: tuple[str, ...], frame: Frame) -> Cause:
    """Return the cause whose chain ends with a call in this frame; the package of its file is responsible."""
    package = case.owners.package_of_file(frame.file)
    place = _place(chart, frame, package)
    return deadcode.cause_of(chain, case.owners, evidence=[place], responsible=package, modules=case.owners.paths)


def _askers(case: Case, linked: Linked, chart: Program, root: Root) -> Iterator[Cause]:
    """Yield a cause for every function that asks for a method named ``Methods`` by that constant name.

    The linker then keeps reflect's iterators of that name, and its lines do not say for whom.
    """
    sources = (
        (package, file) for package in case.packages if not package.is_standard for file in source_files(package)
    )
    for package, file in sources:
        source = read_source(file)
        for match in _BY_NAME.finditer(source):
            function = stub.function_at(source, match.start())
            name = next((one for one in chart.binary.names if _is_of(one, package, function)), "")
            if not name:
                continue
            place = Evidence(
                package=package.import_path,
                symbol=name,
                file=chart.place(package, PurePosixPath(file).name),
                line=source.count(b"\n", 0, match.start()) + 1,
            )
            chain = (*_chain_to(linked, chart, name), root.symbol)
            yield deadcode.cause_of(
                chain, case.owners, evidence=[place], responsible=package, modules=case.owners.paths
            )


def _is_of(symbol: str, package: Package, function: str) -> bool:
    return bool(function) and function in symbol and package_of(symbol) == package.import_path


def _place(chart: Program, frame: Frame, package: Package | None) -> Evidence:
    """Return a frame as a place people find, by its own file rather than by what it was inlined into."""
    if package is None:
        return chart.evidence(frame)
    file = chart.place(package, PurePosixPath(frame.file).name)
    return Evidence(package=package.import_path, symbol=frame.function, file=file, line=frame.line)


def _way_to(linked: Linked, chart: Program, use: Use) -> tuple[str, ...]:
    """Return the functions from main to a use: the shortest over calls and mentions, else the linker's own."""
    frames = [*reversed(use.stack)]
    if chart.graph.is_reached(use.caller):
        frames = [*outermost_first(chart.graph.chain(use.caller)), *frames]
    return _from_start(linked, [frame.function for frame in frames])


def _from_start(linked: Linked, names: Sequence[str]) -> tuple[str, ...]:
    """Return a chain with the linker's own way to its first function before it, each function named once in a row."""
    if names[0] != "main.main" and not deadcode.is_init(names[0]):
        names = [*deadcode.trimmed(linked.reached.chain(names[0]))[:-1], *names]
    return tuple(name for at, name in enumerate(names) if at == 0 or name != names[at - 1])


def _chain_to(linked: Linked, chart: Program | None, symbol: str) -> tuple[str, ...]:
    """Return the chain from main to a function of the program's own; empty where it was not reached."""
    if chart is not None and symbol in chart.binary.names:
        number = chart.binary.names.index(symbol)
        if chart.graph.is_reached(number):
            return _from_start(
                linked, [*(frame.function for frame in outermost_first(chart.graph.chain(number))), symbol]
            )
    return deadcode.trimmed(linked.reached.chain(symbol))


def _call_places(case: Case, symbol: str, chart: Program | None) -> list[Evidence]:
    """Return where a function of the program's own looks methods up, as its source says.

    Where it does not itself, such a call was inlined into it, from its own package or from one it imports.
    """
    package = case.owners.package(symbol)
    if package is None or package.is_standard:
        return []
    imported = (case.by_path.get(path) for path in package.imports)
    for one in (package, *(one for one in imported if one is not None and not one.is_standard)):
        places = list(_calls_in(one, symbol, chart))
        if own := [place for is_own, place in places if is_own] or [place for _, place in places]:
            return own[:_MOST_EVIDENCE]
    return []


def _calls_in(package: Package, symbol: str, chart: Program | None) -> Iterator[tuple[bool, Evidence]]:
    """Yield the calls in a package, and whether each is in the function itself."""
    for file in source_files(package):
        source = read_source(file)
        for call in stub.calls_in(source):
            name = PurePosixPath(file).name
            place = chart.place(package, name) if chart else f"{package.import_path}/{name}"
            function = stub.function_at(source, call.offset)
            evidence = Evidence(package=package.import_path, symbol=function, file=place, line=call.line)
            yield function in symbol.split("."), evidence


def plugin_causes(case: Case, linked: Linked) -> Iterator[Cause]:
    """Yield a cause for every module that imports ``plugin``: importing it is enough, and calling it shows the way."""
    chart = open_chart(case, linked)
    seen = set()
    # What was reached later may be there because of the plugins themselves.
    uses = (
        [
            use
            for use in chart.graph.uses([PLUGIN_OPEN])
            if linked.reached.turn(chart.binary.names[use.caller].encode()) == 0
        ]
        if chart is not None
        else []
    )
    for use in uses:
        package = case.owners.package_of_file(use.stack[0].file)
        if chart is not None and package is not None and package.module not in seen:
            seen.add(package.module)
            chain = (*_way_to(linked, chart, use), PLUGIN_OPEN)
            place = _place(chart, use.stack[0], package)
            yield deadcode.cause_of(chain, case.owners, evidence=[place], responsible=package)
    for package in case.owners.importers(PLUGIN):
        if package.module not in seen:
            seen.add(package.module)
            imports = (*case.owners.import_chain(package.import_path), PLUGIN)
            yield deadcode.cause_of(imports, case.owners, evidence=[_import_place(package)], responsible=package)


def _import_place(package: Package) -> Evidence:
    file = next((file for file in source_files(package) if stub.unplugged(read_source(file)) is not None), "")
    return Evidence(package=package.import_path, symbol=PLUGIN, file=PurePosixPath(file).name)
