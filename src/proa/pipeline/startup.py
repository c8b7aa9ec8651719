"""The line of a start that is seen: an image of the store, or a project by its own start command.

Go, C, Rust: its image ─▶ under the trial's limits ─▶ kept in the store by what decides it
Node, Python, Java …: its command ─▶ in its folder, read-only ─▶ seen anew each time
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa import pack
from proa.errors import ProaError, WrongConfiguration
from proa.outside import projectroot, sandbox
from proa.outside.contact.target import Target
from proa.outside.machine import this_platform
from proa.outside.network import hosts_by_address
from proa.outside.variables import folder_variables
from proa.pipeline import steps
from proa.pipeline.plan import Bench
from proa.pipeline.preflight import Asked, targets
from proa.pipeline.steps import Work, kept, key_of
from proa.pipeline.trials import limits_of, memory_bytes, probe_of
from proa.records.analysis import Analysis
from proa.records.binary import Binary
from proa.records.configuration import TrialSettings
from proa.records.evidence import Finding, Needs
from proa.records.image import Image
from proa.records.project import Project
from proa.records.startup import Startup
from proa.trial.attempt import DEFAULT_PATH, DEFAULT_ROUTES, plan_start
from proa.trial.program import find_program, is_native
from proa.trial.start_command import StartCommand, command_of, find_start
from proa.trial.startup import Seeing, Start, see_start

_PROJECT_BYTES = 2 << 30
"""A JVM takes a quarter of it for its heap."""
_USER = 65532
_LEFT_OUT = ("PROA_", "LD_", "SUDO_", "SSH_", "XDG_", "DBUS_")
_OURS = frozenset(
    {"PATH", "HOME", "PWD", "OLDPWD", "TMPDIR", "SHLVL", "_", "LS_COLORS", "LESSOPEN", "LESSCLOSE", "MAIL"}
)
_ALWAYS = frozenset({"PATH", "HOME", "HOSTNAME", "LANG"})


class AskedStart(msgspec.Struct, frozen=True, kw_only=True):
    """How a start is to be seen."""

    folder: Path
    command: str = ""
    """Instead of what the project's files name."""
    connects: bool = False
    """With this machine's network and environment, so that services are reached."""
    environment: str = ""
    """The ENV whose .env.ENV holds."""
    targets: tuple[Target, ...] = ()
    """The services that are known, so that connections have names."""


def see_project(bench: Bench, asked: AskedStart, settings: TrialSettings) -> Start:
    """Start a project by its own command in its folder and return what that showed. Raises WrongUsage."""
    folder = asked.folder.resolve()
    files = projectroot.ProjectFiles(folder, bench.environ)
    if asked.command:
        command: StartCommand | None = command_of(asked.command, "--command")
    else:
        command = find_start(files)
    if command is None:
        return Start(startup=Startup(problem=_NO_COMMAND))
    program = projectroot.find_program(command.words[0], folder, bench.environ)
    if not program:
        problem = f"{command.words[0]} is not installed here, and {command.source} starts the project by it"
        return Start(startup=Startup(command=command.words, problem=problem))
    uid, gid = _user(folder)
    if _is_locked(folder, uid):
        problem = f"{folder} may be read by root alone, and nothing of a project is started as root"
        return Start(startup=Startup(command=command.words, problem=problem))
    bench.say(f"starting {command.shown}")
    environment, names = _project_environment(bench.environ, folder, asked, command, settings)
    with bench.store.folder() as scratch:
        root = scratch / "root"
        root.mkdir(mode=0o755)
        binds = projectroot.lay_out(
            root, folder, program=program, environ=bench.environ, values=environment, has_network=asked.connects
        )
        question = sandbox.Question(
            rootfs=str(root),
            argv=(program, *command.words[1:], *settings.args),
            environment=tuple(environment.items()),
            directory=str(folder),
            uid=uid,
            gid=gid,
            memory_bytes=_PROJECT_BYTES if settings.memory == TrialSettings().memory else memory_bytes(settings.memory),
            start_timeout_s=settings.start_timeout_s,
            stop_timeout_s=settings.stop_timeout_s,
            ports=settings.ports,
            routes=settings.routes or DEFAULT_ROUTES,
            binds=binds,
            has_network=asked.connects,
        )
        seeing = Seeing(
            question=question,
            command=command.words,
            shown=command.shown,
            folder=str(folder),
            variables=names,
            services=_services(asked.targets),
            hosts=_hosts(asked),
        )
        return see_start(seeing, environ=bench.environ, scratch=scratch)


