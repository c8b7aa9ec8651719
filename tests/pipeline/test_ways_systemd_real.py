"""The archive of `proa ways` installed by its own commands where a real systemd runs, and started under the unit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from real_neighbours import need
from real_systemd import RealSystemd, real_systemd

pytestmark = pytest.mark.real

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
DIARY = """package main

import (
	"fmt"
	"net/http"
	"os"
)

func main() {
	if err := os.WriteFile("/tmp/diary", []byte("opened\\n"), 0o600); err != nil {
		panic(err)
	}
	http.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) {
		said, err := os.ReadFile("/tmp/diary")
		fmt.Fprintf(w, "%s%v %d", said, err, os.Getuid())
	})
	panic(http.ListenAndServe(":8081", nil))
}
"""


@pytest.fixture(scope="module")
def systemd() -> Iterator[RealSystemd]:
    need("go")
    said = subprocess.run(
        ["go", "env", "GOROOT", "GOMODCACHE", "GOCACHE"], cwd="/", capture_output=True, text=True, check=True
    )
    # What proa and go need when they are run there, on whatever disk it is.
    with real_systemd(ROOT, Path(sys.prefix), Path(sys.base_prefix), *map(Path, said.stdout.split())) as booted:
        yield booted


def installed(systemd: RealSystemd, project: Path, out: Path) -> str:
    """Build the archive, unpack it there and do what INSTALL.md says; return the unit's name."""
    need("go")
    ran = subprocess.run(
        [sys.executable, "-m", "proa", "ways", "--runs", "1", "-o", str(out), "--format", "json"],
        cwd=project, env={**os.environ, "KUBECONFIG": "/nonexistent"}, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    with tarfile.open(json.loads(ran.stdout)["archive"]) as archive:
        archive.extractall(systemd.hand_over, filter="data")
        top = archive.getnames()[0].split("/")[0]
    notes = (systemd.hand_over / top / "INSTALL.md").read_text()
    (commands,) = re.findall(r"```sh\n(.*?)```", notes, re.DOTALL)
    systemd.run("sh", "-ec", f"cd /hand-over/{top}\n{commands}")
    (unit,) = (path.name for path in (systemd.hand_over / top).glob("*.service"))
    return unit


@pytest.fixture(scope="module")
def shop(systemd: RealSystemd, tmp_path_factory: pytest.TempPathFactory) -> str:
    return installed(systemd, SHOP, tmp_path_factory.mktemp("out"))


def answer(systemd: RealSystemd, url: str) -> str:
    """Ask until there is one, for five seconds."""
    for _ in range(25):
        try:
            return systemd.ask(url)
        except subprocess.CalledProcessError:
            time.sleep(0.2)
    return systemd.ask(url)


def test_it_answers_under_its_unit(systemd: RealSystemd, shop: str) -> None:
    assert answer(systemd, "http://127.0.0.1:8080/healthz") == "ok\n"
    shown = systemd.shown(shop, "ActiveState", "NRestarts", "UnitFileState")
    assert shown == {"ActiveState": "active", "NRestarts": "0", "UnitFileState": "enabled"}


def test_it_has_the_rights_that_the_unit_leaves_it_and_no_others(systemd: RealSystemd, shop: str) -> None:
    pid = systemd.shown(shop, "MainPID")["MainPID"]
    status = dict(re.findall(r"^(\w+):\s*(.*)$", systemd.run("cat", f"/proc/{pid}/status").stdout, re.MULTILINE))
    assert status["NoNewPrivs"] == "1"
    assert status["Seccomp"] == "2"
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert "0" not in status["Uid"].split()
    mounts = systemd.run("cat", f"/proc/{pid}/mounts").stdout
    (root,) = (line.split() for line in mounts.splitlines() if line.split()[1] == "/")
    assert "ro" in root[3].split(",")


def test_it_stops_when_asked_and_starts_again(systemd: RealSystemd, shop: str) -> None:
    systemd.run("systemctl", "stop", shop)
    shown = systemd.shown(shop, "ActiveState", "Result", "ExecMainStatus")
    assert shown == {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0"}
    systemd.run("systemctl", "start", shop)
    assert answer(systemd, "http://127.0.0.1:8080/healthz") == "ok\n"


def test_it_comes_back_when_it_dies(systemd: RealSystemd, shop: str) -> None:
    pid = systemd.shown(shop, "MainPID")["MainPID"]
    systemd.run("kill", "-KILL", pid)
    time.sleep(1.2)
    assert answer(systemd, "http://127.0.0.1:8080/healthz") == "ok\n"
    assert systemd.shown(shop, "MainPID")["MainPID"] != pid


def test_a_program_that_writes_may_do_so(systemd: RealSystemd, tmp_path: Path) -> None:
    project = tmp_path / "diary"
    project.mkdir()
    (project / "go.mod").write_text("module example.com/diary\n\ngo 1.24\n")
    (project / "main.go").write_text(DIARY)
    unit = installed(systemd, project, tmp_path / "out")
    said = answer(systemd, "http://127.0.0.1:8081/healthz")
    assert re.fullmatch(r"opened\n<nil> [1-9]\d+", said)
    assert "StateDirectory=diary" in systemd.run("cat", f"/etc/systemd/system/{unit}").stdout
    assert systemd.run("test", "-d", "/var/lib/private/diary").returncode == 0
    # Its own /tmp is not the machine's.
    assert systemd.run("test", "-e", "/tmp/diary", check=False).returncode == 1


def test_the_service_is_measured_under_a_systemd_that_runs_the_machine(systemd: RealSystemd, shop: str) -> None:
    systemd.run("systemctl", "stop", shop)
    before = systemd.run("find", "/opt", "/run/systemd/system", "-maxdepth", "1").stdout
    words = ("ways", "--systemd", "--runs", "3", "-o", "/hand-over", "--format", "json", str(SHOP))
    environ = {"PROA_CACHE": "/var/tmp/proa", "KUBECONFIG": "/nonexistent", "GOFLAGS": "-buildvcs=false"}
    ran = systemd.run(sys.executable, "-m", "proa", *words, check=False, environ=environ)
    assert ran.returncode == 0, ran.stderr
    service, container, _ = json.loads(ran.stdout)["ways"]
    assert (service["is_measured"], service["engine"], service["reason"]) == (True, "systemd", "")
    assert len(service["ready_s"]["samples"]) == 3
    assert service["ready_s"]["median"] > container["ready_s"]["median"], "systemd itself takes a while"
    assert 1e6 < service["rss_bytes"]["median"] < 64e6
    assert systemd.run("find", "/opt", "/run/systemd/system", "-maxdepth", "1").stdout == before
    assert "proa-ways" not in systemd.run("systemctl", "list-units", "--all", "--no-legend").stdout
    systemd.run("systemctl", "start", shop)


def test_a_service_whose_port_is_taken_is_told_so(systemd: RealSystemd, shop: str) -> None:
    assert answer(systemd, "http://127.0.0.1:8080/healthz") == "ok\n"
    words = ("ways", "--systemd", "--runs", "1", "-o", "/hand-over", "--format", "json", str(SHOP))
    environ = {"PROA_CACHE": "/var/tmp/proa", "KUBECONFIG": "/nonexistent", "GOFLAGS": "-buildvcs=false"}
    ran = systemd.run(sys.executable, "-m", "proa", *words, check=False, environ=environ)
    service = json.loads(ran.stdout)["ways"][0]
    assert service["is_measured"] is False
    assert service["reason"] == "not measured: port 8080 is in use on this machine"


def test_without_systemd_or_rights_the_flag_is_refused(tmp_path: Path) -> None:
    if Path("/run/systemd/system").is_dir() and os.geteuid() == 0:
        pytest.skip("systemd runs this machine")
    argv = [sys.executable, "-m", "proa", "ways", "--systemd", "-o", str(tmp_path), str(SHOP)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 3
    assert "PROA301" in ran.stderr
    assert "bare process" in ran.stderr
