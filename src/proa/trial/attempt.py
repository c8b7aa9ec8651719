"""One trial from beginning to end: choose an engine, run, run again traced, judge."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec

from proa.outside import emulation, sandbox
from proa.outside.certificate import make_certificate
from proa.outside.command import Run, run
from proa.outside.docker_run import probe_in_docker
from proa.outside.machine import this_platform
from proa.outside.strace import read_trace
from proa.records import oci
from proa.records.evidence import Needs
from proa.records.platform import Platform
from proa.records.trial import Limits, Probe, Trial
from proa.trial.observations import Answer, Listener, Observations, Traced
from proa.trial.program import Program, find_program, is_native, resolve
from proa.trial.verdict import judge, should_try_others, skip, wrong_architecture

DEFAULT_ROUTES = ("/healthz", "/health", "/readyz", "/")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_QUESTIONS = (("--version",), ("--help",), ("version",), ("-h",))
"""What a program that is no server is asked, in this order."""
_QUESTION_TIMEOUT_S = 5.0
_HTTPS_PORT = 443
_TRACED_START_S, _TRACED_STOP_S, _TRACED_SETTLE_S = 2.0, 0.5, 0.1
"""Bounds of the traced run (arbitrary): it is there for what it asks, not for how long it takes."""
_EMULATED_SLOWER = 4.0
"""How much longer an emulated program may take to start (arbitrary; 204 ms against 5.5 were seen for Go)."""
Progress = Callable[[str], None]


class Start(NamedTuple):
    """How a container of the image would be started."""

    argv: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    uid: int
    gid: int


def try_image(
    rootfs: Path,
    config: oci.Config,
    *,
    limits: Limits,
    probe: Probe,
    platform: Platform,
    engine: str = "auto",
    environ: Mapping[str, str],
    environment: Sequence[str] = (),
    needs: Needs | None = None,
    should_trace: bool = True,
    progress: Progress = lambda _: None,
    run: Run = run,
) -> Trial:
    """Run an unpacked image under its limits and return what it showed.

    ``rootfs`` is a scratch folder: mount points are made in it. ``environment`` are the names the source says it
    reads, ``needs`` what it says it needs. What cannot run here comes back as ``skipped`` with its reason, never as
    an error.
    """
    start = plan_start(rootfs, config, limits=limits, probe=probe)
    limits = msgspec.structs.replace(limits, user=f"{start.uid}:{start.gid}")
    if not start.argv:
        return skip("the image names no program to start", limits=limits)
    program = find_program(rootfs, start.argv[0], start.environment, start.directory)
    here = this_platform()
    if program.architecture and program.architecture != platform.architecture:
        judgement = wrong_architecture(program.path, program.architecture, platform)
        return Trial(verdict=judgement.verdict, reason=judgement.reason, remedy=judgement.remedy, limits=limits)
    is_emulated = not is_native(platform, here)
    emulator = ""
    if is_emulated and not emulation.is_emulated_here(platform.architecture):
        emulator = emulation.find_emulator(platform.architecture, environ) if platform.os == here.os else ""
        if not emulator:
            return skip(f"{platform} cannot run on {here} (no static qemu user mode for it here)", limits=limits)
        if program.interpreter and not program.architecture:
            reason = f"{platform} cannot run on {here}: only the kernel itself can emulate a script's interpreter"
            return skip(reason, limits=limits)
    question = _question(rootfs, start, program, config, limits=limits, probe=probe)
    if is_emulated:
        question = msgspec.structs.replace(question, start_timeout_s=_EMULATED_SLOWER * question.start_timeout_s)
    if emulator and program.is_executable and program.architecture:
        # Without a program to run, the kernel's own words are better than the emulator's.
        inside = emulation.place_emulator(emulator, rootfs)
        question = msgspec.structs.replace(question, emulator=(inside, "-0", start.argv[0]))
    expects = probe.is_server if probe.is_server is not None else (True if probe.ports else None)
    if expects is False:
        question = msgspec.structs.replace(question, start_timeout_s=min(question.start_timeout_s, 2.0))
    progress("running")
    chosen, report = _first_that_works(engine, question, environ, run=run)
    if chosen is None:
        return skip(report.problem, limits=limits)
    seen = observe(report, program, limits=limits, engine=chosen.name)
    arguments = probe.arguments or (config.config.cmd if config.config else None) or ()
    seen = msgspec.structs.replace(
        seen,
        expects_port=expects,
        may_listen=probe.may_listen,
        environment=tuple(environment),
        arguments=tuple(arguments),
        is_emulated=is_emulated,
        needs=needs or Needs(),
    )
    # Of several words the first is an interpreter or the like (java -jar app.jar): it would answer for itself.
    if len(question.argv) == 1 and should_try_others(seen):
        seen = _ask_for_version(seen, question, chosen, environ, run=run)
    tracer = sandbox.find_program("strace", environ) if should_trace and can_trace(seen) else ""
    if tracer:
        progress("tracing")
        seen = _trace(seen, question, chosen, tracer, run=run)
    return judge(seen)


def can_trace(seen: Observations) -> bool:
    """Say whether a second, traced run is possible and could tell more."""
    return seen.engine == "bubblewrap" and not (seen.exec_errno or seen.is_over_memory or seen.is_emulated)


def _trace(
    seen: Observations, question: sandbox.Question, engine: sandbox.Engine, tracer: str, *, run: Run
) -> Observations:
    """Run it again under the tracer, for its files and neighbours only: tracing distorts every time."""
    listens_on_443 = any(one.port == _HTTPS_PORT for one in seen.listeners)
    argv = (question.argv[0], *seen.arguments) if seen.first_try else question.argv
    traced = msgspec.structs.replace(
        question,
        argv=argv,
        start_timeout_s=min(question.start_timeout_s, _TRACED_START_S),
        stop_timeout_s=_TRACED_STOP_S,
        settle_s=_TRACED_SETTLE_S,
        strace=tracer,
        certificate="" if listens_on_443 else make_certificate(datetime.now(UTC)),
    )
    report = sandbox.probe(engine, traced, run=run)
    trace = read_trace(
        report.trace,
        program=question.argv[0],
        directory=question.directory,
        names={address: name for name, address in report.names.items()},
        own_ports=[one.port for one in seen.listeners],
    )
    if report.problem or not trace.has_started:
        return seen
    return msgspec.structs.replace(
        seen,
        traced=Traced(
            missed_files=trace.missed_files,
            wrote_files=trace.wrote_files,
            contacted=trace.contacted,
            output=report.output,
            lacks_certificates=trace.lacks_certificates,
        ),
    )


def plan_start(rootfs: Path, config: oci.Config, *, limits: Limits, probe: Probe) -> Start:
    """Return how a container runtime would start this image, with the probe's words laid over it.

    Like every runtime it adds PATH, HOME and HOSTNAME where they are missing; nothing of this process's own
    environment gets in. An image whose user is root, or is not named, runs as the limits say.
    """
    execution = config.config or oci.Execution()
    environment = {"PATH": DEFAULT_PATH, "HOSTNAME": "proa-trial"}
    environment |= dict(entry.split("=", 1) for entry in execution.env or () if "=" in entry)
    user = _user(rootfs, execution.user or "") or _user(rootfs, limits.user) or (65532, 65532, "/")
    environment.setdefault("HOME", user[2])
    environment |= dict(probe.environment)
    arguments = probe.arguments or execution.cmd or ()
    directory = execution.working_dir or "/"
    directory = directory if directory.startswith("/") else f"/{directory}"
    return Start((*(execution.entrypoint or ()), *arguments), environment, directory, user[0], user[1])


def _user(rootfs: Path, text: str) -> tuple[int, int, str] | None:
    """Return uid, gid and home of ``user[:group]``; None for root and for what cannot be resolved."""
    name, _, group = text.partition(":")
    accounts = accounts_of(rootfs, "/etc/passwd")
    entry = next((one for one in accounts if len(one) > 5 and name and name in (one[0], one[2])), None)
    if not name.isdigit() and entry is None:
        return None
    uid = int(name) if name.isdigit() else _number(entry[2] if entry else "")
    gid = _group(rootfs, group) if group else _number(entry[3]) if entry else uid
    if not uid or gid is None or max(uid, gid) >= 1 << 31:
        return None
    return uid, gid, (entry[5] if entry else "") or "/"


def _group(rootfs: Path, name: str) -> int | None:
    if name.isdigit():
        return int(name)
    groups = accounts_of(rootfs, "/etc/group")
    return next((_number(one[2]) for one in groups if len(one) > 2 and one[0] == name), None)


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def accounts_of(rootfs: Path, inside: str) -> list[list[str]]:
    """Return the fields of each line of an image's /etc/passwd or /etc/group; none of what is larger than 1 MiB."""
    file = resolve(rootfs, inside)
    if file is None or not file.is_file() or file.stat().st_size > 1 << 20:
        return []
    return [line.split(":") for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]


