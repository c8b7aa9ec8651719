"""What /proc says of a family of processes: who belongs to it, its memory, the ports it listens on.

Standard library only, and cheap: the prober asks a thousand times a second.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import NamedTuple

_TCP_LISTEN = "0A"
_UDP_UNCONNECTED = "07"
# Source: net.ipv4.ip_local_port_range, default; a UDP socket above is a client's.
_FIRST_EPHEMERAL = 32768


class Listener(NamedTuple):
    """A listening socket."""

    address: str
    port: int
    inode: int
    protocol: str = "tcp"


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib is slow to import
        return file.read()
    return ""


def parse_sockets(table: str, *, protocol: str = "tcp") -> list[Listener]:
    r"""Return the listening sockets in the text of ``/proc/PID/net/{tcp,tcp6,udp,udp6}``.

    Source: Documentation/networking/proc_net_tcp.rst; addresses are 32-bit words in host order.

    >>> parse_sockets("head\n 0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 77 1\n")
    [Listener(address='127.0.0.1', port=8080, inode=77, protocol='tcp')]
    """
    wanted = _TCP_LISTEN if protocol == "tcp" else _UDP_UNCONNECTED
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 10 or fields[3] != wanted:
            continue
        address, _, port = fields[1].partition(":")
        number = int(port, 16)
        if protocol == "udp" and (number >= _FIRST_EPHEMERAL or not fields[2].endswith(":0000")):
            continue
        found.append(Listener(_address(address), number, int(fields[9]), protocol))
    return found


def _address(hexadecimal: str) -> str:
    raw = bytes.fromhex(hexadecimal)
    words = [raw[place : place + 4] for place in range(0, len(raw), 4)]
    packed = b"".join(word[::-1] for word in words) if sys.byteorder == "little" else raw
    return socket.inet_ntop(socket.AF_INET if len(packed) == 4 else socket.AF_INET6, packed)


def listeners() -> list[Listener]:
    """Return every socket that listens in this process's network namespace, TCP first.

    The kernel is asked by netlink: reading /proc/net/tcp walks a table of all connections of the machine, which
    takes milliseconds (measured: 7.7 ms against 0.2 ms).
    """
    try:
        found = [one for kind in (socket.AF_INET, socket.AF_INET6) for one in parse_diag(_dump(kind))]
    except OSError:
        found = [one for name in ("tcp", "tcp6") for one in parse_sockets(_read(f"/proc/self/net/{name}"))]
    for name in ("udp", "udp6"):
        found += parse_sockets(_read(f"/proc/self/net/{name}"), protocol="udp")
    return found


_SOCK_DIAG, _BY_FAMILY, _DUMP_REQUEST, _LISTEN_ONLY = 4, 20, 0x301, 1 << 10
_DONE, _ERROR = 3, 2


def _dump(kind: int) -> bytes:
    """Ask for all listening TCP sockets of one address family. Source: sock_diag(7)."""
    head = struct.pack("=IHHII", 72, _BY_FAMILY, _DUMP_REQUEST, 1, 0)
    request = head + struct.pack("=BBBBI48x", kind, socket.IPPROTO_TCP, 0, 0, _LISTEN_ONLY)
    received = b""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as link:
        link.settimeout(1.0)
        link.send(request)
        while True:
            part = link.recv(1 << 16)
            received += part
            kinds = [message[0] for message in _messages(part)]
            if _ERROR in kinds:
                raise OSError(errno.EPROTO, "sock_diag refused")
            if _DONE in kinds or not part:
                return received


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 16 <= len(data):
        length, kind = struct.unpack_from("=IH", data, place)
        if length < 16:
            return
        yield kind, data[place + 16 : place + length]
        place += (length + 3) & ~3


def parse_diag(data: bytes) -> list[Listener]:
    """Return the listening sockets in the answer of sock_diag. Source: linux/inet_diag.h, inet_diag_msg."""
    found = []
    for kind, body in _messages(data):
        if kind != _BY_FAMILY or len(body) < 72:
            continue
        (port,) = struct.unpack_from("!H", body, 4)
        (inode,) = struct.unpack_from("=I", body, 68)
        size = 4 if body[0] == socket.AF_INET else 16
        found.append(Listener(socket.inet_ntop(socket.AddressFamily(body[0]), body[8 : 8 + size]), port, inode))
    return found


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue += _children(one)
    return found


def _children(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - called a thousand times a second
            yield from map(int, _read(f"/proc/{pid}/task/{thread}/children").split())


def is_alive(pid: int) -> bool:
    """Say whether a process is there and no zombie."""
    state = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return bool(state) and state[0] not in ("Z", "X")


def socket_inodes(pids: list[int]) -> set[int]:
    """Return the inodes of the sockets these processes hold open."""
    found = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{pid}/fd"):  # noqa: PTH208
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/{pid}/fd/{name}")  # noqa: PTH115
                    if target.startswith("socket:["):
                        found.add(int(target[8:-1]))
    return found


def memory(pid: int) -> tuple[int, int]:
    """Return a process's memory in bytes, now (VmRSS) and at its peak (VmHWM); zeros where it is gone."""
    return parse_memory(_read(f"/proc/{pid}/status"))


_TICKS = os.sysconf("SC_CLK_TCK")


def processor_seconds(pid: int) -> float:
    """Return the processor time a process has used, threads that ended included; 0 where it is gone."""
    # The name in parentheses may hold anything. Source: proc(5), /proc/pid/stat, fields 14 and 15.
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else 0.0


def page_faults(pids: list[int]) -> int:
    """Return how many page faults, minor and major, these processes had since each was forked."""
    return sum(parse_faults(_read(f"/proc/{pid}/stat")) for pid in pids)


def parse_faults(stat: str) -> int:
    """Return minor and major faults from the text of ``/proc/PID/stat``; 0 where the process is gone.

    >>> parse_faults("7 (a b) c) S 1 7 7 0 -1 0 100 5 3 0 0 0")
    103
    """
    fields = stat.rpartition(")")[2].split()
    return sum(int(fields[at]) for at in (7, 9) if len(fields) > 9 and fields[at].isdecimal())


def parse_memory(status: str) -> tuple[int, int]:
    r"""Return VmRSS and VmHWM in bytes from the text of ``/proc/PID/status``.

    >>> parse_memory("Name:\tx\nVmHWM:\t    1024 kB\nVmRSS:\t     512 kB\n")
    (524288, 1048576)
    """
    now = peak = 0
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            now = int(line.split()[1]) << 10
        elif line.startswith("VmHWM:"):
            peak = int(line.split()[1]) << 10
    return now, peak
