"""``proa tune size``: every step of the chain built, packed, run and timed on the user's own program.

Each step is built as ``proa ship`` would build it with the step's settings. What was measured is kept in the store, so
a second call only reads it; benchmark commands alone are always run again, for what they do is not known here.
"""

from __future__ import annotations

import re
import shutil
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import (
    BuildFailed,
    ProaError,
    SeveralMains,
    ToolFailed,
    ToolTimedOut,
    WrongInput,
    WrongUsage,
)
from proa.outside import upx
from proa.outside.configuration import NAMES, find_configuration
from proa.outside.configuration_writing import Change, plan_change, write_change
from proa.outside.machine import this_platform
from proa.pipeline import steps
from proa.pipeline.care import keep_within
from proa.pipeline.plan import Bench, Plan, Say, lay_plans, open_bench
from proa.pipeline.trials import try_program
from proa.pipeline.tune_step import Job, Known, Made, Tried, benchmark, make_step, measure, pack_step
from proa.records.platform import Platform
from proa.records.request import Request
from proa.records.trial import Trial
from proa.records.tuning import SizeTuning, Step
from proa.tune import chain
from proa.tune.chain import Link

_HOST_COMPILERS = ("gcc", "clang", "cc")
_PASSED_OVER = (BuildFailed, WrongInput, ToolFailed, ToolTimedOut)
"""What may be wrong with one step; anything else (a full disk, a missing tool) would be wrong with all of them."""


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and where its settings belong."""

    tuning: SizeTuning
    file: Path
    """The proa.yaml that holds, or the one to make."""


def tune_size(
    request: Request, *, environ: Mapping[str, str], progress: Say, runs: int = 3, command: str = ""
) -> Tuned:
    """Take one program for one platform through the chain of its language.

    ``command`` is a benchmark, run by ``sh`` with the program's path in PROA_PROGRAM.
    Raises any ProaError of the way with the program as it is; what is wrong with a later step is in its reason.
    """
    bench = open_bench(request, environ, progress)
    with bench.store.using(), bench.store.folder() as folder:
        plan, platform = _one_program(bench, request)
        job = Job(bench=bench, request=request, plan=plan, platform=platform, folder=folder, runs=runs, command=command)
        tuning = _tune(job)
    keep_within(bench.store, environ=environ)
    return Tuned(tuning=tuning, file=settings_file(request, environ=environ))


def _one_program(bench: Bench, request: Request) -> tuple[Plan, Platform]:
    """Return the one program and platform that are meant. Raises SeveralMains, WrongUsage."""
    if len(request.platforms) > 1:
        raise WrongUsage("tune size measures one platform", hint="run it once for each")
    plans = lay_plans(bench, request)
    if len(plans) > 1:
        names = "\n".join(plan.main.import_path for plan in plans)
        raise SeveralMains("tune size measures one program", output=names, hint="name one of them")
    plan, here = plans[0], this_platform()
    # Of several platforms in proa.yaml the one that can be run is the one to measure.
    native = [one for one in plan.platforms if (one.os, one.architecture) == (here.os, here.architecture)]
    return plan, (native or list(plan.platforms))[0]


def settings_file(request: Request, *, environ: Mapping[str, str]) -> Path:
    """Return the proa.yaml that holds for the program, or the one to make.

    Raises WrongConfiguration, and WrongUsage where a new one would hide a .ko.yaml.
    """
    directory = Path(request.directory).absolute()
    folder = directory / request.sources[0]
    home = folder.resolve() if "@" not in request.sources[0] and folder.is_dir() else directory
    found = find_configuration(home, environ=environ)
    if found is None:
        roots = [one for one in (home, *home.parents) if (one / "go.mod").is_file()]
        return (roots[0] if roots and "@" not in request.sources[0] else home) / NAMES[0]
    if found.name not in NAMES:
        raise WrongUsage(
            f"the settings are in {found.name}, which a new proa.yaml would hide",
            hint="write them into a proa.yaml first; `proa analyze --explain` shows all of them",
        )
    return found


def plan_settings(tuned: Tuned) -> Change:
    """Return what writing the winner's settings does to proa.yaml. Raises WrongConfiguration."""
    return plan_change(tuned.file, tuned.tuning.settings)


