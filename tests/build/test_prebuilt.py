"""What a finished program's file says of itself, and what is no program."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from fakes import elf_files
from fakes.dynamic_files import GLIBC, dynamic_file, glibc_root, put_file
from fakes.elf_files import BUILD_ID, Form
from proa.build.prebuilt import finish_prebuilt, inspect_program
from proa.errors import BinaryDamaged, BuildFailed, WrongInput, WrongUsage
from proa.outside.store import Store
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        pytest.param(b"#!/bin/sh\nexit\n", WrongUsage, "is a script for /bin/sh", id="a script"),
        pytest.param(b"MZ\x90", BinaryDamaged, "a Windows program", id="windows"),
        pytest.param(b"\xcf\xfa\xed\xfe", BinaryDamaged, "a macOS program", id="macos"),
        pytest.param(b"", BinaryDamaged, "is empty", id="empty"),
        pytest.param(b"hello", BinaryDamaged, "offset 0x0", id="text"),
        pytest.param(dynamic_file(interpreter=GLIBC)[:90], BinaryDamaged, r"program: .*offset", id="cut short"),
        pytest.param(dynamic_file(soname="liba.so"), WrongUsage, "is a shared library", id="a library"),
        pytest.param(dynamic_file(interpreter=GLIBC, machine=9999), BinaryDamaged, "machine 9999", id="a machine"),
        pytest.param(dynamic_file()[:16] + b"\x01\x00" + dynamic_file()[18:], WrongUsage, "object file", id="object"),
        pytest.param(b"\x7fELF\x02\x01\x01\x09" + dynamic_file()[8:], WrongUsage, "FreeBSD", id="another system"),
    ],
)
def test_what_is_no_program_is_refused_by_name(
    tmp_path: Path, content: bytes, kind: type[WrongInput], words: str
) -> None:
    with pytest.raises(kind, match=words):
        inspect_program(put_file(tmp_path, "program", content))


@pytest.mark.parametrize("name", ["none", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUsage, match="is not a file"):
        inspect_program(tmp_path / name)


def test_the_libraries_tell_the_language(tmp_path: Path) -> None:
    file = put_file(tmp_path, "a", dynamic_file(interpreter=GLIBC, needed=["libstdc++.so.6", "libc.so.6"]))
    what = inspect_program(file)
    assert (what.language, what.libc, what.platform, what.is_static) == ("c++", "glibc", AMD64, False)
    file = put_file(tmp_path, "r", dynamic_file(interpreter=GLIBC, text=b"/rustc/0123/library/std/src/io"))
    assert inspect_program(file).language == "rust"


def test_a_program_keeps_its_bytes_and_loses_its_rights(tmp_path: Path) -> None:
    root, store = glibc_root(tmp_path / "root"), Store(tmp_path / "store")
    content = dynamic_file(interpreter=GLIBC, needed=["libc.so.6"], imports=["iconv_open", "dlopen"])
    file = put_file(tmp_path, "app", content)
    file.chmod(0o4755)
    settings = BuildSettings(sysroot=str(root))
    binary = finish_prebuilt(file, name="app", platform=AMD64, settings=settings, store=store)
    assert store.read_blob(binary.digest) == content
    assert file.read_bytes() == content
    assert store.blob_path(binary.digest).stat().st_mode & 0o7000 == 0
    assert [one.path for one in binary.runtime_files] == [GLIBC, "/lib/x86_64-linux-gnu/libc.so.6"]
    ids = {one.id for one in binary.findings}
    assert {"build.privilege-dropped", "build.iconv", "build.opens-libraries"} <= ids


def test_another_platform_than_asked_for_is_an_error(tmp_path: Path) -> None:
    file = put_file(tmp_path, "app", dynamic_file(entry=0x10000, flags_1=0x08000000))
    with pytest.raises(BuildFailed, match="amd64 where linux/arm64"):
        finish_prebuilt(
            file,
            name="app",
            platform=Platform("linux", "arm64"),
            settings=BuildSettings(),
            store=Store(tmp_path / "store"),
        )


def test_a_table_of_endless_length_is_refused(tmp_path: Path) -> None:
    content = bytearray(dynamic_file(interpreter=GLIBC, needed=["libc.so.6"]))
    struct.pack_into("<H", content, 60, 0xFFFF)
    with pytest.raises(BinaryDamaged):
        inspect_program(put_file(tmp_path, "app", bytes(content)))


def test_damage_that_is_found_late_is_told_with_the_name(tmp_path: Path) -> None:
    note = elf_files.program(Form())
    at = note.index(BUILD_ID) - 16
    assert note[at + 12 : at + 16] == b"GNU\0"
    file = put_file(tmp_path, "api", note[:at] + b"\xff\xff\0\0" + note[at + 4 :])
    with pytest.raises(BinaryDamaged, match=rf"^api: the note at offset {at:#x} "):
        finish_prebuilt(file, name="api", platform=AMD64, settings=BuildSettings(), store=Store(tmp_path / "store"))
