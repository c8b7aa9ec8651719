"""The static shell for debug images, built by the real go command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from proa.build import find_shell
from proa.build.proof import prove
from proa.errors import BuildFailed, NotStatic, ToolMissing, WrongUsage
from proa.outside.go import Go, find_go
from proa.outside.store import Store
from proa.records.platform import Platform
from real_neighbours import need

NOTHING = {"PATH": "/nonexistent"}


def no_go() -> Go:
    raise ToolMissing("go was not found")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.mark.real
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_the_shell_is_static_small_and_for_its_platform(store: Store, architecture: str) -> None:
    need("go")
    platform = Platform("linux", architecture)
    try:
        shell = find_shell(platform, chosen="", find_go=lambda: find_go(os.environ), environ=NOTHING, store=store)
    except BuildFailed as error:
        pytest.skip(f"real: the shell's Go modules cannot be fetched: {error.output[-200:]}")
    file = store.blob_path(shell.digest)
    assert prove(file, platform).is_static
    assert shell.bytes == file.stat().st_size < 6_000_000
    if architecture == "amd64" and os.uname().machine == "x86_64":
        talk(file, shell.names)


def talk(file: Path, names: tuple[str, ...]) -> None:
    file.chmod(0o755)
    listed = subprocess.run([file, "--list"], capture_output=True, text=True, timeout=30, check=True).stdout.split()
    assert tuple(listed) == names
    script = 'cd /; ls | grep -c proc; x=3; while [ $x -gt 0 ]; do x=$((x-1)); done; echo "$x $1"; false || exit 7'
    ran = subprocess.run([file, "-c", script, "sh", "word"], capture_output=True, text=True, timeout=30, check=False)
    assert (ran.stdout, ran.returncode, ran.stderr) == ("1\n0 word\n", 7, "")
    piped = subprocess.run([file], input="echo hello | wc -l\n", capture_output=True, text=True, timeout=30, check=True)
    assert piped.stdout.split() == ["1"]


def test_a_file_of_ones_own_must_be_static_and_a_program(store: Store, tmp_path: Path) -> None:
    for name, content in (("text", b"#!/bin/sh\n"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WrongUsage, match="is no program"):
            find_shell(Platform("linux", "amd64"), chosen=str(tmp_path / name), find_go=no_go, environ={}, store=store)
    with pytest.raises(WrongUsage):
        find_shell(Platform("linux", "amd64"), chosen="/nonexistent/sh", find_go=no_go, environ={}, store=store)


def test_without_busybox_and_go_it_says_what_to_install(store: Store) -> None:
    with pytest.raises(ToolMissing, match="neither a static busybox nor go") as caught:
        find_shell(Platform("linux", "riscv64"), chosen="", find_go=no_go, environ=NOTHING, store=store)
    assert "--shell FILE" in caught.value.hint


@pytest.mark.real
def test_a_dynamic_shell_is_refused(store: Store) -> None:
    program = shutil.which("dash") or shutil.which("sh") or ""
    if not Path(program).exists() or os.uname().machine != "x86_64":
        pytest.skip("real: there is no dynamic shell for amd64 here")
    with pytest.raises(NotStatic):
        find_shell(Platform("linux", "amd64"), chosen=program, find_go=no_go, environ={}, store=store)
