"""Traced runs of an image that is to be made small, and the same trial before and after.

Each run gets a root of its own laid over the unpacked image, so that ``root`` stays as it was but for mount points.

    traced: probe and health check ─▶ --help, --version where it is no server ─▶ each test     what is needed
    untraced: the trial of the original                                         verdict, ports, statuses
    untraced: the trial of the slimmed image (``try_again``)                    must be the same
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from proa.errors import ToolFailed
from proa.outside.command import redact
from proa.outside.sandbox import Errand
from proa.pipeline.plan import Bench
from proa.pipeline.slim_seeds import Gathered
from proa.pipeline.trials import memory_bytes
from proa.records import oci
from proa.records.configuration import SlimSettings, TrialSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.slimming import Seed, SlimRun
from proa.records.trial import Limits, Probe, Trial
from proa.trial.as_image import Attempt, health_command, missing_tools, run_as_image
from proa.trial.attempt import DEFAULT_ROUTES

_MEMORY_BYTES = 2 << 30
"""Where the settings leave it at their default: a JVM takes a quarter of it for its heap."""
_START_S, _UNKNOWN_START_S = 60.0, 15.0
"""How long to wait for a port: where something says that there is one, and where nothing does (arbitrary)."""
_QUESTION_S = 5.0
_ERRAND_S = 60.0
_TEST_S, _TEST_STOP_S = 600.0, 2.0
_MOST_LINKS = 50
_NO_SUCH_PAGE = "/proa-no-such-page"
_ODD = (("HEAD", "/"), ("OPTIONS", "/"), ("POST", "/"), ("GET", _NO_SUCH_PAGE), ("GET gzip", "/"))
"""What no visitor asks and programs load further files for: error pages, other methods, a compressed answer."""
_FIRST_EPHEMERAL = 32768
_MOST_MISSED = 2000
_LAST_LINES = 20


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer."""

    port: int
    method: str
    route: str
    status: int
    """0: no answer that was HTTP."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of the original showed."""

    seeds: tuple[Seed, ...] = ()
    """Every path of ``root`` that was used, and every link on the way to it; absolute, by path, each once. Rule
    ``traced``. Paths are real: no ``..``, and only the last component may be a link. A folder stands for itself, not
    for what is below it."""
    runs: tuple[SlimRun, ...] = ()
    before: Trial
    """Of the original, untraced. ``skipped``: nothing could be run here (or the platform is another), and there are
    no seeds and no runs."""
    visits: tuple[Visit, ...] = ()
    """What the original answers the same each time; asked of the slimmed image again."""
    health_status: int | None = None
    """How the image's own health check ended; None where it has none."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """The trial of the slimmed image."""

    after: Trial
    """Where ``reason`` is not empty, ``missed_files`` are those of one more, traced run."""
    reason: str = ""
    """How it differs from the original's; empty: it does the same."""
    output: str = ""
    """The last lines of a test that failed."""


class _Course:
    """One image and everything its runs have in common."""

    def __init__(
        self,
        bench: Bench,
        root: Path,
        config: oci.Config,
        platform: Platform,
        *,
        trial: TrialSettings,
        slim: SlimSettings,
    ) -> None:
        self._bench = bench
        self._root = root
        self._config = config
        self._platform = platform
        self.routes = tuple(dict.fromkeys((*trial.routes, *slim.routes, *DEFAULT_ROUTES)))
        self.tests = slim.tests
        self.health = health_command(config)
        self._ports = (*trial.ports, *_exposed(config))
        self._probe = Probe(
            arguments=trial.args,
            environment=tuple(sorted(trial.env.items())),
            ports=trial.ports,
            routes=tuple(dict.fromkeys((*trial.routes, *slim.routes))),
            is_server=True if trial.server is None and _exposed(config) else trial.server,
        )
        is_expected = bool(self._ports or self.health or self._probe.routes or self.tests or trial.server)
        is_default = trial.start_timeout_s == TrialSettings().start_timeout_s
        self._limits = Limits(
            memory_bytes=_MEMORY_BYTES if trial.memory == TrialSettings().memory else memory_bytes(trial.memory),
            is_root_read_only=False,
            as_image=True,
            start_timeout_s=(_START_S if is_expected else _UNKNOWN_START_S) if is_default else trial.start_timeout_s,
            stop_timeout_s=trial.stop_timeout_s,
        )

    def run(
        self, errand: Errand | None = None, *, is_traced: bool = False, arguments: tuple[str, ...] | None = None
    ) -> Attempt:
        """Run the image once."""
        limits = self._limits
        if arguments is not None:
            limits = msgspec.structs.replace(limits, start_timeout_s=_QUESTION_S)
        if errand and errand.command:
            # How it ends is seen in the other runs; many programs are not ended by SIGTERM as process 1.
            limits = msgspec.structs.replace(limits, stop_timeout_s=min(limits.stop_timeout_s, _TEST_STOP_S))
        with self._bench.store.folder() as scratch:
            return run_as_image(
                self._root,
                self._config,
                limits=limits,
                probe=self._probe,
                platform=self._platform,
                environ=self._bench.environ,
                scratch=scratch,
                errand=errand,
                is_traced=is_traced,
                arguments=arguments,
            )

    def probing(self) -> Errand:
        """Return the errand of the first run: everything is asked, and what answers link to."""
        asked = [("GET", route) for route in self.routes]
        requests = tuple((0, method, route) for method, route in (*asked, *_ODD))
        return self.visiting(requests, most_links=_MOST_LINKS)

    def visiting(self, requests: tuple[tuple[int, str, str], ...], *, most_links: int = 0) -> Errand:
        """Return an errand of requests, and of the image's health check."""
        return Errand(
            requests=requests, most_links=most_links, health=self.health, ports=self._ports, timeout_s=_ERRAND_S
        )

    def testing(self, command: str) -> Errand:
        """Return the errand of one test."""
        return Errand(
            command=command,
            command_environment=tuple(self._bench.environ.items()),
            command_directory=str(Path.cwd()),
            ports=self._ports,
            timeout_s=_TEST_S,
        )


