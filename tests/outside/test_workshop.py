"""Folders to build in: what may be written, and what happens where nothing can confine a build."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.errors import ToolMissing
from proa.outside.command import Ran
from proa.outside.workshop import open_workshop
from real_neighbours import need

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}


class Recorder:
    """Stand for programs: remember what was run, and end with one status."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.calls: list[list[str]] = []

    def __call__(self, argv, **_more):
        self.calls.append(list(argv))
        return Ran(argv=tuple(argv), status=self.status, stdout=b"", stderr=b"", seconds=0.0)


def test_where_namespaces_are_not_allowed_the_build_runs_where_it_is(tmp_path):
    recorder = Recorder(status=1)
    shop = open_workshop(tmp_path, ENVIRONMENT, run=recorder)
    assert (shop.confined_by, shop.place) == ("", tmp_path)
    shop.call(["make"], directory=tmp_path)
    assert recorder.calls[-1] == ["make"]


def test_where_bubblewrap_cannot_be_started_the_build_runs_where_it_is(tmp_path):
    def missing(_argv, **_more):
        raise ToolMissing("bwrap")

    assert open_workshop(tmp_path, ENVIRONMENT, run=missing).confined_by == ""


@pytest.mark.real
def test_only_the_folders_in_it_and_the_named_ones_can_be_written(tmp_path):
    need("bwrap", "sh")
    work, cache = tmp_path / "work", tmp_path / "cache"
    (work / "source").mkdir(parents=True)
    shop = open_workshop(work, ENVIRONMENT, writable=[cache])
    if not shop.confined_by:
        pytest.skip("real: bwrap may not make namespaces here")
    source = shop.place / "source"

    def status(command: str) -> int:
        return shop.call(["sh", "-c", command], directory=source).status

    assert status(f"echo x >here && echo x >{cache}/there && test $(pwd) = {source}") == 0
    assert (work / "source/here").exists()
    assert (cache / "there").exists()
    for place in ("..", "/tmp", "/etc", str(tmp_path), "/dev/shm/../.."):
        assert status(f"echo x >{place}/written-outside") != 0, place


@pytest.mark.real
def test_the_network_is_there_only_where_it_is_asked_for(tmp_path):
    need("bwrap", "cat")
    (tmp_path / "source").mkdir()
    shop = open_workshop(tmp_path, ENVIRONMENT)
    if not shop.confined_by:
        pytest.skip("real: bwrap may not make namespaces here")
    without = shop.call(["cat", "/proc/net/dev"], directory=shop.place).stdout.splitlines()
    with_it = shop.call(["cat", "/proc/net/dev"], directory=shop.place, has_network=True).stdout.splitlines()
    assert len(without) == 3, "two lines of headings, and loopback"
    assert len(with_it) == len(Path("/proc/net/dev").read_text().splitlines())


@pytest.mark.real
def test_a_writable_folder_may_be_reached_by_a_link(tmp_path):
    need("bwrap")
    folder, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (tmp_path / "cache").symlink_to(elsewhere)
    shop = open_workshop(folder, {"PATH": os.environ["PATH"]}, writable=[tmp_path / "cache"])

    ran = shop.call(["sh", "-c", f"echo kept > {tmp_path}/cache/file"], directory=shop.place)

    assert (ran.status, ran.stderr) == (0, b"")
    assert (elsewhere / "file").read_text() == "kept\n"
