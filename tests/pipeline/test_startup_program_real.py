"""The start of a Go program that proa builds: its image under the trial's limits, its packages, what is kept of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from real_neighbours import need

pytestmark = pytest.mark.real
SLOW = """package main

import (
	"net/http"
	"os"
	"time"
)

var table = fill()

func fill() map[int]int {
	made := map[int]int{}
	for begun := time.Now(); time.Since(begun) < 120*time.Millisecond; {
		made[len(made)%1000] = len(made)
	}
	return made
}

func main() {
	os.ReadFile("/etc/slow/config.yaml")
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	http.ListenAndServe(":8080", nil)
}
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("go", "bwrap", "strace")
    folder = tmp_path_factory.mktemp("slow")
    (folder / "go.mod").write_text("module example.com/slow\n\ngo 1.24\n")
    (folder / "main.go").write_text(SLOW)
    return folder


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "PROA_CACHE": str(folder / ".store"), "CI": "true", "GOFLAGS": "-buildvcs=false"}


def analyze(folder: Path, *words: str, place: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", "analyze", *words],
        cwd=place or folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def told(slow: Path) -> dict[str, Any]:
    ran = analyze(slow, "--format", "json")
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_program_is_started_as_its_image_and_answers(told):
    start = told["start"]
    assert (start["engine"], start["has_network"], start["problem"]) == ("bubblewrap", False, "")
    assert start["command"] == ["/app/slow"]
    texts = [one["step"] for one in told["startup"]]
    assert "look for /etc/slow/config.yaml" in texts
    assert texts[-1] == "GET /healthz answered 200"
    assert 0.12 < start["listening_s"] <= start["ready_s"]


def test_the_slow_package_is_told_with_its_time_and_what_it_allocated(told):
    main = next(one for one in told["startup"] if one["step"] == "initialise main")
    assert 0.12 <= main["duration_s"] < 1.0
    assert main["allocated_bytes"] > 0
    assert "start.slow-init" in [one["id"] for one in told["findings"]]


def test_what_was_seen_is_kept_and_a_second_look_starts_nothing(slow, told, tmp_path):
    without_engines = {**environment(slow), "PATH": f"{Path(sys.executable).parent}:{_go_folder()}"}
    ran = subprocess.run(
        [sys.executable, "-m", "proa", "analyze", "--format", "json"],
        cwd=slow, env=without_engines, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["start"] == told["start"]


def _go_folder() -> str:
    import shutil

    return str(Path(shutil.which("go") or "go").parent)


def test_no_trial_starts_nothing_and_refuses_what_is_about_a_start(slow):
    ran = analyze(slow, "--no-trial", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    assert (json.loads(ran.stdout)["start"], json.loads(ran.stdout)["startup"]) == (None, [])
    assert analyze(slow, "--no-trial", "--timeline", "x.html").returncode == 2
    assert analyze(slow, "--no-trial", "--connect").returncode == 2


def test_the_timeline_is_written_as_the_files_ending_says(slow):
    for ending, mark in (("html", "<!doctype html>"), ("mmd", "gantt\n"), ("md", "```mermaid\ngantt\n")):
        ran = analyze(slow, "--timeline", f"start.{ending}")
        assert ran.returncode == 0, ran.stderr
        assert (slow / f"start.{ending}").read_text().startswith(mark)
    refused = analyze(slow, "--timeline", "start.pdf")
    assert refused.returncode == 2
    assert "start.pdf" in refused.stderr


def test_an_interruption_leaves_nothing_running(tmp_path):
    need("bwrap", "strace")
    tmp_path.chmod(0o755)
    (tmp_path / "package.json").write_text('{"scripts": {"start": "sleep 3217"}}')
    running = subprocess.Popen(
        [sys.executable, "-m", "proa", "analyze"],
        cwd=tmp_path,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        latest = time.monotonic() + 30
        while not asleep():
            assert time.monotonic() < latest, "it was never started"
            assert running.poll() is None, running.communicate()
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    finally:
        running.kill()
    assert running.returncode == 130, said
    latest = time.monotonic() + 5
    while asleep() and time.monotonic() < latest:
        time.sleep(0.05)
    assert asleep() == []


def asleep() -> list[str]:
    """Return the processes that are the program of the test above."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes()
        except OSError:
            continue
        if words.endswith(b"/sleep\x003217\x00"):
            found.append(place.parent.name)
    return found