def write_settings(change: Change) -> None:
    """Write proa.yaml, whole or not at all. Raises WrongConfiguration, NotWritable, NoSpace."""
    write_change(change)


# One step after the other.


def _tune(job: Job) -> SizeTuning:
    known, tried = _walk(job, _links(job))
    best = chain.winner([one.step for one in tried])
    packed = _packed_by_upx(job, known, next(one for one in tried if one.step is best))
    tried = _run_again(job, known, [*tried, *([packed] if packed else [])])
    done = [_with_times(one) for one in tried]
    best = next(step for step in done if step.name == best.name)
    first = next((one.trials[0] for one in tried if one.trials), None)
    return SizeTuning(
        program=job.plan.main.import_path,
        platform=job.platform,
        steps=tuple(done),
        winner=best.name,
        settings=_placed(chain.settings_of_winner(best, job.plan.settings), job.plan.origins),
        findings=(*job.plan.findings, *chain.findings(done, best, first, job.plan.settings.build)),
    )


def _links(job: Job) -> tuple[Link, ...]:
    plan = job.plan
    uses_c, host_compiler = False, ""
    if plan.native is not None:
        if (job.platform.os, job.platform.architecture) == (this_platform().os, this_platform().architecture):
            found = (name for name in _HOST_COMPILERS if shutil.which(name, path=job.bench.environ.get("PATH", "")))
            host_compiler = next(found, "")
    else:
        project = steps.analyze_source(steps.Work(bench=job.bench, plan=plan, log=steps.Log()))
        uses_c = plan.settings.build.cgo == "on" or (plan.settings.build.cgo == "auto" and bool(project.cgo))
    return chain.chain(
        plan.main.language, job.platform, plan.settings.build, host_compiler=host_compiler, uses_c=uses_c
    )


def _walk(job: Job, links: Sequence[Link]) -> tuple[Known, list[Tried]]:
    """Try every link on the last one that was kept. Raises what is wrong with the program as it is."""
    known: Known | None = None
    tried: list[Tried] = []
    under: Step | None = None
    first: Trial | None = None
    for number, link in enumerate(links, 1):
        overrides = chain.laid(under.overrides if under else {}, link, job.plan.settings.build)
        bench = _named(job.bench, f"{number}/{len(links)} {link.name}")
        try:
            one = make_step(bench, job, overrides, known)
        except _PASSED_OVER as error:
            if under is None and not link.is_optional:
                raise
            tried.append(Tried(step=chain.failed(link, overrides, _said(error))))
            continue
        known = one.known
        measured, found = measure(job, one)
        first = first or measured.trial
        if under is None and measured.complaint:
            # What fails with the program as it is says nothing of a step.
            job = msgspec.structs.replace(job, command="")
        step = chain.judge(link, overrides, measured, before=under, first=first)
        tried.append(msgspec.structs.replace(found, step=step))
        under = step if step.is_kept else under
    if known is None:
        raise BuildFailed("no step of the chain could be built", output=tried[-1].step.reason if tried else "")
    return known, tried


def _named(bench: Bench, name: str) -> Bench:
    return msgspec.structs.replace(bench, say=lambda what: bench.say(f"{name}: {what}"))


def _said(error: ProaError) -> str:
    """Return an error in one line: what happened, and the tool's own words for why."""
    lines = [line.strip() for line in error.output.splitlines() if line.strip()]
    # make and cargo end with who gave up; the compiler and the linker have said why before.
    told = [line for line in lines if re.search(r"\berror\b|unsupported|unrecognized|undefined", line)] or lines[-1:]
    why = next((line for line in told if not re.match(r"(make|ninja|gmake)\b", line)), "")
    return f"{error.what}: {why}" if why else error.what


