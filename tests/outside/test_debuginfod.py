"""The debuginfod server: what debuggers ask for, and what it must not give or do."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fakes.debugging import build_id, debug_file, stripped
from proa.errors import NotWritable, RegistryUnreachable, WrongUsage
from proa.outside import elf
from proa.outside.debuginfod import _MOST_THREADS, Kind, Served, Server, address_of, serving

ID = build_id()


class Shelf:
    """What is served, and what was asked."""

    def __init__(self, folder: Path) -> None:
        self.files = {"debuginfo": folder / "hello.debug", "executable": folder / "hello"}
        self.files["debuginfo"].write_bytes(debug_file())
        self.files["executable"].write_bytes(stripped())
        self.asked: list[tuple[str, str]] = []
        self.logged: list[str] = []
        self.pause = threading.Event()
        self.pause.set()

    def find(self, kind: Kind, wanted: str) -> Served | None:
        self.asked.append((kind, wanted))
        self.pause.wait(20)
        if wanted == "dead" * 10:
            raise RegistryUnreachable("the registry is away")
        return Served(file=self.files[kind], name=self.files[kind].name, image="sha256:x") if wanted == ID else None


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def server(shelf: Shelf) -> Iterator[Server]:
    with serving("127.0.0.1", 0, find=shelf.find, log=shelf.logged.append) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        shelf.pause.set()
        running.shutdown()
        thread.join()


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    host, port = server.server_address[:2]
    with closing(http.client.HTTPConnection(str(host), port, timeout=20)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def test_files_are_served_with_the_headers_debuggers_know(server: Server, shelf: Shelf) -> None:
    status, headers, body = ask(server, f"/buildid/{ID}/debuginfo")
    assert (status, body) == (200, debug_file())
    assert headers["content-type"] == "application/octet-stream"
    assert headers["x-debuginfod-size"] == headers["content-length"] == str(len(debug_file()))
    assert (headers["x-debuginfod-file"], headers["x-debuginfod-archive"]) == ("hello.debug", "sha256:x")
    assert ask(server, f"/buildid/{ID}/executable")[2] == stripped()
    assert [line.rsplit(" ", 1)[1] for line in shelf.logged] == ["200", "200"]


def test_head_says_the_size_alone(server: Server) -> None:
    status, headers, body = ask(server, f"/buildid/{ID}/debuginfo", "HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(debug_file())), b"")


@pytest.mark.parametrize("name", [".debug_line", ".text"])
def test_a_section_is_served_from_the_file_that_has_it(server: Server, name: str) -> None:
    source = elf.read_elf(debug_file())
    section = source.section(name)
    assert section is not None
    assert ask(server, f"/buildid/{ID}/section/{name}")[2] == bytes(source.content(section))


@pytest.mark.parametrize("name", [".none", ".bss", "../../etc/passwd", "x" * 400])
def test_sections_that_are_not_there_are_not_found(server: Server, name: str) -> None:
    assert ask(server, f"/buildid/{ID}/section/{name}")[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/buildid/",
        f"/buildid/{ID}",
        f"/buildid/{ID}/source/etc/passwd",
        f"/buildid/{ID}/../../../etc/passwd",
        "/buildid/../../etc/passwd/debuginfo",
        "/buildid/..%2f..%2fetc%2fpasswd/debuginfo",
        "/buildid/%2e%2e/debuginfo",
        f"/buildid/{ID.upper()}/debuginfo",
        f"/buildid/{ID}x/debuginfo",
        f"/buildid/{'0' * 40}/debuginfo",
        "//etc/passwd",
    ],
)
def test_no_other_path_leads_anywhere(server: Server, shelf: Shelf, path: str) -> None:
    assert ask(server, path)[0] == 404
    assert all(wanted in (ID, "0" * 40) for _, wanted in shelf.asked)


@pytest.mark.parametrize(
    ("header", "status", "first", "end"),
    [("bytes=0-3", 206, 0, 4), ("bytes=-5", 206, -5, None), ("bytes=10-", 206, 10, None), ("bytes=a-b", 200, 0, None)],
)
def test_ranges(server: Server, header: str, status: int, first: int, end: int | None) -> None:
    got, _, body = ask(server, f"/buildid/{ID}/debuginfo", Range=header)
    assert (got, body) == (status, debug_file()[first:end])


def test_a_range_behind_the_end_is_refused(server: Server) -> None:
    status, headers, _ = ask(server, f"/buildid/{ID}/debuginfo", Range="bytes=99999999-")
    assert (status, headers["content-range"]) == (416, f"bytes */{len(debug_file())}")


def test_a_place_that_is_away_is_no_proof_of_absence(server: Server, shelf: Shelf) -> None:
    assert ask(server, f"/buildid/{'dead' * 10}/debuginfo")[0] == 502
    assert any("the registry is away" in line for line in shelf.logged)


def test_a_request_cannot_write_lines_of_its_own_into_the_log(server: Server, shelf: Shelf) -> None:
    with socket.create_connection(server.server_address[:2], timeout=20) as client:
        client.sendall(b"GET /\x1b[2J\x07 HTTP/1.0\r\n\r\n")
        assert b"404" in client.recv(100)
    assert all(line.isprintable() for line in shelf.logged)


def test_only_so_many_are_answered_at_once_and_the_rest_are_hung_up_on(server: Server, shelf: Shelf) -> None:
    shelf.pause.clear()
    clients = [socket.create_connection(server.server_address[:2], timeout=20) for _ in range(_MOST_THREADS + 3)]
    try:
        for client in clients:
            client.sendall(f"GET /buildid/{ID}/debuginfo HTTP/1.0\r\n\r\n".encode())
        deadline = time.monotonic() + 20
        while len(shelf.asked) < _MOST_THREADS or sum("too many" in line for line in shelf.logged) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert len(shelf.asked) == _MOST_THREADS
        shelf.pause.set()
        assert clients[0].recv(12) == b"HTTP/1.1 200"
    finally:
        for client in clients:
            client.close()
    assert ask(server, f"/buildid/{ID}/debuginfo")[0] == 200


def test_an_address_that_is_taken_is_named(server: Server, shelf: Shelf) -> None:
    host, port = server.server_address[:2]
    with pytest.raises(NotWritable, match=str(port)), serving(str(host), port, find=shelf.find, log=print):
        pass


@pytest.mark.parametrize("text", ["", "x", "127.0.0.1:", ":8002", "127.0.0.1:99999", "127.0.0.1:-1", "a:b"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WrongUsage):
        address_of(text)
