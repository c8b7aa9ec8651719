"""An image for another architecture, tried under qemu's user mode in each sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from proa.outside.emulation import find_emulator
from proa.outside.sandbox import find_program
from proa.records import oci
from proa.records.platform import Platform
from proa.records.trial import Limits, Probe
from proa.trial import try_image
from real_neighbours import need

pytestmark = pytest.mark.real
SOURCE = Path(__file__).parents[1] / "projects" / "trial-servers"
ARM64 = Platform("linux", "arm64")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    need("go")
    if not find_emulator("arm64", os.environ):
        pytest.skip("real: qemu-aarch64-static is not on PATH")
    file = tmp_path_factory.mktemp("emulated") / "app"
    environment = os.environ | {"CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "arm64", "GOFLAGS": "-buildvcs=false"}
    subprocess.run(["go", "build", "-o", file, "."], cwd=SOURCE, env=environment, check=True)
    return file


def attempt(tmp_path, program, mode, *, engine="auto", environ=os.environ):
    root = tmp_path / "root"
    root.mkdir(mode=0o755)
    shutil.copy(program, root / "app")
    config = oci.Config(
        architecture="arm64",
        os="linux",
        config=oci.Execution(entrypoint=("/app",), cmd=(mode,), env=("GREETING=hello",)),
    )
    limits = Limits(start_timeout_s=5.0, stop_timeout_s=3.0)
    return try_image(root, config, limits=limits, probe=Probe(), platform=ARM64, engine=engine, environ=environ)


@pytest.mark.parametrize("engine", ["bubblewrap", "namespaces", "runc"])
def test_a_foreign_server_is_ready_and_no_figure_of_it_is_reported(tmp_path, program, engine):
    tool = {"bubblewrap": "bwrap", "runc": "runc"}.get(engine, "")
    if tool and not find_program(tool, os.environ):
        pytest.skip(f"real: {tool} is not on PATH")

    tried = attempt(tmp_path, program, "serve", engine=engine)

    assert (tried.verdict, tried.engine, tried.isolation) == ("ready", engine, "full"), tried
    assert (tried.route, tried.http_status) == ("/healthz", 200)
    assert tried.ready_s is None
    assert tried.rss_bytes is None
    assert "emulation" in tried.reason


def test_a_foreign_program_that_crashes_fails(tmp_path, program):
    tried = attempt(tmp_path, program, "crash")

    assert tried.verdict == "failed", tried
    assert "nil map" in tried.output


def test_without_an_emulator_it_is_skipped_and_says_what_is_missing(tmp_path, program):
    if Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("this kernel runs arm64 by itself")

    tried = attempt(tmp_path, program, "serve", environ={"PATH": str(tmp_path)})

    assert tried.verdict == "skipped"
    assert "qemu" in tried.reason
