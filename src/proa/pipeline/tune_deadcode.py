"""``proa tune deadcode``: link, ask the linker what it reached, stub what stops it, link and weigh again.

    link ─▶ marked functions ─▶ stub ─▶ link ─▶ … ─▶ none marked ─▶ who in this program uses what was stubbed

The last program is the one that counts: the linker leaves methods out of it again, so whatever it still reaches is
reached for certain, and whoever in it uses what was stubbed is responsible. It is weighed and never run.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import msgspec

from proa import analyze, build
from proa.analyze.callgraph import Use, outermost_first
from proa.analyze.sites import Program
from proa.errors import BinaryDamaged, BuildFailed, WrongUsage
from proa.outside import elf
from proa.outside.dumpdep import Reached, dumping, read_dumpdep
from proa.outside.gobinary import Frame, open_go, package_of
from proa.outside.gooverlay import Laid, lay_over
from proa.outside.machine import this_platform
from proa.outside.store import Store
from proa.pipeline import steps
from proa.pipeline.plan import Say, lay_plans, open_bench
from proa.records.binary import Binary
from proa.records.configuration import BuildSettings
from proa.records.evidence import Evidence, Finding
from proa.records.platform import Platform
from proa.records.project import Git, Package
from proa.records.request import Request
from proa.records.tuning import Cause, Deadcode
from proa.tune import deadcode, stub
from proa.tune.deadcode import Owners

_MOST_ROUNDS = 8
"""Links with stubs before it is given up: each brings to light what the one before hid (arbitrary; two were seen)."""
_MOST_EVIDENCE = 5
_FUNCTION = 2
"""STT_FUNC. Source: System V ABI, "Symbol Table"."""
_COMPLAINT = re.compile(r"([^\s:]+\.go):(\d+):\d+: ")
_ITERATORS = ("reflect",)
_BY_NAME = re.compile(rb"\.MethodByName\(\s*[\"`]Methods[\"`]\s*\)")
"""Asks for a method whose name reflect's own iterators over methods have as well, since Go 1.26."""
_PLUGIN, _OPEN = "plugin", "plugin.Open"


def find_deadcode(
    request: Request, *, should_measure: bool, environ: Mapping[str, str], progress: Say
) -> tuple[Deadcode, ...]:
    """Return, for every program and platform asked for, what keeps its unused methods.

    Without ``should_measure`` nothing is built a second time: the saving is an estimate, and only the causes that the
    linker came upon first are known. Raises any ProaError of the way.
    """
    bench = open_bench(request, environ, progress)
    found = []
    with bench.store.using():
        for plan in lay_plans(bench, request, is_image=False):
            if plan.main.language != "go":
                raise WrongUsage(f"{plan.main.name} is no Go program: the doctor reads the Go linker")
            for number in range(len(plan.platforms)):
                work = steps.Work(bench=bench, plan=plan, log=steps.Log())
                found.append(_kept(work, number, should_measure=should_measure))
    return tuple(found)


def _kept(work: steps.Work, number: int, *, should_measure: bool) -> Deadcode:
    def make() -> Deadcode:
        with work.bench.store.folder() as folder:
            case = _Case(work, number, folder)
            return _examine(case, should_measure=should_measure)

    plan = work.plan
    key = steps.key_of("deadcode", plan.keys[number], plan.main, plan.platforms[number], should_measure)
    return steps.kept(work, "deadcode", key, kind=Deadcode, make=make)


class _Linked:
    """One link: the program, and what the linker said it reached."""

    def __init__(self, binary: Binary, file: Path, dump: Path) -> None:
        self.binary = binary
        self.file = file
        self._dump = dump

    @cached_property
    def reached(self) -> Reached:
        return read_dumpdep(self._dump)

    def forget(self) -> None:
        """Let go of the symbols; they are read again where they are asked for."""
        self.__dict__.pop("reached", None)


