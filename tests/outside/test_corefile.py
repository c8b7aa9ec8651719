"""Core files: the crashed program's build-id is found, and nothing a file says is believed."""

from __future__ import annotations

import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.debugging import make_core
from fakes.elf_files import BUILD_ID, Form, program
from proa.errors import BinaryDamaged, DebugMissing, ProaError
from proa.outside.corefile import is_core, read_core


def written(folder: Path, content: bytes, name: str = "core") -> Path:
    file = folder / name
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("is_64", [True, False])
@pytest.mark.parametrize("has_segment", [True, False], ids=["in a note segment", "in the first page only"])
def test_the_build_id_of_the_program_is_found(tmp_path: Path, is_64: bool, has_segment: bool) -> None:
    core = read_core(written(tmp_path, make_core(is_64=is_64, has_segment=has_segment)))
    assert core.build_id == BUILD_ID.hex()
    assert (core.program, core.command) == ("/hello", "/hello serve")
    assert [(each.path, each.offset) for each in core.mappings] == [("/hello", 0)]


def test_a_core_without_the_first_page_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DebugMissing, match="no build-id of /hello") as caught:
        read_core(written(tmp_path, make_core(has_page=False)))
    assert "coredump_filter" in caught.value.hint


def test_a_core_cut_off_behind_the_first_page_is_still_read(tmp_path: Path) -> None:
    whole = make_core()
    assert read_core(written(tmp_path, whole[: len(whole) - 0x100])).build_id == BUILD_ID.hex()


@pytest.mark.parametrize("size", [0, 3, 17, 40, 70, 100, 200, 400])
def test_a_truncated_core_is_refused_with_the_offset(tmp_path: Path, size: int) -> None:
    with pytest.raises(BinaryDamaged, match="offset 0x"):
        read_core(written(tmp_path, make_core()[:size]))


def patched(core: bytes, at: int, form: str, *values: int) -> bytes:
    packed = struct.pack(form, *values)
    return core[:at] + packed + core[at + len(packed) :]


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [
        pytest.param(16 + 16, "<Q", 1 << 63, id="headers far outside"),
        pytest.param(16 + 40, "<H", 60_000, id="more headers than there is file"),
        pytest.param(16 + 38, "<H", 1, id="tiny header entries"),
        pytest.param(64 + 8, "<Q", 1 << 62, id="notes outside"),
        pytest.param(64 + 32, "<Q", (1 << 64) - 1, id="notes without end"),
        pytest.param(64 + 112 + 4, "<I", 0xFFFFFFF0, id="a note without end"),
        pytest.param(64 + 112, "<I", 0xFFFFFFF0, id="an owner without end"),
    ],
)
def test_hostile_counts_and_places_are_refused(tmp_path: Path, at: int, form: str, value: int) -> None:
    with pytest.raises(BinaryDamaged):
        read_core(written(tmp_path, patched(make_core(), at, form, value)))


def test_counts_of_the_mapped_files_are_bounded(tmp_path: Path) -> None:
    core = make_core()
    at = core.index(struct.pack("<QQ", 1, 4096))
    for count in (1 << 16, 1 << 40, (1 << 64) - 1):
        with pytest.raises(BinaryDamaged, match="mapped files"):
            read_core(written(tmp_path, patched(core, at, "<Q", count)))


def test_a_core_full_of_empty_notes_ends_soon(tmp_path: Path) -> None:
    head = bytearray(make_core())
    notes = struct.pack("<III", 0, 0, 9) * 500_000
    struct.pack_into("<Q", head, 64 + 8, len(head))
    struct.pack_into("<Q", head, 64 + 32, len(notes))
    file = written(tmp_path, bytes(head) + notes)
    started = time.monotonic()
    with pytest.raises(BinaryDamaged, match="notes"):
        read_core(file)
    assert time.monotonic() - started < 8


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_damage_ends_in_an_error_of_ours_or_a_build_id(tmp_path: Path, data: st.DataObject) -> None:
    core = bytearray(make_core(is_64=data.draw(st.booleans()), has_segment=data.draw(st.booleans())))
    for _ in range(data.draw(st.integers(1, 6))):
        # The headers and notes; the page itself is mostly zeros.
        core[data.draw(st.integers(0, 1500))] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    file = written(tmp_path, bytes(core[: data.draw(st.integers(0, len(core)))]))
    with suppress(ProaError):
        assert read_core(file).build_id


def test_programs_are_no_cores_and_packed_cores_are_named(tmp_path: Path) -> None:
    assert is_core(written(tmp_path, make_core()))
    assert not is_core(written(tmp_path, program(Form())))
    assert not is_core(written(tmp_path, b""))
    with pytest.raises(DebugMissing, match="zstd"):
        is_core(written(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(20), "core.app.zst"))