def observe(
    bench: Bench, root: Path, config: oci.Config, platform: Platform, *, trial: TrialSettings, slim: SlimSettings
) -> Observed:
    """Run an unpacked image as a container runtime would, traced and untraced, and return what that showed.

    ``root`` is scratch with owners restored where this process is root (``pack.unpack`` does both); read what is
    packed from the layers, or before this. ``trial.args``, ``env``, ``ports``, ``routes`` and ``slim.routes``,
    ``tests`` hold. Raises ToolFailed where a test fails on the original already, WrongConfiguration.
    """
    course = _Course(bench, root, config, platform, trial=trial, slim=slim)
    if problem := missing_tools(bench.environ, engine=trial.engine):
        return Observed(before=Trial(verdict="skipped", reason=f"trial skipped: {problem}"))
    probed = course.run(course.probing(), is_traced=True)
    if probed.trial.verdict == "skipped":
        return Observed(before=probed.trial)
    bench.say("running the original, untraced")
    repeated = tuple((port, method, route) for port, method, route, _ in probed.visits if port < _FIRST_EPHEMERAL)
    before = course.run(course.visiting(repeated))
    if probed.touched is None and before.trial.verdict in ("ready", "started"):
        reason = "trial skipped: strace could not follow the program here"
        return Observed(before=msgspec.structs.replace(before.trial, verdict="skipped", reason=reason))
    gathered = Gathered(root)
    runs = [_noted(gathered, "probe", probed)]
    if probed.health_touched:
        runs.append(_noted(gathered, "healthcheck", probed, is_health=True))
    if before.trial.verdict not in ("failed", "not-ready"):
        runs += _asked(course, gathered, before.trial)
        runs += _tested(bench, course, gathered)
    same = set(probed.visits)
    return Observed(
        seeds=gathered.seeds(),
        runs=tuple(runs),
        before=before.trial,
        visits=tuple(
            Visit(port=one[0], method=one[1], route=one[2], status=one[3]) for one in before.visits if one in same
        ),
        health_status=before.health_status,
    )


def _noted(gathered: Gathered, name: str, attempt: Attempt, *, is_health: bool = False) -> SlimRun:
    touched = attempt.health_touched if is_health else attempt.touched
    return SlimRun(
        name=name,
        verdict=f"exited with {attempt.health_status}" if is_health else attempt.trial.verdict,
        touched=gathered.add(name, touched) if touched else 0,
        requests=0 if is_health else len(attempt.visits),
    )


def _asked(course: _Course, gathered: Gathered, before: Trial) -> list[SlimRun]:
    """Ask a program that is no server for its help and its version."""
    if before.ports or before.stop_s is not None or before.exit_status is None:
        return []
    return [_noted(gathered, word, course.run(is_traced=True, arguments=(word,))) for word in ("--help", "--version")]