def _question(
    rootfs: Path, start: Start, program: Program, config: oci.Config, *, limits: Limits, probe: Probe
) -> sandbox.Question:
    return sandbox.Question(
        rootfs=str(rootfs),
        argv=(program.path, *start.argv[1:]),
        environment=tuple(start.environment.items()),
        directory=start.directory,
        uid=start.uid,
        gid=start.gid,
        memory_bytes=limits.memory_bytes,
        start_timeout_s=limits.start_timeout_s,
        stop_timeout_s=limits.stop_timeout_s,
        stop_signal=sandbox.stop_signal(config.config.stop_signal if config.config else None),
        ports=probe.ports,
        routes=probe.routes or DEFAULT_ROUTES,
    )


def _probe(
    engine: sandbox.Engine, question: sandbox.Question, environ: Mapping[str, str], *, run: Run
) -> sandbox.Report:
    if engine.name == "docker":
        return sandbox.with_engines_words(probe_in_docker(engine.program, question, environ, run=run))
    return sandbox.probe(engine, question, run=run)


def _first_that_works(
    wanted: str, question: sandbox.Question, environ: Mapping[str, str], *, run: Run
) -> tuple[sandbox.Engine | None, sandbox.Report]:
    """Try the engines in turn; a report with all their problems where none can make the sandbox."""
    problems: dict[str, list[str]] = {}
    for engine in sandbox.find_engines(wanted, environ, is_root=os.geteuid() == 0):
        report = _probe(engine, question, environ, run=run)
        if not report.problem:
            return engine, report
        problems.setdefault(report.problem, []).append(engine.name)
    what = (
        "; ".join(f"{problem} ({', '.join(names)})" for problem, names in problems.items())
        or f"{wanted} is not installed here"
    )
    return None, sandbox.Report(problem=what)