class _Case:
    """One program for one platform, with all that is needed to link it again and again."""

    def __init__(self, work: steps.Work, number: int, folder: Path) -> None:
        plan = work.plan
        self.work, self.folder = work, folder
        self.main, self.platform = plan.main, plan.platforms[number]
        self.packages = analyze.packages_of(plan.main, plan.graphs[number])
        self.modules = plan.graphs[number].modules
        self.owners = Owners(plan.main, self.packages, self.modules)
        self.by_path = {package.import_path: package for package in self.packages}
        self.loads_plugins = bool(self.owners.importers(_PLUGIN))
        asked = msgspec.structs.replace(plan.build_settings(number), stamp=False)
        self.settings = _with_plugins(asked, self.platform, work) if self.loads_plugins else asked
        self.was_made_cgo = asked.cgo != self.settings.cgo
        self.could_read = True
        """False where this platform's machine code is not understood."""
        self.can_plug = self.loads_plugins and self.settings.cgo == "on"
        # Everything is removed with the folder, but the cross compiler's own cache takes minutes to make.
        self.store = work.bench.store if self.settings.cgo == "on" else Store(folder / "store")

    def link(self, name: str, changed: Mapping[str, bytes]) -> _Linked:
        """Build the program with some files changed. Raises what ``build.build`` raises."""
        plan = self.work.plan
        laid = Laid()
        if changed:
            laid = lay_over(
                changed,
                modules={module.directory: module.path for module in self.modules if module.directory},
                folder=self.folder / name,
                go=plan.go,
                directory=Path(self.main.module_directory or self.main.directory),
                environment={**self.settings.env, **dict(self.main.go_environment)},
                flags=self.settings.flags,
            )
        dump = self.folder / f"{name}.dump"
        go = msgspec.structs.replace(
            plan.go, run=dumping(dump, flags=laid.flags, environment=laid.environment, program=laid.program)
        )
        try:
            binary = build.build(
                self.main, self.platform, self.settings, git=Git(), go=go, store=self.store, jobs=self.work.bench.jobs
            )
        finally:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return _Linked(binary, self.store.blob_path(binary.unstripped_digest), dump)


def _with_plugins(settings: BuildSettings, platform: Platform, work: steps.Work) -> BuildSettings:
    """Return settings that let package plugin do its work, where nobody said otherwise and a compiler is here.

    Without cgo it is a stub that loads nothing, and the linker knows.
    """
    path = work.plan.go.environment.get("PATH")
    cc = settings.cc or next((name for name in ("gcc", "clang", "cc") if shutil.which(name, path=path)), "")
    if settings.cgo == "on" or "build.cgo" in work.plan.origins or platform != this_platform() or not cc:
        return settings
    return msgspec.structs.replace(settings, cgo="on", cc=cc)


class _Root(msgspec.Struct, frozen=True, kw_only=True):
    """A function the linker marked, and its way there."""

    symbol: str
    chain: tuple[str, ...]
    given_up: tuple[str, ...] = ()
    """Packages of the standard library that have to go with it."""


class _Stubs:
    """What is to be stubbed so far, and the files that do it."""

    def __init__(self, case: _Case) -> None:
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
                for file in _files(one)
                if file not in self._calls and (calls := stub.calls_in(_read(file)))
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
            for file in _files(case.by_path[path]):
                only = deadcode.only_functions(path)
                keeps = bool(only) or self.keeps_variables
                found[file] = stub.emptied(_read(file), only, with_variables=keeps)
        for file, calls in self._calls.items():
            chosen = {call.offset: call.choices[choice] for call, choice in calls.items() if choice < len(call.choices)}
            source = _read(file)
            found[file] = stub.cut(source, chosen)
            found[f"{PurePosixPath(file).parent}/{stub.FILE}"] = stub.helpers(stub.package_name(source))
        for package in case.owners.importers(_PLUGIN) if self.is_unplugged else ():
            for file in _files(package):
                source = found.get(file) or _read(file)
                if (without := stub.unplugged(source)) is not None:
                    found[file] = without
                    found[f"{package.directory}/plugin_{stub.FILE}"] = stub.plugin_types(stub.package_name(source))
        return found


def _files(package: Package) -> Iterator[str]:
    return (f"{package.directory}/{name}" for name in (*package.files, *package.cgo_files))


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""


