"""The process around a trial: makes the network, starts the sandbox, measures, stops it, reports.

It runs in an interpreter of its own without site-packages, since a thread-laden process must not enter a
namespace, and since for an ordinary user the network namespace has to lie around prober and sandbox. One JSON job
on standard input, one JSON report on standard output. It judges nothing: that is the trial room's work.

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
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

from proa.outside import asking, cgroups, landlock, namespaces, peers, processes
from proa.outside.launchers import Sandbox, bubblewrap_arguments, runtime_configuration

_HEAD_BYTES, _TAIL_BYTES = 16 << 10, 48 << 10
_MOST_TRACE_BYTES = 6 << 20
_FIRST_STEP_S, _LAST_STEP_S = 0.001, 0.02
_ASK_S = 2.5
"""How long one answer may take (arbitrary; a health route that is slower is not healthy)."""
_NO_ROUTE_S = 0.7
"""How long a server may answer nothing but 404 until that is its answer (arbitrary)."""
_UNEXPECTED_PORT_S = 1.0
"""How long to wait for an expected port once another one listens (arbitrary)."""
_FAMILY_SETTLE_S = 0.3
"""How long a family of processes is watched after its first good answer (arbitrary)."""
_PLACES = ("/mnt", "/media", "/srv", "/tmp")  # noqa: S108 - covered by a file system of the prober's own


class Ended(Exception):
    """Someone asked the prober to end."""


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


class Output:
    """What a program writes: its beginning and its end, in bounded memory."""

    def __init__(self, descriptor: int) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self.bytes = 0
        self._thread = threading.Thread(target=self._drain, args=(descriptor,), daemon=True)
        self._thread.start()

    def _drain(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(descriptor, 1 << 16):
                self.bytes += len(chunk)
                room = max(0, _HEAD_BYTES - len(self._head))
                self._head += chunk[:room]
                self._tail += chunk[room:]
                del self._tail[: max(0, len(self._tail) - _TAIL_BYTES)]
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def text(self) -> str:
        """Return what was kept, once the writers are gone."""
        self._thread.join(0.5)
        whole = len(self._head) + len(self._tail) == self.bytes
        return (bytes(self._head) + (b"" if whole else b"\n[...]\n") + bytes(self._tail)).decode(errors="replace")


class Memory:
    """Watches a family's memory and ends it above the limit, where the kernel does not."""

    def __init__(self, program: int, *, limit_bytes: int, should_end: bool) -> None:
        self._peaks: dict[int, int] = {}
        self._program = program
        self._limit_bytes = limit_bytes if should_end else 0
        self.was_exceeded = False
        self.most_processes = 1
        self._stopped = threading.Event()
        self.look()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        step_s = 0.002
        while not self._stopped.wait(step_s):
            self.look()
            step_s = min(step_s * 1.1, 0.01)

    def look(self) -> None:
        """Note every member's peak now."""
        family = processes.family(self._program)
        total = 0
        for pid in family:
            now, peak = processes.memory(pid)
            total += now
            if peak:
                self._peaks[pid] = max(peak, self._peaks.get(pid, 0))
        self.most_processes = max(self.most_processes, len(family))
        if self._limit_bytes and total > self._limit_bytes:
            self.was_exceeded = True
            for pid in family:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def stop(self) -> int:
        """Stop watching and return the sum of all peaks in bytes."""
        self._stopped.set()
        return sum(self._peaks.values())


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


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in _SIGNALS:
        # A second one must not cut the clearing up short.
        signal.signal(number, signal.SIG_IGN)
    raise Ended