def see_program(work: Work, binary: Binary, needs: Needs, project: Project, asked: AskedStart) -> Start:
    """Start the image of a program that was built and return what that showed; without network it is kept."""
    base = steps.fetch_base(work, binary.platform)
    image = steps.pack_image(work, binary, needs, project=project, base=base).image
    if not is_native(image.platform, this_platform()):
        problem = f"{image.platform} does not run on {this_platform()}, and an emulated start is not the program's"
        return Start(startup=Startup(problem=problem))
    if asked.connects:
        return _see_image(work, image, project, asked)
    settings = work.plan.settings.trial
    return kept(
        work,
        "startup",
        key_of("startup", image.digest, settings, project.environment, project.routes, _services(asked.targets)),
        kind=Start,
        make=lambda: _see_image(work, image, project, asked),
        is_whole=lambda start: bool(start.startup.steps),
    )


def _see_image(work: Work, image: Image, project: Project, asked: AskedStart) -> Start:
    bench, settings = work.bench, work.plan.settings.trial
    bench.say(f"starting {work.plan.main.name}")
    limits = limits_of(settings, user=image.user)
    routes = tuple(dict.fromkeys(route.path for route in project.routes if route.is_health))
    probe = probe_of(settings, routes=routes)
    with bench.store.folder() as scratch:
        root = scratch / "root"
        root.mkdir(mode=0o755)
        config = pack.unpack(image.manifest.digest, root, store=bench.store)
        if asked.connects:
            more = _own_values(bench.environ, asked)
            probe = msgspec.structs.replace(probe, environment=tuple({**more, **dict(probe.environment)}.items()))
        start = plan_start(root, config, limits=limits, probe=probe)
        program = find_program(root, start.argv[0], start.environment, start.directory)
        names = {one.name for one in project.environment}
        question = sandbox.Question(
            rootfs=str(root),
            argv=(program.path, *start.argv[1:]),
            environment=tuple(start.environment.items()),
            directory=start.directory,
            uid=start.uid,
            gid=start.gid,
            memory_bytes=limits.memory_bytes,
            start_timeout_s=limits.start_timeout_s
            if project.ports or probe.ports
            else min(3.0, limits.start_timeout_s),
            stop_timeout_s=limits.stop_timeout_s,
            ports=probe.ports,
            routes=probe.routes or DEFAULT_ROUTES,
            binds=projectroot.name_files(root) if asked.connects else (),
            has_network=asked.connects,
        )
        seeing = Seeing(
            question=question,
            command=start.argv,
            variables=tuple(sorted((names & set(start.environment)) - _ALWAYS)),
            services=_services(asked.targets),
            hosts=_hosts(asked),
            is_go=project.native is None,
        )
        return see_start(seeing, environ=bench.environ, scratch=scratch)


