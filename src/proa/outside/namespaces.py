"""The kernel's namespaces, by system call: entered, prepared, and a whole sandbox made of nothing else.

Standard library only: the prober imports this in an interpreter without site-packages. Everything raises
OSError, with the system call's name where the kernel gave no file.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import signal
import socket
import stat
import struct
from collections.abc import Sequence

from proa.outside.launchers import Sandbox

# Source: the kernel's uapi headers sched.h, mount.h, prctl.h, if.h, sockios.h.
NEWNS = 0x00020000
NEWCGROUP = 0x02000000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SLAVE = 32, 4096, 16384, 1 << 18, 1 << 19
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38
_PR_SET_CHILD_SUBREAPER = 36
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "loongarch64": 41, "ppc64le": 203, "s390x": 217}

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces named by ``flags`` for new ones."""
    _check(_libc.unshare(flags), "unshare")


def mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    """Mount ``source`` on ``target``."""
    pointer = data.encode() if data else None
    _check(
        _libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), pointer), f"mount {target}"
    )


def unmount(target: str) -> None:
    """Take away what is mounted on ``target``."""
    _check(_libc.umount2(target.encode(), _MNT_DETACH), f"umount {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show ``source`` at ``target`` as well."""
    mount(source, target, "none", _MS_BIND | _MS_REC)
    if read_only:
        mount("none", target, "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _mount_flags(target))


def _mount_flags(target: str) -> int:
    """Return the flags a remount has to keep: in a user namespace they are locked."""
    flags = os.statvfs(target).f_flag
    return flags & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC | os.ST_NOATIME | os.ST_RELATIME)


def die_with_parent(signal_number: int = signal.SIGKILL) -> None:
    """Ask the kernel to end this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0), "prctl")


def forbid_new_privileges() -> None:
    """Make set-uid bits and file capabilities void for this process and all it starts."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every process below that loses its own."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def become(uid: int, gid: int, groups: Sequence[int] = ()) -> None:
    """Drop to a numeric user for good."""
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    # Changing the user makes /proc/self belong to root, and the maps below could not be written.
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")


def map_users(inside_uid: int, inside_gid: int, outside_uid: int, outside_gid: int) -> None:
    """Give this process's new user namespace its one user and one group."""
    with contextlib.suppress(FileNotFoundError):
        _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{inside_uid} {outside_uid} 1")
    _write("/proc/self/gid_map", f"{inside_gid} {outside_gid} 1")


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


_MOST_USERS = 1 << 31


def enter_users(asking: int, granted: int) -> None:
    """Enter a user namespace in which this process has every capability, and users are who they were.

    Its parent, root of this machine, has to answer with ``grant_users``; each is given the other's end of a pipe.
    """
    unshare(NEWUSER)
    os.write(asking, b".")
    if os.read(granted, 1) != b".":
        raise OSError(errno.EPERM, "no users were granted")


def grant_users(pid: int, asked: int, granting: int) -> None:
    """Give a child's new user namespace all users of this one; see ``enter_users``."""
    if os.read(asked, 1) != b".":
        return
    for name in ("uid_map", "gid_map"):
        # A range has to lie within one of this namespace's own.
        ranges = [(one[0], min(one[2], _MOST_USERS)) for one in _map(name)]
        _write(f"/proc/{pid}/{name}", "\n".join(f"{first} {first} {count}" for first, count in ranges))
    os.write(granting, b".")


def has_many_users() -> bool:
    """Say whether this namespace has users beside its root, whom processes could become."""
    return sum(count for _, _, count in _map("uid_map")) > 1


def _map(name: str) -> list[tuple[int, int, int]]:
    """Return the ranges of ``uid_map`` or ``gid_map``: first inside, first outside, how many."""
    with open(f"/proc/self/{name}", encoding="ascii") as file:  # noqa: PTH123
        rows = [line.split() for line in file]
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows]


