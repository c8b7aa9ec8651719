"""Splitting: the debug file has what the shipped one lacks, and together they are the linked file again."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import elf_files
from fakes.elf_files import Form
from proa.build import rejoin
from proa.build.rejoin import Rejoined
from proa.build.split import Split, split
from proa.build.symbols import matches
from proa.errors import BinaryDamaged, DebugMismatch, NotWritable, ProaError
from proa.outside import elf
from proa.outside.elf import Elf
from proa.records.binary import Strip

FORMS = st.builds(
    Form,
    is_64=st.booleans(),
    is_little=st.booleans(),
    machine=st.sampled_from([3, 8, 21, 22, 40, 62, 183, 243, 258]),
    table_first=st.booleans(),
    interpreter=st.sampled_from([b"", b"/lib/ld-musl-x86_64.so.1"]),
    libraries=st.sampled_from([(), (b"libc.so.6",)]),
    kind=st.sampled_from([2, 3]),
    debug=st.booleans(),
    symbols=st.booleans(),
    names_shared=st.booleans(),
)
LEVELS: list[Strip] = ["dwarf", "all"]


def _split(folder: Path, form: Form, level: Strip, *, keep: tuple[str, ...] = ()) -> tuple[Path, Path, Split]:
    linked, shipped, debug = folder / "linked", folder / "shipped", folder / "api.debug"
    for file in (linked, shipped, debug):
        file.unlink(missing_ok=True)
    linked.write_bytes(elf_files.program(form))
    return shipped, debug, split(linked, shipped, level, debug=debug, link="api.debug", keep=keep)


def _crc_of(program: Elf) -> int:
    link = program.section(".gnu_debuglink")
    assert link is not None
    content = bytes(program.content(link))
    assert content.startswith(b"api.debug\0")
    assert len(content) == 16, "the name is filled up to four bytes, and the checksum follows"
    assert link.offset % 4 == 0
    return int.from_bytes(content[-4:], "little" if program.is_little else "big")


@given(form=FORMS, level=st.sampled_from(LEVELS), keep=st.sampled_from([(), ("main",), ("*",), ("n*", "gone")]))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_both_files_together_are_the_linked_file(
    tmp_path: Path, form: Form, level: Strip, keep: tuple[str, ...]
) -> None:
    shipped, debug, done = _split(tmp_path, form, level, keep=keep)
    linked = (tmp_path / "linked").read_bytes()
    assert done.reason == ""
    assert shipped.exists() == debug.exists()
    if not debug.exists():
        assert not form.debug
        return
    joined = rejoin(shipped, debug, tmp_path / "joined")
    assert (tmp_path / "joined").read_bytes() == linked
    assert joined == Rejoined(is_exact=True, digest=done.linked_digest, bytes=len(linked))
    assert _crc_of(elf.open_elf(shipped)) == zlib.crc32(debug.read_bytes())


@given(form=FORMS, level=st.sampled_from(LEVELS))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_debug_file_has_the_same_sections_at_the_same_addresses(tmp_path: Path, form: Form, level: Strip) -> None:
    shipped, debug, _ = _split(tmp_path, form, level)
    if not debug.exists():
        return
    linked, made = elf.open_elf(tmp_path / "linked"), elf.open_elf(debug)
    assert (made.kind, made.machine, made.entry) == (linked.kind, linked.machine, linked.entry)
    assert elf.build_id(made) == elf.build_id(linked) == elf.build_id(elf.open_elf(shipped)) != ""
    assert [(s.kind, s.address, s.memory_bytes) for s in made.segments] == [
        (s.kind, s.address, s.memory_bytes) for s in linked.segments
    ]
    for section in linked.sections[1:]:
        same = made.section(section.name)
        if section.is_allocated:
            assert same is not None
            assert (same.index, same.address, same.size, same.flags) == (
                section.index,
                section.address,
                section.size,
                section.flags,
            )
            assert same.kind in (elf.SHT_NOBITS, elf.SHT_NOTE) or section.name == ".interp"
        elif section.name.startswith(".debug"):
            assert same is not None
            assert bytes(made.content(same)) == bytes(linked.content(section))
    if level == "all" and form.symbols:
        table, before = made.section(".symtab"), linked.section(".symtab")
        assert table is not None
        assert before is not None
        assert bytes(made.content(table)) == bytes(linked.content(before)), "numbers of sections are the linked file's"


def test_the_same_file_splits_into_the_same_two_files(tmp_path: Path) -> None:
    found = []
    for name in ("one", "a-longer-name"):
        (tmp_path / name).mkdir()
        shipped, debug, _ = _split(tmp_path / name, Form(), "dwarf")
        found.append((shipped.read_bytes(), debug.read_bytes()))
    assert found[0] == found[1]


def test_without_a_debug_file_there_is_no_link(tmp_path: Path) -> None:
    (tmp_path / "linked").write_bytes(elf_files.program(Form()))
    assert split(tmp_path / "linked", tmp_path / "shipped", "all") == Split()
    assert elf.open_elf(tmp_path / "shipped").section(".gnu_debuglink") is None


def test_a_stripped_program_has_nothing_to_split_again(tmp_path: Path) -> None:
    shipped, _, _ = _split(tmp_path, Form(), "all")
    again = split(shipped, tmp_path / "again", "all", debug=tmp_path / "more.debug", link="more.debug")
    assert again == Split()
    assert not (tmp_path / "again").exists()
    assert not (tmp_path / "more.debug").exists()


def test_a_link_of_another_tool_is_replaced_and_comes_back(tmp_path: Path) -> None:
    shipped, _, _ = _split(tmp_path, Form(), "dwarf")
    before = shipped.read_bytes()
    more = tmp_path / "symbols.debug"
    assert split(shipped, tmp_path / "bare", "all", debug=more, link="api.debug").reason == ""
    assert _crc_of(elf.open_elf(tmp_path / "bare")) == zlib.crc32(more.read_bytes())
    assert rejoin(tmp_path / "bare", more, tmp_path / "joined").is_exact
    assert (tmp_path / "joined").read_bytes() == before


@pytest.mark.parametrize("form", [Form(), Form(is_64=False, is_little=False, table_first=False)], ids=["64", "32"])
def test_kept_symbols_stay_with_their_sections_and_the_others_go(tmp_path: Path, form: Form) -> None:
    shipped, _, done = _split(tmp_path, form, "all", keep=("ma*", "note", "absent.*"))
    program = elf.open_elf(shipped)
    table, names = program.section(".symtab"), program.section(".strtab")
    assert table is not None
    assert names is not None
    assert (table.link, names.index) == (names.index, table.index + 1)
    rows = elf.symbols(program, table)
    assert [elf.string_at(program.content(names), int(row["name"])) for row in rows] == ["", "note", "main"]
    assert [program.sections[int(row["section"])].name for row in rows[1:]] == [".comment", ".text"]
    assert table.info == 2, "`note` is local and stands first; `main` is the first that is not"
    assert done.unmatched == ("absent.*",)


@given(st.lists(st.sampled_from(["a", "b", "*", "[", "."]), max_size=8), st.text("ab[.", max_size=8))
def test_a_glob_knows_the_star_only(pattern: list[str], name: str) -> None:
    import re

    expected = bool(name) and re.fullmatch(".*".join(map(re.escape, "".join(pattern).split("*"))), name) is not None
    assert matches(name.encode(), "".join(pattern).encode().split(b"*")) == expected


def test_where_symbols_stay_the_debug_file_has_just_enough_for_debuggers(tmp_path: Path) -> None:
    shipped, debug, _ = _split(tmp_path, Form(plain_symbols=True), "dwarf")
    assert elf.open_elf(shipped).section(".symtab") is not None
    made = elf.open_elf(debug)
    assert made.section(".symtab", ".strtab") is None
    few = made.section(".proa.symtab")
    assert few is not None
    assert len(elf.symbols(made, few)) == 2
    # What a debugger does not need is not in a file that is joined from what others changed, either.
    shipped.write_bytes(shipped.read_bytes().replace(elf_files.CODE, b"\x91" * len(elf_files.CODE)))
    assert not rejoin(shipped, debug, tmp_path / "joined").is_exact
    joined = elf.open_elf(tmp_path / "joined")
    assert [s.name for s in joined.sections if s.kind == elf.SHT_SYMTAB] == [".symtab"]
    assert joined.section(".proa.symtab", ".proa.layout", ".gnu_debuglink") is None


@given(form=FORMS, level=st.sampled_from(LEVELS))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_a_layout_the_joined_file_has_all_sections_again(tmp_path: Path, form: Form, level: Strip) -> None:
    shipped, debug, _ = _split(tmp_path, form, level)
    if not debug.exists():
        return
    debug.write_bytes(debug.read_bytes().replace(b".proa.layout\0", b".some.layout\0"))
    assert not rejoin(shipped, debug, tmp_path / "joined").is_exact
    linked, joined = elf.open_elf(tmp_path / "linked"), elf.open_elf(tmp_path / "joined")
    assert joined.segments == linked.segments
    for section in linked.sections:
        if section.name in ("", ".shstrtab", ".bss"):
            continue
        same = joined.section(section.name)
        assert same is not None
        assert (same.kind, same.flags, same.address, same.size) == (
            section.kind,
            section.flags,
            section.address,
            section.size,
        )
        if section.kind != elf.SHT_SYMTAB:
            assert bytes(joined.content(same)) == bytes(linked.content(section))
    if form.symbols:
        assert _owners(joined) == _owners(linked)


def _owners(program: Elf) -> list[tuple[int, str]]:
    """Return each symbol's type and the name of its section."""
    table = program.section(".symtab")
    assert table is not None
    rows = elf.symbols(program, table)
    names = {number: section.name for number, section in enumerate(program.sections)} | {0xFFF1: "absolute"}
    return [(int(row["info"]), names[int(row["section"])]) for row in rows]


