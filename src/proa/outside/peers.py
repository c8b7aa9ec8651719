"""Neighbours for a program that has none: a name server and a TLS peer inside its own network.

The name server notes every name it is asked for and answers each with an address of its own, where nothing
listens: a program that needs db:5432 is refused there, and its words can be read with the name it meant.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

_NO_SUCH_NAME = 3
_TYPE_A, _TYPE_PTR = 1, 12
_MOST_NAMES = 250


class NameServer:
    """A name server on 127.0.0.1:53 of the current network namespace. Raises OSError where the port is taken."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        """Names asked for, and the address each one was given."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))

    def start(self) -> None:
        """Answer from now on, in a thread of its own."""
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            with contextlib.suppress(OSError, ValueError, struct.error, IndexError):
                question, sender = self._socket.recvfrom(4096)
                self._socket.sendto(self.reply(question), sender)

    def reply(self, question: bytes) -> bytes:
        """Return the answer to one datagram and note the name. Source: RFC 1035 section 4."""
        name, end = parse_name(question)
        (kind,) = struct.unpack_from("!H", question, end)
        known = self._note(name) if kind != _TYPE_PTR else ""
        code = 0 if known else _NO_SUCH_NAME
        answers = b""
        if code == 0 and kind == _TYPE_A:
            answers = b"\xc0\x0c" + struct.pack("!HHIH", _TYPE_A, 1, 1, 4) + socket.inet_aton(known)
        head = question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, bool(answers), 0, 0)
        return head + question[12 : end + 4] + answers

    def _note(self, name: str) -> str:
        if name not in self.names and len(self.names) < _MOST_NAMES:
            self.names[name] = f"127.0.1.{len(self.names) + 1}"
        return self.names.get(name, "")


def parse_name(question: bytes) -> tuple[str, int]:
    r"""Return the name in a question and the offset behind it. Raises IndexError, ValueError.

    >>> parse_name(b"\0" * 12 + b"\2db\5local\0" + b"\0\1\0\1")
    ('db.local', 22)
    """
    place, labels = 12, []
    while length := question[place]:
        if length > 63:
            raise ValueError("a question has no compressed names")
        labels.append(question[place + 1 : place + 1 + length].decode("ascii", "replace"))
        place += 1 + length
    return ".".join(labels).lower(), place + 1


class TlsPeer:
    """A TLS listener on port 443 of every loopback address, with a certificate nobody signed.

    A program looks for CA certificates only when a peer shows it one.
    """

    def __init__(self, certificate: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("0.0.0.0", 443))  # noqa: S104 - a network namespace with loopback alone
        self._socket.listen(64)
        self._certificate = certificate

    def start(self) -> None:
        """Shake hands from now on, in a thread of its own."""
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._certificate)

        def serve() -> None:
            while True:
                with contextlib.suppress(OSError):
                    link, _ = self._socket.accept()
                    with link:
                        link.settimeout(0.5)
                        context.wrap_socket(link, server_side=True).close()

        threading.Thread(target=serve, daemon=True).start()
