"""Requests and links, against a server on loopback."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside.visiting import Server, links_of, visit

PAGES = {
    "/": ("text/html", b'<a href="/one">1</a><a href="http://elsewhere.example/">no</a><form action="find"></form>'),
    "/one": ("text/html; charset=utf-8", b'<link href=/style.css><a href="/two">2</a><script src="s.js"></script>'),
    "/two": ("text/html", b'<a href="/three">too deep</a>'),
    "/three": ("text/html", b""),
    "/style.css": ("text/css", b'<a href="/not-a-page">'),
    "/broken": ("text/html", b"<![if !]><a href='/one"),
    "/many": ("text/html", b"".join(b'<a href="/m%d">' % number for number in range(500))),
}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/two")
            self.end_headers()
            return
        kind, body = PAGES.get(self.path, ("text/plain", b""))
        if "gzip" in self.headers["Accept-Encoding"]:
            body = gzip.compress(body)
        self.send_response(200 if self.path in PAGES else 404)
        self.send_header("Content-Type", kind)
        if "gzip" in self.headers["Accept-Encoding"]:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield Server("127.0.0.1", listening.server_port)
        listening.shutdown()
        thread.join()


def routes(server, *requests, most_links=50):
    found = visit([server], [(0, *one) for one in requests], most_links=most_links, timeout_s=10)
    return {f"{method} {route}": status for _, method, route, status in found}


def test_links_of_pages_are_followed_two_deep_and_each_once(server):
    found = routes(server, ("GET", "/"))

    assert found == {
        "GET /": 200, "GET /one": 200, "GET /find": 404, "GET /style.css": 200, "GET /two": 200, "GET /s.js": 404,
    }  # fmt: skip


def test_a_redirect_is_followed_and_a_broken_or_compressed_page_does_no_harm(server):
    assert routes(server, ("GET", "/moved")) == {"GET /moved": 302, "GET /two": 200, "GET /three": 200}
    assert routes(server, ("GET", "/broken"))["GET /broken"] == 200
    assert routes(server, ("GET gzip", "/"), ("GET", "/three"), most_links=0) == {"GET gzip /": 200, "GET /three": 200}


def test_there_are_never_more_requests_than_asked_for(server):
    assert len(routes(server, ("GET", "/many"), most_links=7)) == 8


def test_other_methods_are_sent_as_they_are(server):
    assert routes(server, ("OPTIONS", "/"), ("POST", "/"), most_links=0) == {"OPTIONS /": 501, "POST /": 501}


def test_a_port_that_does_not_answer_and_a_route_that_is_none_are_0():
    gone = Server("127.0.0.1", 1)

    assert visit([gone], [(0, "GET", "/"), (1, "GET", "/\r\nX: y"), (2, "GET", "/")], most_links=9, timeout_s=2) == [
        (1, "GET", "/", 0),
        (1, "GET", "/\r\nX: y", 0),
    ]


def test_a_server_that_never_ends_its_answer_is_left_in_time():
    class Drips(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            with contextlib.suppress(OSError):
                while not done.wait(0.01):
                    self.wfile.write(b"x")

        def log_message(self, *_):
            pass

    done = threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Drips) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        server = Server("127.0.0.1", listening.server_port)
        found = visit([server], [(0, "GET", "/"), (0, "GET", "/x")], most_links=0, timeout_s=0.3)
        done.set()
        listening.shutdown()
        thread.join()

    assert found == [(server.port, "GET", "/", 200)]


@given(st.lists(st.text(max_size=30)))
def test_whatever_links_say_only_routes_of_the_same_host_come_out(links):
    for route in links_of("http://127.0.0.1:80/a/b", links):
        assert route.startswith("/")
        assert route.isascii()
        assert not {"\n", "\r", " "} & set(route)
