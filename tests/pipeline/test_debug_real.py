"""From a crash of a shipped program to function and line, with the real gdb."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from real_neighbours import need

pytestmark = pytest.mark.real

PROGRAM = """package main

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

//go:noinline
func loseTheRudder(count int) {
	fmt.Println("losing", count)
	syscall.Kill(os.Getpid(), syscall.SIGABRT)
	time.Sleep(time.Hour)
}

func main() { loseTheRudder(len(os.Args)) }
"""
LINE = 13
"""Where it kills itself; then it sleeps: an empty select would be a deadlock, and Go would die of both at once."""


class Shipped:
    """A program in a layout, and what its shipping said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = folder / "out"
        self.cache = folder / "cache"
        source = folder / "rudder"
        source.mkdir()
        (source / "go.mod").write_text("module example.com/rudder\n\ngo 1.24\n")
        (source / "main.go").write_text(PROGRAM)
        words = ("ship", "--no-trial", "--strip", "all", "--format", "json", "--to", f"oci:{self.layout}:1")
        self.record = json.loads(self.proa(*words, cwd=source).stdout)
        self.binary = self.record["images"][0]["binary"]
        self.build_id = self.binary["debug"]["build_id"]
        # What runs in production: the program out of the image, and nothing else.
        self.program = folder / "run" / "rudder"
        self.program.parent.mkdir()
        shutil.copy(self.cache / "blobs" / "sha256" / self.binary["digest"].partition(":")[2], self.program)
        self.program.chmod(0o755)

    def environ(self, cache: str = "cache") -> dict[str, str]:
        return {**os.environ, "PROA_CACHE": str(self.folder / cache), "GOFLAGS": "-buildvcs=false"}

    def proa(self, *words: str, cwd: Path, cache: str = "cache") -> subprocess.CompletedProcess[str]:
        ran = subprocess.run(
            [sys.executable, "-m", "proa", *words],
            cwd=cwd,
            env=self.environ(cache),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return ran


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    need("go", "gdb")
    return Shipped(tmp_path_factory.mktemp("shipped"))


@contextmanager
def serving(shipped: Shipped, *words: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run ``proa debug serve`` with an empty store, on any port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "proa", "debug", "serve", "--listen", "127.0.0.1:0", *words],
        env=shipped.environ("served"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


def gdb(*words: str, folder: Path, **environ: str) -> str:
    own = {**os.environ, "HOME": str(folder), "DEBUGINFOD_URLS": "", **environ}
    ran = subprocess.run(
        ["gdb", "-nx", "-batch", *words], cwd=folder, env=own, capture_output=True, text=True, timeout=120, check=False
    )
    return ran.stdout + ran.stderr


def crash(program: Path) -> Path:
    """Run the program until it dumps core and return the core file."""
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):
        # Dumps are piped to the system's own collector here: gdb writes one instead.
        gdb("-ex", "run", "-ex", "generate-core-file core", str(program), folder=program.parent)
    else:
        limit = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (limit[1], limit[1]))
        try:
            # Not inherited Ctrl-C or the like: GOTRACEBACK makes Go dump core at its own end.
            environ = {**os.environ, "GOTRACEBACK": "crash"}
            subprocess.run([program], cwd=program.parent, env=environ, capture_output=True, timeout=60, check=False)
        finally:
            resource.setrlimit(resource.RLIMIT_CORE, limit)
    cores = sorted(program.parent.glob("core*"))
    assert cores, "no core was dumped"
    return cores[0]


def test_gdb_breaks_by_function_and_line_of_the_stripped_program_through_serve(shipped: Shipped) -> None:
    before = gdb("-ex", "info line main.loseTheRudder", str(shipped.program), folder=shipped.folder)
    assert "main.go" not in before
    with serving(shipped, "--from", f"oci:{shipped.layout}") as (url, process):
        said = gdb(
            "-iex", "set debuginfod enabled on",
            "-ex", f"break main.go:{LINE}", "-ex", "run", "-ex", "bt",
            str(shipped.program),
            folder=shipped.folder,
            DEBUGINFOD_URLS=url,
            DEBUGINFOD_CACHE_PATH=str(shipped.folder / "gdb-cache"),
        )  # fmt: skip
        assert re.search(rf"#0 +main\.loseTheRudder \(count=.*\) at .*main\.go:{LINE}\n#1 .*main\.main", said), said
        with urllib.request.urlopen(f"{url}/buildid/{shipped.build_id}/executable", timeout=30) as answer:
            assert answer.read() == shipped.program.read_bytes()
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (0, "")
    assert f"/buildid/{shipped.build_id}/debuginfo HTTP/1.1 200" in stderr
    assert "Traceback" not in stderr


