"""Limits of memory and processor time by control group, where this process may make one: version 1 or 2.

Standard library only. A group is named after the process that made it; one left behind by a killed prober is
removed by the next.
"""

from __future__ import annotations

import contextlib
import os

_PREFIX = "proa-trial-"
_PERIOD_US = 100_000
"""Of the processor's quota. Source: the kernel's default, Documentation/scheduler/sched-bwc.rst."""


class Group:
    """One control group with a memory limit, and maybe one of processor time."""

    def __init__(self, folder: str, *, version: int, cpu_folder: str = "") -> None:
        self.folder = folder
        self.version = version
        self.cpu_folder = cpu_folder
        """Where the processor's limit is; empty where there is none."""

    def join(self) -> None:
        """Put the calling process into it. Raises OSError."""
        for members in self.members:
            _write(members, "0")

    @property
    def members(self) -> list[str]:
        """Return the files a process is put into it by."""
        return [f"{folder}/cgroup.procs" for folder in dict.fromkeys((self.folder, self.cpu_folder)) if folder]

    def was_exceeded(self) -> bool:
        """Say whether the kernel killed something in it for its memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        counts = dict(line.split(None, 1) for line in _read(f"{self.folder}/{name}").splitlines() if " " in line)
        return int(counts.get("oom_kill", "0")) > 0

    def remove(self) -> None:
        """Remove it; what is still in it keeps it."""
        for folder in dict.fromkeys((self.cpu_folder, self.folder)):
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # noqa: PTH106 - pathlib costs the prober its start-up


def parse_folder(mountinfo: str, membership: str, controller: str = "memory") -> tuple[str, int]:
    """Return the folder of this process's own group of a controller and its version; ("", 0) where there is none.

    Takes the texts of ``/proc/self/mountinfo`` and ``/proc/self/cgroup``. Source: cgroups(7), proc(5).

    >>> parse_folder("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/user.slice")
    ('/sys/fs/cgroup/user.slice', 2)
    """
    paths = {}
    for line in membership.splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        paths["2" if number == "0" else names] = path
    unified = ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if len(fields) < 5 or not kind:
            continue
        if kind[0] == "cgroup" and controller in kind[-1].split(","):
            return _below(
                fields[4], fields[3], next((p for n, p in paths.items() if controller in n.split(",")), "/")
            ), 1
        if kind[0] == "cgroup2":
            unified = _below(fields[4], fields[3], paths.get("2", "/"))
    return (unified, 2) if unified else ("", 0)


def _below(mount_point: str, mount_root: str, path: str) -> str:
    inner = path.removeprefix(mount_root.rstrip("/")) if path.startswith(mount_root) else ""
    return (mount_point + "/" + inner.strip("/")).rstrip("/")


def make_group(limit_bytes: int, cpus: float = 0.0) -> Group | None:
    """Make a group with these limits below this process's own; None where that is not allowed.

    ``cpus`` 0 is no limit; where it cannot be set, the group has no ``cpu_folder``.
    """
    folder, version = parse_folder(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"))
    if not folder:
        return None
    if version == 2:
        folder = _delegating(folder)
    _sweep(folder)
    group = Group(f"{folder}/{_PREFIX}{os.getpid()}", version=version)
    try:
        os.mkdir(group.folder)  # noqa: PTH102
        name = "memory.limit_in_bytes" if version == 1 else "memory.max"
        _write(f"{group.folder}/{name}", str(limit_bytes))
        if version == 2:
            _write(f"{group.folder}/memory.oom.group", "1")
            with contextlib.suppress(OSError):
                _write(f"{group.folder}/memory.swap.max", "0")
    except OSError:
        group.remove()
        return None
    if cpus:
        group.cpu_folder = _limit_cpus(group, cpus)
    return group


def _limit_cpus(group: Group, cpus: float) -> str:
    """Return the folder in which processor time is limited now, empty where that is not allowed."""
    quota_us = max(1000, round(cpus * _PERIOD_US))
    folder, version = parse_folder(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"), "cpu")
    if version == 2:
        folder = group.folder
        files = {"cpu.max": f"{quota_us} {_PERIOD_US}"}
    else:
        folder = f"{folder}/{_PREFIX}{os.getpid()}" if folder else ""
        files = {"cpu.cfs_period_us": str(_PERIOD_US), "cpu.cfs_quota_us": str(quota_us)}
    if not folder:
        return ""
    try:
        if version == 1:
            _sweep(folder.rpartition("/")[0])
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        for name, text in files.items():
            _write(f"{folder}/{name}", text)
    except OSError:
        if version == 1:
            Group(folder, version=1).remove()
        return ""
    return folder


def remove_all(name: str) -> bool:
    """Remove the groups a runtime made under this name: in every hierarchy, at its root and below our own group.

    False where one is still there: the kernel takes a moment after its last process.
    """
    are_gone = True
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        for hierarchy in (controllers.removeprefix("name="), "unified", "."):
            for parent in ("", path.rstrip("/")):
                group = Group(f"/sys/fs/cgroup/{hierarchy}{parent}/{name}", version=0)
                group.remove()
                are_gone = are_gone and not os.path.exists(group.folder)  # noqa: PTH110
    return are_gone


def _delegating(folder: str) -> str:
    """Return the nearest group above that hands the memory controller down: one with processes may not."""
    while folder.startswith("/sys/fs/cgroup") and "memory" not in _read(f"{folder}/cgroup.subtree_control").split():
        folder = folder.rpartition("/")[0]
    return folder


def _sweep(folder: str) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            maker = name.removeprefix(_PREFIX)
            if name != maker and maker.isdigit() and not os.path.exists(f"/proc/{maker}"):  # noqa: PTH110
                Group(f"{folder}/{name}", version=0).remove()


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
        return file.read()
    return ""


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)