def _examine(case: _Case, *, should_measure: bool) -> Deadcode:
    say, name = case.work.bench.say, case.main.name
    say(f"linking {name} for {case.platform}")
    first = last = case.link("linked", {})
    stubs, roots = _Stubs(case), list[_Root]()
    is_plugged = case.can_plug
    failure: BuildFailed | None = None
    is_over = False
    for number in range(_MOST_ROUNDS):
        marked = _marked(last.reached, is_plugged=is_plugged)
        if not marked and not is_plugged:
            is_over = True
            break
        fresh = _roots(case, last.reached, marked)
        roots += [root for root in fresh if root not in roots]
        is_new = _stub(case, stubs, fresh, is_plugged=is_plugged)
        if not should_measure or not is_new:
            break
        is_plugged = False
        first.forget()
        say(f"linking {name} without {', '.join(sorted({root.symbol for root in roots})) or 'plugins'}")
        try:
            last = _relinked(case, stubs, f"stubbed{number}")
        except BuildFailed as error:
            failure = error
            break
    is_measured = is_over and last is not first
    saving = first.binary.bytes - last.binary.bytes if is_measured else 0
    if not is_over:
        saving = _estimate(first, roots, is_plugged=case.can_plug)
        last = first
    causes = [*(_plugin_causes(case, first) if case.can_plug else ()), *_causes(case, last, roots, stubs)]
    return Deadcode(
        program=case.main.import_path,
        platform=case.platform,
        is_eliminating=not causes,
        bytes=first.binary.bytes,
        saving_bytes=saving,
        causes=tuple(msgspec.structs.replace(one, saving_bytes=saving, is_measured=is_measured) for one in causes),
        findings=tuple(_findings(case, causes, failure, is_measured=is_measured, should_measure=should_measure)),
    )


def _marked(reached: Reached, *, is_plugged: bool) -> tuple[str, ...]:
    """Return the marked functions that are causes: with plugins, all later ones may be there because of those."""
    return tuple(symbol for symbol in reached.marked() if not is_plugged or reached.turn(symbol.encode()) == 0)


def _roots(case: _Case, reached: Reached, marked: Sequence[str]) -> list[_Root]:
    found: list[_Root] = []
    for symbol in marked:
        chain = deadcode.asking(deadcode.trimmed(reached.chain(symbol)))
        packages = () if case.owners.is_own(chain[-1]) else deadcode.given_up(chain, case.owners)
        # Every type of reflect has the same iterator over methods: one cause, not three.
        if packages != _ITERATORS or all(root.given_up != _ITERATORS for root in found):
            found.append(_Root(symbol=chain[-1], chain=chain, given_up=packages))
    return found


def _stub(case: _Case, stubs: _Stubs, roots: Sequence[_Root], *, is_plugged: bool) -> bool:
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


def _relinked(case: _Case, stubs: _Stubs, name: str) -> _Linked:
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


def _estimate(linked: _Linked, roots: Sequence[_Root], *, is_plugged: bool) -> int:
    """Return what is saved, from the machine code that the linker added only after it gave methods up.

    Zero where the program's file has no symbols that could be read.
    """
    reached = linked.reached
    first = min((reached.turn(root.symbol.encode()) for root in roots), default=0)
    gone = {path for root in roots for path in root.given_up} - {"reflect"}
    try:
        program = elf.open_elf(linked.file)
        section = program.section(".symtab")
        if section is None:
            return 0
        strings = program.content(program.sections[section.link])
        table = elf.symbols(program, section)
        rows = table[(table["info"] & 0xF) == _FUNCTION]
        code_bytes = 0
        for name, size in zip(rows["name"].tolist(), rows["size"].tolist(), strict=True):
            symbol = elf.string_at(strings, name)
            is_late = reached.turn(symbol.encode()) > (0 if is_plugged else first)
            if is_late or (gone and package_of(symbol) in gone):
                code_bytes += size
    except (BinaryDamaged, IndexError):
        return 0
    return min(int(code_bytes * deadcode.ESTIMATE_RATIO), linked.binary.bytes)


def _causes(case: _Case, linked: _Linked, roots: Sequence[_Root], stubs: _Stubs) -> list[Cause]:
    """Return a cause for every module that leads to a marked function, each once."""
    found: dict[tuple[str, str], Cause] = {}
    chart = _chart(case, linked)
    case.could_read = chart is not None
    cut = _cut_calls(chart, stubs) if chart is not None else {}
    for root in roots:
        for cause in _causes_of(case, linked, chart, root, cut.get(root.symbol, [])):
            key = cause.symbol, cause.module
            known = found.get(key, cause)
            shorter, longer = (known, cause) if len(known.chain) <= len(cause.chain) else (cause, known)
            evidence = tuple(dict.fromkeys((*shorter.evidence, *longer.evidence)))[:_MOST_EVIDENCE]
            found[key] = msgspec.structs.replace(shorter, evidence=evidence)
    return sorted(found.values(), key=lambda cause: (cause.symbol, len(cause.chain), cause.module))