def lay_over(place: str, lower: str, *, kept_in: str = "") -> None:
    """Lay a folder that may be written over ``lower``, in the same place.

    What is written goes to ``kept_in``, otherwise to memory. Raises OSError where the kernel cannot do that.
    """
    folder = kept_in or f"{place}/written"
    if not kept_in:
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        mount("tmpfs", folder, "tmpfs", _MS_NODEV, "mode=755")
    for name in ("upper", "work"):
        os.mkdir(f"{folder}/{name}")  # noqa: PTH102
    # The merged root has the mode and owner of the upper folder.
    root = os.stat(lower)  # noqa: PTH116
    os.chmod(f"{folder}/upper", stat.S_IMODE(root.st_mode))  # noqa: PTH101
    os.chown(f"{folder}/upper", root.st_uid, root.st_gid)
    options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    # In a user namespace of its own it may only use attributes that users may set.
    mount("overlay", lower, "overlay", 0, options + ("" if is_owned_by_root() else ",userxattr"))


def leave_place(place: str) -> None:
    """See this machine's files again as they were before ``place`` was covered, and be oneself again.

    The network stays. For root nothing but the place changes; a user is no longer root of a namespace.
    """
    unshare(NEWNS)
    unmount(place)
    uid, outer = os.geteuid(), _outer_user()
    if uid == 0 and outer[0]:
        unshare(NEWUSER)
        map_users(outer[0], outer[1], 0, 0)


def _outer_user() -> tuple[int, int]:
    """Return who root of this user namespace is outside of it."""
    return _map("uid_map")[0][1], _map("gid_map")[0][1]


def enter(*, with_network: bool = True, mapped_by: Sequence[Sequence[str]] = ()) -> None:
    """Enter a new network and mount namespace, in a new user namespace unless root already may.

    The network has a loopback device that is up and nothing else. Ports below 1024 are free to every user, as
    docker (20.10) and containerd (2.0) make them. ``mapped_by`` are commands that give the user namespace more
    users than its own, the process to follow the first word. Raises OSError where the system forbids it.
    """
    flags = NEWNS | (NEWNET if with_network else 0)
    uid, gid = os.geteuid(), os.getegid()
    if (uid != 0 or not _may_unshare(flags)) and not _unshare_mapped(NEWUSER | flags, mapped_by):
        map_users(0, 0, uid, gid)
    mount("none", "/", "none", _MS_REC | _MS_PRIVATE)
    if with_network:
        raise_loopback()
        with contextlib.suppress(OSError):
            _write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")


def _unshare_mapped(flags: int, mapped_by: Sequence[Sequence[str]]) -> bool:
    """Enter a new user namespace and let the commands, run outside of it, map its users; False where none did."""
    if not mapped_by:
        unshare(flags)
        return False
    waits, goes = os.pipe()
    asker = os.getpid()
    mapper = os.fork()
    if mapper == 0:
        status = 1
        try:
            os.close(goes)
            os.read(waits, 1)
            children = (os.posix_spawn(one[0], [one[0], str(asker), *one[1:]], {}) for one in mapped_by)
            status = int(any(os.waitpid(child, 0)[1] for child in children))
        finally:
            os._exit(status)
    os.close(waits)
    try:
        unshare(flags)
    finally:
        os.close(goes)
        has_mapped = os.waitpid(mapper, 0)[1] == 0
    return has_mapped


def _may_unshare(flags: int) -> bool:
    try:
        unshare(flags)
    except PermissionError:
        # Root without its capabilities, as in a container.
        return False
    return True


def raise_loopback() -> None:
    """Bring up ``lo`` in this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh22x", b"lo", 0)
        flags = struct.unpack("16sh22x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | _IFF_UP))


def join_network(pid: int) -> None:
    """Enter the network namespace of another process."""
    descriptor = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(_libc.setns(descriptor, NEWNET), "setns")
    finally:
        os.close(descriptor)


def is_owned_by_root() -> bool:
    """Say whether this process is root of the machine's first user namespace, not of one of its own."""
    with open("/proc/self/uid_map", encoding="ascii") as file:  # noqa: PTH123 - pathlib costs the prober its start-up
        return os.geteuid() == 0 and file.read().split() == ["0", "0", "4294967295"]


# A sandbox made by this module alone