def observe(report: sandbox.Report, program: Program, *, limits: Limits, engine: str) -> Observations:
    """Return what a report says, in the words of this room."""
    return Observations(
        program=program,
        limits=limits,
        engine=engine,
        isolation="partial" if report.isolation == "partial" else "full",
        sees_machine=report.sees_machine,
        exec_errno=report.exec_errno,
        listeners=tuple(Listener(address=one[0], port=one[1], protocol=one[2]) for one in report.listeners),
        answers=tuple(Answer(port=one[0], route=one[1], speaks=one[2], status=one[3]) for one in report.answers),
        listening_s=report.listening_s,
        ready_s=report.ready_s,
        has_ended=report.ended_s is not None,
        exit_status=report.exit_status,
        stop_s=report.stop_s,
        was_killed=report.was_killed,
        rss_bytes=report.rss_bytes or None,
        most_processes=report.most_processes,
        is_over_memory=report.is_over_memory,
        output=report.output,
        names={address: name for name, address in report.names.items()},
    )


def _ask_for_version(
    first: Observations,
    question: sandbox.Question,
    engine: sandbox.Engine,
    environ: Mapping[str, str],
    *,
    run: Run,
) -> Observations:
    """Return how it ended after the first question it answered with 0; the first try itself where there is none."""
    for arguments in _questions():
        asked = msgspec.structs.replace(
            question, argv=(question.argv[0], *arguments), start_timeout_s=_QUESTION_TIMEOUT_S
        )
        report = _probe(engine, asked, environ, run=run)
        if not report.problem and report.ended_s is not None and report.exit_status == 0:
            seen = observe(report, first.program, limits=first.limits, engine=engine.name)
            return msgspec.structs.replace(
                seen,
                arguments=arguments,
                expects_port=first.expects_port,
                may_listen=first.may_listen,
                environment=first.environment,
                first_try=f"exited with {first.exit_status}",
                is_emulated=first.is_emulated,
                needs=first.needs,
            )
    return first


def _questions() -> Iterator[tuple[str, ...]]:
    yield from _QUESTIONS
