"""Programs that are really started, confined and traced, and what is seen of their start."""

from __future__ import annotations

import os
import shutil
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proa.pipeline.plan import open_bench
from proa.pipeline.preflight import Asked, targets
from proa.pipeline.startup import AskedStart, see_project
from proa.records.configuration import TrialSettings
from proa.records.request import Request
from proa.records.startup import Step
from proa.trial.startup import Start
from real_neighbours import free_port, need

pytestmark = pytest.mark.real
PYTHON = "/usr/bin/python3"
SERVER = """
    import http.server, pathlib, socket, sys, time
    print(pathlib.Path("config/app.yaml").read_text())
    try:
        open("config/local.yaml")
    except OSError:
        pass
    pathlib.Path(".env").read_text()
    for _ in range(3):
        try:
            socket.create_connection(("127.0.0.1", 6399), timeout=1)
        except OSError as error:
            print(error)
    try:
        socket.getaddrinfo("db.example.internal", 5432)
    except OSError as error:
        print(error)
    try:
        pathlib.Path("written.txt").write_text("x")
    except OSError as error:
        print(error)
    time.sleep(0.3)
    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/health" else 404)
            self.end_headers()
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answers).serve_forever()
"""


@pytest.fixture(autouse=True)
def tools() -> None:
    need("bwrap", "strace")
    if not Path(PYTHON).exists():
        pytest.skip(f"real: {PYTHON} is not installed")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "app.yaml").write_text("name: shop\n")
    (folder / ".env").write_text("REDIS_URL=redis://:hunter2-secret@127.0.0.1:6399/0\n")
    tmp_path.chmod(0o755)
    return folder


@pytest.fixture
def see(tmp_path: Path) -> Callable[..., Start]:
    def start(
        folder: Path,
        command: str = "",
        *,
        program: str = "",
        environ: dict[str, str] | None = None,
        connects: bool = False,
        **settings,
    ) -> Start:
        if program:
            (folder / "app.py").write_text(textwrap.dedent(program))
        environ = {**(os.environ if environ is None else environ), "PROA_CACHE": str(tmp_path / "store")}
        bench = open_bench(Request(directory=str(folder)), environ, lambda _: None)
        found, _ = targets(Asked(folder=folder), environ={})
        asked = AskedStart(folder=folder, command=command, connects=connects, targets=found)
        return see_project(bench, asked, TrialSettings(**settings))

    return start


def steps(start: Start) -> dict[str, Step]:
    return {one.step: one for one in start.startup.steps}


def test_a_start_is_seen_from_its_first_file_to_its_first_answer(project, see):
    start = see(project, f"{PYTHON} app.py 8080", program=SERVER)
    startup, found = start.startup, steps(start)
    assert startup.problem == ""
    assert startup.engine == "bubblewrap"
    order = [
        "read config/app.yaml",
        "look for config/local.yaml",
        "read .env",
        "connect to REDIS_URL (127.0.0.1:6399)",
        "2 further attempts to REDIS_URL (127.0.0.1:6399)",
        "look up db.example.internal",
        "listen on 127.0.0.1:8080",
        "GET /health answered 200",
    ]
    moments = [found[step].at_s for step in order]
    assert moments == sorted(moments)
    assert found["look for config/local.yaml"].message == "no such file or directory (ENOENT)"
    assert found["connect to REDIS_URL (127.0.0.1:6399)"].message == "connection refused (ECONNREFUSED)"
    assert 0.3 < startup.ready_s < startup.traced_ready_s * 3
    assert found["GET /health answered 200"].at_s == startup.traced_ready_s
    assert {one.id for one in start.findings} >= {"start.slept", "start.retries"}
    assert "hunter2" not in repr(start)


def test_the_projects_folder_is_as_it_was(project, see):
    before = sorted(path.name for path in project.rglob("*"))
    see(project, f"{PYTHON} app.py 8080", program=SERVER)
    assert sorted(path.name for path in project.rglob("*")) == sorted([*before, "app.py"])


def test_a_program_that_exits_at_once_is_told_with_its_status_and_its_last_words(project, see):
    start = see(project, f"{PYTHON} app.py", program="import sys; sys.exit('no database at hunter2-secret')")
    assert start.startup.exit_status == 1
    assert "it ended with 1" in start.startup.problem
    assert "no database" in start.startup.problem
    assert "hunter2" not in start.startup.problem
    assert start.startup.steps[-1].step == "ended with 1"


