"""Where ``mongodb+srv`` names lead, asked of a name server of this process."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside.contact.srv import Server, _records, locate, name_servers

Answer = Callable[[bytes], bytes | None]


@contextmanager
def name_server(answer: Answer) -> Iterator[list[Server]]:
    """Answer by UDP; by TCP the same without the mark that says it was cut."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    tcp = socket.create_server(udp.getsockname())

    def by_udp() -> None:
        with suppress(OSError):
            while True:
                asked, peer = udp.recvfrom(4096)
                if (said := answer(asked)) is not None:
                    udp.sendto(said, peer)

    def by_tcp() -> None:
        with suppress(OSError):
            while True:
                link, _ = tcp.accept()
                with link:
                    said = answer(link.recv(4096)[2:]) or b""
                    said = said[:2] + bytes([said[2] & ~2]) + said[3:]
                    link.sendall(struct.pack("!H", len(said)) + said)

    threads = [threading.Thread(target=each, daemon=True) for each in (by_udp, by_tcp)]
    for thread in threads:
        thread.start()
    try:
        yield [udp.getsockname()]
    finally:
        with suppress(OSError):
            tcp.shutdown(socket.SHUT_RDWR)
        udp.close()
        tcp.close()


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def answer_with(places: list[tuple[int, int, int, str]], text: str = "", flags: int = 0x8180) -> Answer:
    def answer(asked: bytes) -> bytes:
        is_srv = asked[-4:-2] == b"\0\x21"
        if is_srv:
            data = [struct.pack("!HHH", *place[:3]) + name(place[3]) for place in places]
        else:
            data = [bytes([len(text)]) + text.encode()] if text else []
        kind = 33 if is_srv else 16
        records = b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(each)) + each for each in data)
        return asked[:2] + struct.pack("!HHHHH", flags, 1, len(data), 0, 0) + asked[12:] + records

    return answer


def test_the_first_place_and_the_options_are_found() -> None:
    places = [(5, 1, 27019, "far.db.example.com"), (0, 1, 27018, "b.db.example.com"), (0, 9, 27017, "a.db.example.com")]
    with name_server(answer_with(places, "authSource=users&replicaSet=rs0")) as servers:
        found = locate("db.example.com", timeout_s=2, servers=servers)
    assert (found.host, found.port, found.options["authsource"]) == ("a.db.example.com", 27017, "users")


def test_an_answer_that_was_cut_is_asked_for_again() -> None:
    with name_server(answer_with([(0, 0, 1, "a.example.com")], flags=0x8380)) as servers:
        assert locate("db.example.com", timeout_s=2, servers=servers).host == "a.example.com"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        pytest.param(answer_with([]), "no SRV record", id="nothing there"),
        pytest.param(answer_with([(0, 0, 1, "evil.example.org")]), "own domain", id="leads elsewhere"),
        pytest.param(answer_with([], flags=0x8182), "it failed", id="server failure"),
        pytest.param(lambda asked: asked[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + b"\xc0\x0c" * 50, "garbage", id="a loop"),
        pytest.param(lambda asked: asked[:2] + b"\xff", "garbage", id="too short"),
        pytest.param(lambda asked: None, "did not answer", id="silence"),
        pytest.param(lambda asked: b"\0\0" + asked[2:], "did not answer", id="an answer to somebody else"),
    ],
)
def test_what_name_servers_may_say(answer: Answer, words: str) -> None:
    with name_server(answer) as servers, pytest.raises(LookupError, match=words):
        locate("db.example.com", timeout_s=0.5, servers=servers)


def test_the_first_of_two_name_servers_is_dead() -> None:
    with name_server(lambda _: None) as dead, name_server(answer_with([(0, 0, 1, "a.example.com")])) as alive:
        assert locate("db.example.com", timeout_s=1.5, servers=[*dead, *alive]).port == 1


@given(st.binary(max_size=300))
def test_any_answer_is_read_or_refused(data: bytes) -> None:
    with suppress(ValueError, IndexError, struct.error, OSError):
        _records(b"ab", b"ab" + data, 33)


def test_name_servers_are_those_of_the_file(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nsearch a b\nnameserver 192.0.2.1\nnameserver 2001:db8::1\noptions timeout:1\n")
    assert name_servers(file) == [("192.0.2.1", 53), ("2001:db8::1", 53)]
    assert name_servers(tmp_path / "absent") == [("127.0.0.1", 53)]
