"""``proa tune size`` with the real go command and a real C compiler, on programs that are quick to build."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from real_neighbours import need

pytestmark = pytest.mark.real

FIXTURE = Path(__file__).resolve().parent.parent / "projects" / "tune-c"
# It runs only long enough to be timed, and has enough in it for every level of stripping to show.
PROGRAM = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("tuned\\n") }\n'
MINE = "# ours\nbuild:\n  tags: [netgo] # why\n"


def proa(*words: str, cwd: Path, cache: Path, path: str = "") -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join(part for part in (path, os.environ["PATH"]) if part)
    return subprocess.run(
        [sys.executable, "-m", "proa", *words],
        cwd=cwd,
        env={**os.environ, "PROA_CACHE": str(cache), "PATH": search},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.fixture(scope="module")
def go_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("go")
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "go.mod").write_text("module example.com/tuned\n\ngo 1.24\n")
    (folder / "main.go").write_text(PROGRAM)
    (folder / "proa.yaml").write_text(MINE)
    return folder


@pytest.fixture(scope="module")
def measured(go_project: Path) -> tuple[dict, subprocess.CompletedProcess[str]]:
    """Measure the Go program once, with a upx that only copies, and write what wins."""
    tools = go_project.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "upx").write_text('#!/bin/sh\ncp "$5" "$3"\n')
    (tools / "upx").chmod(0o755)
    words = ("tune", "size", "--runs", "2", "--bench", '"$PROA_PROGRAM" | grep -q tuned', "--format", "json", "--write")
    ran = proa(*words, cwd=go_project, cache=go_project.parent / "cache", path=str(tools))
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), ran


def test_every_step_of_go_is_measured_and_the_smallest_that_changes_nothing_wins(measured):
    tuning, _ = measured
    steps = {step["name"]: step for step in tuning["steps"]}
    assert tuning["schema"] == "proa/tune-size/v1"
    assert tuning["winner"] == "strip: all"
    assert tuning["settings"] == {"build": {"strip": "all"}}
    assert {name for name, step in steps.items() if step["is_kept"]} == {
        "go build", "-trimpath", "strip: dwarf", "strip: all"
    }  # fmt: skip
    assert steps["go build"]["bytes"] > steps["strip: dwarf"]["bytes"] > steps["strip: all"]["bytes"]
    assert steps["strip: all"]["saved_bytes"] == steps["strip: dwarf"]["bytes"] - steps["strip: all"]["bytes"]
    assert steps["zstd layers"]["compressed_bytes"] < steps["strip: all"]["compressed_bytes"]
    assert steps["zstd layers"]["bytes"] == steps["strip: all"]["bytes"]
    assert all(step["build_s"] > 0 and len(step["benchmark_s"]) == 2 for step in steps.values() if step["bytes"])


def test_what_changes_where_it_runs_is_measured_and_not_kept(measured):
    steps = {step["name"]: step for step in measured[0]["steps"]}
    assert not steps["-buildmode=pie"]["is_on_empty_base"]
    assert all(step["bytes"] for step in steps.values())
    packed = steps["upx (measured only)"]
    assert packed["bytes"] == steps["strip: all"]["bytes"]
    assert not packed["is_kept"]
    assert "unpacks itself" in packed["cost"]


def test_the_winner_is_written_beside_what_was_there_and_ships_as_measured(measured, go_project):
    tuning, ran = measured
    assert (go_project / "proa.yaml").read_text() == MINE + "  strip: all\n"
    assert "+  strip: all" in ran.stderr
    shipped = proa("ship", "--no-trial", "--format", "json", cwd=go_project, cache=go_project.parent / "cache")
    (image,) = json.loads(shipped.stdout)["images"]
    best = next(step for step in tuning["steps"] if step["name"] == tuning["winner"])
    assert (image["binary"]["bytes"], image["compressed_bytes"]) == (best["bytes"], best["compressed_bytes"])


def test_a_second_call_builds_nothing_and_finds_nothing_to_write(measured, go_project):
    cache = go_project.parent / "cache"
    before = {path.relative_to(cache) for stage in ("tune", "build") for path in (cache / "stages" / stage).iterdir()}
    ran = proa("tune", "size", "--no-trial", cwd=go_project, cache=cache)
    assert ran.returncode == 0, ran.stderr
    assert "needs no change" in ran.stderr
    after = {path.relative_to(cache) for stage in ("tune", "build") for path in (cache / "stages" / stage).iterdir()}
    assert after == before


def test_a_program_in_c_is_taken_through_the_compilers_own_steps(tmp_path):
    need("gcc", "make")
    project = tmp_path / "tally"
    shutil.copytree(FIXTURE, project)
    (project / "proa.yaml").write_text("build: {cc: gcc, ldflags: [-static]}\n")
    ran = proa("tune", "size", "--runs", "1", "--format", "json", cwd=project, cache=tmp_path / "cache")
    assert ran.returncode == 0, ran.stderr
    tuning = json.loads(ran.stdout)
    steps = {step["name"]: step for step in tuning["steps"]}
    assert list(steps) == [
        "gcc -O2 -g",
        "-Os",
        "-flto",
        "-ffunction-sections, --gc-sections",
        "--icf=safe",
        "--icf=all",
        "strip: dwarf",
        "strip: all",
        "zstd layers",
    ]
    assert tuning["winner"] == "strip: all"
    assert steps["-ffunction-sections, --gc-sections"]["loaded_bytes"] < steps["-flto"]["loaded_bytes"]
    # GNU ld folds nothing: the step says so and the chain goes on.
    assert steps["--icf=safe"]["state"] == "failed"
    assert "icf" in steps["--icf=safe"]["reason"]
    assert tuning["settings"]["build"]["ldflags"][0] == "-static"
    assert sum(step["saved_bytes"] for step in steps.values() if step["is_kept"]) == (
        steps["gcc -O2 -g"]["bytes"] - steps["strip: all"]["bytes"]
    )


def test_an_interrupted_call_ends_at_once_and_leaves_nothing_half_written(tmp_path):
    need("go")
    (tmp_path / "go.mod").write_text("module example.com/tuned\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text(PROGRAM)
    cache = tmp_path / "cache"
    process = subprocess.Popen(
        [sys.executable, "-m", "proa", "tune", "size", "--write"],
        cwd=tmp_path,
        env={**os.environ, "PROA_CACHE": str(cache), "GOCACHE": str(tmp_path / "gocache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    # The call has one scratch folder, and the build it starts another; without Go's cache it takes many seconds.
    while len(list(cache.glob("partial/*"))) < 2 and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    started = time.monotonic()
    _, stderr = process.communicate(timeout=30)
    assert time.monotonic() - started < 10
    assert process.returncode == 130, stderr
    assert not list((cache / "partial").iterdir())
    assert not (tmp_path / "proa.yaml").exists()