def probe(job: dict[str, Any]) -> dict[str, Any]:
    """Run one program in one sandbox and return what was seen."""
    began_s = time.monotonic()
    try:
        namespaces.enter()
        place = _make_place(job["rootfs"])
    except OSError as error:
        return {"problem": f"this system forbids new namespaces: {error.strerror}"}
    sandbox = _sandbox(job, place)
    servers = _peers(job, place)
    # A runtime makes a group of its own, and takes the program out of any other.
    group = None if job["engine"] in _RUNTIMES else cgroups.make_group(sandbox.memory_bytes)
    report: dict[str, Any] = {"is_user_real": namespaces.is_owned_by_root(), "limits_memory_by": _limiter(group)}
    read_end, write_end = os.pipe()
    launched = Launched(0, 0, 0.0)
    try:
        launched = _LAUNCH[job["engine"]](job, sandbox, place, write_end, group)
        os.close(write_end)
        output = Output(read_end)
        for server in servers:
            server.start()
        if launched.problem or launched.exec_errno:
            _reap(launched.waiter, patience_s=1.0)
            return report | {"problem": launched.problem, "exec_errno": launched.exec_errno, "output": output.text()}
        report |= _observe(job, launched, group)
        report["output"] = output.text()
        report["names"] = servers[0].names if servers and isinstance(servers[0], peers.NameServer) else {}
        report["trace"] = _read_trace(place) if job.get("strace") else ""
        report["whole_s"] = time.monotonic() - began_s
        return report
    finally:
        _kill(launched)
        if job["engine"] in _RUNTIMES:
            with contextlib.suppress(OSError):
                if job["engine"] == "crun":
                    namespaces.unmount(_UNIFIED)
            any(cgroups.remove_all(_container()) for _ in _attempts(1.0))
        if group:
            _remove(group)


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
    for _ in _attempts(10.0):
        program = _docker_pid(job["socket"], job["container"])
        if program or not _peek(child):
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
    return _observe(job, Launched(-program, program, started_s), None) | {"limits_memory_by": "docker"}


def probe_process(job: dict[str, Any]) -> dict[str, Any]:
    """Run one program with what is left where namespaces are forbidden, and return what was seen.

    Root (of a container) gives it a root folder and a user of its own; an ordinary user has Landlock alone. It
    shares this machine's network, so only ports that its own processes opened count.
    """
    namespaces.adopt_orphans()
    job["ignored"] = [one.inode for one in processes.listeners()]
    group = cgroups.make_group(job["memory_bytes"])
    read_end, write_end = os.pipe()
    told_read, told_write = os.pipe()
    child = os.fork()
    if child == 0:
        _become_process(job, output=write_end, told=told_write, group=group)
    launched = Launched(child, child, 0.0)
    try:
        os.close(write_end)
        os.close(told_write)
        output = Output(read_end)
        told = os.read(told_read, 256)
        launched = Launched(child, child, time.monotonic())
        stage, _, number = told.decode().partition(" ")
        if stage:
            return (
                {"exec_errno": int(number)}
                if stage == "exec"
                else {"problem": f"no confinement: {os.strerror(int(number))}"}
            )
        report = _observe(job, launched, group)
        has_own_root = os.geteuid() == 0
        return report | {"output": output.text(), "isolation": "partial", "sees_machine": not has_own_root}
    finally:
        _kill(launched)
        for pid in processes.family(os.getpid())[1:]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if group:
            _remove(group)


def _become_process(job: dict[str, Any], *, output: int, told: int, group: cgroups.Group | None) -> None:
    """Give up what can be given up and become the program; never returns."""
    stage, root, tmp = "confine", job["rootfs"], job["rootfs"] + job["tmp"]
    environment = dict(job["environment"])
    try:
        os.setsid()
        namespaces.die_with_parent()
        if group:
            with open(group.members, "w", encoding="ascii") as members:  # noqa: PTH123
                members.write("0")
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


def _docker_pid(path: str, container: str) -> int:
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


def _limiter(group: cgroups.Group | None) -> str:
    return f"cgroup v{group.version}" if group else "watching"


# Before the start


def _make_place(rootfs: str) -> str:
    """Mount a small file system that every user can reach, with the image's folder in it."""
    opened = os.open(rootfs, os.O_RDONLY | os.O_DIRECTORY)
    # Not where the interpreter lives: parts of it are still to be imported.
    place = next(one for one in _PLACES if os.path.isdir(one) and not sys.base_prefix.startswith(one))  # noqa: PTH112
    namespaces.mount("tmpfs", place, "tmpfs", 2 | 4, "mode=755,size=64m")
    os.mkdir(f"{place}/root")  # noqa: PTH102
    namespaces.bind(f"/proc/self/fd/{opened}", f"{place}/root")
    os.close(opened)
    return place


