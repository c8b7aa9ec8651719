"""`proa ways` on the example: the archive, the unit before systemd's own tools, and both ways started."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.api_server import Api, api_server
from proa.cli import ways_table
from proa.outside.systemd import score
from proa.records.ways import Ways
from real_neighbours import free_port, need, running

pytestmark = pytest.mark.real

SHOP = Path(__file__).resolve().parents[2] / "examples" / "shop"


def ways(
    folder: Path, *words: str, runs: int = 2, kubeconfig: str = "/nonexistent"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", "ways", "--runs", str(runs), *words],
        cwd=folder, env={**os.environ, "CI": "true", "KUBECONFIG": kubeconfig}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    need("go", "systemd-analyze")
    out = tmp_path_factory.mktemp("out")
    ran = ways(SHOP, "-o", str(out), "--format", "json", runs=6)
    assert ran.returncode == 0, ran.stderr
    record: dict[str, Any] = json.loads(ran.stdout)
    return record


@pytest.fixture(scope="module")
def unpacked(found: dict[str, Any]) -> Path:
    archive = Path(found["archive"])
    with tarfile.open(archive) as tar:
        tar.extractall(archive.parent, filter="data")
    return archive.parent / archive.name.removesuffix(".tar.gz")


def test_service_and_container_are_measured_and_the_pod_says_why_not(found: dict[str, Any]) -> None:
    ways = {one["name"]: one for one in found["ways"]}
    assert [ways[name]["is_measured"] for name in ("service", "container", "pod")] == [True, True, False]
    assert ways["service"]["engine"] == "process"
    assert ways["container"]["engine"] != "process"
    assert "cluster" in ways["pod"]["reason"]
    for name in ("service", "container"):
        start = ways[name]["ready_s"]
        assert 0 < start["low"] <= start["median"] <= start["high"] < 30
        assert len(start["samples"]) == 6


def test_the_archive_holds_the_program_that_was_built(found: dict[str, Any], unpacked: Path) -> None:
    assert sorted(str(one.relative_to(unpacked)) for one in unpacked.rglob("*") if one.is_file()) == [
        "INSTALL.md", "bin/shop", "env.example", "shop.service",
    ]  # fmt: skip
    program = hashlib.sha256((unpacked / "bin" / "shop").read_bytes()).hexdigest()
    assert f"sha256:{program}" in (unpacked / "INSTALL.md").read_text()
    assert (unpacked / "bin" / "shop").stat().st_mode & 0o777 == 0o755
    assert (unpacked / "shop.service").read_text() == found["unit"]


def test_the_same_build_gives_the_same_archive(found: dict[str, Any], tmp_path: Path) -> None:
    again = json.loads(ways(SHOP, "-o", str(tmp_path), "--format", "json", runs=1).stdout)
    assert again["archive_digest"] == found["archive_digest"]
    data = Path(again["archive"]).read_bytes()
    assert f"sha256:{hashlib.sha256(data).hexdigest()}" == again["archive_digest"]


def test_systemd_finds_nothing_wrong_with_the_unit(unpacked: Path, tmp_path: Path) -> None:
    # It looks for the program where the unit says.
    text = (unpacked / "shop.service").read_text().replace("/opt/shop/bin/shop", str(unpacked / "bin" / "shop"))
    (tmp_path / "shop.service").write_text(text)
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(tmp_path / "shop.service")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    complaints = [line for line in (ran.stdout + ran.stderr).splitlines() if "shop.service" in line]
    assert complaints == []
    assert ran.returncode == 0, ran.stderr


def test_little_is_left_to_take_away(found: dict[str, Any], tmp_path: Path) -> None:
    assert found["hardening"]["exposure"] <= 2.0
    assert found["hardening"]["rating"] == "OK"
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    naked = score(bare)
    assert naked is not None
    assert naked.exposure > 9


def calls_of(group: str) -> set[str]:
    """Return the system calls that systemd puts into a group."""
    told = subprocess.run(
        ["systemd-analyze", "syscall-filter", group, "--no-pager"], capture_output=True, text=True, check=True
    )
    words = [line.strip() for line in told.stdout.splitlines()[1:]]
    groups = {word for word in words if word.startswith("@")}
    return {word for word in words if word and word[0] not in "@#"}.union(*(calls_of(each) for each in groups))


def test_the_unit_refuses_no_call_that_the_program_makes(unpacked: Path, tmp_path: Path) -> None:
    need("strace", "systemd-analyze")
    port = free_port()
    # Not blocking signals: with -o it would never hear that it is to end.
    argv = ["strace", "-I", "2", "-f", "-o", str(tmp_path / "trace"), str(unpacked / "bin" / "shop")]
    with running(argv, log=tmp_path / "log", env={"PATH": os.environ["PATH"], "PORT": str(port)}):
        assert answers(f"http://127.0.0.1:{port}/healthz")
    made = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", (tmp_path / "trace").read_text(), re.MULTILINE))
    allowed = calls_of("@system-service") - calls_of("@privileged") - calls_of("@resources")
    assert {"execve", "listen", "write"} <= made
    assert made - allowed == set()


def answers(url: str) -> bool:
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False


def test_the_commands_of_the_notes_install_it(unpacked: Path, tmp_path: Path) -> None:
    """Everything but systemctl, into a folder instead of the machine."""
    block = re.search(r"```sh\n(.*?)```", (unpacked / "INSTALL.md").read_text(), re.DOTALL)
    assert block is not None
    for line in block[1].splitlines():
        if line.startswith("install "):
            words = line.split()
            words[-1] = f"{tmp_path}{words[-1]}"
            subprocess.run(words, cwd=unpacked, check=True)
    assert (tmp_path / "opt/shop/bin/shop").is_file()
    assert (tmp_path / "etc/systemd/system/shop.service").is_file()
    assert (tmp_path / "etc/shop/env").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_people_read_the_advice_and_its_reasons(found: dict[str, Any], form: str) -> None:
    record = msgspec.convert(found, Ways)
    text = ways_table.markdown(record) if form == "markdown" else "\n".join(ways_table.lines(record))
    assert "moving parts" in text
    assert "exposure" in text
    assert f"dvice: {'**' if form == 'markdown' else ''}{record.advice}" in text
    for reason in record.why:
        assert reason in text


def test_a_platform_that_does_not_run_here_is_refused(tmp_path: Path) -> None:
    need("go")
    ran = ways(SHOP, "-o", str(tmp_path), "--platform", "linux/s390x")
    assert ran.returncode == 2
    assert "does not run here" in ran.stderr


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    need("go")
    shutil.copy(SHOP / "go.mod", tmp_path / "x.txt")
    ran = ways(tmp_path)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
STUCK = {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "not found"}}}]}


@pytest.mark.parametrize(
    ("status", "is_measured", "words"), [(READY, True, "once a second"), (STUCK, False, "ErrImagePull")]
)
def test_a_pod_is_started_where_a_cluster_answers_and_deleted_again(
    found: dict[str, Any], tmp_path: Path, status: dict[str, Any], is_measured: bool, words: str
) -> None:
    need("kubectl")
    image = f"registry.example/shop@{found['image_digest']}"
    with api_server(tmp_path, Api(pod_status=status)) as api:
        ran = ways(
            SHOP, "-o", str(tmp_path), "--pod", image, "--namespace", "trial", "--format", "json",
            kubeconfig=str(api.kubeconfig),
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)
    pod = record["ways"][2]
    assert (pod["is_measured"], record["advice"]) == (is_measured, "pod")
    assert words in pod["reason"]
    assert len((pod["ready_s"] or {"samples": []})["samples"]) == (2 if is_measured else 0)
    assert api.pods == {}
    assert len(api.deleted) == len(api.created) == (3 if is_measured else 1)
    assert api.created[0]["spec"]["containers"][0]["image"] == image
    assert api.created[0]["metadata"]["namespace"] == "trial"


def test_an_image_of_another_build_is_no_pod_of_this_one(tmp_path: Path) -> None:
    need("go")
    ran = ways(SHOP, "-o", str(tmp_path), "--pod", "registry.example/shop@sha256:" + "0" * 64)
    assert ran.returncode == 2
    assert "not of this build" in ran.stderr
