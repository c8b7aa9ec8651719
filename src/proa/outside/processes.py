"""What /proc says of a family of processes: who belongs to it, its memory, the ports it listens on.

Standard library only, and cheap: the prober asks a thousand times a second.
"""

from __future__ import annotations

import contextlib
import os
import socket
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


def listeners(pid: int | str = "self") -> list[Listener]:
    """Return every socket that listens in a process's network namespace, TCP first."""
    found = []
    for name in ("tcp", "tcp6", "udp", "udp6"):
        found += parse_sockets(_read(f"/proc/{pid}/net/{name}"), protocol=name[:3])
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
