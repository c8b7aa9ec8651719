"""What a program's headers prove."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import elf_files
from fakes.elf_files import Form
from proa.build.proof import go_version, prove
from proa.errors import BuildFailed
from proa.outside import elf
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


def _file(folder: Path, form: Form) -> Path:
    file = folder / "program"
    file.write_bytes(elf_files.program(form))
    return file


def test_a_program_without_loader_and_libraries_is_static(tmp_path: Path) -> None:
    proof = prove(_file(tmp_path, Form()), AMD64)
    assert proof.is_static
    assert proof.build_id == elf_files.BUILD_ID.hex()
    assert proof.go_version == "go1.26.8"


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(Form(interpreter=b"/lib64/ld-linux-x86-64.so.2"), id="a loader alone, as in a PIE without cgo"),
        pytest.param(Form(libraries=(b"libc.so.6",)), id="a library alone"),
    ],
)
def test_a_loader_or_a_library_makes_it_not_static(tmp_path: Path, form: Form) -> None:
    proof = prove(_file(tmp_path, form), AMD64)
    assert not proof.is_static
    assert proof.interpreter or proof.libraries


@pytest.mark.parametrize(
    ("form", "platform"),
    [
        (Form(machine=183), "linux/arm64"),
        (Form(machine=40, is_64=False), "linux/arm/v7"),
        (Form(machine=3, is_64=False), "linux/386"),
        (Form(machine=22, is_little=False), "linux/s390x"),
        (Form(machine=21), "linux/ppc64le"),
        (Form(machine=8, is_64=False, is_little=False), "linux/mips"),
        (Form(machine=243), "linux/riscv64"),
    ],
)
def test_each_architecture_is_known_and_no_other_passes_for_it(tmp_path: Path, form: Form, platform: str) -> None:
    file = _file(tmp_path, form)
    assert prove(file, Platform.parse(platform)).is_elf
    with pytest.raises(BuildFailed, match="linux/amd64 was asked for"):
        prove(file, AMD64)


def test_what_is_not_elf_is_never_called_static(tmp_path: Path) -> None:
    (tmp_path / "program.exe").write_bytes(b"MZ" + b"\0" * 50)
    proof = prove(tmp_path / "program.exe", Platform("windows", "amd64"))
    assert (proof.is_elf, proof.is_static) == (False, False)


@pytest.mark.parametrize("length", [0x80, 0xFF, 0x7F])
def test_a_version_that_is_longer_than_its_section_is_none(length: int) -> None:
    damaged = bytearray(elf_files.program(Form()))
    damaged[damaged.index(elf_files.BUILDINFO[:14]) + 32] = length
    assert go_version(elf.read_elf(bytes(damaged))) == ""
