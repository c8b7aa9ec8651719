"""A trial in docker: a container created with every limit, started and measured by the prober, then removed.

The unpacked image is imported under a name of its own, so that nothing has to be loaded before. The prober enters
the container's network, which only root may.
"""

from __future__ import annotations

import os
import secrets
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import ProaError
from proa.outside.command import Run, run
from proa.outside.sandbox import Question, Report, run_prober

_DEFAULT_SOCKET = "/var/run/docker.sock"
_SECONDS = 120.0
_CLIENT_VARIABLES = ("PATH", "HOME", "DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_CONTEXT", "XDG_RUNTIME_DIR")


class _State(msgspec.Struct, rename="pascal"):
    exit_code: int = 0
    oom_killed: bool = msgspec.field(name="OOMKilled", default=False)
    error: str = ""
    pid: int = 0


def probe_in_docker(docker: str, question: Question, environ: Mapping[str, str], *, run: Run = run) -> Report:
    """Run one program in one container and return what was seen; what docker refuses is a report with ``problem``."""
    socket = socket_path(environ)
    if not socket:
        return Report(problem="the docker daemon is not on this machine (DOCKER_HOST)")
    if os.geteuid() != 0:
        return Report(problem="only root can measure inside a container; the other engines need no root")
    client = {name: environ[name] for name in _CLIENT_VARIABLES if name in environ}
    name = f"proa-trial-{secrets.token_hex(6)}"
    try:
        _import(docker, Path(question.rootfs), name, client, run=run)
        variables = client | dict(question.environment)
        run([docker, "create", *create_arguments(question, name)], env=variables, timeout_s=_SECONDS)
        job = {"engine": "docker", "program": docker, "container": name, "socket": socket, "client_environment": client}
        report = run_prober(msgspec.to_builtins(question) | job, question, run=run)
        return _with_state(docker, name, report, client, run=run)
    except ProaError as error:
        return Report(problem=f"{error.what}: {error.output.strip().splitlines()[-1]}" if error.output else error.what)
    finally:
        for command in (["rm", "--force", "--volumes", name], ["rmi", "--force", name]):
            run([docker, *command], env=client, accept=None, timeout_s=_SECONDS)


def socket_path(environ: Mapping[str, str]) -> str:
    """Return the local daemon's socket, empty where DOCKER_HOST leads elsewhere.

    >>> socket_path({"DOCKER_HOST": "unix:///run/user/1000/docker.sock"}), socket_path({"DOCKER_HOST": "tcp://h:1"})
    ('/run/user/1000/docker.sock', '')
    """
    host = environ.get("DOCKER_HOST", "")
    return host.removeprefix("unix://") if host.startswith("unix://") else "" if host else _DEFAULT_SOCKET


def create_arguments(question: Question, name: str) -> Sequence[str]:
    """Return the arguments of ``docker create``; variables are named only, their values go by the environment."""
    arguments = ["--name", name, "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    arguments += ["--network", "none", "--user", f"{question.uid}:{question.gid}", "--workdir", question.directory]
    arguments += ["--tmpfs", "/tmp:mode=1777", "--log-driver", "json-file", "--log-opt", "max-size=1m"]  # noqa: S108
    if question.memory_bytes:
        arguments += ["--memory", str(question.memory_bytes), "--memory-swap", str(question.memory_bytes)]
    for variable, _ in question.environment:
        # The client would take its own for these two; docker sets them as every runtime does.
        if variable not in _CLIENT_VARIABLES:
            arguments += ["--env", variable]
    return [*arguments, "--entrypoint", question.command[0], name, *question.command[1:]]


def _import(docker: str, rootfs: Path, name: str, client: Mapping[str, str], *, run: Run) -> None:
    with tempfile.TemporaryDirectory(dir=rootfs.parent) as folder:
        file = Path(folder) / "root.tar"
        with tarfile.open(file, "w") as archive:
            for path in sorted(rootfs.iterdir()):
                archive.add(path, path.name)
        run([docker, "import", str(file), name], env=client, timeout_s=_SECONDS)


def _with_state(docker: str, name: str, report: Report, client: Mapping[str, str], *, run: Run) -> Report:
    """Add what only the daemon knows: how it ended, and what it said."""
    shown = run([docker, "inspect", "--format", "{{json .State}}", name], env=client, timeout_s=_SECONDS)
    state = msgspec.json.decode(shown.stdout, type=_State)
    logs = run([docker, "logs", "--tail", "400", name], env=client, accept=None, timeout_s=_SECONDS)
    output = (logs.stdout + logs.stderr).decode(errors="replace") + state.error
    return msgspec.structs.replace(
        report,
        exit_status=None if state.pid else state.exit_code,
        is_over_memory=report.is_over_memory or state.oom_killed,
        output=output[-(64 << 10) :],
    )
