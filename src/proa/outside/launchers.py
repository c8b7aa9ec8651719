"""What each engine is told, so that one and the same sandbox comes out. Pure; standard library only.

Every engine shares the network namespace it is started in, which is the prober's own and empty, so that the
prober can ask the program without entering anything.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple


class Sandbox(NamedTuple):
    """One program in one folder under limits."""

    root: str
    """The unpacked image, reachable for the user below."""
    argv: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    directory: str
    uid: int
    gid: int
    tmp: str = "/tmp"  # noqa: S108 - the path inside
    overlays: tuple[tuple[str, str], ...] = ()
    """(File outside, path inside), read-only."""
    memory_bytes: int = 0
    as_image: bool = False
    """As a container runtime runs it: a root it may write, its own /tmp, root's usual capabilities."""
    groups: tuple[int, ...] = ()
    has_users: bool = False
    """The user namespace it is started in has all users already."""

    @property
    def has_sys(self) -> bool:
        """Say whether there is a folder for /sys, which every container runtime mounts read-only."""
        # pathlib costs the prober 3 ms of its start-up (measured).
        place = os.path.join(self.root, "sys")  # noqa: PTH118
        return os.path.isdir(place) and not os.path.islink(place) and os.path.isdir("/sys")  # noqa: PTH112, PTH114


CAPABILITIES = ("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID",
                "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT")  # fmt: skip
"""What root may in a container, of its own user namespace alone. Source: containerd's and docker's default set,
without those that mean nothing there (MKNOD, AUDIT_WRITE, SETFCAP) and NET_RAW."""


_READ_ONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/acpi",
    "/proc/scsi",
)
"""What root could change of the whole machine without any capability, since the kernel goes by the user alone there.
Source: docker's readonlyPaths and maskedPaths."""


def bubblewrap_arguments(sandbox: Sandbox, *, status_fd: int) -> bytes:
    """Return the options of bubblewrap for its ``--args`` descriptor, so that no value shows in a process list.

    The program is process 1, as in any container: signals without a handler do not end it, orphans come to it,
    and everything ends with it.
    """
    options = _as_image(sandbox) if sandbox.as_image else _under_limits(sandbox)
    options += ["--chdir", sandbox.directory]
    options += ["--as-pid-1", "--die-with-parent", "--new-session", "--json-status-fd", str(status_fd), "--clearenv"]
    for name, value in sandbox.environment:
        options += ["--setenv", name, value]
    return b"".join(option.encode("utf-8", "surrogateescape") + b"\0" for option in options)


def _as_image(sandbox: Sandbox) -> list[str]:
    """Return what makes a sandbox that is like docker's without options."""
    options = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "proa-trial"]
    if not sandbox.has_users:
        options += ["--unshare-user", "--uid", str(sandbox.uid), "--gid", str(sandbox.gid)]
    options += ["--cap-drop", "ALL"]
    for capability in CAPABILITIES if sandbox.uid == 0 else ():
        options += ["--cap-add", capability]
    options += ["--bind", sandbox.root, "/", "--proc", "/proc", "--dev", "/dev"]
    for path in _READ_ONLY_PATHS:
        options += ["--ro-bind-try", path, path]
    options += ["--tmpfs", "/dev/shm", "--chmod", "1777", "/dev/shm"]  # noqa: S108 - the path inside
    options += ["--ro-bind", "/sys", "/sys"] if sandbox.has_sys else []
    for source, target in sandbox.overlays:
        options += ["--bind", source, target]
    return options


def _under_limits(sandbox: Sandbox) -> list[str]:
    options = ["--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"]
    options += ["--uid", str(sandbox.uid), "--gid", str(sandbox.gid), "--cap-drop", "ALL"]
    options += ["--ro-bind", sandbox.root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", sandbox.tmp]
    options += ["--chmod", "1777", sandbox.tmp]
    options += ["--ro-bind", "/sys", "/sys"] if sandbox.has_sys else []
    for source, target in sandbox.overlays:
        options += ["--ro-bind", source, target]
    return [*options, "--remount-ro", "/dev", "--remount-ro", "/"]


def runtime_configuration(sandbox: Sandbox, *, cgroup: str = "") -> dict[str, Any]:
    """Return config.json of an OCI bundle. Source: the OCI runtime specification 1.0, config.md and config-linux.md."""
    plain = ["nosuid", "noexec", "nodev"]
    mounts = [
        _mount("/proc", "proc", "proc", plain),
        _mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount("/dev/shm", "tmpfs", "shm", [*plain, "mode=1777", "size=65536k"]),  # noqa: S108
        _mount(sandbox.tmp, "tmpfs", "tmpfs", ["nosuid", "nodev", "mode=1777"]),
        *([_mount("/sys", "bind", "/sys", ["rbind", "ro", *plain])] if sandbox.has_sys else []),
        *(_mount(target, "bind", source, ["bind", "ro"]) for source, target in sandbox.overlays),
    ]
    linux: dict[str, Any] = {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]}
    if cgroup:
        linux["cgroupsPath"] = cgroup
    if sandbox.memory_bytes:
        linux["resources"] = {"memory": {"limit": sandbox.memory_bytes}}
    return {
        "ociVersion": "1.0.2",
        "hostname": "proa-trial",
        "root": {"path": sandbox.root, "readonly": True},
        "process": {
            "terminal": False,
            "user": {"uid": sandbox.uid, "gid": sandbox.gid},
            "args": list(sandbox.argv),
            "env": [f"{name}={value}" for name, value in sandbox.environment],
            "cwd": sandbox.directory,
            "noNewPrivileges": True,
            "capabilities": {kind: [] for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")},
        },
        "mounts": mounts,
        "linux": linux,
    }


def _mount(target: str, kind: str, source: str, options: Sequence[str]) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}