def _sandbox(job: dict[str, Any], place: str) -> Sandbox:
    for name, text in job["files"].items():
        with open(f"{place}/{name}", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
        os.chmod(f"{place}/{name}", 0o444)  # noqa: PTH101
    overlays = tuple((f"{place}/{name}", target) for name, target in job["overlays"])
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


# Launching


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
    child = os.fork()
    if child == 0:
        os.close(options_write)
        _exec(argv, sandbox, output, group)
    os.close(status_write)
    os.close(options_read)
    with contextlib.suppress(BrokenPipeError), open(options_write, "wb") as options:  # noqa: PTH123
        options.write(bubblewrap_arguments(sandbox, status_fd=status_write))
    program = _told_pid(status_read)
    started_s = _wait_for_exec(program, job["program"])
    return Launched(child, program, started_s, "" if program else "the sandbox did not start")


def _strace_arguments(job: dict[str, Any], place: str) -> list[str]:
    path = f"{place}/trace"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o666))
    os.chmod(path, 0o666)  # noqa: PTH101, S103 - the tracer runs as the program's user
    options = ["-f", "-qq", "-s", "256", "-o", path, "-e", "trace=file,network", "-e", "signal=none"]
    return [job["strace"], "--seccomp-bpf", *options]


def _exec(argv: list[str], sandbox: Sandbox, output: int, group: cgroups.Group | None) -> None:
    """Become the engine as the program's own user; never returns."""
    try:
        os.setsid()
        if group:
            with open(group.members, "w", encoding="ascii") as members:  # noqa: PTH123
                members.write("0")
        if namespaces.is_owned_by_root():
            namespaces.become(sandbox.uid, sandbox.gid)
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
        sandbox, output=output, join=[group.members] if group else []
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
    name = _container()
    with contextlib.suppress(OSError):
        if job["engine"] == "crun":
            # crun refuses hybrid control groups; in the prober's own mounts the second version can be covered.
            namespaces.mount("tmpfs", _UNIFIED, "tmpfs")
    argv = [job["program"], "--root", f"{place}/state", "run", "--bundle", f"{place}/bundle", "--pid-file", pid_file]
    child = os.fork()
    if child == 0:
        _exec_as_root([*argv, name], output, group)
    latest = time.monotonic() + 5.0
    program = 0
    while time.monotonic() < latest and not program and _peek(child):
        with contextlib.suppress(OSError, ValueError), open(pid_file, encoding="ascii") as file:  # noqa: PTH123
            program = int(file.read())
        time.sleep(0.0005)
    return Launched(child, program, time.monotonic(), "" if program else "the runtime did not start the program")


def _container() -> str:
    return f"proa-trial-{os.getpid()}"


