"""Build-ids that are the same on every machine."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from proa.build.buildid import stamp_build_id
from proa.outside import elf


@pytest.fixture
def program(tmp_path) -> Path:
    file = tmp_path / "program"
    shutil.copyfile("/bin/sh", file)
    if len(elf.build_id(elf.open_elf(file))) != 40:
        pytest.skip("real: /bin/sh has no build-id of 20 bytes")
    return file


def test_it_is_made_of_what_is_loaded_and_of_the_source(program):
    before = program.read_bytes()
    first = stamp_build_id(program, "a source")
    after = program.read_bytes()
    assert elf.build_id(elf.open_elf(program)) == first
    assert sum(one != other for one, other in zip(before, after, strict=True)) <= 20
    assert stamp_build_id(program, "a source") == first
    assert stamp_build_id(program, "another source") != first


def test_what_is_not_loaded_does_not_count(program):
    first = stamp_build_id(program, "")
    section = elf.open_elf(program).section(".gnu_debuglink", ".shstrtab")
    assert section is not None
    assert not section.is_allocated
    content = bytearray(program.read_bytes())
    content[section.offset + section.size - 1] ^= 1 if section.name == ".gnu_debuglink" else 0
    content += b"behind everything"
    program.write_bytes(content)
    assert stamp_build_id(program, "") == first


def test_a_program_without_one_is_left_as_it_is(program):
    content = program.read_bytes().replace(b".note.gnu.build-id", b".note.gnu.other-id")
    program.write_bytes(content)
    assert stamp_build_id(program, "") == ""
    assert program.read_bytes() == content
