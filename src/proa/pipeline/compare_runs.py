"""One run of one subject, and rounds of runs: interleaved, kept as they are finished, gone on with later."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from proa import compare, pack
from proa.outside import machine_facts, sandbox
from proa.outside.page_cache import drop_all, drop_files
from proa.pipeline.compare_job import Job, Row, Standing, Subject
from proa.pipeline.steps import key_of
from proa.records import oci
from proa.records.comparison import Machine, Sample, VariantVerdict
from proa.records.platform import Platform
from proa.records.trial import Trial, Verdict
from proa.trial.as_image import run_as_image
from proa.trial.attempt import DEFAULT_ROUTES, observe
from proa.trial.program import Program
from proa.trial.verdict import judge

_STAGE = "compare"
_LOOPS = 3
"""Of the little work, each round."""
_VERDICTS: dict[Verdict, VariantVerdict] = {
    "ready": "measured",
    "started": "measured",
    "not-ready": "not-ready",
    "failed": "does-not-start",
    "skipped": "left-out",
}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of finished rounds."""

    started_at: str
    elapsed_s: float = 0.0
    samples: dict[str, tuple[Sample, ...]] = {}
    loops_s: tuple[float, ...] = ()
    steal_s: float = 0.0
    others_s: float = 0.0
    is_over: bool = False
    """Enough rounds were made; an interrupted run has more to do."""

    @property
    def rounds(self) -> int:
        """Return how many rounds are whole."""
        return min((len(one) for one in self.samples.values()), default=0)