def _project_environment(
    environ: Mapping[str, str], folder: Path, asked: AskedStart, command: StartCommand, settings: TrialSettings
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables of the program, and the names of those that are its own."""
    own = _own_values(environ, asked) if asked.connects else _folder_values(asked)
    own = dict(command.environment) | own | dict(settings.env)
    files = _folder_values(asked)
    named = {*files, *settings.env, *(target.service.name for target in asked.targets)}
    path = os.pathsep.join([projectroot.search_path(folder, environ), DEFAULT_PATH])
    values = {"LANG": "C.UTF-8"} | own | {"PATH": path, "HOME": "/tmp"}  # noqa: S108 - the path inside
    if home := environ.get("JAVA_HOME"):
        values.setdefault("JAVA_HOME", home)
    return values, tuple(sorted(name for name in named if name in values))


def _folder_values(asked: AskedStart) -> dict[str, str]:
    return folder_variables(asked.folder, asked.environment)


def _own_values(environ: Mapping[str, str], asked: AskedStart) -> dict[str, str]:
    """Return the values of .env, below those of this process's environment: as dotenv lays them."""
    given = {name: value for name, value in environ.items() if name not in _OURS and not name.startswith(_LEFT_OUT)}
    return _folder_values(asked) | given


def _user(folder: Path) -> tuple[int, int]:
    """Return who the program runs as: the folder's owner, but never root."""
    status = folder.stat()
    return (status.st_uid, status.st_gid) if status.st_uid else (_USER, _USER)


def _is_locked(folder: Path, uid: int) -> bool:
    """Say whether the user that stands for root may not enter a folder of root's."""
    return uid == _USER and folder.stat().st_mode & 0o005 != 0o005


def _services(targets: tuple[Target, ...]) -> dict[str, str]:
    """Return the variable that names each service, by ``host:port``; its token endpoint is another."""
    found: dict[str, str] = {}
    for one in targets:
        for target in (one, one.token_target):
            if target and target.host and target.port:
                host = f"[{target.host}]" if ":" in target.host else target.host
                place = f"{host}:{target.port}"
                known = found.get(place)
                name = target.service.name
                found[place] = f"{known}, {name}" if known and name not in known.split(", ") else name
    return found


def _hosts(asked: AskedStart) -> dict[str, str]:
    """Return the host names of the known services by their addresses here."""
    if not asked.connects:
        return {}
    return hosts_by_address(target.host for target in asked.targets if target.host)


_NO_COMMAND = (
    "no file says how it is started (Procfile, package.json, manage.py, a jar in target/ …): give it with --command"
)


class WantedStart(msgspec.Struct, frozen=True, kw_only=True):
    """What ``proa analyze`` is to see of a start."""

    command: str = ""
    connects: bool = False


def with_program_start(
    analysis: Analysis, work: Work, binary: Binary, wanted: WantedStart, *, folder: Path
) -> Analysis:
    """Return an analysis with the start of the image of the program that was built. Raises WrongConfiguration."""
    asked, problems = _asked(folder, wanted, work.bench.environ)
    if wanted.command:
        return _with(analysis, see_project(work.bench, asked, work.plan.settings.trial), problems)
    project = analysis.project
    if project is None:
        return analysis
    try:
        start = see_program(work, binary, analysis.needs, project, asked)
    except WrongConfiguration:
        raise
    except ProaError as error:
        # Its base image may be out of reach: what is known without starting it is worth having.
        start = Start(startup=Startup(problem=error.what))
    return _with(analysis, start, problems)


def with_project_start(analysis: Analysis, bench: Bench, wanted: WantedStart, *, folder: Path) -> Analysis:
    """Return an analysis with the start of a project by its own command. Raises WrongConfiguration."""
    asked, problems = _asked(folder, wanted, bench.environ)
    return _with(analysis, see_project(bench, asked, analysis.settings.trial), problems)


def _asked(folder: Path, wanted: WantedStart, environ: Mapping[str, str]) -> tuple[AskedStart, tuple[Finding, ...]]:
    """Return how the start is seen, with the services that are known; what cannot be read of them is a finding."""
    known: tuple[Target, ...] = ()
    problems: tuple[Finding, ...] = ()
    try:
        known, _ = targets(Asked(folder=folder), environ=environ if wanted.connects else {})
    except ProaError as error:
        problems = (Finding(id="start.services", message=f"services were not read: {error.what}", hint=error.hint),)
    asked = AskedStart(folder=folder, command=wanted.command, connects=wanted.connects, targets=known)
    return asked, problems


def _with(analysis: Analysis, start: Start, problems: tuple[Finding, ...]) -> Analysis:
    return msgspec.structs.replace(
        analysis,
        start=start.startup,
        startup=start.startup.steps,
        findings=(*analysis.findings, *start.findings, *(one for one in problems if one not in analysis.findings)),
    )