def _peek(child: int) -> bool:
    """Say whether a child still runs, without taking its status."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _exec_as_root(argv: list[str], output: int, group: cgroups.Group | None) -> None:
    try:
        os.setsid()
        namespaces.die_with_parent()
        if group:
            with open(group.members, "w", encoding="ascii") as members:  # noqa: PTH123
                members.write("0")
        namespaces.take_output(output)
        os.execve(argv[0], argv, _RUNTIME_ENVIRONMENT)  # noqa: S606
    finally:
        os._exit(126)


_UNIFIED = "/sys/fs/cgroup/unified"
_PROBES = {"docker": probe_docker, "process": probe_process}
_RUNTIMES = ("runc", "crun")
_RUNTIME_ENVIRONMENT = {"LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
_LAUNCH = {
    "bubblewrap": _launch_bubblewrap,
    "namespaces": _launch_namespaces,
    "runc": _launch_runtime,
    "crun": _launch_runtime,
}


# Watching


def _observe(job: dict[str, Any], launched: Launched, group: cgroups.Group | None) -> dict[str, Any]:
    watch = Memory(launched.program, limit_bytes=job["memory_bytes"], should_end=group is None)
    report, status = _wait_until_ready(job, launched)
    if status is None:
        watch.look()
        report["ran_s"] = time.monotonic() - launched.started_s
        report |= _stop(job, launched)
    report["rss_bytes"] = watch.stop()
    # Killed from outside, close to the limit: the kernel's doing, in a group that is gone already.
    was_killed = status == 128 + signal.SIGKILL and report["rss_bytes"] > 0.8 * job["memory_bytes"]
    report["most_processes"] = watch.most_processes
    report["is_over_memory"] = watch.was_exceeded or was_killed or bool(group and group.was_exceeded())
    return report


def _wait_until_ready(job: dict[str, Any], launched: Launched) -> tuple[dict[str, Any], int | None]:
    """Poll until a route answers well, the program ends or its time is up; the status is None where it still runs."""
    report: dict[str, Any] = {"listeners": [], "answers": [], "listening_s": None, "ready_s": None}
    deadline = launched.started_s + job["start_timeout_s"]
    seen: dict[tuple[str, int, str], float] = {}
    asked_since = None
    step_s = _FIRST_STEP_S
    while time.monotonic() < deadline:
        status = _poll(launched.waiter)
        found = processes.listeners()
        now_s = time.monotonic() - launched.started_s
        mine = [one for one in found if not (one.protocol == "udp" and one.port == 53 and one.address == "127.0.0.1")]
        if "ignored" in job:
            mine = _own(mine, job["ignored"], launched.program)
        mine = [one for one in mine if not (job.get("certificate") and one.port == 443)]
        for one in mine:
            seen.setdefault((one.address, one.port, one.protocol), now_s)
        report["listeners"] = [[*key, moment] for key, moment in seen.items()]
        if status is not None:
            report |= {"exit_status": status, "ended_s": now_s}
            return report, status
        wanted = _to_ask(mine, job["ports"], seen, now_s)
        if wanted:
            asked_since = asked_since or time.monotonic()
            if report["listening_s"] is None:
                report["listening_s"] = min(seen[one.address, one.port, one.protocol] for one in wanted)
            if _ask_all(
                job,
                wanted,
                report,
                started_s=launched.started_s,
                deadline=deadline,
                asked_s=time.monotonic() - asked_since,
            ):
                break
        time.sleep(step_s)
        step_s = min(step_s * (1.3 if wanted else 1.02), _LAST_STEP_S)
    # A program that goes to the background ends a moment after its child listens.
    settle_s = _FAMILY_SETTLE_S if len(processes.family(launched.program)) > 1 else job["settle_s"]
    settled = time.monotonic() + settle_s
    while (status := _poll(launched.waiter)) is None and time.monotonic() < settled:
        time.sleep(_FIRST_STEP_S)
    if status is not None:
        report |= {"exit_status": status, "ended_s": time.monotonic() - launched.started_s}
    return report, status


def _own(found: list[processes.Listener], ignored: list[int], program: int) -> list[processes.Listener]:
    """Return the listeners of the program's family; all new ones where its descriptors may not be read."""
    inodes = processes.socket_inodes(processes.family(program))
    new = [one for one in found if one.inode not in ignored]
    return [one for one in new if one.inode in inodes] if inodes else new


def _to_ask(
    mine: list[processes.Listener], ports: list[int], seen: dict[tuple[str, int, str], float], now_s: float
) -> list[processes.Listener]:
    """Return the expected listeners, or any after a while; UDP ones only where there is nothing else for a while."""
    streams = [one for one in mine if one.protocol == "tcp"]
    expected = [one for one in mine if one.port in ports]
    if expected or not mine:
        return sorted(expected, key=lambda one: ports.index(one.port))
    if streams and not ports:
        return streams
    return mine if now_s - min(seen.values()) > _UNEXPECTED_PORT_S else []


