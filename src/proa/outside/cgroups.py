"""A memory limit by control group, where this process may make one: version 1 or 2.

Standard library only. A group is named after the process that made it; one left behind by a killed prober is
removed by the next.
"""

from __future__ import annotations

import contextlib
import os

_PREFIX = "proa-trial-"


class Group:
    """One control group with a memory limit."""

    def __init__(self, folder: str, *, version: int) -> None:
        self.folder = folder
        self.version = version
        self.members = f"{folder}/cgroup.procs"

    def was_exceeded(self) -> bool:
        """Say whether the kernel killed something in it for its memory."""
        name = "memory.oom_control" if self.version == 1 else "memory.events"
        counts = dict(line.split(None, 1) for line in _read(f"{self.folder}/{name}").splitlines() if " " in line)
        return int(counts.get("oom_kill", "0")) > 0

    def remove(self) -> None:
        """Remove it; what is still in it keeps it."""
        with contextlib.suppress(OSError):
            os.rmdir(self.folder)  # noqa: PTH106 - pathlib costs the prober its start-up


def parse_memory_folder(mountinfo: str, membership: str) -> tuple[str, int]:
    """Return the folder of this process's own memory group and its version; ("", 0) where there is none.

    Takes the texts of ``/proc/self/mountinfo`` and ``/proc/self/cgroup``. Source: cgroups(7), proc(5).

    >>> parse_memory_folder("41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw", "0::/user.slice")
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
        if kind[0] == "cgroup" and "memory" in kind[-1].split(","):
            return _below(fields[4], fields[3], next((p for n, p in paths.items() if "memory" in n.split(",")), "/")), 1
        if kind[0] == "cgroup2":
            unified = _below(fields[4], fields[3], paths.get("2", "/"))
    return (unified, 2) if unified else ("", 0)


def _below(mount_point: str, mount_root: str, path: str) -> str:
    inner = path.removeprefix(mount_root.rstrip("/")) if path.startswith(mount_root) else ""
    return (mount_point + "/" + inner.strip("/")).rstrip("/")


def make_group(limit_bytes: int) -> Group | None:
    """Make a group with this limit below this process's own; None where that is not allowed."""
    folder, version = parse_memory_folder(_read("/proc/self/mountinfo"), _read("/proc/self/cgroup"))
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
    return group


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
