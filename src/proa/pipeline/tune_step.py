"""One step of ``proa tune size``: its program built, packed, run once and timed."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proa import analyze, build, pack
from proa.errors import BinaryDamaged, BuildFailed, LibraryMissing, NotStatic, ToolTimedOut
from proa.outside import elf
from proa.outside.command import last_lines, run
from proa.outside.machine import copy_file
from proa.pipeline import steps, trials
from proa.pipeline.plan import Bench, Plan, lay_plans
from proa.records.binary import Binary
from proa.records.evidence import Needs
from proa.records.image import Image
from proa.records.platform import Platform
from proa.records.project import Project
from proa.records.request import Request
from proa.records.trial import Trial
from proa.records.tuning import Step
from proa.tune import chain
from proa.tune.chain import Measured

_BENCHMARK_TIMEOUT_S = 300.0
"""For one run of the benchmark command (arbitrary; a server that never ends must not hold up everything)."""


class Job(msgspec.Struct, frozen=True, kw_only=True):
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


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the source says of the program; no step changes it."""

    project: Project
    needs: Needs


class _Built(msgspec.Struct, frozen=True, kw_only=True):
    """A program of one step, and how long compiling and linking took."""

    binary: Binary
    build_s: float


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One step's program and image."""

    work: steps.Work
    known: Known
    binary: Binary
    build_s: float
    image: Image | None
    compressed_bytes: int


class Tried(msgspec.Struct, frozen=True, kw_only=True):
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


def make_step(bench: Bench, job: Job, overrides: Mapping[str, Any], known: Known | None) -> Made:
    """Build and pack the program with a step's settings; what the source says is read with the first step.

    Raises any ProaError of the way.
    """
    work = steps.Work(bench=bench, plan=_plan(bench, job, overrides), log=steps.Log())
    built = _build(work, is_first=known is None)
    if known is None:
        known = Known(project=steps.analyze_source(work), needs=steps.find_needs(work, 0, built.binary))
    image, compressed_bytes = pack_step(work, known, built.binary)
    return Made(
        work=work,
        known=known,
        binary=built.binary,
        build_s=built.build_s,
        image=image,
        compressed_bytes=compressed_bytes,
    )


def _plan(bench: Bench, job: Job, overrides: Mapping[str, Any]) -> Plan:
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
        return _Built(binary=with_libraries(work, binary), build_s=build_s)

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


def with_libraries(work: steps.Work, binary: Binary) -> Binary:
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


def pack_step(work: steps.Work, known: Known, binary: Binary) -> tuple[Image | None, int]:
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


def measure(job: Job, made: Made) -> tuple[Measured, Tried]:
    """Run a step once, so that it is known whether the next one may stand on it."""
    binary = made.binary
    trial = None
    if made.image is not None and job.request.should_try:
        trial = trials.try_program(made.work, made.image, made.known.project, made.known.needs, run=1)
    benchmark_s, complaint = benchmark(job, made.work.bench, binary) if job.command else (None, "")
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
    found = Tried(
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


def benchmark(job: Job, bench: Bench, binary: Binary) -> tuple[float | None, str]:
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
