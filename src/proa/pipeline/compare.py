"""``proa compare``: what is compared is made, run in interleaved rounds, and told with what the figures show."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from proa import compare as judgement
from proa.errors import WrongUsage
from proa.outside import machine_facts
from proa.outside.machine import cores
from proa.pipeline.care import keep_within
from proa.pipeline.compare_job import Asked, Job, Subject, Watch
from proa.pipeline.compare_runs import Course, Kept
from proa.pipeline.compare_subjects import find_subjects
from proa.pipeline.plan import Say, open_bench
from proa.pipeline.trials import memory_bytes
from proa.records.comparison import Comparison, Contrast, Machine, Sample, Variant
from proa.records.evidence import Finding
from proa.records.trial import Limits

_MEMORY = "2Gi"
"""A JVM takes a quarter of it for its heap."""
MEASURING = "compare"
"""The lock of the store under which anything is timed."""


def compare(asked: Asked, *, environ: Mapping[str, str], progress: Say, warn: Say, watch: Watch) -> Comparison:
    """Measure everything that was asked for, side by side.

    Raises WrongUsage for a baseline that is not in the set, and what is wrong with the program as a whole.
    """
    began_s = time.monotonic()
    bench = open_bench(asked.request, environ, progress, warn)
    machine = machine_facts.describe(environ)
    with bench.store.using(), bench.store.folder() as folder:
        limits = Limits(
            memory_bytes=memory_bytes(asked.memory or _MEMORY, name="--memory"),
            cpus=asked.cpus,
            is_root_read_only=False,
            as_image=True,
            start_timeout_s=asked.timeout_s,
            stop_timeout_s=5.0,
        )
        job = Job(bench=bench, asked=asked, limits=limits, folder=folder, watch=watch)
        subjects, program = find_subjects(job)
        _check(asked.baseline, subjects)
        progress("waiting for another comparison to end")
        # Two that measure at once would measure each other.
        with bench.store.lock(MEASURING):
            course = Course(job, subjects, machine)
            course.prepare()
            baseline = _baseline(asked.baseline, course.subjects)
            try:
                kept = course.rounds(baseline=baseline)
            except KeyboardInterrupt:
                warn("finished rounds are kept: the same command with --resume goes on with them")
                raise
    keep_within(bench.store, environ=environ)
    return _told(job, course, kept, machine, program=program, baseline=baseline, took_s=time.monotonic() - began_s)


def _check(baseline: str, subjects: Sequence[Subject]) -> None:
    """Raise WrongUsage where there is nothing to compare, or not with that."""
    names = [one.variant.name for one in subjects]
    if not names:
        raise WrongUsage("there is nothing to compare", hint="name a program, images or commands")
    if baseline and baseline not in names:
        raise WrongUsage(f"the baseline {baseline!r} is not in the set", hint=f"there are {', '.join(names)}")


def _baseline(wanted: str, subjects: Sequence[Subject]) -> str:
    """Return what the others are compared with: what was asked for, else the first that was measured."""
    names = [one.variant.name for one in subjects]
    return wanted or next((one.variant.name for one in subjects if one.can_run), names[0])


def _told(
    job: Job, course: Course, kept: Kept, machine: Machine, *, program: str, baseline: str, took_s: float
) -> Comparison:
    asked = job.asked
    variants = tuple(_variant(one, kept.samples.get(one.variant.name, ())) for one in course.subjects)
    seen = judgement.Conditions(
        loops_s=kept.loops_s,
        steal=kept.steal_s / kept.elapsed_s / cores() if kept.elapsed_s else 0.0,
        others=kept.others_s / kept.elapsed_s if kept.elapsed_s else 0.0,
        cores=cores(),
        has_swap=machine_facts.has_swap(),
        is_cold=asked.is_cold and course.was_dropped,
        limits=tuple(_limits(job, kept)),
    )
    found = tuple(judgement.contrasts(variants, kept.samples, baseline=baseline, pace=asked.pace))
    return Comparison(
        subject=program,
        baseline=baseline,
        variants=variants,
        comparisons=found,
        machine=msgspec.structs.replace(machine, notes=tuple(judgement.notes(seen))),
        started_at=kept.started_at,
        took_s=round(took_s, 1),
        rounds=kept.rounds,
        command=asked.command,
        findings=tuple(_findings(variants, found, kept)),
    )


def _limits(job: Job, kept: Kept) -> Iterator[str]:
    limits = job.limits
    cpus = f", {limits.cpus:g} cores" if limits.cpus else ""
    yield f"limits: {limits.memory_bytes >> 20} MiB of memory{cpus}"
    yield from dict.fromkeys(note for samples in kept.samples.values() for one in samples for note in one.notes)


def _variant(subject: Subject, samples: Sequence[Sample]) -> Variant:
    """Return a variant with its figures, and how many of its runs failed where some did."""
    good = [one for one in samples if one.verdict == "measured"]
    if not samples:
        return subject.variant
    if not good:
        return msgspec.structs.replace(subject.variant, verdict=samples[-1].verdict, reason=samples[-1].reason)
    reason = good[-1].reason
    if len(good) < len(samples):
        bad = next(one for one in samples if one.verdict != "measured")
        reason = f"{len(samples) - len(good)} of {len(samples)} runs failed: {bad.reason}"
    return judgement.with_figures(msgspec.structs.replace(subject.variant, reason=reason), good)


def _findings(variants: Sequence[Variant], found: Sequence[Contrast], kept: Kept) -> Iterator[Finding]:
    runs = [one for one in found if one.ratio.samples]
    if found and 0 < kept.rounds < judgement.LEAST_RUNS and all(one.difference == "none_shown" for one in runs):
        yield Finding(
            id="compare.few-runs",
            severity="warning",
            message=f"{kept.rounds} rounds are too few to show a difference",
            hint=f"make {judgement.LEAST_RUNS} at least",
        )
    digests: dict[str, str] = {}
    for one in variants:
        if one.digest and one.digest in digests:
            message = f"{one.name} is the same image as {digests[one.digest]}"
            yield Finding(id="compare.same-image", severity="info", message=message)
        digests.setdefault(one.digest, one.name)