def _pair(folder: Path, form: Form, name: str) -> tuple[Path, Path]:
    (folder / name).mkdir()
    shipped, debug, _ = _split(folder / name, form, "dwarf")
    return shipped, debug


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        pytest.param(Form(), Form(build_id=b"another"), b"another".hex(), id="build-ids differ"),
        pytest.param(Form(), Form(build_id=b""), "none", id="one has none"),
        pytest.param(Form(), Form(machine=183), "another architecture", id="architectures differ"),
        pytest.param(Form(build_id=b""), Form(build_id=b"", libraries=(b"x",)), "checksum", id="checksums differ"),
    ],
)
def test_a_debug_file_of_another_build_is_refused(tmp_path: Path, one: Form, other: Form, why: str) -> None:
    shipped, _ = _pair(tmp_path, one, "one")
    _, debug = _pair(tmp_path, other, "other")
    with pytest.raises(DebugMismatch, match=why):
        rejoin(shipped, debug, tmp_path / "joined")
    assert {file.name for file in tmp_path.iterdir()} == {"one", "other"}, "nothing was written"


def test_a_target_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    shipped, debug = _pair(tmp_path, Form(), "one")
    for target in (tmp_path / "absent" / "joined", tmp_path / "one"):
        with pytest.raises(NotWritable, match=target.name):
            rejoin(shipped, debug, target)
    assert {file.name for file in tmp_path.iterdir()} == {"one"}


