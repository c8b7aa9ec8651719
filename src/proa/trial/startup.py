"""One start seen: an untraced run for the times, a traced one for what happens in between.

    untraced: listening, ready ─▶ traced: steps ─▶ for Go once more with inittrace: packages

Bubblewrap confines every run; what cannot be seen here is said in ``Startup.problem``, never as an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import msgspec

from proa.outside import sandbox
from proa.outside.command import Run, redact, run
from proa.outside.inittrace import VARIABLE, PackageInit, parse_inittrace
from proa.outside.machine import file_sizes
from proa.outside.start_trace import OPTIONS, Seen, read_start
from proa.records.evidence import Finding
from proa.records.startup import Startup, Step
from proa.trial.delays import delays
from proa.trial.timeline import View, init_steps, is_good, ready_at, steps_of

_TRACED_SLOWER, _TRACED_MORE_S = 4.0, 3.0
"""How much longer a traced start may take (arbitrary; 1.6 times was the most that was measured, ADR 0033)."""
_SETTLE_S = 0.05
_STOP_S = 0.2
"""How long it may take to stop, which is not looked at (arbitrary)."""
_MOST_FILES = 5000


class Seeing(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be started, and what is known of it."""

    question: sandbox.Question
    command: tuple[str, ...]
    shown: str = ""
    """As the project's own file has it; empty: the words."""
    folder: str = "/"
    variables: tuple[str, ...] = ()
    services: dict[str, str] = {}
    hosts: dict[str, str] = {}
    is_go: bool = False


class Start(msgspec.Struct, frozen=True, kw_only=True):
    """One start, and what delays it."""

    startup: Startup
    findings: tuple[Finding, ...] = ()


def see_start(seeing: Seeing, *, environ: Mapping[str, str], scratch: Path, run: Run = run) -> Start:
    """Start a program twice (a Go program three times) and return what that showed.

    ``scratch`` is a folder for the trace; nothing of it is left.
    """
    startup = Startup(command=seeing.command, has_network=seeing.question.has_network)
    program = sandbox.find_program("bwrap", environ)
    if not program:
        return Start(startup=_with(startup, problem="bubblewrap is not installed here, so nothing was started"))
    engine = sandbox.Engine(name="bubblewrap", program=program)
    seeing = msgspec.structs.replace(seeing, question=msgspec.structs.replace(seeing.question, stop_timeout_s=_STOP_S))
    timed = sandbox.probe(engine, seeing.question, run=run)
    if timed.problem or timed.exec_errno:
        return Start(startup=_with(startup, engine=engine.name, problem=_why_not(timed)))
    startup = _with(
        startup,
        engine=engine.name,
        listening_s=timed.listening_s,
        ready_s=timed.ready_s,
        exit_status=timed.exit_status if timed.ended_s is not None else None,
        problem=_outcome(timed, seeing),
    )
    inits = _inits(engine, seeing, timed, run=run) if seeing.is_go else ()
    tracer = sandbox.find_program("strace", environ)
    if not tracer:
        problem = "strace is not installed here, so only the first port and the first answer were seen"
        return Start(startup=_with(startup, problem=problem, steps=_timed_steps(timed, seeing, inits)))
    traced, seen = _trace(engine, seeing, timed, tracer, scratch / "trace", run=run)
    if not seen.has_started:
        problem = "strace could not follow the program here, so only the first port and the first answer were seen"
        return Start(startup=_with(startup, problem=problem, steps=_timed_steps(timed, seeing, inits)))
    return _told(startup, seeing, traced, seen, inits)


def _with(startup: Startup, **changes: object) -> Startup:
    return msgspec.structs.replace(startup, **changes)


def _told(
    startup: Startup, seeing: Seeing, traced: sandbox.Report, seen: Seen, inits: tuple[PackageInit, ...]
) -> Start:
    view = _view(seeing, traced)
    listening_s = next((one.at_s for one in seen.events if one.kind == "listen" and not one.error), None)
    startup = _with(
        startup,
        traced_listening_s=listening_s,
        traced_ready_s=ready_at(seen.events, view),
        steps=steps_of(seen, view, inits=inits),
    )
    opened = tuple(dict.fromkeys(one.what for one in seen.events if one.kind == "open" and view.is_own(one.what)))
    root = seeing.question.rootfs if seeing.folder == "/" else ""
    sizes = file_sizes((one for one in opened[:_MOST_FILES] if one != seeing.question.argv[0]), root=root)
    return Start(startup=startup, findings=delays(startup, seen.events, view, times=traced.times, sizes=sizes))