class Course:
    """The subjects of one comparison on their way through the rounds."""

    def __init__(self, job: Job, subjects: Sequence[Subject], machine: Machine) -> None:
        self.job = job
        self.subjects = list(subjects)
        self.was_dropped = True
        self._roots: dict[str, tuple[Path, oci.Config]] = {}
        asked = job.asked
        settings = (asked.ready, asked.arguments, asked.environment, asked.is_cold, asked.load_s, asked.seed)
        names = [(one.variant.name, one.identity, one.probe, one.argv) for one in subjects if one.can_run]
        self.key = key_of(names, settings, job.limits, msgspec.structs.replace(machine, notes=()))

    def prepare(self) -> None:
        """Unpack and start each once, uncounted: what does not start is not run again."""
        for number, subject in enumerate(self.subjects):
            if not subject.can_run:
                continue
            self._tell(f"starting {subject.variant.name} once, uncounted", {}, is_milestone=True)
            sample = self._run(subject)
            if sample.verdict != "measured":
                variant = msgspec.structs.replace(subject.variant, verdict=sample.verdict, reason=sample.reason)
                self.subjects[number] = msgspec.structs.replace(subject, variant=variant)

    def rounds(self, *, baseline: str) -> Kept:
        """Make rounds until it is enough; each is kept in the store when it is whole."""
        pace, active = self.job.asked.pace, [one for one in self.subjects if one.can_run]
        kept = self._known()
        while not kept.is_over and active:
            kept = self._round(kept, active)
            widths = self._widths(kept, baseline) if kept.rounds in compare.LOOKS else [1.0]
            goes_on = compare.should_go_on(pace, done=kept.rounds, elapsed_s=kept.elapsed_s, widths=widths)
            kept = msgspec.structs.replace(kept, is_over=not goes_on)
            self.job.bench.store.set_stage(_STAGE, self.key, msgspec.json.encode(kept))
        return kept

    def _known(self) -> Kept:
        store, asked = self.job.bench.store, self.job.asked
        new = Kept(started_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        content = store.stage(_STAGE, self.key)
        if content is None:
            return new
        try:
            kept = msgspec.json.decode(content, type=Kept)
        except msgspec.MsgspecError:
            return new
        if not asked.resumes:
            if not kept.is_over:
                self.job.bench.warn(f"{kept.rounds} rounds of an interrupted run are kept: --resume goes on with them")
            return new
        # A longer budget may ask for more than was enough before; what was narrow enough stays so.
        pace, was_narrow = asked.pace, kept.is_over and kept.rounds in compare.LOOKS and not asked.pace.runs
        again = compare.should_go_on(pace, done=kept.rounds, elapsed_s=kept.elapsed_s, widths=[1.0])
        return msgspec.structs.replace(kept, is_over=was_narrow or not again)

    def _round(self, kept: Kept, active: Sequence[Subject]) -> Kept:
        number, before = kept.rounds, machine_facts.busy()
        samples: dict[str, Sample] = {}
        loops = [machine_facts.little_work_s() for _ in range(_LOOPS)]
        for at in compare.order(len(active), seed=self.job.asked.seed, round_number=number):
            subject = active[at]
            self._tell(f"round {number + 1}: {subject.variant.name}", kept.samples, kept=kept)
            samples[subject.variant.name] = self._run(subject)
        after = machine_facts.busy()
        took_s = after.at_s - before.at_s
        others_s = max(0.0, after.used_s - before.used_s - (after.own_s - before.own_s))
        return msgspec.structs.replace(
            kept,
            elapsed_s=kept.elapsed_s + took_s,
            samples={one.variant.name: (*kept.samples.get(one.variant.name, ()), samples[one.variant.name])
                     for one in active},
            loops_s=(*kept.loops_s, *loops),
            steal_s=kept.steal_s + after.stolen_s - before.stolen_s,
            others_s=kept.others_s + others_s,
        )  # fmt: skip

    def _widths(self, kept: Kept, baseline: str) -> list[float]:
        """Return half the width of every start-up ratio: none is wider than it will be told."""
        found = []
        for name, samples in kept.samples.items():
            pairs = compare.paired(samples, kept.samples.get(baseline, ()), "ready_s")
            if name != baseline and pairs is not None:
                error = compare.least_error(self.job.asked.pace)
                found.append(compare.half_width(compare.ratio_of(*pairs, error=error)[0]))
        return found

    def _tell(
        self,
        doing: str,
        samples: dict[str, tuple[Sample, ...]],
        *,
        kept: Kept | None = None,
        is_milestone: bool = False,
    ) -> None:
        rows = tuple(
            Row(
                name=one.variant.name,
                state=one.variant.verdict if not one.can_run else f"{len(samples.get(one.variant.name, ()))} runs",
                samples=samples.get(one.variant.name, ()),
            )
            for one in self.subjects
        )
        left_s = None
        if kept is not None and kept.rounds:
            pace, each_s = self.job.asked.pace, kept.elapsed_s / kept.rounds
            left_s = each_s * (pace.most_runs - kept.rounds)
            left_s = left_s if pace.runs else max(0.0, min(left_s, pace.budget_s - kept.elapsed_s))
        is_milestone = is_milestone or (kept is not None and kept.rounds % 10 == 0 and doing.endswith(rows[0].name))
        self.job.watch(Standing(rows=rows, doing=doing, left_s=left_s, is_milestone=is_milestone))

    # One run

    def _run(self, subject: Subject) -> Sample:
        """Run a subject: where cold starts are asked for, one of them, then a warm one for everything else."""
        if not self.job.asked.is_cold:
            return self._run_once(subject, with_load=True)
        if subject.manifest is not None:
            drop_files(self._root(subject)[0])
        else:
            self.was_dropped = drop_all() and self.was_dropped
        cold = self._run_once(subject, with_load=False)
        if cold.verdict != "measured":
            return cold
        warm = self._run_once(subject, with_load=True)
        return msgspec.structs.replace(
            warm, ready_s=cold.ready_s, warm_ready_s=warm.ready_s, page_faults=cold.page_faults
        )

    def _run_once(self, subject: Subject, *, with_load: bool) -> Sample:
        load = sandbox.Load(seconds=self.job.asked.load_s if with_load else 0.0)
        errand = sandbox.Errand(load=load)
        if subject.manifest is None:
            return self._run_command(subject, errand)
        root, config = self._root(subject)
        with self.job.bench.store.folder() as scratch:
            attempt = run_as_image(
                root,
                config,
                limits=self.job.limits,
                probe=subject.probe,
                platform=Platform(config.os, config.architecture, config.variant or ""),
                environ=self.job.bench.environ,
                scratch=scratch,
                errand=errand,
            )
        return self._sample(attempt.trial, attempt.report, subject)

    def _root(self, subject: Subject) -> tuple[Path, oci.Config]:
        """Return where an image is unpacked, once for all that have its digest, and how it is started."""
        assert subject.manifest is not None  # noqa: S101 - the caller's branch
        digest = subject.manifest.digest
        if digest not in self._roots:
            root = self.job.folder / digest.removeprefix("sha256:")[:16]
            root.mkdir(mode=0o755)
            self._roots[digest] = root, pack.unpack(digest, root, store=self.job.bench.store)
        return self._roots[digest]

    def _run_command(self, subject: Subject, errand: sandbox.Errand) -> Sample:
        limits = self.job.limits
        question = sandbox.Question(
            rootfs="/",
            argv=subject.argv,
            environment=(*self.job.bench.environ.items(), *self.job.asked.environment),
            directory=str(Path(self.job.asked.request.directory).absolute()),
            uid=os.getuid(),
            gid=os.getgid(),
            memory_bytes=limits.memory_bytes,
            cpus=limits.cpus,
            start_timeout_s=limits.start_timeout_s,
            stop_timeout_s=limits.stop_timeout_s,
            ports=subject.probe.ports,
            routes=subject.probe.routes or DEFAULT_ROUTES,
            errand=errand,
        )
        report = sandbox.probe_command(question)
        if report.problem:
            return Sample(verdict="left-out", reason=report.problem)
        program = Program(path=subject.argv[0], is_there=True, is_executable=True)
        seen = observe(report, program, limits=limits, engine="process")
        seen = msgspec.structs.replace(
            seen, arguments=subject.argv[1:], expects_port=subject.probe.is_server, sees_machine=True
        )
        return self._sample(judge(seen), report, subject)

    def _sample(self, trial: Trial, report: sandbox.Report, subject: Subject) -> Sample:
        verdict, reason = _VERDICTS[trial.verdict], trial.reason
        ready_s = report.ready_s
        if verdict == "not-ready" and ready_s is not None and report.ended_s is None:
            # It answers here; whether others could reach it is another question.
            verdict = "measured"
        if trial.verdict == "started" and ready_s is None:
            ready_s = report.ended_s if report.ended_s is not None else report.listening_s
            if subject.probe.routes and self.job.asked.ready.startswith("http"):
                verdict = "not-ready"
        if verdict == "does-not-start" and report.ran_s is not None:
            # It ran until its time was up.
            verdict = "not-ready"
        if verdict != "measured":
            last = next((line for line in reversed(trial.output.splitlines()) if line.strip()), "")
            reason += f": {last.strip()[:200]}" if last and last.strip()[:60] not in reason else ""
            return Sample(verdict=verdict, reason=reason.removeprefix("trial skipped: "), engine=trial.engine)
        return Sample(
            verdict="measured",
            reason="" if ready_s is not None else "it runs on without a port: its start cannot be timed",
            ready_s=ready_s,
            rss_bytes=report.rss_bytes or None,
            steady_bytes=report.steady_bytes or None,
            page_faults=(report.page_faults or None) if report.ended_s is None else None,
            requests_per_s=report.requests_per_s,
            p50_s=report.p50_s,
            p99_s=report.p99_s,
            route=trial.route,
            engine=trial.engine if subject.manifest is not None else "process",
            notes=_missing_limits(report, self.job),
        )


def _missing_limits(report: sandbox.Report, job: Job) -> tuple[str, ...]:
    found = []
    if report.limits_memory_by == "watching":
        found.append("no right to make control groups: the memory limit was kept by watching")
    if job.limits.cpus and not report.limits_cpus:
        found.append(f"no right to make control groups: processor time was not limited to {job.limits.cpus:g} cores")
    return tuple(found)
