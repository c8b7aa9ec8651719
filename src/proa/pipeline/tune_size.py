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
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proa import analyze, build, pack
from proa.errors import (
    BinaryDamaged,
    BuildFailed,
    LibraryMissing,
    NotStatic,
    ProaError,
    SeveralMains,
    ToolFailed,
    ToolTimedOut,
    WrongInput,
    WrongUsage,
)
from proa.outside import elf, upx
from proa.outside.command import last_lines, run
from proa.outside.configuration import NAMES, find_configuration
from proa.outside.configuration_writing import Change, plan_change, write_change
from proa.outside.machine import copy_file, this_platform
from proa.pipeline import steps
from proa.pipeline.care import keep_within
from proa.pipeline.plan import Bench, Plan, Say, lay_plans, open_bench
from proa.records.binary import Binary
from proa.records.evidence import Needs
from proa.records.image import Image
from proa.records.platform import Platform
from proa.records.project import Project
from proa.records.request import Request
from proa.records.trial import Trial
from proa.records.tuning import SizeTuning, Step
from proa.tune import chain
from proa.tune.chain import Link, Measured

_BENCHMARK_TIMEOUT_S = 300.0
"""For one run of the benchmark command (arbitrary; a server that never ends must not hold up everything)."""
_HOST_COMPILERS = ("gcc", "clang", "cc")
_PASSED_OVER = (BuildFailed, WrongInput, ToolFailed, ToolTimedOut)
"""What may be wrong with one step; anything else (a full disk, a missing tool) would be wrong with all of them."""


class Tuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, and where its settings belong."""

    tuning: SizeTuning
    file: Path
    """The proa.yaml that holds, or the one to make."""


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all steps of one call."""

    bench: Bench
    request: Request
    plan: Plan
    """Of the program as the user has it."""
    platform: Platform
    folder: Path
    """Where programs lie while the benchmark command runs them."""
    runs: int
    command: str


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the source says of the program; no step changes it."""

    project: Project
    needs: Needs


class _Built(msgspec.Struct, frozen=True, kw_only=True):
    """A program of one step, and how long compiling and linking took."""

    binary: Binary
    build_s: float


class _Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A step, and what running it again takes."""

    step: Step
    work: steps.Work | None = None
    """None where it could not be built."""
    binary: Binary | None = None
    image: Image | None = None
    """None where an empty base cannot run the program."""
    trials: tuple[Trial, ...] = ()
    benchmark_s: tuple[float, ...] = ()

    @property
    def can_run(self) -> bool:
        """Say whether further runs would show anything."""
        return self.step.state == "measured" and self.binary is not None


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
        job = _Job(
            bench=bench, request=request, plan=plan, platform=platform, folder=folder, runs=runs, command=command
        )
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


def _tune(job: _Job) -> SizeTuning:
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


def _links(job: _Job) -> tuple[Link, ...]:
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


def _walk(job: _Job, links: Sequence[Link]) -> tuple[_Known, list[_Tried]]:
    """Try every link on the last one that was kept. Raises what is wrong with the program as it is."""
    known: _Known | None = None
    tried: list[_Tried] = []
    under: Step | None = None
    first: Trial | None = None
    for number, link in enumerate(links, 1):
        overrides = chain.laid(under.overrides if under else {}, link, job.plan.settings.build)
        bench = _named(job.bench, f"{number}/{len(links)} {link.name}")
        try:
            one = _built_and_packed(bench, job, overrides, known)
        except _PASSED_OVER as error:
            if under is None and not link.is_optional:
                raise
            tried.append(_Tried(step=chain.failed(link, overrides, _said(error))))
            continue
        known = one.known
        measured, found = _measured(job, one)
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


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """One step's program and image."""

    work: steps.Work
    known: _Known
    binary: Binary
    build_s: float
    image: Image | None
    compressed_bytes: int