def _packed_by_upx(job: Job, known: Known, best: Tried) -> Tried | None:
    """Return the winner packed by UPX, where that is on PATH: measured, never kept."""
    program = upx.find_upx(job.bench.environ)
    link = Link(
        name="upx (measured only)",
        cost="unpacks itself at every start: memory that no two containers share, and nothing for scanners to read",
    )
    if not program or best.work is None or best.binary is None:
        return None
    work = msgspec.structs.replace(best.work, bench=_named(job.bench, link.name))
    store = work.bench.store
    work.bench.say("packing")
    started = time.monotonic()
    target = job.folder / "upx"
    try:
        upx.compress(program, store.blob_path(best.binary.digest), target, environ=job.bench.environ)
        seconds = round(time.monotonic() - started, 3)
        size = target.stat().st_size
        binary = msgspec.structs.replace(best.binary, digest=store.adopt_file(target), bytes=size)
        image, compressed_bytes = pack_step(work, known, binary)
    except _PASSED_OVER as error:
        return Tried(step=chain.failed(link, {}, _said(error)))
    made = Made(work=work, known=known, binary=binary, build_s=seconds, image=image, compressed_bytes=compressed_bytes)
    measured, found = measure(job, made)
    return msgspec.structs.replace(found, step=chain.judge(link, {}, measured, before=best.step, first=None))


# Time and memory.


def _run_again(job: Job, known: Known, tried: Sequence[Tried]) -> list[Tried]:
    """Run every step again and again, in turn, so that what else the machine does hits all of them alike."""
    found = list(tried)
    for number in range(2, job.runs + 1):
        for at, one in enumerate(found):
            if not one.can_run or one.work is None or one.binary is None:
                continue
            job.bench.say(f"run {number} of {job.runs}: {one.step.name}")
            trials, benchmark_s = one.trials, one.benchmark_s
            if one.image is not None and trials and trials[0].ready_s is not None:
                quiet = msgspec.structs.replace(one.work, bench=_quiet(job.bench))
                trials = (*trials, try_program(quiet, one.image, known.project, known.needs, run=number))
            if benchmark_s:
                seconds, _ = benchmark(job, _quiet(job.bench), one.binary)
                benchmark_s = (*benchmark_s, *((seconds,) if seconds is not None else ()))
            found[at] = msgspec.structs.replace(one, trials=trials, benchmark_s=benchmark_s)
    return found


def _quiet(bench: Bench) -> Bench:
    return msgspec.structs.replace(bench, say=lambda _what: None)


def _with_times(one: Tried) -> Step:
    ready = tuple(trial.ready_s for trial in one.trials if trial.ready_s is not None)
    memory = [trial.rss_bytes for trial in one.trials if trial.rss_bytes]
    return msgspec.structs.replace(
        one.step,
        ready_s=round(statistics.median(ready), 4) if ready else None,
        ready_runs_s=ready,
        rss_bytes=int(statistics.median(memory)) if memory else None,
        benchmark_s=one.benchmark_s,
    )


def _placed(settings: Mapping[str, Any], origins: Mapping[str, str], path: str = "") -> dict[str, Any]:
    """Return settings where proa.yaml has them: those that one program has for itself stay with it.

    >>> _placed({"build": {"strip": "all"}}, {"build.strip": "proa.yaml programs.api"})
    {'programs': {'api': {'build': {'strip': 'all'}}}}
    """
    placed: dict[str, Any] = {}
    for key, value in settings.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            inner = _placed(value, origins, where)
            programs = inner.pop("programs", {})
            own = {key: inner} if inner else {}
            under = {name: {key: fields} for name, fields in programs.items()}
            placed = chain.merged(placed, {**own, **({"programs": under} if under else {})})
            continue
        _, _, program = origins.get(where, "").partition(" programs.")
        one = {key: value}
        placed = chain.merged(placed, {"programs": {program: one}} if program else one)
    return placed
