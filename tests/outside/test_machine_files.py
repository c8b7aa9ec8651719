"""Files that appear whole, and the places that are no files."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import NoSpace, NotWritable
from proa.outside.machine import copy_file, is_stream, write_file


def test_a_device_is_written_into_and_stays_a_device(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x" * 10)
    write_file(Path("/dev/null"), b"x")
    copy_file(source, Path("/dev/null"), mode=0o755)
    assert Path("/dev/null").is_char_device()


def test_a_full_device_is_told() -> None:
    with pytest.raises(NoSpace):
        write_file(Path("/dev/full"), b"x")
    assert Path("/dev/full").is_char_device()


def test_a_folder_in_the_way_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(NotWritable):
        write_file(tmp_path / "a", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_script_can_be_run_as_soon_as_it_appears(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"#!/bin/sh\n", mode=0o755)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(("place", "expected"), [("/dev/stdout", True), ("/dev/null", True), ("/etc", False)])
def test_devices_and_descriptors_are_streams(place: str, expected: bool) -> None:
    assert is_stream(Path(place)) == expected


def test_what_is_missing_or_a_file_is_no_stream(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert not is_stream(tmp_path / "a")
    assert not is_stream(tmp_path / "b")