def _ask_all(
    job: dict[str, Any],
    wanted: list[processes.Listener],
    report: dict[str, Any],
    *,
    started_s: float,
    deadline: float,
    asked_s: float,
) -> bool:
    """Ask every route of every listener once; True where there is no point in asking again."""
    answers = []
    for one in wanted:
        if one.protocol == "udp":
            continue
        for route in job["routes"]:
            answer = _ask(one, route, max(0.05, min(_ASK_S, deadline - time.monotonic())))
            answers.append([one.port, route, answer.speaks, answer.status])
            if answer.status is not None and answer.status < 500 and answer.status != 404:
                report["ready_s"] = time.monotonic() - started_s
                report["answers"] = answers
                return True
            if answer.status is None:
                break
    report["answers"] = answers
    kinds = {answer[2] for answer in answers}
    if kinds <= {"http", "https"} and answers:
        return all(answer[3] == 404 for answer in answers) and asked_s > _NO_ROUTE_S
    return not kinds & {"http", "https", "refused"} and asked_s > _NO_ROUTE_S


def _ask(one: processes.Listener, route: str, timeout_s: float) -> asking.Answer:
    # All addresses: IPv4's loopback is there even where IPv6 is switched off, as in docker.
    address = "127.0.0.1" if one.address in ("0.0.0.0", "::") else one.address.removeprefix("::ffff:")  # noqa: S104
    answer = asking.ask(address, one.port, route, timeout_s=timeout_s)
    if answer.speaks in ("refused", "closed") and one.address == "::":
        # An IPv6-only socket, where it is meant to be one.
        address = "::1"
        answer = asking.ask(address, one.port, route, timeout_s=timeout_s)
    if answer.speaks == "tls":
        answer = asking.ask(address, one.port, route, timeout_s=timeout_s, secure=True)
    return answer


# Stopping


def _poll(waiter: int) -> int | None:
    """Return the exit status of a child that ended, None while it runs; of another's process (-pid) always 0."""
    if waiter < 0:
        return None if processes.is_alive(-waiter) else 0
    pid, status = os.waitpid(waiter, os.WNOHANG)
    if pid == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _stop(job: dict[str, Any], launched: Launched) -> dict[str, Any]:
    """Ask the program to end, wait, and end it."""
    asked_s = time.monotonic()
    for number in (job["stop_signal"], signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(launched.program, number)
        deadline = asked_s + job["stop_timeout_s"] + (1.0 if number == signal.SIGKILL else 0.0)
        while time.monotonic() < deadline:
            status = _poll(launched.waiter)
            if status is not None:
                took_s = None if number == signal.SIGKILL else time.monotonic() - asked_s
                return {"exit_status": status, "stop_s": took_s, "was_killed": took_s is None}
            time.sleep(_FIRST_STEP_S if time.monotonic() - asked_s < 0.2 else _LAST_STEP_S)
    return {"exit_status": None, "stop_s": None, "was_killed": True}


def _kill(launched: Launched) -> None:
    """End whatever still runs. Killing process 1 of a namespace ends all of it."""
    if not launched.waiter:
        return
    with contextlib.suppress(ChildProcessError):
        if _poll(launched.waiter) is not None:
            return
        for pid in [*processes.family(launched.waiter), launched.waiter]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        _reap(launched.waiter, patience_s=2.0)


def _reap(waiter: int, *, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline and _poll(waiter) is None:
            time.sleep(_FIRST_STEP_S)


def _remove(group: cgroups.Group) -> None:
    """Remove the group, which may take the kernel a moment after its last process."""
    for _ in _attempts(0.5):
        group.remove()
        if not os.path.exists(group.folder):  # noqa: PTH110
            return


def _attempts(seconds: float) -> Iterator[None]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(_FIRST_STEP_S)


def _read_trace(place: str) -> str:
    with contextlib.suppress(OSError), open(f"{place}/trace", "rb") as file:  # noqa: PTH123
        return file.read(_MOST_TRACE_BYTES).decode(errors="replace")
    return ""