def test_a_program_that_was_never_stripped_is_written_as_it_is(tmp_path: Path) -> None:
    shipped, debug = _pair(tmp_path, Form(), "one")
    linked = shipped.with_name("linked")
    objcopied = tmp_path / "one" / "objcopied"
    objcopied.write_bytes(debug.read_bytes().replace(b".proa.layout\0", b".some.layout\0"))
    for symbols in (debug, objcopied, linked):
        assert rejoin(linked, symbols, tmp_path / "joined").is_exact
        assert (tmp_path / "joined").read_bytes() == linked.read_bytes()


def test_the_one_that_is_damaged_is_named(tmp_path: Path) -> None:
    shipped, debug = _pair(tmp_path, Form(), "one")
    (text := tmp_path / "notes.txt").write_text("no ELF file")
    for one, other in ((text, debug), (shipped, text)):
        with pytest.raises(BinaryDamaged, match=r"notes\.txt"):
            rejoin(one, other, tmp_path / "joined")


def test_without_build_id_and_link_only_the_digest_ties_the_files(tmp_path: Path) -> None:
    form = Form(build_id=b"")
    shipped, debug = _pair(tmp_path, form, "one")
    shipped.write_bytes(shipped.read_bytes().replace(b".gnu_debuglink\0", b".gnu_something\0"))
    assert rejoin(shipped, debug, tmp_path / "joined").is_exact
    shipped.write_bytes(shipped.read_bytes().replace(elf_files.CODE, b"\x91" * len(elf_files.CODE)))
    with pytest.raises(DebugMismatch, match="belong together"):
        rejoin(shipped, debug, tmp_path / "joined")