def _built_and_packed(bench: Bench, job: _Job, overrides: Mapping[str, Any], known: _Known | None) -> _Made:
    work = steps.Work(bench=bench, plan=_plan(bench, job, overrides), log=steps.Log())
    built = _build(work, is_first=known is None)
    if known is None:
        known = _Known(project=steps.analyze_source(work), needs=steps.find_needs(work, 0, built.binary))
    image, compressed_bytes = _pack(work, known, built.binary)
    return _Made(
        work=work,
        known=known,
        binary=built.binary,
        build_s=built.build_s,
        image=image,
        compressed_bytes=compressed_bytes,
    )


def _plan(bench: Bench, job: _Job, overrides: Mapping[str, Any]) -> Plan:
    """Return the plan of a step, under keys of its own: what ``ship`` built before would tell no build time."""
    platforms = tuple(overrides.get("platforms", ())) or (str(job.platform),)
    request = msgspec.structs.replace(
        job.request,
        platforms=platforms,
        overrides=chain.merged(
            job.request.overrides, {key: value for key, value in overrides.items() if key != "platforms"}
        ),
    )
    plan = next(one for one in lay_plans(bench, request) if one.main.name == job.plan.main.name)
    return msgspec.structs.replace(plan, keys=tuple(steps.key_of("tune", key) for key in plan.keys))


def _build(work: steps.Work, *, is_first: bool) -> _Built:
    def make() -> _Built:
        started = time.monotonic()
        binary = steps.build_program(work, 0)
        build_s = round(time.monotonic() - started, 3)
        return _Built(binary=_with_libraries(work, binary), build_s=build_s)

    try:
        return steps.kept(
            work,
            "tune",
            steps.key_of("tune-size", work.plan.keys[0], work.plan.main),
            kind=_Built,
            make=make,
            is_whole=lambda built: _is_stored(work, built.binary),
        )
    except BuildFailed as failed:
        if not is_first or work.plan.native is not None:
            raise
        project = steps.analyze_source(work)
        raise analyze.explain_failure(failed, project.cgo) from failed


def _with_libraries(work: steps.Work, binary: Binary) -> Binary:
    """Return a dynamic program with this machine's loader and libraries, where they are all here."""
    if binary.is_static or binary.runtime_files:
        return binary
    store = work.bench.store
    with suppress(LibraryMissing, BinaryDamaged):
        files = build.runtime_files_of(
            store.blob_path(binary.unstripped_digest), platform=binary.platform, store=store, name=binary.name
        )
        return msgspec.structs.replace(binary, runtime_files=files)
    return binary


def _is_stored(work: steps.Work, binary: Binary) -> bool:
    digests = (binary.digest, binary.unstripped_digest, *(file.digest for file in binary.runtime_files if file.digest))
    return all(work.bench.store.has_blob(digest) for digest in digests)


def _pack(work: steps.Work, known: _Known, binary: Binary) -> tuple[Image | None, int]:
    """Return the image and its compressed bytes without the base's; no image where an empty base cannot run it."""
    base = steps.fetch_base(work, binary.platform)
    try:
        image = steps.pack_image(work, binary, known.needs, project=known.project, base=base).image
    except NotStatic:
        layer = pack.pack_program(
            binary,
            work.plan.settings.image,
            store=work.bench.store,
            jobs=work.bench.jobs,
            created_epoch_s=steps.source_date(work.bench.environ),
        )
        return None, layer.bytes
    return image, sum(layer.bytes for layer in image.layers if layer.holds != "base")


