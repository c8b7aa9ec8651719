"""``proa compare`` with real programs, a real sandbox and real limits."""

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

from real_neighbours import free_port, need

pytestmark = pytest.mark.real

SERVER = """package main

import (
	"net/http"
	"os"
	"time"
)

func main() {
	if delay, err := time.ParseDuration(os.Getenv("DELAY")); err == nil {
		time.Sleep(delay)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("ok")) })
	http.ListenAndServe(":8093", nil)
}
"""
ENDS = 'package main\n\nimport "os"\n\nfunc main() { os.Stdout.WriteString("done\\n") }\n'
QUICK = ("--runs", "8", "--load", "50ms")


def proa(*words: str, cwd: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", *words],
        cwd=cwd, env={**os.environ, "PROA_CACHE": str(cache)}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip


def compared(*words: str, cwd: Path, cache: Path) -> dict:
    ran = proa("compare", *words, "--format", "json", cwd=cwd, cache=cache)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("go", "bwrap")
    folder = tmp_path_factory.mktemp("compared")
    for name, text in (("server", SERVER), ("ends", ENDS)):
        (folder / name).mkdir()
        (folder / name / "go.mod").write_text(f"module example.com/{name}\n\ngo 1.24\n")
        (folder / name / "main.go").write_text(text)
    return folder


@pytest.fixture(scope="module")
def cache(home: Path) -> Path:
    return home / "cache"


@pytest.fixture(scope="module")
def variants(home: Path, cache: Path) -> dict:
    """Measure the server's variants once, with bases that are not there."""
    return compared("--variants", "static,stripped,pgo,alpine", *QUICK, cwd=home / "server", cache=cache)


def test_variants_are_measured_and_told_as_the_schema_says(variants):
    static, stripped, *_ = variants["variants"]

    assert variants["schema"] == "proa/comparison/v1"
    assert (variants["baseline"], variants["rounds"], variants["subject"]) == ("static", 8, "example.com/server")
    for one in (static, stripped):
        assert one["verdict"] == "measured"
        assert len(one["ready_s"]["samples"]) == 8
        assert 0 < one["ready_s"]["low"] <= one["ready_s"]["median"] <= one["ready_s"]["high"] < 20
        assert 1 << 20 < one["rss_bytes"]["median"] < 1 << 28
        assert one["page_faults"]["median"] > 50
        assert one["requests_per_s"]["median"] > 10
        assert one["needs_libc"] is False
        assert one["route"] == "/healthz"
        assert one["layers"] >= 1
    assert stripped["binary_bytes"] < static["binary_bytes"]
    assert stripped["compressed_bytes"] < static["compressed_bytes"]
    sizes = {one["figure"]: one for one in variants["comparisons"] if one["name"] == "stripped"}
    assert sizes["compressed_bytes"]["difference"] == "smaller"
    assert sizes["compressed_bytes"]["ratio"]["median"] < 0.8
    assert variants["machine"]["cores"] >= 1
    assert any("page cache not dropped" in note for note in variants["machine"]["notes"])


def test_what_is_not_at_hand_stays_with_its_reason(variants):
    left_out = {one["name"]: one["reason"] for one in variants["variants"] if one["verdict"] == "left-out"}

    assert "default.pgo" in left_out["pgo"]
    assert "not in the local store" in left_out["alpine"]


def test_finished_rounds_are_used_again_and_an_interruption_loses_none(home, cache):
    words = ("compare", "--variants", "stripped", "--seed", "5", "--load", "0", "--runs", "200")
    process = subprocess.Popen(
        [sys.executable, "-m", "proa", *words], cwd=home / "server", env={**os.environ, "PROA_CACHE": str(cache)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    stages = cache / "stages" / "compare"
    before = {file.name for file in stages.iterdir()} if stages.is_dir() else set()
    until_s = time.monotonic() + 90
    made: list[Path] = []
    while time.monotonic() < until_s and process.poll() is None:
        made = [file for file in stages.iterdir() if file.name not in before] if stages.is_dir() else []
        if made and len(json.loads(made[0].read_text())["samples"]["stripped"]) >= 5:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    kept = json.loads(made[0].read_text())["samples"]["stripped"]

    again = compared(*words[1:-1], str(len(kept)), "--resume", cwd=home / "server", cache=cache)

    assert process.returncode == 130, said
    assert "--resume" in said
    assert again["rounds"] == len(kept)
    assert again["variants"][0]["ready_s"]["samples"] == [one["ready_s"] for one in kept]


def test_a_program_that_does_its_work_and_ends_is_timed_to_its_end(home, cache):
    record = compared("--variants", "stripped", "--ready", "exit", *QUICK, cwd=home / "ends", cache=cache)

    assert record["variants"][0]["verdict"] == "measured"
    assert 0 < record["variants"][0]["ready_s"]["median"] < 10


def test_a_route_that_never_answers_is_not_ready_and_the_rest_goes_on(home, cache):
    words = ("--command", "none=sleep 100", "--command", "gone=/no/such/program", "--timeout", "1s")
    port = free_port()
    serve = f"{sys.executable} -m http.server {port} --bind 127.0.0.1 --directory {home}"

    record = compared(*words, "--command", f"web={serve}", "--ready", f"http://:{port}/", *QUICK, "--timeout", "20s",
                      cwd=home, cache=cache)  # fmt: skip

    found = {one["name"]: one for one in record["variants"]}
    assert found["none"]["verdict"] == "not-ready", found["none"]
    assert found["none"]["reason"]
    assert found["gone"]["verdict"] == "does-not-start"
    assert found["web"]["verdict"] == "measured", found["web"]
    assert record["baseline"] == "web"


def test_a_variant_that_does_not_build_stays_in_the_table(home, cache, tmp_path):
    shutil.copytree(home / "server", tmp_path / "broken")
    (tmp_path / "broken" / "extra.go").write_text('//go:build bad\n\npackage main\n\nvar x int = "no"\n')

    record = compared("--variants", "stripped,tags:bad", *QUICK, cwd=tmp_path / "broken", cache=cache)

    found = {one["name"]: one for one in record["variants"]}
    assert found["tags:bad"]["verdict"] == "does-not-build"
    assert found["stripped"]["verdict"] == "measured"


def test_images_and_commands_are_compared_with_each_other(home, cache):
    shipped = proa("ship", "--to", "oci:image", cwd=home / "server", cache=cache)
    assert shipped.returncode == 0, shipped.stderr
    built = subprocess.run(["go", "build", "-o", "bare", "."], cwd=home / "server", check=False)
    assert built.returncode == 0

    record = compared("oci:image", "oci:image", "--command", "bare=./bare", "--memory", "256Mi", "--cpus", "1",
                      "--ready", "http://:8093/healthz", *QUICK, cwd=home / "server", cache=cache)  # fmt: skip

    names = [one["name"] for one in record["variants"]]
    assert names == ["oci:image", "oci:image (2)", "bare"]
    assert all(one["verdict"] == "measured" for one in record["variants"]), record["variants"]
    assert record["variants"][2]["engine"] == "process"
    assert any(one["id"] == "compare.same-image" for one in record["findings"])
    assert any("256 MiB of memory, 1 cores" in note for note in record["machine"]["notes"])


def test_a_baseline_that_is_not_in_the_set_is_refused_before_anything_runs(home, cache):
    ran = proa("compare", "--command", "a=true", "--baseline", "b", cwd=home, cache=cache)

    assert ran.returncode == 2
    assert "the baseline 'b' is not in the set" in ran.stderr
    assert "Traceback" not in ran.stderr