def _tested(bench: Bench, course: _Course, gathered: Gathered) -> list[SlimRun]:
    """Run the user's tests against the original. Raises ToolFailed."""
    runs = []
    for command in course.tests:
        bench.say(f"running {command!r} against the original, traced")
        attempt = course.run(course.testing(command), is_traced=True)
        if problem := _test_problem(command, attempt):
            raise ToolFailed(
                f"a test fails on the original image already: {problem}",
                output=_last(attempt.command_output) or attempt.trial.output,
                hint="PROA_URL and PROA_PORT say where the image answers; nothing else of the network is there",
            )
        runs.append(_noted(gathered, command, attempt))
    return runs


def _test_problem(command: str, attempt: Attempt) -> str:
    """Return why a test is not passed; empty where it is."""
    status = attempt.command_status
    if status is None:
        return f"{command!r} could not be run, because {attempt.trial.reason}"
    if status == 124:
        return f"{command!r} did not end within {_TEST_S:g} s"
    return f"{command!r} exited with {status}" if status else ""


def _last(output: str) -> str:
    return redact("\n".join(output.rstrip().splitlines()[-_LAST_LINES:]))


def try_again(
    bench: Bench,
    root: Path,
    config: oci.Config,
    platform: Platform,
    observed: Observed,
    *,
    trial: TrialSettings,
    slim: SlimSettings,
) -> Again:
    """Run the unpacked slimmed image as ``observe`` ran the original, and return whether it does the same."""
    course = _Course(bench, root, config, platform, trial=trial, slim=slim)
    errand = course.visiting(tuple((one.port, one.method, one.route) for one in observed.visits))
    attempt = course.run(errand)
    after = attempt.trial
    if reason := difference(observed, attempt):
        return Again(after=_with_missed(after, course.run(errand, is_traced=True)), reason=reason)
    for command in course.tests:
        bench.say(f"running {command!r} against the slimmed image")
        tested = course.run(course.testing(command))
        if problem := _test_problem(command, tested):
            traced = course.run(course.testing(command), is_traced=True)
            return Again(after=_with_missed(after, traced), reason=problem, output=_last(tested.command_output))
    return Again(after=after)


def _with_missed(after: Trial, traced: Attempt) -> Trial:
    """Return a trial with what a traced run asked for in vain."""
    found = [touched.missed for touched in (traced.touched, traced.health_touched) if touched]
    missed = [f"ENOENT {path}" for paths in found for path in paths]
    return msgspec.structs.replace(after, missed_files=tuple(dict.fromkeys(missed))[:_MOST_MISSED])


def difference(observed: Observed, attempt: Attempt) -> str:
    """Return how a run differs from the original's; empty where it does the same."""
    before, after = observed.before, attempt.trial
    if after.verdict != before.verdict:
        return f"it is {after.verdict}, and the original {before.verdict}: {after.reason}"
    if closed := sorted({port for port in before.ports if port < _FIRST_EPHEMERAL} - set(after.ports)):
        return f"it does not listen on {', '.join(map(str, closed))}, as the original does"
    if not before.ports and after.exit_status != before.exit_status:
        return f"it exited with {after.exit_status}, the original with {before.exit_status}: {after.reason}"
    answered = {(port, method, route): status for port, method, route, status in attempt.visits}
    for one in observed.visits:
        status = answered.get((one.port, one.method, one.route), 0)
        if status != one.status:
            what = f"{one.method} {one.route} on port {one.port}"
            return f"{what} {_said(status)}, and the original {_said(one.status)}"
    if observed.health_status == 0 and attempt.health_status != 0:
        return f"its health check exited with {attempt.health_status}, the original's with 0"
    return ""


def _said(status: int) -> str:
    return f"answered {status}" if status else "gave no answer"


def missed_by_closure(observed: Observed, kept: Collection[str]) -> tuple[Finding, ...]:
    """Return a finding where runs touched what the static closure alone (``kept``: its paths) had left out."""
    known = set(kept)
    missed = [seed.path for seed in observed.seeds if seed.path not in known]
    if not missed:
        return ()
    shown = ", ".join(missed[:5]) + (f" and {len(missed) - 5} more" if len(missed) > 5 else "")
    return (
        Finding(
            id="slim.only-traced",
            severity="info",
            message=f"runs touched what the files alone do not show to be needed; it is kept: {shown}",
            hint="what a run that was not made would touch in the same way is left out: add such runs with --test",
        ),
    )


def _exposed(config: oci.Config) -> tuple[int, ...]:
    """Return the TCP ports an image says it listens on, as they stand there."""
    named = (config.config.exposed_ports if config.config else None) or {}
    numbers = [port.partition("/")[0] for port in named if port.partition("/")[2] in ("", "tcp")]
    return tuple(int(number) for number in numbers if number.isdigit() and len(number) <= 5)
