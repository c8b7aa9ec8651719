"""The two questions that the system's resolver has no function for: SRV, and the TXT beside it.

Source: RFC 1035, section 4 (messages), RFC 2782 (SRV), and for what ``mongodb+srv`` makes of them
https://github.com/mongodb/specifications/blob/master/source/initial-dns-seedlist-discovery/.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

_SRV, _TXT = 33, 16
_MOST_JUMPS = 20
_MOST_RECORDS = 200
_NO_SUCH_NAME = 3
Server = tuple[str, int]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Where a ``mongodb+srv`` name leads."""

    host: str
    port: int
    options: dict[str, str] = {}


def locate(host: str, *, timeout_s: float, servers: Sequence[Server] = ()) -> Found:
    """Return the first host of a name, and the options beside it. Raises LookupError, in words."""
    resolvers = servers or name_servers(Path("/etc/resolv.conf"))
    deadline = time.monotonic() + timeout_s
    name = f"_mongodb._tcp.{host}"
    found = sorted(_places(_ask(name, _SRV, resolvers, deadline)))
    if not found:
        raise LookupError(f"{name} has no SRV record")
    _, _, port, place = found[0]
    home = host.split(".", 1)[1] if host.count(".") > 1 else host
    if not place.lower().endswith("." + home.lower()):
        raise LookupError(f"{name} leads out of its own domain, to {place}: drivers refuse that")
    texts = _ask(host, _TXT, resolvers, deadline)
    options = dict(parse_qsl("".join(_joined(data) for data in texts[:1])))
    return Found(host=place, port=port, options={key.lower(): text for key, text in options.items()})


def name_servers(file: Path) -> list[Server]:
    """Return the name servers of a resolv.conf; this machine's own where it names none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    words = [line.split() for line in lines]
    return [(each[1], 53) for each in words if len(each) > 1 and each[0] == "nameserver"][:3] or [("127.0.0.1", 53)]


def _ask(name: str, kind: int, servers: Sequence[Server], deadline: float) -> list[bytes]:
    """Return the data of the records of one kind, names in it written out. Raises LookupError."""
    question = _question(name, kind)
    why = "no name server answered"
    for at, server in enumerate(servers):
        share_s = (deadline - time.monotonic()) / (len(servers) - at)
        if share_s <= 0:
            break
        try:
            answer = _exchange(question, server, share_s)
            return _records(question, answer, kind)
        except TimeoutError:
            why = f"the name server {server[0]} did not answer"
        except OSError as error:
            why = f"the name server {server[0]} cannot be asked: {error.strerror or error}"
        except (ValueError, IndexError, struct.error):
            why = f"the name server {server[0]} answers garbage"
    raise LookupError(f"{name} is not found: {why}")


def _question(name: str, kind: int) -> bytes:
    labels = [label.encode("idna") if not label.isascii() else label.encode() for label in name.split(".") if label]
    if any(len(label) > 63 for label in labels) or len(name) > 253:
        raise LookupError(f"{name} is no name")
    words = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    return secrets.token_bytes(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, 0) + words + struct.pack("!HH", kind, 1)


def _exchange(question: bytes, server: Server, timeout_s: float) -> bytes:
    """Ask by UDP, and by TCP where the answer was too long for it."""
    family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
    end = time.monotonic() + timeout_s
    with socket.socket(family, socket.SOCK_DGRAM) as link:
        link.connect(server)
        link.send(question)
        while True:
            link.settimeout(max(end - time.monotonic(), 0.001))
            answer = link.recv(4096)
            if answer[:2] == question[:2]:
                break
    if len(answer) > 3 and not answer[2] & 2:
        return answer
    with socket.create_connection(server, timeout=max(end - time.monotonic(), 0.001)) as stream:
        stream.sendall(struct.pack("!H", len(question)) + question)
        data = b""
        while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
            stream.settimeout(max(end - time.monotonic(), 0.001))
            if not (more := stream.recv(65536)):
                raise ValueError("it hung up")
            data += more
    return data[2:]


def _records(question: bytes, answer: bytes, kind: int) -> list[bytes]:
    flags, asked, count = struct.unpack_from("!HHH", answer, 2)
    if answer[:2] != question[:2] or not flags & 0x8000 or asked != 1 or count > _MOST_RECORDS:
        raise ValueError("no answer")
    if (flags & 15) not in (0, _NO_SUCH_NAME):
        raise OSError(f"it failed (code {flags & 15})")
    _, at = _name(answer, 12)
    at += 4
    found: list[bytes] = []
    for _ in range(count):
        _, at = _name(answer, at)
        of, _, _, size = struct.unpack_from("!HHIH", answer, at)
        at += 10
        if at + size > len(answer):
            raise ValueError("it breaks off")
        if of == kind:
            data = answer[at : at + size]
            if kind == _SRV:
                # The name in it may point to an earlier place of the answer.
                data = data[:6] + _name(answer, at + 6)[0].encode()
            found.append(data)
        at += size
    return found


def _name(answer: bytes, at: int) -> tuple[str, int]:
    """Return a name, and where what follows it begins."""
    labels: list[str] = []
    after = -1
    for _ in range(_MOST_JUMPS + 128):
        size = answer[at]
        if size >= 0xC0:
            after = at + 2 if after < 0 else after
            at = int.from_bytes(answer[at : at + 2], "big") & 0x3FFF
            continue
        at += 1
        if not size:
            return ".".join(labels), at if after < 0 else after
        if size > 63 or sum(map(len, labels)) > 255:
            break
        labels.append(answer[at : at + size].decode("ascii", "replace"))
        at += size
    raise ValueError("no name")


def _places(records: list[bytes]) -> list[tuple[int, int, int, str]]:
    """Return priority, weight (the heaviest first), port and host of each."""
    found = []
    for data in records:
        priority, weight, port = struct.unpack_from("!HHH", data)
        found.append((priority, -weight, port, data[6:].decode("ascii", "replace")))
    return found


def _joined(data: bytes) -> str:
    texts, at = [], 0
    while at < len(data):
        texts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(texts).decode("utf-8", "replace")
