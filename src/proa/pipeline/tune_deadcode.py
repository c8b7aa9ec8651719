"""``proa tune deadcode``: link, ask the linker what it reached, stub what stops it, link and weigh again.

    link ─▶ marked functions ─▶ stub ─▶ link ─▶ … ─▶ none marked ─▶ who in this program uses what was stubbed

The last program is the one that counts: the linker leaves methods out of it again, so whatever it still reaches is
reached for certain, and whoever in it uses what was stubbed is responsible. It is weighed and never run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from proa.errors import BinaryDamaged, BuildFailed, WrongUsage
from proa.outside import elf
from proa.outside.gobinary import package_of
from proa.pipeline import steps
from proa.pipeline.deadcode_causes import PLUGIN_OPEN, find_causes, open_chart, plugin_causes
from proa.pipeline.deadcode_link import Case, Linked
from proa.pipeline.deadcode_stubs import Root, Stubs, add_stubs, find_roots, marked_functions, relink
from proa.pipeline.plan import Say, lay_plans, open_bench
from proa.records.evidence import Finding
from proa.records.request import Request
from proa.records.tuning import Cause, Deadcode
from proa.tune import deadcode

_MOST_ROUNDS = 8
"""Links with stubs before it is given up: each brings to light what the one before hid (arbitrary; two were seen)."""


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
            case = Case(work, number, folder)
            return _examine(case, should_measure=should_measure)

    plan = work.plan
    key = steps.key_of("deadcode", plan.keys[number], plan.main, plan.platforms[number], should_measure)
    return steps.kept(work, "deadcode", key, kind=Deadcode, make=make)


def _examine(case: Case, *, should_measure: bool) -> Deadcode:
    say, name = case.work.bench.say, case.main.name
    say(f"linking {name} for {case.platform}")
    first = last = case.link("linked", {})
    stubs, roots = Stubs(case), list[Root]()
    is_plugged = case.can_plug
    failure: BuildFailed | None = None
    is_over = False
    for number in range(_MOST_ROUNDS):
        marked = marked_functions(last.reached, is_plugged=is_plugged)
        if not marked and not is_plugged:
            is_over = True
            break
        fresh = find_roots(case, last.reached, marked)
        roots += [root for root in fresh if root not in roots]
        is_new = add_stubs(case, stubs, fresh, is_plugged=is_plugged)
        if not should_measure or not is_new:
            break
        is_plugged = False
        first.forget()
        say(f"linking {name} without {', '.join(sorted({root.symbol for root in roots})) or 'plugins'}")
        try:
            last = relink(case, stubs, f"stubbed{number}")
        except BuildFailed as error:
            failure = error
            break
    is_measured = is_over and last is not first
    saving = first.binary.bytes - last.binary.bytes if is_measured else 0
    if not is_over:
        saving = _estimate(first, roots, is_plugged=case.can_plug)
        last = first
    plugged = list(plugin_causes(case, first)) if case.can_plug else []
    chart = open_chart(case, last)
    causes = [*plugged, *find_causes(case, last, chart, roots, stubs)]
    return Deadcode(
        program=case.main.import_path,
        platform=case.platform,
        is_eliminating=not causes,
        bytes=first.binary.bytes,
        saving_bytes=saving,
        causes=tuple(msgspec.structs.replace(one, saving_bytes=saving, is_measured=is_measured) for one in causes),
        findings=(
            *_findings(causes, failure, is_measured=is_measured, should_measure=should_measure),
            *_conditions(case, causes, could_read=chart is not None),
        ),
    )


def _estimate(linked: Linked, roots: Sequence[Root], *, is_plugged: bool) -> int:
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
        rows = table[(table["info"] & 0xF) == elf.STT_FUNC]
        code_bytes = 0
        for name, size in zip(rows["name"].tolist(), rows["size"].tolist(), strict=True):
            symbol = elf.string_at(strings, name)
            is_late = reached.turn(symbol.encode()) > (0 if is_plugged else first)
            if is_late or (gone and package_of(symbol) in gone):
                code_bytes += size
    except (BinaryDamaged, IndexError):
        return 0
    return min(int(code_bytes * deadcode.ESTIMATE_RATIO), linked.binary.bytes)


def _findings(
    causes: Sequence[Cause], failure: BuildFailed | None, *, is_measured: bool, should_measure: bool
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


def _conditions(case: Case, causes: Sequence[Cause], *, could_read: bool) -> Iterator[Finding]:
    """Yield what the answer hangs on: the platform, and whether plugins can be loaded."""
    if not could_read and any(cause.symbol != PLUGIN_OPEN for cause in causes):
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
