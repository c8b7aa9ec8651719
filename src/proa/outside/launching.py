"""The start of a program: in each engine's sandbox, in docker's container, as a plain process.

Standard library only, like all that the prober imports.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import Any, NamedTuple

from proa.outside import cgroups, landlock, namespaces
from proa.outside.launchers import Sandbox, bubblewrap_arguments, runtime_configuration

UNIFIED = "/sys/fs/cgroup/unified"
"""Where hybrid control groups have their second version."""
RUNTIMES = ("runc", "crun")
_RUNTIME_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


class Launched(NamedTuple):
    """A started sandbox."""

    waiter: int
    """The child of the prober that exits as the program does."""
    program: int
    """The program's own process as the prober sees it; 0 where it never was."""
    started_s: float
    problem: str = ""
    """Why there is no sandbox."""
    exec_errno: int = 0


def _launch_bubblewrap(
    job: dict[str, Any], sandbox: Sandbox, place: str, output: int, group: cgroups.Group | None
) -> Launched:
    status_read, status_write = os.pipe()
    options_read, options_write = os.pipe()
    os.set_inheritable(status_write, True)
    os.set_inheritable(options_read, True)
    argv = [job["program"], "--args", str(options_read), "--", *sandbox.argv]
    if job.get("strace"):
        argv = [*_strace_arguments(job, place), *argv]
    asked, asking = os.pipe()
    granted, granting = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(options_write)
        os.close(asked)
        os.close(granting)
        _exec(argv, sandbox, output, group, users=(asking, granted))
    for descriptor in (asking, granted):
        os.close(descriptor)
    if sandbox.has_users:
        namespaces.grant_users(child, asked, granting)
    for descriptor in (asked, granting):
        os.close(descriptor)
    os.close(status_write)
    os.close(options_read)
    with contextlib.suppress(BrokenPipeError), open(options_write, "wb") as options:  # noqa: PTH123
        options.write(bubblewrap_arguments(sandbox, status_fd=status_write))
    program = _told_pid(status_read)
    started_s = _wait_for_exec(program, job["program"])
    return Launched(child, program, started_s, "" if program else "the sandbox did not start")


def _strace_arguments(job: dict[str, Any], place: str) -> list[str]:
    path = f"{place}/{job.get('trace_name', 'trace')}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
    os.chmod(path, 0o666)  # noqa: PTH101, S103 - the tracer runs as the program's user
    if job.get("strace_options"):
        return [job["strace"], "--seccomp-bpf", "-o", path, *job["strace_options"]]
    options = ["-f", "-qq", "-s", "256", "-o", path, "-e", "trace=file,network", "-e", "signal=none"]
    return [job["strace"], "--seccomp-bpf", *options]


def _exec(
    argv: list[str], sandbox: Sandbox, output: int, group: cgroups.Group | None, *, users: tuple[int, int]
) -> None:
    """Become the engine as the program's own user; never returns."""
    try:
        os.setsid()
        if group:
            group.join()
        if sandbox.has_users:
            os.setgroups(list(sandbox.groups))
            namespaces.enter_users(*users)
        elif namespaces.is_owned_by_root():
            namespaces.become(sandbox.uid, sandbox.gid, sandbox.groups)
        namespaces.die_with_parent()
        namespaces.take_output(output)
        os.execve(argv[0], argv, {"LC_ALL": "C"})  # noqa: S606 - no shell is wanted
    except OSError as error:
        os.write(2, f"bwrap: {error}\n".encode())
    finally:
        os._exit(126)


def _told_pid(descriptor: int) -> int:
    """Return the process bubblewrap names on its status descriptor, 0 where it ended first."""
    told = b""
    while b"\n" not in told:
        chunk = os.read(descriptor, 4096)
        if not chunk:
            return 0
        told += chunk
    # Left open: bubblewrap writes the exit status there at the end.
    return int(json.loads(told.split(b"\n", 1)[0]).get("child-pid", 0))


def _wait_for_exec(program: int, engine: str) -> float:
    """Return the moment the sandbox became the program, at most a fraction of a millisecond late."""
    real = os.path.realpath(engine)
    latest = time.monotonic() + 2.0
    while program and time.monotonic() < latest:
        try:
            if os.readlink(f"/proc/{program}/exe") != real:  # noqa: PTH115
                break
        except OSError:
            break
        time.sleep(0.0002)
    return time.monotonic()


def _launch_namespaces(
    _job: dict[str, Any], sandbox: Sandbox, _place: str, output: int, group: cgroups.Group | None
) -> Launched:
    waiter, program, number, what = namespaces.spawn_confined(
        sandbox, output=output, join=group.members if group else []
    )
    stage, _, text = what.partition(" ")
    if number and stage == "exec":
        return Launched(waiter, program, 0.0, exec_errno=number)
    return Launched(waiter, program, time.monotonic(), f"this system forbids the sandbox: {text}" if number else "")