def _measured(job: _Job, made: _Made) -> tuple[Measured, _Tried]:
    """Run a step once, so that it is known whether the next one may stand on it."""
    binary = made.binary
    trial = None
    if made.image is not None and job.request.should_try:
        trial = steps.try_program(made.work, made.image, made.known.project, made.known.needs, run=1)
    benchmark_s, complaint = _benchmark(job, made.work.bench, binary) if job.command else (None, "")
    beside_bytes = sum({file.digest: file.bytes for file in binary.runtime_files}.values())
    measured = Measured(
        bytes=binary.bytes + beside_bytes,
        loaded_bytes=_loaded_bytes(made.work.bench, binary) + beside_bytes,
        compressed_bytes=made.compressed_bytes,
        is_static=binary.is_static,
        interpreter=binary.interpreter,
        build_s=made.build_s,
        trial=trial,
        complaint=complaint,
    )
    found = _Tried(
        step=Step(name=""),
        work=made.work,
        binary=binary,
        image=made.image,
        trials=(trial,) if trial else (),
        benchmark_s=(benchmark_s,) if benchmark_s is not None else (),
    )
    return measured, found


def _loaded_bytes(bench: Bench, binary: Binary) -> int:
    file = bench.store.blob_path(binary.digest)
    if not elf.is_elf(file):
        return binary.bytes
    return min(
        binary.bytes, sum(segment.file_bytes for segment in elf.open_elf(file).segments if segment.kind == elf.PT_LOAD)
    )


def _packed_by_upx(job: _Job, known: _Known, best: _Tried) -> _Tried | None:
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
        image, compressed_bytes = _pack(work, known, binary)
    except _PASSED_OVER as error:
        return _Tried(step=chain.failed(link, {}, _said(error)))
    made = _Made(work=work, known=known, binary=binary, build_s=seconds, image=image, compressed_bytes=compressed_bytes)
    measured, found = _measured(job, made)
    return msgspec.structs.replace(found, step=chain.judge(link, {}, measured, before=best.step, first=None))


# Time and memory.


def _run_again(job: _Job, known: _Known, tried: Sequence[_Tried]) -> list[_Tried]:
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
                trials = (*trials, steps.try_program(quiet, one.image, known.project, known.needs, run=number))
            if benchmark_s:
                seconds, _ = _benchmark(job, _quiet(job.bench), one.binary)
                benchmark_s = (*benchmark_s, *((seconds,) if seconds is not None else ()))
            found[at] = msgspec.structs.replace(one, trials=trials, benchmark_s=benchmark_s)
    return found


def _quiet(bench: Bench) -> Bench:
    return msgspec.structs.replace(bench, say=lambda _what: None)


def _with_times(one: _Tried) -> Step:
    ready = tuple(trial.ready_s for trial in one.trials if trial.ready_s is not None)
    memory = [trial.rss_bytes for trial in one.trials if trial.rss_bytes]
    return msgspec.structs.replace(
        one.step,
        ready_s=round(statistics.median(ready), 4) if ready else None,
        ready_runs_s=ready,
        rss_bytes=int(statistics.median(memory)) if memory else None,
        benchmark_s=one.benchmark_s,
    )


def _benchmark(job: _Job, bench: Bench, binary: Binary) -> tuple[float | None, str]:
    """Run the benchmark command on a program; return its seconds, or none and what went wrong."""
    place = job.folder / binary.digest.removeprefix("sha256:")[:16]
    program = place / binary.name
    if not program.exists():
        place.mkdir(exist_ok=True)
        copy_file(bench.store.blob_path(binary.digest), program, mode=0o755)
    bench.say("running the benchmark")
    environ = {**bench.environ, "PROA_PROGRAM": str(program)}
    try:
        # A shell, because the user wrote a line for one.
        ran = run(
            ["sh", "-c", job.command],
            cwd=Path(job.request.directory).absolute(),
            env=environ,
            timeout_s=_BENCHMARK_TIMEOUT_S,
            accept=None,
        )
    except ToolTimedOut:
        return None, f"the benchmark did not end within {_BENCHMARK_TIMEOUT_S:g} s"
    if ran.status:
        said = last_lines(ran.stderr or ran.stdout, 1)
        return None, f"the benchmark exited with {ran.status}" + (f": {said}" if said else "")
    return round(ran.seconds, 4), ""


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
