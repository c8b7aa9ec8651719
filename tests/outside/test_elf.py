"""The ELF reader on small programs of every form, and on damaged ones."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import elf_files
from fakes.elf_files import Form
from proa.errors import BinaryDamaged, ImageMissing, ProaError
from proa.outside import elf
from proa.outside.dynamic import read_dynamic

FORMS = [
    pytest.param(Form(is_64=is_64, is_little=is_little, table_first=first), id=f"{bits}-{order}-{layout}")
    for is_64, bits in ((True, "64"), (False, "32"))
    for is_little, order in ((True, "little"), (False, "big"))
    for first, layout in ((True, "go"), (False, "gnu"))
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_read_alike(form: Form) -> None:
    program = elf.read_elf(elf_files.program(form))
    text = program.section(".text")
    assert (program.is_64, program.is_little) == (form.is_64, form.is_little)
    assert text is not None
    assert bytes(program.content(text)) == elf_files.CODE
    assert program.offset_of(text.address) == text.offset
    assert elf.build_id(program) == elf_files.BUILD_ID.hex()
    assert elf.interpreter(program) == ""
    assert read_dynamic(program).needed == ()


@pytest.mark.parametrize("form", FORMS)
def test_the_loader_and_the_libraries_are_read(form: Form) -> None:
    dynamic = replace(form, interpreter=b"/lib/ld.so.1", libraries=(b"libc.so.6", b"libm.so.6"))
    program = elf.read_elf(elf_files.program(dynamic))
    assert elf.interpreter(program) == "/lib/ld.so.1"
    assert read_dynamic(program).needed == ("libc.so.6", "libm.so.6")


@pytest.mark.parametrize("form", FORMS)
def test_symbols_have_the_same_fields_in_both_classes(form: Form) -> None:
    program = elf.read_elf(elf_files.program(form))
    table, strings = program.section(".symtab"), program.section(".strtab")
    assert table is not None
    assert strings is not None
    symbols = elf.symbols(program, table)
    names = program.content(strings)
    assert [elf.string_at(names, int(row["name"])) for row in symbols[1:3]] == ["main", "note"]
    assert int(symbols[1]["value"]) == elf_files.BASE
    assert int(symbols[1]["size"]) == 8


def test_a_section_without_bytes_is_empty_wherever_it_claims_to_be() -> None:
    program = elf.read_elf(elf_files.program(Form()))
    bss = program.section(".bss")
    assert bss is not None
    assert bss.offset > len(program.data)
    assert bytes(program.content(bss)) == b""


def test_a_note_outside_the_note_segment_is_found(tmp_path: Path) -> None:
    program = elf.read_elf(elf_files.program(Form()))
    assert not [segment for segment in program.segments if segment.kind == elf.PT_NOTE]
    assert [(note.owner, note.kind) for note in elf.notes(program)] == [("GNU", 3)]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        pytest.param(b"", "not an ELF file", id="empty"),
        pytest.param(b"\x7fELF", "not an ELF file", id="magic alone"),
        pytest.param(b"#!/bin/sh\n" + b" " * 40, "not an ELF file", id="a script"),
        pytest.param(b"\x7fELF\x07\x01" + b"\0" * 60, "class 7", id="unknown class"),
        pytest.param(elf_files.program(Form())[:40], "offset 0x10", id="cut in the header"),
        pytest.param(elf_files.program(Form())[:200], "beyond the end", id="cut in the table"),
        pytest.param(elf_files.program(Form(table_first=False))[:-1], "beyond the end", id="cut at the end"),
    ],
)
def test_what_is_no_whole_elf_file_is_refused_with_the_place(content: bytes, what: str) -> None:
    with pytest.raises(BinaryDamaged) as caught:
        elf.read_elf(content)
    assert what in caught.value.what


def test_a_file_that_is_not_there_or_is_empty_is_told(tmp_path: Path) -> None:
    with pytest.raises(ImageMissing):
        elf.open_elf(tmp_path / "nothing")
    (tmp_path / "empty").touch()
    with pytest.raises(BinaryDamaged, match="empty"):
        elf.open_elf(tmp_path / "empty")


def test_a_section_count_beyond_all_reason_is_refused() -> None:
    damaged = bytearray(elf_files.program(Form()))
    struct.pack_into("<H", damaged, 60, 0)
    first = struct.unpack_from("<Q", damaged, 40)[0]
    struct.pack_into("<Q", damaged, first + 32, 1 << 40)
    with pytest.raises(BinaryDamaged, match="1099511627776 entries"):
        elf.read_elf(bytes(damaged))


_SAMPLES = [
    elf_files.program(Form(interpreter=b"/ld", libraries=(b"a", b"b"), table_first=first)) for first in (True, False)
]
_SAMPLES += [elf_files.program(Form(is_64=False, is_little=False, libraries=(b"x",)))]
_LARGE = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF])


@given(
    sample=st.sampled_from(_SAMPLES),
    changes=st.lists(st.tuples(st.integers(0, 1400), _LARGE | st.integers(0, 255)), max_size=12),
    cut_at=st.none() | st.integers(0, 1500),
)
@settings(max_examples=600, deadline=None)
def test_a_damaged_file_is_read_or_refused_and_nothing_else(
    sample: bytes, changes: list[tuple[int, int]], cut_at: int | None
) -> None:
    damaged = bytearray(sample)
    for at, value in changes:
        damaged[at % len(damaged)] = value
    refused = False
    try:
        program = elf.read_elf(bytes(damaged[:cut_at]))
        read_dynamic(program)
        elf.notes(program)
        for section in program.sections:
            elf.symbols(program, section)
    except ProaError:
        refused = True
    assert refused or program.machine >= 0