@given(
    form=st.sampled_from([Form(), Form(is_64=False, is_little=False, table_first=False)]),
    level=st.sampled_from(LEVELS),
    of_debug=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 255)), min_size=1, max_size=8),
    cut=st.integers(0, 3000),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_are_joined_within_bounds_or_refused(
    tmp_path: Path, form: Form, level: Strip, of_debug: bool, changes: list[tuple[int, int]], cut: int
) -> None:
    shipped, debug, _ = _split(tmp_path, form, level)
    damaged = debug if of_debug else shipped
    content = bytearray(damaged.read_bytes())
    for at, value in changes:
        content[at % len(content)] = value
    damaged.write_bytes(content[: len(content) - cut % len(content)] if cut > 2000 else content)
    total = shipped.stat().st_size + debug.stat().st_size
    (tmp_path / "joined").unlink(missing_ok=True)
    try:
        done = rejoin(shipped, debug, tmp_path / "joined")
    except ProaError:
        assert not (tmp_path / "joined").exists()
    else:
        assert done.bytes == (tmp_path / "joined").stat().st_size <= 2 * total + (2 << 20)
        assert not done.is_exact or (tmp_path / "joined").read_bytes() == (tmp_path / "linked").read_bytes()
    assert not list(tmp_path.glob("*.partial"))


@given(
    form=st.sampled_from([Form(), Form(table_first=False), Form(is_64=False, is_little=False)]),
    level=st.sampled_from(LEVELS),
    keep=st.sampled_from([(), ("main", "n*")]),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=8),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_can_be_split_at_all_comes_back_exactly(
    tmp_path: Path, form: Form, level: Strip, keep: tuple[str, ...], changes: list[tuple[int, int]]
) -> None:
    linked, shipped, debug = tmp_path / "linked", tmp_path / "shipped", tmp_path / "api.debug"
    for file in (shipped, debug):
        file.unlink(missing_ok=True)
    damaged = bytearray(elf_files.program(form))
    for at, value in changes:
        damaged[at % len(damaged)] = value
    linked.write_bytes(damaged)
    try:
        split(linked, shipped, level, debug=debug, link="api.debug", keep=keep)
    except ProaError:
        return
    if not shipped.exists():
        return
    assert debug.stat().st_size + shipped.stat().st_size <= 3 * len(damaged) + 20 * 4096
    try:
        done = rejoin(shipped, debug, tmp_path / "joined")
    except ProaError:
        return
    assert done.is_exact
    assert (tmp_path / "joined").read_bytes() == damaged


def test_a_note_that_promises_too_much_is_damaged(tmp_path: Path) -> None:
    shipped, debug, _ = _split(tmp_path, Form(), "all")
    size = str((tmp_path / "linked").stat().st_size).encode()
    content = debug.read_bytes()
    assert content.count(b'"bytes":' + size) == 1
    debug.write_bytes(content.replace(b'"bytes":' + size, b'"bytes":' + b"9" * len(size)))
    assert not rejoin(shipped, debug, tmp_path / "joined").is_exact
    debug.write_bytes(content.replace(b'"pieces":[[0,', b'"pieces":[[9,'))
    with pytest.raises(BinaryDamaged, match="offset"):
        rejoin(shipped, debug, tmp_path / "joined")
