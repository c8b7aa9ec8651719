"""The program's file: found inside the image only, described from its headers."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.records.platform import Platform
from proa.trial.program import architecture, find_program, is_native, resolve


def elf(machine=62, interpreter=b""):
    head = (
        b"\x7fELF\x02\x01\x01"
        + bytes(9)
        + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    )
    kind = 3 if interpreter else 1
    return head + struct.pack("<IIQQQQQQ", kind, 4, 120, 0, 0, len(interpreter), len(interpreter), 1) + interpreter


@pytest.fixture
def rootfs(tmp_path):
    (tmp_path / "bin").mkdir()
    return tmp_path


def put(rootfs, name, content, mode=0o755):
    (rootfs / name).write_bytes(content)
    (rootfs / name).chmod(mode)


def test_a_static_program_needs_no_loader(rootfs):
    put(rootfs, "app", elf())

    program = find_program(rootfs, "/app", {}, "/")

    assert (program.architecture, program.interpreter, program.is_executable) == ("amd64", "", True)


def test_a_missing_loader_is_seen(rootfs):
    put(rootfs, "app", elf(interpreter=b"/lib64/ld-linux-x86-64.so.2\0"))

    program = find_program(rootfs, "/app", {}, "/")

    assert program.interpreter == "/lib64/ld-linux-x86-64.so.2"
    assert not program.has_interpreter


def test_a_scripts_shell_is_its_interpreter(rootfs):
    put(rootfs, "run", b"#!/bin/sh -e\nexec true\n")

    assert find_program(rootfs, "/run", {}, "/").interpreter == "/bin/sh"


def test_a_bare_name_is_looked_for_on_the_images_path(rootfs):
    put(rootfs, "bin/tool", elf(machine=183))

    program = find_program(rootfs, "tool", {"PATH": "/sbin:/bin"}, "/")

    assert (program.path, program.architecture) == ("/bin/tool", "arm64")


def test_a_relative_name_starts_in_the_working_directory(rootfs):
    put(rootfs, "bin/tool", elf())

    assert find_program(rootfs, "./tool", {}, "/bin").is_there


def test_links_are_followed_inside_the_image_only(rootfs):
    put(rootfs, "bin/real", elf())
    (rootfs / "app").symlink_to("/bin/real")
    (rootfs / "out").symlink_to("../../../../etc/passwd")
    (rootfs / "loop").symlink_to("/loop")

    assert resolve(rootfs, "/app") == rootfs / "bin/real"
    assert resolve(rootfs, "/out") is None
    assert resolve(rootfs, "/loop") is None


def test_what_only_the_owner_may_execute_is_told(rootfs):
    put(rootfs, "app", elf(), mode=0o700)

    assert not find_program(rootfs, "/app", {}, "/").is_executable


@given(st.binary(max_size=200))
def test_any_header_can_be_read(head):
    assert isinstance(architecture(b"\x7fELF" + head), str)


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_any_file_can_be_described(content):
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), "app", b"\x7fELF" + content)

        assert find_program(Path(folder), "/app", {}, "/").is_there


def test_32_bit_programs_run_on_their_64_bit_sibling_only():
    assert is_native(Platform("linux", "386"), Platform("linux", "amd64"))
    assert not is_native(Platform("linux", "arm64"), Platform("linux", "amd64"))
    assert not is_native(Platform("windows", "amd64"), Platform("linux", "amd64"))
