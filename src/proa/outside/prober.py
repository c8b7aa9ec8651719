"""The process around a trial: makes the network, starts the sandbox, measures, stops it, reports.

It runs in an interpreter of its own without site-packages, since a thread-laden process must not enter a
namespace, and since for an ordinary user the network namespace has to lie around prober and sandbox. One JSON job
on standard input, one JSON report on standard output. It judges nothing: that is the trial room's work. Its steps are
``launching``, ``watching`` (with ``readiness``) and ``stopping``.

    enter namespaces ─▶ launch ─▶ wait for a port ─▶ ask ─▶ settle ─▶ stop ─▶ report
                          └──────── ended by itself ──────────────────────┘

However it ends, the sandbox ends with it: every process below asks the kernel to die with its parent, and the
mounts and namespaces are the prober's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from proa.outside import cgroups, namespaces, peers, processes
from proa.outside.launchers import Sandbox
from proa.outside.launching import (
    LAUNCH,
    RUNTIMES,
    UNIFIED,
    Launched,
    become_command,
    become_process,
    container,
    docker_pid,
    peek,
)
from proa.outside.stopping import attempts, kill, reap, remove
from proa.outside.watching import Output, observe

_MOST_TRACE_BYTES = 6 << 20
_PLACES = ("/mnt", "/media", "/srv", "/tmp")  # noqa: S108 - covered by a file system of the prober's own
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ended(Exception):
    """Someone asked the prober to end."""


def main() -> None:
    """Do the job on standard input and write the report to standard output."""
    for number in _SIGNALS:
        signal.signal(number, _end)
    namespaces.die_with_parent(signal.SIGTERM)
    # The watching thread must not hold up the measuring one for Python's usual 5 ms.
    sys.setswitchinterval(0.0002)
    job = json.loads(sys.stdin.buffer.read())
    report: dict[str, Any] = {}
    with contextlib.suppress(Ended):
        report = _PROBES.get(job["engine"], probe)(job)
    sys.stdout.buffer.write(json.dumps(report).encode())
    sys.stdout.buffer.flush()
    os._exit(0)


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:
        # A second one must not cut the clearing up short.
        signal.signal(number, signal.SIG_IGN)
    raise Ended


def probe(job: dict[str, Any]) -> dict[str, Any]:
    """Run one program in one sandbox and return what was seen."""
    began_s = time.monotonic()
    try:
        if job["has_network"]:
            job["ignored"] = [one.inode for one in processes.listeners()]
        namespaces.enter(with_network=not job["has_network"], mapped_by=job.get("mapped_by", ()))
        place = _make_place(job)
    except OSError as error:
        return {"problem": f"this system forbids new namespaces: {error.strerror}"}
    sandbox = _sandbox(job, place)
    servers = [] if job["has_network"] else _peers(job, place)
    if job["as_image"]:
        namespaces.adopt_orphans()
    # A runtime makes a group of its own, and takes the program out of any other.
    group = None if job["engine"] in RUNTIMES else cgroups.make_group(sandbox.memory_bytes, job["cpus"])
    report: dict[str, Any] = {"is_user_real": namespaces.is_owned_by_root(), **_limits(group)}
    read_end, write_end = os.pipe()
    if job["as_image"] and namespaces.is_owned_by_root():
        # /dev/stdout opened anew is the pipe, and only its owner may open that. Every container runtime does this.
        os.fchown(write_end, sandbox.uid, sandbox.gid)
    launched = Launched(0, 0, 0.0)
    # Before the start: importing what it needs takes 50 ms, in which nobody would look whether the program is ready.
    errand = _errand(job, sandbox, place, group)
    try:
        launched = LAUNCH[job["engine"]](job, sandbox, place, write_end, group)
        os.close(write_end)
        output = Output(read_end)
        for server in servers:
            server.start()
        if launched.problem or launched.exec_errno:
            reap(launched.waiter, patience_s=1.0)
            return report | {"problem": launched.problem, "exec_errno": launched.exec_errno, "output": output.text()}
        report |= observe(job, launched, group, errand=errand)
        report["output"] = output.text()
        report["names"] = servers[0].names if servers and isinstance(servers[0], peers.NameServer) else {}
        report["trace"] = _read_trace(place) if job.get("strace") and not job["trace_file"] else ""
        report["whole_s"] = time.monotonic() - began_s
        return report
    finally:
        kill(launched)
        if job["scratch"]:
            _clear(place)
        if job["engine"] in RUNTIMES:
            with contextlib.suppress(OSError):
                if job["engine"] == "crun":
                    namespaces.unmount(UNIFIED)
            any(cgroups.remove_all(container()) for _ in attempts(1.0))
        if group:
            remove(group)


def probe_docker(job: dict[str, Any]) -> dict[str, Any]:
    """Start a container that was created, and return what was seen; its output and status are docker's to tell.

    Docker enforces the limits; its pid is known a moment after the program began, so its times are a little short.
    """
    child = os.fork()
    if child == 0:
        namespaces.take_output(os.open("/dev/null", os.O_WRONLY))
        argv = [job["program"], "start", job["container"]]
        os.execve(argv[0], argv, dict(job["client_environment"]))  # noqa: S606
    program = 0
    for _ in attempts(10.0):
        program = docker_pid(job["socket"], job["container"])
        if program or not peek(child):
            break
    started_s = time.monotonic()
    try:
        if program:
            namespaces.join_network(program)
    except FileNotFoundError:
        program = 0
    except OSError as error:
        return {"problem": f"the container's network may not be entered: {error.strerror}"}
    if not program:
        return {"ended_s": 0.0}
    return observe(job, Launched(-program, program, started_s), None) | {"limits_memory_by": "docker"}


def probe_process(job: dict[str, Any]) -> dict[str, Any]:
    """Run one program with what is left where namespaces are forbidden, and return what was seen.

    Root (of a container) gives it a root folder and a user of its own; an ordinary user has Landlock alone.
    """
    group = cgroups.make_group(job["memory_bytes"])
    with _here(job, become_process, group) as (launched, output, told):
        stage, _, number = told.partition(" ")
        if stage == "exec":
            return {"exec_errno": int(number)}
        if stage:
            return {"problem": f"no confinement: {os.strerror(int(number))}"}
        report = observe(job, launched, group)
        has_own_root = os.geteuid() == 0
        return report | {"output": output.text(), "isolation": "partial", "sees_machine": not has_own_root}


def probe_command(job: dict[str, Any]) -> dict[str, Any]:
    """Run a command of this machine as its user would, unconfined, and return what was seen."""
    group = cgroups.make_group(job["memory_bytes"], job["cpus"])
    with _here(job, become_command, group) as (launched, output, told):
        if told:
            return {"exec_errno": int(told)}
        errand = job["errand"]
        report = observe(job, launched, group, errand=(lambda seen: _loaded(errand, seen)) if errand else None)
        return report | {"output": output.text(), "isolation": "none", "sees_machine": True, **_limits(group)}


@contextlib.contextmanager
def _here(
    job: dict[str, Any], become: Callable[..., None], group: cgroups.Group | None
) -> Iterator[tuple[Launched, Output, str]]:
    """Start a program that shares this machine's network, and end its whole family.

    Gives it, its output, and what kept it from being executed: nothing where it was. Only ports that its own processes
    opened count.
    """
    namespaces.adopt_orphans()
    job["ignored"] = [one.inode for one in processes.listeners()]
    read_end, write_end = os.pipe()
    told_read, told_write = os.pipe()
    child = os.fork()
    if child == 0:
        become(job, output=write_end, told=told_write, group=group)
    launched = Launched(child, child, 0.0)
    try:
        os.close(write_end)
        os.close(told_write)
        output = Output(read_end)
        # The descriptor closes at the very moment the program is executed.
        told = os.read(told_read, 256).decode()
        launched = Launched(child, child, time.monotonic())
        yield launched, output, told
    finally:
        kill(launched)
        for pid in processes.family(os.getpid())[1:]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if group:
            remove(group)


def _loaded(errand: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    from proa.outside.loading import load

    return load(errand["load"], report["answers"])


def _limits(group: cgroups.Group | None) -> dict[str, Any]:
    by = f"cgroup v{group.version}" if group else "watching"
    return {"limits_memory_by": by, "limits_cpus": bool(group and group.cpu_folder)}


def _errand(
    job: dict[str, Any], sandbox: Sandbox, place: str, group: cgroups.Group | None
) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """Return what is to be done once the program is ready."""
    errand = job["errand"]
    if not errand:
        return None
    if errand["load"]:
        return lambda report: _loaded(errand, report)

    def start_beside(argv: list[str], output: int) -> int:
        beside = sandbox._replace(argv=tuple(argv))
        return LAUNCH["bubblewrap"](job | {"trace_name": "trace.health"}, beside, place, output, group).waiter

    from proa.outside.errands import run_errand

    return lambda report: run_errand(errand, report, place=place, start_beside=start_beside)


def _make_place(job: dict[str, Any]) -> str:
    """Mount a small file system that every user can reach, with the image's folder in it."""
    opened = os.open(job["rootfs"], os.O_RDONLY | os.O_DIRECTORY)
    scratch = os.open(job["scratch"], os.O_RDONLY | os.O_DIRECTORY) if job["scratch"] else -1
    traces = _open_traces(job["trace_file"]) if job["trace_file"] else {}
    shown = [os.open(source, os.O_PATH | os.O_CLOEXEC) for source, _ in job["binds"]]
    # Not where the interpreter lives: parts of it are still to be imported.
    place = next(one for one in _PLACES if os.path.isdir(one) and not sys.base_prefix.startswith(one))  # noqa: PTH112
    namespaces.mount("tmpfs", place, "tmpfs", 2 | 4, "mode=755,size=64m")
    os.mkdir(f"{place}/root")  # noqa: PTH102
    namespaces.bind(f"/proc/self/fd/{opened}", f"{place}/root")
    os.close(opened)
    for name, descriptor in traces.items():
        os.close(os.open(f"{place}/{name}", os.O_WRONLY | os.O_CREAT, 0o600))
        namespaces.bind(f"/proc/self/fd/{descriptor}", f"{place}/{name}")
        os.close(descriptor)
    for number, descriptor in enumerate(shown):
        # Bound here, where a user who may not enter the folders above can still be shown it.
        _bind_opened(descriptor, f"{place}/bind{number}")
    if scratch >= 0:
        os.mkdir(f"{place}/scratch")  # noqa: PTH102
        namespaces.bind(f"/proc/self/fd/{scratch}", f"{place}/scratch")
        os.close(scratch)
        _make_writable(place)
    return place