def _chart(case: _Case, linked: _Linked) -> Program | None:
    """Return the machine code of a program; None where it cannot be read for this platform."""
    try:
        program = Program(open_go(linked.file), case.main, case.packages)
    except BinaryDamaged:
        return None
    return program if program.graph.can_read else None


def _cut_calls(chart: Program, stubs: _Stubs) -> dict[str, list[Use]]:
    """Return the calls that were cut, by the function whose machine code has them: they may be inlined there."""
    names = [f"{chart.symbol_package(one)}.{stub.PREFIX}{name}" for one in stubs.packages for name in stub.HELPERS]
    found: dict[str, list[Use]] = {}
    for use in chart.graph.uses(names) if names else ():
        found.setdefault(chart.binary.names[use.caller], []).append(use)
    return found


def _causes_of(case: _Case, linked: _Linked, chart: Program | None, root: _Root, cut: Sequence[Use]) -> Iterator[Cause]:
    if not root.given_up:
        way = _chain_to(linked, chart, root.symbol) or root.chain
        for use in cut if chart is not None else ():
            assert chart is not None  # noqa: S101 - said a line above
            package = case.owners.package_of_file(use.stack[0].file)
            # The function itself, and those with the call that were inlined into it.
            chain = (*way, *(frame.function for frame in use.stack[-2::-1]))
            place = _place(chart, use.stack[0], package)
            yield deadcode.cause_of(
                chain, case.owners, evidence=[place], responsible=package, modules=case.owners.paths
            )
        if not cut:
            evidence = _call_places(case, root.symbol, chart)
            yield deadcode.cause_of(way, case.owners, evidence=evidence, modules=case.owners.paths)
        return
    uses = chart.graph.uses(deadcode.entries(root.given_up)) if chart is not None else []
    # Where methods are still kept, what was reached after the mark may be there only because of it.
    latest = linked.reached.turn(root.symbol.encode())
    if chart is not None and latest >= 0 and linked.reached.marked():
        uses = [use for use in uses if linked.reached.turn(chart.binary.names[use.caller].encode()) <= latest]
    seen = set()
    for use in uses:
        if chart is not None:
            chain = deadcode.joined(_way_to(linked, chart, use), use.name, root.chain)
            package = case.owners.package_of_file(use.stack[0].file)
            place = _place(chart, use.stack[0], package)
            cause = deadcode.cause_of(
                chain, case.owners, evidence=[place], responsible=package, modules=case.owners.paths
            )
            seen.add(cause.module)
            yield cause
    if root.given_up == _ITERATORS and not seen:
        for cause in _askers(case, linked, chart, root):
            seen.add(cause.module)
            yield cause
        if seen:
            return
    cause = deadcode.cause_of(root.chain, case.owners, modules=case.owners.paths)
    if cause.module not in seen:
        # Reached otherwise than by a call or a function value: through an interface, say.
        at = deadcode.last_own(root.chain, case.owners)
        package = case.owners.package(root.chain[at]) if at >= 0 else None
        place = Evidence(package=package.import_path if package else "", symbol=root.chain[max(at, 0)])
        yield msgspec.structs.replace(cause, evidence=(place,))


def _askers(case: _Case, linked: _Linked, chart: Program | None, root: _Root) -> Iterator[Cause]:
    """Yield a cause for every function that asks for a method named ``Methods`` by that constant name.

    The linker then keeps reflect's iterators of that name, and its lines do not say for whom.
    """
    for package in case.packages if chart is not None else ():
        for file in () if package.is_standard else _files(package):
            source = _read(file)
            for match in _BY_NAME.finditer(source):
                function = stub.function_at(source, match.start())
                name = next((one for one in chart.binary.names if _is_of(one, package, function)), "") if chart else ""
                if chart is None or not name:
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


def _way_to(linked: _Linked, chart: Program, use: Use) -> tuple[str, ...]:
    """Return the functions from main to a use: the shortest over calls and mentions, else the linker's own."""
    frames = [*reversed(use.stack)]
    if chart.graph.is_reached(use.caller):
        frames = [*outermost_first(chart.graph.chain(use.caller)), *frames]
    return _from_start(linked, [frame.function for frame in frames])