def _view(seeing: Seeing, report: sandbox.Report) -> View:
    good = [one for one in report.answers if one[3] is not None and is_good(str(one[3]))]
    return View(
        command=seeing.shown or " ".join(seeing.command),
        folder=seeing.folder,
        variables=seeing.variables,
        services=seeing.services,
        hosts=seeing.hosts | {address: name for name, address in report.names.items()},
        route=good[0][1] if good else "",
        until_s=report.ran_s,
        has_ended=report.ended_s is not None,
        ready_s=report.ready_s,
    )


def _trace(
    engine: sandbox.Engine, seeing: Seeing, timed: sandbox.Report, tracer: str, trace: Path, *, run: Run
) -> tuple[sandbox.Report, Seen]:
    """Start it again under the tracer, as long as the first start lets one expect."""
    reached_s = timed.ready_s or timed.listening_s or timed.ended_s
    patience_s = seeing.question.start_timeout_s
    if reached_s is not None:
        patience_s = min(_TRACED_SLOWER * patience_s, _TRACED_SLOWER * reached_s + _TRACED_MORE_S)
    question = msgspec.structs.replace(
        seeing.question,
        start_timeout_s=patience_s,
        settle_s=_SETTLE_S,
        strace=tracer,
        strace_options=OPTIONS,
        trace_file=str(trace),
        counts_time=True,
    )
    try:
        report = sandbox.probe(engine, question, run=run)
        if report.problem or not trace.exists():
            return report, Seen()
        with trace.open(encoding="utf-8", errors="surrogateescape") as lines:
            return report, read_start(lines, program=question.argv[0], directory=question.directory)
    finally:
        trace.unlink(missing_ok=True)
        trace.with_name("trace.health").unlink(missing_ok=True)


def _inits(engine: sandbox.Engine, seeing: Seeing, timed: sandbox.Report, *, run: Run) -> tuple[PackageInit, ...]:
    """Start a Go program once more, untraced, and return what its runtime says of the packages' initialisation."""
    environment = dict(seeing.question.environment)
    name, value = VARIABLE
    environment[name] = ",".join(one for one in (environment.get(name, ""), value) if one)
    question = msgspec.structs.replace(
        seeing.question,
        environment=tuple(environment.items()),
        start_timeout_s=min(seeing.question.start_timeout_s, (timed.listening_s or 1.0) * 2 + 0.5),
    )
    return parse_inittrace(sandbox.probe(engine, question, run=run).output)


def _why_not(report: sandbox.Report) -> str:
    import os

    return report.problem or f"it could not be started: {os.strerror(report.exec_errno).lower()}"


def _outcome(report: sandbox.Report, seeing: Seeing) -> str:
    """Return how a start went wrong; empty where it became ready, or ended well."""
    if report.ready_s is not None:
        return ""
    last = next((line for line in reversed(report.output.splitlines()) if line.strip()), "")
    said = f": {_secretless(redact(last.strip()), seeing)[:200]}" if last else ""
    if report.ended_s is not None:
        return f"it ended with {report.exit_status} after {report.ended_s:.2f} s{said}" if report.exit_status else ""
    waited = f"{seeing.question.start_timeout_s:g} s"
    if report.is_over_memory:
        return f"it needed more than {seeing.question.memory_bytes >> 20} MiB of memory{said}"
    if report.listening_s is None:
        return f"it listened on no port within {waited}{said}"
    statuses = sorted({str(one[3]) for one in report.answers if one[3]})
    if statuses:
        return f"it answered with {', '.join(statuses)} alone"
    return "" if report.answers else f"it answered nothing within {waited}{said}"


def _secretless(text: str, seeing: Seeing) -> str:
    """Return a program's own words without the values it was given: any of them may be a secret."""
    for name, value in seeing.question.environment:
        if name in _NO_SECRETS:
            continue
        password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
        for secret in (value, password, unquote(password)):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, f"${name}")
    return text


_NO_SECRETS = frozenset({"PATH", "HOME", "LANG", "HOSTNAME", "PWD"})
_SHORTEST_SECRET = 6
"""What is shorter is part of other words (arbitrary)."""


def _timed_steps(timed: sandbox.Report, seeing: Seeing, inits: tuple[PackageInit, ...]) -> tuple[Step, ...]:
    """Return what an untraced run alone shows."""
    view = _view(seeing, timed)
    steps = [*steps_of(Seen(), view), *init_steps(inits)]
    for address, port, protocol, at_s in timed.listeners:
        where = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        if protocol == "tcp":
            steps.append(Step(step=f"listen on {where}", kind="listen", at_s=round(at_s, 6), what=where))
    return tuple(sorted(steps, key=lambda step: step.at_s))