def spawn_confined(sandbox: Sandbox, *, output: int, join: Sequence[str] = ()) -> tuple[int, int, int, str]:
    """Start a program as process 1 of new namespaces over its own root folder.

    ``join`` are cgroup.procs files the program is put into. Returns the waiting process, the program, errno of its
    execve (0: it runs) and what failed. The first process exits as the program does, 128 + N for signal N.
    """
    told_read, told_write = os.pipe()
    waiter = os.fork()
    if waiter == 0:
        os.close(told_read)
        _wait_for_program(sandbox, output=output, join=join, told=told_write)
    os.close(told_write)
    told = b""
    while chunk := os.read(told_read, 4096):
        told += chunk
    os.close(told_read)
    fields = dict(line.split(b" ", 1) for line in told.splitlines() if b" " in line)
    number, _, what = fields.get(b"failed", b"0 ").decode(errors="replace").partition(" ")
    return waiter, int(fields.get(b"pid", b"0")), int(number), what


def _wait_for_program(sandbox: Sandbox, *, output: int, join: Sequence[str], told: int) -> None:
    """Be the process between prober and program; never returns."""
    status = 125
    try:
        os.setsid()
        for group in join:
            _write(group, "0")
        outside_uid, outside_gid = 0, 0
        if is_owned_by_root():
            become(sandbox.uid, sandbox.gid)
            outside_uid, outside_gid = sandbox.uid, sandbox.gid
        die_with_parent()
        unshare(NEWUSER | NEWNS | NEWPID | NEWIPC | NEWUTS)
        with contextlib.suppress(OSError):
            unshare(NEWCGROUP)
        map_users(sandbox.uid, sandbox.gid, outside_uid, outside_gid)
        program = os.fork()
        if program == 0:
            _become_program(sandbox, output=output, told=told)
        os.write(told, b"pid %d\n" % program)
        os.close(told)
        _, wait_status = os.waitpid(program, 0)
        status = os.waitstatus_to_exitcode(wait_status)
        status = 128 - status if status < 0 else status
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(told, f"failed {error.errno or 0} sandbox {error.strerror}\n".encode())
    finally:
        os._exit(status)


def _become_program(sandbox: Sandbox, *, output: int, told: int) -> None:
    """Build the file system, drop everything and become the program; never returns."""
    stage = "sandbox"
    try:
        die_with_parent()
        overlays = [*([("/sys", "/sys")] if sandbox.has_sys else []), *sandbox.overlays]
        _build_root(sandbox.root, sandbox.tmp, overlays)
        os.chdir(sandbox.directory)
        os.setsid()
        take_output(output)
        for capability in range(64):
            if _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) < 0:
                break
        forbid_new_privileges()
        stage = "exec"
        os.execve(sandbox.argv[0], list(sandbox.argv), dict(sandbox.environment))  # noqa: S606 - no shell is wanted
    except OSError as error:
        with contextlib.suppress(OSError):
            os.write(told, f"failed {error.errno or 0} {stage} {error.strerror}\n".encode())
    finally:
        os._exit(127)


def take_output(output: int) -> None:
    """Make ``output`` this process's standard output and error, close its input, and forget Python's signals."""
    null = os.open("/dev/null", os.O_RDONLY)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)


def _build_root(root: str, tmp: str, overlays: Sequence[tuple[str, str]]) -> None:
    mount("none", "/", "none", _MS_REC | _MS_SLAVE)
    bind(root, root)
    os.chdir(root)
    mount("proc", f"{root}/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _build_dev(f"{root}/dev")
    mount("tmpfs", root + tmp, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")
    for source, target in overlays:
        bind(source, root + target, read_only=True)
    # pivot_root(".", ".") stacks the old root over the new one, so no folder is needed for it.
    # Source: pivot_root(2), notes.
    _check(_libc.syscall(_PIVOT_ROOT.get(os.uname().machine, -1), b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
    mount("none", "/", "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _mount_flags("/"))


def _build_dev(dev: str) -> None:
    mount("tmpfs", dev, "tmpfs", _MS_NOSUID, "mode=755")
    for name in ("null", "zero", "full", "random", "urandom", "tty"):
        os.mknod(f"{dev}/{name}", stat.S_IFREG | 0o666)
        mount(f"/dev/{name}", f"{dev}/{name}", "none", _MS_BIND)
    for name, target in (("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(f"/proc/self/{target}", f"{dev}/{name}")  # noqa: PTH211
    os.mkdir(f"{dev}/shm")  # noqa: PTH102
    mount("tmpfs", f"{dev}/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")
    mount("none", dev, "none", _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _mount_flags(dev))
