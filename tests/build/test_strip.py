"""Stripping: what runs stays where it is, what debugs goes, what is not understood is left alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import elf_files
from fakes.elf_files import Form
from proa.build.split import Split, split
from proa.build.strip import plan
from proa.errors import ProaError
from proa.outside import elf
from proa.outside.elf import Elf
from proa.records.binary import Strip

FORMS = [
    pytest.param(Form(is_64=is_64, is_little=is_little, table_first=first), id=f"{bits}-{order}-{layout}")
    for is_64, bits in ((True, "64"), (False, "32"))
    for is_little, order in ((True, "little"), (False, "big"))
    for first, layout in ((True, "go"), (False, "gnu"))
]


def _stripped(folder: Path, form: Form, level: Strip) -> tuple[Elf, Elf]:
    linked, target = folder / "linked", folder / f"stripped-{level}"
    linked.write_bytes(elf_files.program(form))
    assert split(linked, target, level).reason == ""
    return elf.open_elf(linked), elf.open_elf(target)


@pytest.mark.parametrize("level", ["dwarf", "all"])
@pytest.mark.parametrize("form", FORMS)
def test_what_runs_keeps_its_bytes_and_its_place(tmp_path: Path, form: Form, level: Strip) -> None:
    before, after = _stripped(tmp_path, form, level)
    assert after.segments == before.segments
    assert (after.entry, after.kind, after.machine) == (before.entry, before.kind, before.machine)
    for section in before.sections:
        if section.is_allocated:
            same = after.section(section.name)
            assert same is not None
            assert (same.index, same.offset, same.size) == (section.index, section.offset, section.size)
            assert bytes(after.content(same)) == bytes(before.content(section))


@pytest.mark.parametrize("form", FORMS)
def test_dwarf_leaves_the_symbols_with_their_sections(tmp_path: Path, form: Form) -> None:
    before, after = _stripped(tmp_path, form, "dwarf")
    assert not [section for section in after.sections if section.name.startswith(".debug")]
    table, strings = after.section(".symtab"), after.section(".strtab")
    assert table is not None
    assert strings is not None
    assert table.link == strings.index
    symbols = elf.symbols(after, table)
    named = {elf.string_at(after.content(strings), int(row["name"])): int(row["section"]) for row in symbols[1:3]}
    assert after.sections[named["main"]].name == ".text"
    assert after.sections[named["note"]].name == ".comment"
    assert int(symbols[4]["section"]) == 0xFFF1, "a symbol of a section that is gone belongs to none"
    assert len(after.data) <= len(before.data) - 1501 - 2 * (64 if form.is_64 and not form.table_first else 0)


@pytest.mark.parametrize("form", FORMS)
def test_all_leaves_out_symbols_as_well_and_keeps_the_comment(tmp_path: Path, form: Form) -> None:
    _, after = _stripped(tmp_path, form, "all")
    assert after.section(".symtab", ".strtab") is None
    comment = after.section(".comment")
    assert comment is not None
    assert bytes(after.content(comment)) == b"made by hand\0"
    assert after.sections[-1].name == ".shstrtab"
    names = bytes(after.content(after.sections[-1]))
    assert b".debug" not in names
    assert b".symtab" not in names


@pytest.mark.parametrize("level", ["dwarf", "all"])
@pytest.mark.parametrize("form", FORMS)
def test_stripping_twice_changes_nothing_more(tmp_path: Path, form: Form, level: Strip) -> None:
    _stripped(tmp_path, form, level)
    again = tmp_path / "again"
    assert split(tmp_path / f"stripped-{level}", again, level).reason == ""
    assert not again.exists()


def test_the_same_file_strips_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _stripped(tmp_path / name, Form(), "dwarf")
    assert (tmp_path / "one/stripped-dwarf").read_bytes() == (tmp_path / "two/stripped-dwarf").read_bytes()


def test_none_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "linked").write_bytes(elf_files.program(Form()))
    assert split(tmp_path / "linked", tmp_path / "stripped", "none") == Split()
    assert not (tmp_path / "stripped").exists()


@pytest.mark.parametrize(
    ("form", "why"),
    [
        pytest.param(Form(trailing=b"PK\x03\x04 an archive"), "behind its last section", id="appended archive"),
        pytest.param(Form(kind=1), "no linked program", id="object file"),
    ],
)
def test_what_is_not_understood_is_kept_and_told(tmp_path: Path, form: Form, why: str) -> None:
    (tmp_path / "linked").write_bytes(elf_files.program(form))
    assert why in split(tmp_path / "linked", tmp_path / "stripped", "dwarf").reason
    assert not (tmp_path / "stripped").exists()


def test_what_is_not_elf_is_kept_and_told(tmp_path: Path) -> None:
    (tmp_path / "linked").write_bytes(b"MZ" + b"\0" * 100)
    assert split(tmp_path / "linked", tmp_path / "stripped", "all").reason == "it is not an ELF file"


def test_names_that_share_the_symbols_table_are_kept_whole(tmp_path: Path) -> None:
    _, after = _stripped(tmp_path, Form(names_shared=True), "dwarf")
    assert [section.name for section in after.sections][-3:] == [".comment", ".symtab", ".shstrtab"]
    _, bare = _stripped(tmp_path, Form(names_shared=True), "all")
    assert [section.name for section in bare.sections][-2:] == [".comment", ".shstrtab"]


@given(
    form=st.sampled_from([Form(), Form(table_first=False), Form(is_64=False, is_little=False)]),
    level=st.sampled_from(["dwarf", "all"]),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
)
@settings(max_examples=400, deadline=None)
def test_a_damaged_file_is_planned_within_bounds_or_not_at_all(
    form: Form, level: Strip, changes: list[tuple[int, int]]
) -> None:
    damaged = bytearray(elf_files.program(form))
    for at, value in changes:
        damaged[at % len(damaged)] = value
    try:
        made = plan(elf.read_elf(bytes(damaged)), level)
    except ProaError:
        return
    if made is not None and not isinstance(made, str):
        assert made.pieces.total_bytes <= len(damaged) + 512
        assert all(piece.start + piece.size <= len(damaged) for piece in made.pieces.pieces)


@given(st.binary(max_size=40))
def test_any_build_id_survives(content: bytes) -> None:
    form = replace(Form(), interpreter=b"/x" + content.replace(b"\0", b"n").hex().encode())
    before = elf.read_elf(elf_files.program(form))
    made = plan(before, "all")
    assert made is not None
    assert not isinstance(made, str)
    assert made.pieces.pieces[0].size >= max(segment.offset + segment.file_bytes for segment in before.segments)