def _from_start(linked: _Linked, names: Sequence[str]) -> tuple[str, ...]:
    """Return a chain with the linker's own way to its first function before it, each function named once in a row."""
    if names[0] != "main.main" and not deadcode.is_init(names[0]):
        names = [*deadcode.trimmed(linked.reached.chain(names[0]))[:-1], *names]
    return tuple(name for at, name in enumerate(names) if at == 0 or name != names[at - 1])


def _chain_to(linked: _Linked, chart: Program | None, symbol: str) -> tuple[str, ...]:
    """Return the chain from main to a function of the program's own; empty where it was not reached."""
    if chart is not None and symbol in chart.binary.names:
        number = chart.binary.names.index(symbol)
        if chart.graph.is_reached(number):
            return _from_start(
                linked, [*(frame.function for frame in outermost_first(chart.graph.chain(number))), symbol]
            )
    return deadcode.trimmed(linked.reached.chain(symbol))


def _call_places(case: _Case, symbol: str, chart: Program | None) -> list[Evidence]:
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
    for file in _files(package):
        source = _read(file)
        for call in stub.calls_in(source):
            name = PurePosixPath(file).name
            place = chart.place(package, name) if chart else f"{package.import_path}/{name}"
            function = stub.function_at(source, call.offset)
            evidence = Evidence(package=package.import_path, symbol=function, file=place, line=call.line)
            yield function in symbol.split("."), evidence


def _plugin_causes(case: _Case, linked: _Linked) -> Iterator[Cause]:
    """Yield a cause for every module that imports ``plugin``: importing it is enough, and calling it shows the way."""
    chart = _chart(case, linked)
    seen = set()
    # What was reached later may be there because of the plugins themselves.
    uses = [
        use
        for use in (chart.graph.uses([_OPEN]) if chart is not None else ())
        if chart is not None and linked.reached.turn(chart.binary.names[use.caller].encode()) == 0
    ]
    for use in uses:
        package = case.owners.package_of_file(use.stack[0].file)
        if chart is not None and package is not None and package.module not in seen:
            seen.add(package.module)
            chain = (*_way_to(linked, chart, use), _OPEN)
            place = _place(chart, use.stack[0], package)
            yield deadcode.cause_of(chain, case.owners, evidence=[place], responsible=package)
    for package in case.owners.importers(_PLUGIN):
        if package.module not in seen:
            seen.add(package.module)
            imports = (*case.owners.import_chain(package.import_path), _PLUGIN)
            yield deadcode.cause_of(imports, case.owners, evidence=[_import_place(package)], responsible=package)


def _import_place(package: Package) -> Evidence:
    file = next((file for file in _files(package) if stub.unplugged(_read(file)) is not None), "")
    return Evidence(package=package.import_path, symbol=_PLUGIN, file=PurePosixPath(file).name)


def _findings(
    case: _Case, causes: Sequence[Cause], failure: BuildFailed | None, *, is_measured: bool, should_measure: bool
) -> Iterator[Finding]:
    if len(causes) > 1:
        yield Finding(
            id="tune.deadcode-all",
            severity="info",
            message=f"all {len(causes)} causes must go before anything is saved; one alone saves nothing",
        )
    if causes and not should_measure:
        yield Finding(
            id="tune.deadcode-estimate",
            severity="info",
            message="the saving is an estimate, from the code the linker added after it gave up on methods",
            hint="without --no-measure it is measured, and causes behind the first are found",
        )
    elif causes and not is_measured:
        why = failure.output.strip().splitlines()[-1] if failure and failure.output.strip() else "no way to stub it"
        yield Finding(
            id="tune.deadcode-estimate",
            message=f"the program could not be linked without its causes, so the saving is an estimate: {why}",
        )
    if not case.could_read and any(cause.symbol != _OPEN for cause in causes):
        yield Finding(
            id="tune.deadcode-others",
            severity="info",
            message=f"machine code for {case.platform} cannot be read: other modules that use the same may be missing",
            hint="the same program for linux/amd64 shows them all",
        )
    if case.was_made_cgo:
        yield Finding(
            id="tune.deadcode-cgo",
            severity="info",
            message=f"package plugin does nothing without cgo: this is the program with cgo on and {case.settings.cc}",
        )
    elif case.loads_plugins and not case.can_plug:
        yield Finding(
            id="tune.deadcode-plugin",
            severity="info",
            message="package plugin is imported, but without cgo it loads nothing and costs nothing",
        )
