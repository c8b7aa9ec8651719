"""The main job with the real go command: what is done again, what is not, and what is left behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

SERVER = """package main

import (
	"log"
	"net/http"
)

func main() {
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(greeting)) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if shutil.which("go") is None:
        pytest.skip("real: go is not on PATH")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "go.mod").write_text("module example.com/greet\n\ngo 1.24\n")
    (folder / "main.go").write_text(SERVER)
    (folder / "greeting.go").write_text('package main\n\nconst greeting = "hello"\n')
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def proa(*words: str, cwd: Path, cache: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", *words],
        cwd=cwd,
        env={**os.environ, "PROA_CACHE": str(cache), **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def shipped(*words: str, cwd: Path, cache: Path, **environ: str) -> dict:
    ran = proa("ship", "--format", "json", *words, cwd=cwd, cache=cache, **environ)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_nothing_changed_means_nothing_is_done(project, cache):
    first = shipped("--no-trial", cwd=project, cache=cache)
    again = shipped("--no-trial", cwd=project, cache=cache)
    assert again["digest"] == first["digest"]
    assert set(again["cache"].values()) == {"hit", "off"}


def test_touching_a_file_changes_nothing_and_changing_it_does(project, cache):
    first = shipped("--no-trial", cwd=project, cache=cache)
    os.utime(project / "greeting.go")
    assert shipped("--no-trial", cwd=project, cache=cache)["cache"]["build"] == "hit"
    status = (project / "greeting.go").stat()
    # The same size and the same time stamps, but other content.
    (project / "greeting.go").write_text('package main\n\nconst greeting = "hullo"\n')
    os.utime(project / "greeting.go", ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = shipped("--no-trial", cwd=project, cache=cache)
    assert changed["cache"]["build"] == "miss"
    assert changed["digest"] != first["digest"]


def test_an_asset_alone_is_packed_again_without_a_build(project, cache):
    (project / "kodata").mkdir()
    (project / "kodata" / "page.html").write_text("one")
    shipped("--no-trial", cwd=project, cache=cache)
    (project / "kodata" / "page.html").write_text("two")
    changed = shipped("--no-trial", cwd=project, cache=cache)
    assert (changed["cache"]["build"], changed["cache"]["pack"]) == ("hit", "miss")


def test_the_digest_does_not_know_the_place_the_user_or_the_time(project, cache, tmp_path):
    first = shipped("--no-trial", "--jobs", "1", cwd=project, cache=cache)
    elsewhere = tmp_path / "other place" / "with ünicode"
    shutil.copytree(project, elsewhere)
    os.utime(elsewhere / "main.go", (1, 1))
    (elsewhere / "main.go").chmod(0o600)
    other = shipped(
        "--no-trial",
        "--jobs",
        "2",
        cwd=elsewhere,
        cache=tmp_path / "another",
        TZ="Asia/Tokyo",
        LC_ALL="C",
        HOME=str(tmp_path),
    )
    assert other["digest"] == first["digest"]


def test_two_at_once_share_one_result(project, cache):
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: shipped("--no-trial", cwd=project, cache=cache), range(2)))
    assert runs[0]["digest"] == runs[1]["digest"]
    assert proa("store", "check", cwd=project, cache=cache).returncode == 0


@pytest.mark.parametrize("after_s", [0.05, 0.15, 0.3, 0.6, 1.0])
def test_a_killed_run_leaves_a_sound_store(project, cache, after_s):
    process = subprocess.Popen(
        [sys.executable, "-m", "proa", "ship", "--no-trial"],
        cwd=project,
        env={**os.environ, "PROA_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    time.sleep(after_s)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    shipped("--no-trial", cwd=project, cache=cache)
    checked = proa("store", "check", cwd=project, cache=cache)
    assert checked.returncode == 0, checked.stdout
    assert not any((cache / "partial").glob("*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_nothing(project, cache, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "proa", "ship", "--no-trial"],
        cwd=project,
        env={**os.environ, "PROA_CACHE": str(cache)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(0.5)
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    if process.returncode == 0:
        pytest.fail("it ended before it could be interrupted")
    assert process.returncode == 130
    assert stdout == ""
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert not any((cache / "partial").glob("*"))


def test_several_programs_are_listed_under_their_own_schema(project, cache):
    for name in ("api", "worker"):
        folder = project / "cmd" / name
        folder.mkdir(parents=True)
        (folder / "main.go").write_text("package main\n\nfunc main() {}\n")
    whole = shipped("--no-trial", "./cmd/...", cwd=project, cache=cache)
    assert whole["schema"] == "proa/shipments/v1"
    assert [one["program"].rpartition("/")[2] for one in whole["shipments"]] == ["api", "worker"]


def test_an_image_is_tried_and_its_record_is_kept_beside_it(project, cache):
    if shutil.which("bwrap") is None:
        pytest.skip("real: bubblewrap is not installed")
    first = shipped(cwd=project, cache=cache)
    assert first["trial"]["verdict"] == "ready"
    assert first["trial"]["route"] == "/healthz"
    assert first["images"][0]["platform"] == "linux/amd64"
    again = shipped("--with-referrers", "--to", f"oci:{cache.parent / 'out'}:1", cwd=project, cache=cache)
    assert again["cache"]["trial"] == "hit"
    index = json.loads((cache.parent / "out" / "index.json").read_text())
    kinds = [entry.get("artifactType", "image").removeprefix("application/vnd.proa.") for entry in index["manifests"]]
    assert kinds == ["image", "shipment.v1+json", "debug.v1"]


def test_standard_output_is_the_reference_and_nothing_else(project, cache):
    ran = proa("ship", "--no-trial", cwd=project, cache=cache)
    assert ran.stdout.startswith("greet@sha256:")
    assert ran.stdout.count("\n") == 1


def test_references_go_to_a_file_as_well(project, cache, tmp_path):
    ran = proa("ship", "--no-trial", "--image-refs", str(tmp_path / "refs"), cwd=project, cache=cache)
    assert (tmp_path / "refs").read_text() == ran.stdout
