"""Programs of another architecture: which emulators count, and how one gets beside the program."""

from __future__ import annotations

import shutil

import pytest

from proa.outside import emulation


def test_an_emulator_counts_only_where_the_image_needs_nothing_for_it(tmp_path):
    (tmp_path / "qemu-aarch64").write_text("enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\noffset 0\n")
    (tmp_path / "qemu-riscv64").write_text("enabled\ninterpreter /usr/bin/qemu-riscv64-static\nflags: \noffset 0\n")

    assert emulation.is_emulated_here("arm64", folder=tmp_path)
    assert not emulation.is_emulated_here("riscv64", folder=tmp_path)
    assert not emulation.is_emulated_here("s390x", folder=tmp_path)


def test_an_emulator_that_needs_libraries_of_this_machine_does_not_count(tmp_path):
    dynamic = tmp_path / "qemu-s390x"
    shutil.copy(shutil.which("sh") or "/bin/sh", dynamic)
    assert emulation.find_emulator("s390x", {"PATH": str(tmp_path)}) in ("", "/usr/bin/qemu-s390x-static")


def test_a_file_that_is_no_program_is_no_emulator(tmp_path):
    script = tmp_path / "qemu-hexagonal"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert emulation.find_emulator("hexagonal", {"PATH": str(tmp_path)}) == ""


@pytest.mark.real
def test_qemu_for_arm64_is_found_and_put_into_the_image(tmp_path):
    emulator = emulation.find_emulator("arm64", {"PATH": "/usr/bin"})
    if not emulator:
        pytest.skip("real: qemu-aarch64-static is not on PATH")
    inside = emulation.place_emulator(emulator, tmp_path)
    placed = tmp_path / inside.lstrip("/")
    assert placed.stat().st_mode & 0o777 == 0o755
    assert placed.stat().st_size > 1 << 20