def test_a_core_of_the_shipped_program_is_read_by_function_and_line(shipped: Shipped) -> None:
    core = crash(shipped.program)
    where = shipped.folder / "read"
    where.mkdir()
    ran = shipped.proa("debug", str(core), "--from", f"oci:{shipped.layout}", "--with-program", cwd=where, cache="a")
    assert ran.stdout == "rudder.debug\nrudder\n"
    assert (where / "rudder").read_bytes() == shipped.program.read_bytes()
    # Program and debug file side by side: the link in the program leads from one to the other.
    said = gdb("-ex", "thread apply all bt", "rudder", str(core), folder=where)
    assert re.search(rf"main\.loseTheRudder .*main\.go:{LINE}", said), said


def test_a_debug_file_directory_serves_gdb_as_well(shipped: Shipped) -> None:
    where = shipped.folder / "directory"
    where.mkdir()
    ran = shipped.proa("debug", shipped.build_id[:12], "--install", ".", cwd=where)
    assert ran.stdout == f".build-id/{shipped.build_id[:2]}/{shipped.build_id[2:]}.debug\n"
    said = gdb(
        "-iex", f"set debug-file-directory {where}", "-ex", "info line main.loseTheRudder", str(shipped.program),
        folder=where,
    )  # fmt: skip
    assert "main.go" in said, said


def test_the_joined_program_is_the_one_that_was_linked(shipped: Shipped) -> None:
    where = shipped.folder / "joined"
    where.mkdir()
    shipped.proa("debug", "rejoin", f"oci:{shipped.layout}:1", "--output", "rudder", cwd=where, cache="b")
    linked = shipped.cache / "blobs" / "sha256" / shipped.binary["unstripped_digest"].partition(":")[2]
    assert (where / "rudder").read_bytes() == linked.read_bytes()


def test_shipping_again_changes_nothing_in_the_layout(shipped: Shipped) -> None:
    before = {path: path.stat().st_mtime_ns for path in shipped.layout.rglob("*") if path.is_file()}
    words = ("ship", "--no-trial", "--strip", "all", "--to", f"oci:{shipped.layout}:1")
    shipped.proa(*words, cwd=shipped.folder / "rudder")
    assert {path: path.stat().st_mtime_ns for path in shipped.layout.rglob("*") if path.is_file()} == before


def test_skopeo_takes_the_layout_and_the_tag_is_not_needed(shipped: Shipped) -> None:
    need("skopeo")
    for name in (f"oci:{shipped.layout}", f"oci:{shipped.layout}:1"):
        said = subprocess.run(
            ["skopeo", "inspect", "--raw", name], capture_output=True, text=True, timeout=60, check=True
        )
        assert len(json.loads(said.stdout)["layers"]) == 1


def test_the_debug_image_has_a_shell_and_the_symbols_gdb_finds(shipped: Shipped) -> None:
    made = shipped.proa(
        "debug", "image", f"oci:{shipped.layout}:1", "--to", f"oci:{shipped.folder}/dbg:1", "--format", "json",
        cwd=shipped.folder,
    )  # fmt: skip
    record = json.loads(made.stdout)
    from proa import pack
    from proa.outside.store import Store

    root = shipped.folder / "root"
    root.mkdir()
    pack.unpack(record["digest"], root, store=Store(shipped.cache))
    ran = subprocess.run(
        [root / "bin" / "sh", "-c", "for i in 1 2; do echo $i; done | wc -l"],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    assert ran.stdout.split()[0] == "2"
    entry = shipped.record["images"][0]["entrypoint"][0]
    said = gdb("-ex", "info line main.loseTheRudder", f"{root}{entry}", folder=shipped.folder)
    assert "main.go" in said, said
