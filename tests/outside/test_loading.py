"""A bounded load on a server of every kind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside import machine_facts, processes
from proa.outside.loading import ends, length_of, load

ASKED = {"connections": 2, "seconds": 0.15, "rest_s": 0.0}


@contextmanager
def serving(answer, *, protocol="HTTP/1.1") -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = protocol

        def do_GET(self):
            answer(self)

        def log_message(self, *_words):
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_words):
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def plain(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "5")
    handler.end_headers()
    handler.wfile.write(b"hello")


def chunked(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"5\r\nhello\r\n0\r\n\r\n")


def until_closed(handler):
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"hello")


@pytest.mark.parametrize(
    ("answer", "protocol"),
    [(plain, "HTTP/1.1"), (chunked, "HTTP/1.1"), (until_closed, "HTTP/1.0"), (plain, "HTTP/1.0")],
)
def test_a_server_is_loaded_however_it_ends_its_answers(answer, protocol):
    with serving(answer, protocol=protocol) as port:
        done = load(ASKED, [[port, "/", "http", 200]])

    assert done["requests_per_s"] > 20
    assert 0 < done["p50_s"] <= done["p99_s"] < 1
    assert done["load_failed"] == 0


def test_a_server_that_answers_errors_has_no_figures():
    def broken(handler):
        handler.send_response(503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with serving(broken) as port:
        done = load(ASKED, [[port, "/", "http", 200]])

    assert "requests_per_s" not in done
    assert done["load_failed"] > 0


def test_a_server_that_stops_answering_does_not_hold_up_the_load():
    def silent(_handler):
        time.sleep(2)

    with serving(silent) as port:
        began_s = time.monotonic()
        done = load(ASKED, [[port, "/", "http", 200]])

    assert time.monotonic() - began_s < 1.5
    assert "requests_per_s" not in done


def test_where_nothing_listens_there_is_nothing_to_load():
    assert load(ASKED, [[1, "/", "http", 200]]) == {}
    assert load(ASKED, [[1, "/", "https", 200]]) == {}
    assert load(ASKED, []) == {}


@given(st.binary(max_size=300))
def test_any_answer_can_be_read(received):
    length_of(received)
    ends(received)


@given(st.text(max_size=200))
def test_any_text_of_proc_can_be_read(text):
    processes.parse_faults(text.replace(")", ""))
    machine_facts.parse_system(text)
    machine_facts.parse_processor(text)


def test_levels_of_the_processor_are_read_up_to_the_first_that_is_missing():
    v2 = "cx16 lahf_lm popcnt pni sse4_1 sse4_2 ssse3"

    assert machine_facts.levels(f"flags\t: {v2}\n") == ("v2",)
    assert machine_facts.levels(f"flags\t: {v2} avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n") == ("v2", "v3")
    assert machine_facts.levels("flags\t: avx2\n") == ()


def test_this_machine_is_described():
    machine = machine_facts.describe({"PATH": "/nowhere"})

    assert machine.cores >= 1
    assert machine.memory_bytes > 1 << 20
    assert machine.kernel.startswith("Linux ")
    before = machine_facts.busy()
    machine_facts.little_work_s()
    assert machine_facts.busy().used_s >= before.used_s