def _bind_opened(descriptor: int, target: str) -> None:
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.mkdir(target)  # noqa: PTH102
    else:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o600))
    namespaces.bind(f"/proc/self/fd/{descriptor}", target)
    os.close(descriptor)


def _open_traces(path: str) -> dict[str, int]:
    """Return the files the traces go to, by the name each has in the prober's own file system."""
    found = {"trace": path, "trace.health": f"{path}.health"}
    return {name: os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600) for name, file in found.items()}


def _make_writable(place: str) -> None:
    """Lay a folder over the image's; on the disk, else in memory, else the image's own is written."""
    for kept_in in (f"{place}/scratch", ""):
        try:
            namespaces.lay_over(place, f"{place}/root", kept_in=kept_in)
        except OSError:
            continue
        return


def _clear(place: str) -> None:
    """Remove what was written, which may belong to users that only this namespace has."""
    import shutil

    with contextlib.suppress(OSError):
        namespaces.unmount(f"{place}/root")
    for name in ("upper", "work"):
        shutil.rmtree(f"{place}/scratch/{name}", ignore_errors=True)


def _sandbox(job: dict[str, Any], place: str) -> Sandbox:
    for name, text in job["files"].items():
        with open(f"{place}/{name}", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
        os.chmod(f"{place}/{name}", 0o444)  # noqa: PTH101
    shown = [(f"{place}/bind{number}", target) for number, (_, target) in enumerate(job["binds"])]
    overlays = (*shown, *((f"{place}/{name}", target) for name, target in job["overlays"]))
    environment = tuple((name, value) for name, value in job["environment"])
    return Sandbox(
        root=f"{place}/root",
        argv=tuple(job["argv"]),
        environment=environment,
        directory=job["directory"],
        uid=job["uid"],
        gid=job["gid"],
        tmp=job["tmp"],
        overlays=overlays,
        memory_bytes=job["memory_bytes"],
        as_image=job["as_image"],
        has_users=job["as_image"] and job["uid"] == 0 and namespaces.has_many_users(),
        groups=tuple(job["groups"]),
    )


def _peers(job: dict[str, Any], place: str) -> list[peers.NameServer | peers.TlsPeer]:
    """Bind the neighbours' sockets before the program can take or miss them."""
    found: list[peers.NameServer | peers.TlsPeer] = []
    with contextlib.suppress(OSError):
        found.append(peers.NameServer())
    if job.get("certificate"):
        path = f"{place}/peer.pem"
        with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
            file.write(job["certificate"])
        with contextlib.suppress(OSError):
            found.append(peers.TlsPeer(path))
    return found


def _read_trace(place: str) -> str:
    with contextlib.suppress(OSError), open(f"{place}/trace", "rb") as file:  # noqa: PTH123
        return file.read(_MOST_TRACE_BYTES).decode(errors="replace")
    return ""


_PROBES = {"docker": probe_docker, "process": probe_process, "command": probe_command}