def test_a_program_that_never_listens_is_told_after_its_time(project, see):
    start = see(project, f"{PYTHON} app.py", program="import time; time.sleep(60)", start_timeout_s=1)
    assert start.startup.problem.startswith("it listened on no port within 1 s")
    assert start.startup.steps[0].step == f"start {PYTHON} app.py"


def test_a_program_that_listens_and_hangs_is_told(project, see):
    hangs = """
        import socket, time
        one = socket.create_server(("127.0.0.1", 8080))
        time.sleep(60)
    """
    start = see(project, f"{PYTHON} app.py", program=hangs, start_timeout_s=1.5)
    assert start.startup.listening_s is not None
    assert start.startup.ready_s is None
    assert "listen on 127.0.0.1:8080" in steps(start)


def test_what_a_child_does_is_seen_too(project, see):
    forks = """
        import os, http.server, time
        if os.fork():
            time.sleep(60)
        open("config/app.yaml")
        http.server.HTTPServer(("127.0.0.1", 8080), http.server.SimpleHTTPRequestHandler).serve_forever()
    """
    found = steps(see(project, f"{PYTHON} app.py", program=forks))
    assert {"read config/app.yaml", "listen on 127.0.0.1:8080", "GET / answered 200"} <= set(found)


def test_a_command_of_several_words_for_a_shell_is_run_by_one(project, see):
    start = see(project, f"PORT=8080 && exec {PYTHON} app.py $PORT", program=SERVER)
    assert start.startup.ready_s is not None


def test_with_connect_it_reaches_this_machines_services(project, see):
    port, own = free_port(), free_port()
    import socket

    with socket.create_server(("127.0.0.1", port)):
        (project / ".env").write_text(f"REDIS_URL=redis://localhost:{port}/0\n")
        program = SERVER.replace('("127.0.0.1", 6399)', f'("localhost", {port})')
        start = see(project, f"{PYTHON} app.py {own}", program=program, connects=True)
    assert start.startup.has_network
    connected = steps(start)[f"connect to REDIS_URL (localhost:{port})"]
    assert not connected.has_failed
    assert f"2 further connections to REDIS_URL (localhost:{port})" in steps(start)


def test_without_strace_the_port_and_the_answer_are_still_timed(project, see, without):
    environ = without("strace")
    start = see(project, f"{PYTHON} app.py 8080", program=SERVER, environ=environ)
    assert start.startup.problem.startswith("strace is not installed here")
    assert start.startup.ready_s > 0.3
    assert {"listen on 127.0.0.1:8080", "GET /health answered"} <= set(steps(start))


def test_without_bubblewrap_nothing_is_started_and_that_is_said(project, see, without):
    start = see(project, f"{PYTHON} app.py 8080", program=SERVER, environ=without("bwrap"))
    assert start.startup.problem == "bubblewrap is not installed here, so nothing was started"
    assert start.startup.steps == ()


@pytest.fixture
def without() -> Iterator[Callable[[str], dict[str, str]]]:
    """Make environments whose PATH has only the other neighbour, where everybody may reach it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)

        def lacking(program: str) -> dict[str, str]:
            other = {"strace": "bwrap", "bwrap": "strace"}[program]
            (folder / other).symlink_to(shutil.which(other) or "")
            return {"PATH": name}

        yield lacking


def test_a_project_that_names_no_command_is_told_how_to_give_one(tmp_path, see):
    folder = tmp_path / "empty"
    folder.mkdir()
    assert "give it with --command" in see(folder).startup.problem


def test_a_folder_that_only_root_may_enter_is_told(project, see):
    if os.geteuid() != 0:
        pytest.skip("real: only root has folders that its stand-in may not enter")
    project.chmod(0o700)
    assert "may be read by root alone" in see(project, f"{PYTHON} app.py", program=SERVER).startup.problem


def test_a_program_that_is_not_here_is_told_by_name(project, see):
    assert see(project, "no-such-runtime serve").startup.problem.startswith("no-such-runtime is not installed here")
