"""The examples do what their pages say: they build, pass their own tests and ship."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "examples" / "shop"
pytestmark = pytest.mark.real


def call(argv: list[str], store: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    if not shutil.which(argv[0], path=path):
        pytest.skip(f"real: {argv[0]} is not on PATH")
    environment = {**os.environ, "PATH": path, "CI": "true", "PROA_CACHE": str(store)}
    ran = subprocess.run(argv, cwd=SHOP, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran


def test_the_shop_passes_its_own_tests(tmp_path: Path) -> None:
    call(["go", "vet", "./..."], tmp_path)
    call(["go", "test", "./..."], tmp_path)


def test_the_shop_ships_with_what_it_needs_and_answers(tmp_path: Path) -> None:
    if not shutil.which("bwrap"):
        pytest.skip("real: bwrap is not on PATH")
    record = json.loads(call(["proa", "ship", "--format", "json"], tmp_path).stdout)
    assert record["trial"]["verdict"] == "ready", record["trial"]
    assert record["trial"]["route"] == "/healthz"
    (image,) = record["images"]
    paths = [file["path"] for layer in image["layers"] for file in layer["files"]]
    assert [path for path in paths if "zoneinfo" in path and not path.endswith("/")] == [
        "/usr/share/zoneinfo/Europe/Paris"
    ]
    assert "/etc/ssl/certs/ca-certificates.crt" in paths
    assert all(file["reason"] for layer in image["layers"] for file in layer["files"])

    again = json.loads(call(["proa", "ship", "--format", "json"], tmp_path).stdout)
    assert again["digest"] == record["digest"]
    assert "miss" not in again["cache"].values()
