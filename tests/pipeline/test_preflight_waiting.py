"""`proa preflight --wait`: again until all required services are there, and no longer than asked."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from proa.errors import ServiceMissing, WrongUsage
from proa.pipeline.preflight import Asked, preflight, require


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def silent(what: str) -> None:
    assert "secret" not in what


def answer_once(listener: socket.socket) -> None:
    link, _ = listener.accept()
    with link:
        while link.recv(4096):
            link.sendall(b"+PONG\r\n")


def test_it_waits_until_the_service_is_there(tmp_path: Path) -> None:
    port, pauses = free_port(), []
    listeners: list[socket.socket] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            listeners.append(socket.create_server(("127.0.0.1", port)))
            threading.Thread(target=answer_once, args=(listeners[0],), daemon=True).start()

    asked = Asked(folder=tmp_path, wait_s=60)
    record = preflight(asked, environ={"C": f"redis://127.0.0.1:{port}"}, progress=silent, sleep=sleep)
    listeners[0].close()
    require(record)
    assert (record.services[0].is_reachable, record.services[0].attempts) == (True, 3)
    assert pauses == [0.25, 0.5]


def test_it_gives_up_in_time(tmp_path: Path) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    asked = Asked(folder=tmp_path, wait_s=3)
    environ = {"C": f"redis://:secret77@127.0.0.1:{free_port()}"}
    record = preflight(asked, environ=environ, progress=silent, clock=lambda: now[0], sleep=sleep)
    assert now[0] == 3
    with pytest.raises(ServiceMissing, match="1 of 1 services is not there: C"):
        require(record)


def test_an_optional_service_is_not_waited_for(tmp_path: Path) -> None:
    asked = Asked(folder=tmp_path, wait_s=60, optional=("C",))
    record = preflight(asked, environ={"C": f"redis://127.0.0.1:{free_port()}"}, progress=silent, sleep=lambda _: None)
    require(record)
    assert record.services[0].attempts == 1


def test_an_environment_nobody_wrote(tmp_path: Path) -> None:
    (tmp_path / ".env.test").write_text("C=redis://c\n")
    with pytest.raises(WrongUsage) as raised:
        preflight(Asked(folder=tmp_path, environment="prod"), environ={}, progress=silent)
    assert "test" in raised.value.hint


def test_nothing_to_contact_is_said(tmp_path: Path) -> None:
    record = preflight(Asked(folder=tmp_path), environ={}, progress=silent)
    assert [one.id for one in record.findings] == ["preflight.no-services"]