def _launch_runtime(
    job: dict[str, Any], sandbox: Sandbox, place: str, output: int, group: cgroups.Group | None
) -> Launched:
    """Start runc or crun on a bundle in the prober's own file system."""
    os.mkdir(f"{place}/bundle")  # noqa: PTH102
    configuration = runtime_configuration(sandbox)
    with open(f"{place}/bundle/config.json", "w", encoding="utf-8") as file:  # noqa: PTH123
        json.dump(configuration, file)
    pid_file = f"{place}/bundle/pid"
    name = container()
    with contextlib.suppress(OSError):
        if job["engine"] == "crun":
            # crun refuses hybrid control groups; in the prober's own mounts the second version can be covered.
            namespaces.mount("tmpfs", UNIFIED, "tmpfs")
    argv = [job["program"], "--root", f"{place}/state", "run", "--bundle", f"{place}/bundle", "--pid-file", pid_file]
    child = os.fork()
    if child == 0:
        _exec_as_root([*argv, name], output, group)
    latest = time.monotonic() + 5.0
    program = 0
    while time.monotonic() < latest and not program and peek(child):
        with contextlib.suppress(OSError, ValueError), open(pid_file, encoding="ascii") as file:  # noqa: PTH123
            program = int(file.read())
        time.sleep(0.0005)
    return Launched(child, program, time.monotonic(), "" if program else "the runtime did not start the program")


def container() -> str:
    """Return the name this prober gives a runtime's container."""
    return f"proa-trial-{os.getpid()}"


def peek(child: int) -> bool:
    """Say whether a child still runs, without taking its status."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _exec_as_root(argv: list[str], output: int, group: cgroups.Group | None) -> None:
    try:
        os.setsid()
        namespaces.die_with_parent()
        if group:
            group.join()
        namespaces.take_output(output)
        os.execve(argv[0], argv, _RUNTIME_ENVIRONMENT)  # noqa: S606
    finally:
        os._exit(126)


LAUNCH = {
    "bubblewrap": _launch_bubblewrap,
    "namespaces": _launch_namespaces,
    "runc": _launch_runtime,
    "crun": _launch_runtime,
}
"""Each engine's way to start, given job, sandbox, the prober's folder, the output's descriptor and the group."""


def become_process(job: dict[str, Any], *, output: int, told: int, group: cgroups.Group | None) -> None:
    """Give up what can be given up and become the program; never returns."""
    stage, root, tmp = "confine", job["rootfs"], job["rootfs"] + job["tmp"]
    environment = dict(job["environment"])
    try:
        os.setsid()
        namespaces.die_with_parent()
        if group:
            group.join()
        namespaces.take_output(output)
        if os.geteuid() == 0:
            os.chroot(root)
            root, tmp = "", job["tmp"]
            namespaces.become(job["uid"], job["gid"])
            namespaces.forbid_new_privileges()
        else:
            namespaces.forbid_new_privileges()
            landlock.confine(readable=[root], writable=[tmp])
            environment.setdefault("TMPDIR", tmp)
        os.chdir(root + job["directory"])
        stage = "exec"
        os.execve(root + job["argv"][0], job["argv"], environment)  # noqa: S606
    except OSError as error:
        os.write(told, f"{stage} {error.errno}".encode())
    finally:
        os._exit(127)


def become_command(job: dict[str, Any], *, output: int, told: int, group: cgroups.Group | None) -> None:
    """Become a command of this machine, with nothing given up; never returns."""
    try:
        os.setsid()
        namespaces.die_with_parent()
        if group:
            group.join()
        namespaces.take_output(output)
        os.chdir(job["directory"])
        os.execve(job["argv"][0], job["argv"], dict(job["environment"]))  # noqa: S606 - the user's own words
    except OSError as error:
        os.write(told, str(error.errno).encode())
    finally:
        os._exit(127)


def docker_pid(path: str, container: str) -> int:
    """Return a container's process as the daemon tells it, 0 before its start.

    Source: the Engine API, ContainerInspect.
    """
    import socket

    question = f"GET /containers/{container}/json HTTP/1.0\r\nHost: docker\r\n\r\n"
    answer = b""
    with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX) as link:
        link.settimeout(5.0)
        link.connect(path)
        link.sendall(question.encode("ascii"))
        while chunk := link.recv(1 << 16):
            answer += chunk
        return int(json.loads(answer.split(b"\r\n\r\n", 1)[1])["State"]["Pid"])
    return 0
