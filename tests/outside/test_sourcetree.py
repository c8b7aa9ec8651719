"""Source trees: what is listed, what decides, and what a copy is like."""

from __future__ import annotations

import os
import subprocess

import pytest

from proa.errors import ToolMissing
from proa.outside.sourcetree import copy_files, digest_files, list_files


def no_git(*_words, **_more):
    raise ToolMissing("git")


def write(root, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def test_without_git_other_tools_output_is_left_out(tmp_path):
    write(tmp_path, "a.c", "sub/b.c", "build/CMakeCache.txt", "build/x", "target/CACHEDIR.TAG", ".hg/store")
    assert list_files(tmp_path, environ={}, run=no_git) == ("a.c", "sub/b.c")


def test_git_says_what_is_ignored(tmp_path):
    write(tmp_path, "a.c", "a.o", "sub/new.c", ".gitignore")
    (tmp_path / ".gitignore").write_text("*.o\n")
    ran = subprocess.run(["git", "init", "-q", tmp_path], check=False, capture_output=True)
    if ran.returncode:
        pytest.skip("real: git is not on PATH")
    assert list_files(tmp_path, environ=dict(os.environ)) == (".gitignore", "a.c", "sub/new.c")


def test_contents_names_and_execute_bits_decide_and_times_do_not(tmp_path):
    write(tmp_path, "a.c", "run.sh")
    names = list_files(tmp_path, environ={}, run=no_git)
    first = digest_files(tmp_path, names)
    os.utime(tmp_path / "a.c", (1, 1))
    assert digest_files(tmp_path, names) == first
    (tmp_path / "run.sh").chmod(0o755)
    second = digest_files(tmp_path, names)
    (tmp_path / "a.c").write_text("other")
    assert len({first, second, digest_files(tmp_path, names)}) == 3


def test_links_that_lead_out_are_left_out_and_others_stay_links(tmp_path):
    root, copy = tmp_path / "root", tmp_path / "copy"
    write(root, "a.c", "sub/b.c")
    (root / "inside").symlink_to("sub/b.c")
    (root / "sub" / "up").symlink_to("../a.c")
    (root / "outside").symlink_to("/etc/passwd")
    (root / "sub" / "far").symlink_to("../../elsewhere")
    names = list_files(root, environ={}, run=no_git)
    assert copy_files(root, names, copy) == ("outside", "sub/far")
    assert (copy / "inside").readlink().as_posix() == "sub/b.c"
    assert (copy / "sub" / "up").read_text() == "a.c"
    assert not (copy / "outside").is_symlink()


def test_earlier_output_is_older_than_all_sources_so_that_make_makes_it_anew(tmp_path):
    root, copy = tmp_path / "root", tmp_path / "copy"
    write(root, "a.c", "a.o", "lib.a", "tool.sh")
    (root / "tool.sh").chmod(0o700)
    (root / "program").write_bytes(b"\x7fELF")
    (root / "program").chmod(0o755)
    copy_files(root, list_files(root, environ={}, run=no_git), copy)
    times = {path.name: path.stat().st_mtime for path in copy.iterdir()}
    assert max(times["a.o"], times["lib.a"], times["program"]) < times["a.c"] == times["tool.sh"]
    assert (copy / "tool.sh").stat().st_mode & 0o777 == 0o755
