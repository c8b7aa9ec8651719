"""One run of an image as a container runtime would run it without any options: its own user, a root it may write.

For images of the world, whose trial under proa's own limits would say more of those limits than of the image. Only
bubblewrap runs them here; ``attempt`` has the trial under limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa.outside import sandbox
from proa.outside.command import Run, run
from proa.outside.machine import this_platform
from proa.outside.sandbox import Errand, Report
from proa.outside.touched import OPTIONS, Touched, lines_of, read_touched
from proa.records import oci
from proa.records.platform import Platform
from proa.records.trial import Limits, Probe, Trial
from proa.trial.attempt import DEFAULT_PATH, DEFAULT_ROUTES, Start, accounts_of, observe
from proa.trial.program import find_program, is_native
from proa.trial.verdict import judge, skip, wrong_architecture

_TRACED_SLOWER = 4.0
"""How much longer a traced program may take to start: 1.6 times at most was measured (ADR 0023)."""
_TRACED_MOST_MORE_S = 60.0
_TRACED_SETTLE_S = 0.5
"""How long a traced program is left alone at the end: what it does late is worth seeing (arbitrary)."""

_NEEDS_USERS = (
    "the image starts as root, and may need other users, which an ordinary user has not here: run proa as root, or "
    "install uidmap and name a range for this user in /etc/subuid and /etc/subgid"
)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """What one run showed."""

    trial: Trial
    visits: tuple[tuple[int, str, str, int], ...] = ()
    """Port, method, route, HTTP status (0: none)."""
    health_status: int | None = None
    command_status: int | None = None
    command_output: str = ""
    report: Report = Report()
    """All that was seen, figures included."""
    touched: Touched | None = None
    """None where it was not traced, or the program was never started."""
    health_touched: Touched | None = None


def missing_tools(environ: Mapping[str, str], *, engine: str = "auto") -> str:
    """Return why no image can be run and traced here; empty where it can."""
    if engine not in ("auto", "bubblewrap"):
        return f"only bubblewrap runs an image as it is meant to run, and trial.engine is {engine}"
    names = {"bwrap": "bubblewrap", "strace": "strace"}
    missing = [package for program, package in names.items() if not sandbox.find_program(program, environ)]
    return f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not installed here" if missing else ""


def run_as_image(
    rootfs: Path,
    config: oci.Config,
    *,
    limits: Limits,
    probe: Probe,
    platform: Platform,
    environ: Mapping[str, str],
    scratch: Path,
    errand: Errand | None = None,
    is_traced: bool = False,
    arguments: tuple[str, ...] | None = None,
    run: Run = run,
) -> Attempt:
    """Run an unpacked image once and return what it showed; ``rootfs`` stays as it is but for mount points.

    ``scratch`` is an empty folder for what is written and traced; it is left empty. ``arguments`` stand for those
    of the image. What cannot run here is ``skipped``, with its reason.
    """
    problem = missing_tools(environ)
    here = this_platform()
    if not problem and not is_native(platform, here):
        problem = f"{platform} is not run on {here}: emulation shows other files than the program's"
    if problem:
        return Attempt(trial=skip(problem, limits=limits))
    start = plan_as_image(rootfs, config, probe=probe, arguments=arguments)
    if isinstance(start, str):
        return Attempt(trial=Trial(verdict="failed", reason=start, limits=limits))
    limits = msgspec.structs.replace(limits, user=f"{start[0].uid}:{start[0].gid}")
    program = find_program(rootfs, start[0].argv[0], start[0].environment, start[0].directory)
    if program.architecture and program.architecture != platform.architecture:
        judgement = wrong_architecture(program.path, program.architecture, platform)
        return Attempt(trial=Trial(verdict=judgement.verdict, reason=judgement.reason, limits=limits))
    question = _question(rootfs, start[0], start[1], program.path, config, limits=limits, probe=probe)
    (scratch / "written").mkdir()
    question = msgspec.structs.replace(question, scratch=str(scratch / "written"), errand=errand)
    trace = scratch / "trace"
    if is_traced:
        question = msgspec.structs.replace(
            question,
            start_timeout_s=min(_TRACED_SLOWER * limits.start_timeout_s, limits.start_timeout_s + _TRACED_MOST_MORE_S),
            settle_s=_TRACED_SETTLE_S,
            strace=sandbox.find_program("strace", environ),
            strace_options=OPTIONS,
            trace_file=str(trace),
        )
    engine = sandbox.Engine(name="bubblewrap", program=sandbox.find_program("bwrap", environ))
    try:
        report = sandbox.probe(engine, question, run=run)
        if report.problem:
            return Attempt(trial=skip(report.problem, limits=limits))
        seen = observe(report, program, limits=limits, engine=engine.name)
        expects = probe.is_server if probe.is_server is not None else (True if probe.ports else None)
        seen = msgspec.structs.replace(seen, expects_port=expects, arguments=tuple(start[0].argv[1:]))
        health = errand.health[0] if errand and errand.health else ""
        trial = judge(seen)
        if trial.verdict == "failed" and limits.user.startswith("0:") and sandbox.lacks_users():
            trial = msgspec.structs.replace(trial, remedy=_NEEDS_USERS)
        return Attempt(
            trial=trial,
            visits=report.visits,
            health_status=report.health_status,
            command_status=report.command_status,
            command_output=report.command_output,
            report=report,
            touched=_read(trace, program.path, question.directory),
            health_touched=_read(trace.with_name("trace.health"), health, question.directory),
        )
    finally:
        trace.unlink(missing_ok=True)
        trace.with_name("trace.health").unlink(missing_ok=True)
        (scratch / "written").rmdir()


def _read(trace: Path, program: str, directory: str) -> Touched | None:
    if not program or not trace.exists():
        return None
    with trace.open("rb") as file:
        touched = read_touched(lines_of(file), program=program, directory=directory)
    return touched if touched.has_started else None


def plan_as_image(
    rootfs: Path, config: oci.Config, *, probe: Probe, arguments: tuple[str, ...] | None = None
) -> tuple[Start, tuple[int, ...]] | str:
    """Return how docker would start this image and the user's further groups, or why it would not.

    ``arguments`` come after its entrypoint, after the first word of its command where it has none.
    """
    execution = config.config or oci.Execution()
    entrypoint, command = execution.entrypoint or (), execution.cmd or ()
    if arguments is not None:
        argv = (*(entrypoint or command[:1]), *arguments)
    else:
        argv = (*entrypoint, *(probe.arguments or command))
    if not argv:
        return "the image names no program to start"
    user = _user(rootfs, execution.user or "")
    if user is None:
        return f"the image's user {execution.user!r} is not in its /etc/passwd"
    uid, gid, home, groups = user
    environment = {"PATH": DEFAULT_PATH, "HOSTNAME": "proa-trial"}
    environment |= dict(entry.split("=", 1) for entry in execution.env or () if "=" in entry)
    environment.setdefault("HOME", home)
    environment |= dict(probe.environment)
    directory = execution.working_dir or "/"
    return Start(argv, environment, directory if directory.startswith("/") else f"/{directory}", uid, gid), groups


def _user(rootfs: Path, text: str) -> tuple[int, int, str, tuple[int, ...]] | None:
    """Return uid, gid, home and further groups of ``user[:group]``; None where a name is unknown.

    A number needs no account; its group is 0 then. Source: docker run's reference, "USER".
    """
    name, _, group = text.partition(":")
    accounts = [one for one in accounts_of(rootfs, "/etc/passwd") if len(one) > 5 and one[2].isdigit()]
    entry = next((one for one in accounts if (name or "0") in (one[0], one[2])), None)
    if entry is None and name and not name.isdigit():
        return None
    known = [one for one in accounts_of(rootfs, "/etc/group") if len(one) > 3 and one[2].isdigit()]
    if group:
        named = next((one[2] for one in known if group == one[0]), group)
        gid, more = named, []
    else:
        gid = entry[3] if entry else "0"
        more = [int(one[2]) for one in known if entry and entry[0] in one[3].split(",")]
    uid = entry[2] if entry else name or "0"
    if not gid.isdigit() or max(int(uid), int(gid), *more) >= 1 << 31:
        return None
    return int(uid), int(gid), (entry[5] if entry else "") or "/", tuple(more[:64])


def health_command(config: oci.Config) -> tuple[str, ...]:
    """Return the words of the image's own health check; empty where it has none.

    >>> check = oci.Execution(healthcheck={"Test": ["CMD-SHELL", "true"]})
    >>> health_command(oci.Config(architecture="amd64", os="linux", config=check))
    ('/bin/sh', '-c', 'true')
    """
    check = (config.config.healthcheck if config.config else None) or {}
    words = check.get("Test")
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        return ()
    if words[:1] == ["CMD-SHELL"] and len(words) == 2:
        return ("/bin/sh", "-c", words[1])
    return tuple(words[1:]) if words[:1] == ["CMD"] else ()


def _question(
    rootfs: Path,
    start: Start,
    groups: tuple[int, ...],
    program: str,
    config: oci.Config,
    *,
    limits: Limits,
    probe: Probe,
) -> sandbox.Question:
    execution = config.config or oci.Execution()
    return sandbox.Question(
        rootfs=str(rootfs),
        argv=(program, *start.argv[1:]),
        environment=tuple(start.environment.items()),
        directory=start.directory,
        uid=start.uid,
        gid=start.gid,
        groups=groups,
        memory_bytes=limits.memory_bytes,
        cpus=limits.cpus,
        start_timeout_s=limits.start_timeout_s,
        stop_timeout_s=limits.stop_timeout_s,
        stop_signal=sandbox.stop_signal(execution.stop_signal),
        ports=probe.ports,
        routes=probe.routes or DEFAULT_ROUTES,
        as_image=True,
        volumes=tuple(one for one in execution.volumes or {} if one.startswith("/")),
    )
