"""Leave DWARF or symbols out of a linked program, by writing the ELF file anew around what runs.

Linking once and stripping afterwards gives both files for the price of one link. Invariants:
(1) every allocated section and every segment keeps its bytes and its offset; (2) only sections that are not part of
the running program go or move; (3) what is not understood is not touched: ``plan`` then says why.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.outside import elf
from proa.outside.elf import Elf, Section
from proa.outside.store import disk_errors
from proa.records.binary import Strip

_DEBUG = (".debug_", ".zdebug_", ".rela.debug_", ".rel.debug_", ".gdb_index")
_MOST_ALIGNMENT = 4096
_CHUNK_BYTES = 1 << 20
_ABSOLUTE = 0xFFF1
"""SHN_ABS: a symbol that belongs to no section."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A stripped file as pieces: ranges of the linked file and new bytes, laid over a copy of its start."""

    kept_bytes: int
    """So much is copied as it is; it holds all that runs."""
    moved: tuple[tuple[int, int, int], ...]
    """Ranges of the linked file: target offset, source offset, size."""
    written: tuple[tuple[int, bytes], ...]
    """New bytes and where they go, after everything else."""
    total_bytes: int


def strip(linked: Path, stripped: Path, level: Strip) -> str:
    """Write ``linked`` to ``stripped`` without what ``level`` leaves out; return why not where it cannot be done.

    An empty answer with no file at ``stripped`` means that there was nothing to leave out.
    Raises BinaryDamaged, NoSpace, NotWritable.
    """
    if level == "none":
        return ""
    if not elf.is_elf(linked):
        return "it is not an ELF file"
    made = plan(elf.open_elf(linked), level)
    if isinstance(made, str):
        return made
    if made is not None:
        _write(made, linked, stripped)
    return ""


def plan(program: Elf, level: Strip) -> Plan | str | None:
    """Return how to write the stripped file; None where nothing is to be left out, words where it is not understood."""
    gone = _left_out(program, level)
    if not gone:
        return None
    kept = [section for section in program.sections if section.index not in gone]
    if reason := _odd(program, kept, gone):
        return reason
    made = _laid_out(program, kept)
    # What overlaps in the linked file would be written once for each section.
    return made if made.total_bytes <= len(program.data) else "its sections overlap"


def _left_out(program: Elf, level: Strip) -> set[int]:
    gone = {s.index for s in program.sections if s.name.startswith(_DEBUG) and not s.is_allocated}
    if level == "all":
        for section in program.sections:
            if section.kind == elf.SHT_SYMTAB and not section.is_allocated:
                gone.add(section.index)
                if section.link != program.names_index:
                    gone.add(section.link)
        gone |= {s.index for s in program.sections if s.kind == elf.SHT_SYMTAB_SHNDX and s.link in gone}
    return gone


def _odd(program: Elf, kept: Sequence[Section], gone: set[int]) -> str:
    """Return what is not understood about a file, or nothing."""
    last_allocated = max((s.index for s in program.sections if s.is_allocated), default=0)
    end = max(
        _end_of_loaded(program),
        _end_of_table(program),
        *(_end(section) for section in program.sections),
    )
    if program.kind not in (elf.ET_EXEC, elf.ET_DYN):
        return "it is no linked program"
    if min(gone) <= last_allocated:
        return "its debugging sections stand between those of the running program"
    if end != len(program.data):
        return "there is something behind its last section"
    for section in kept:
        if section.kind in (elf.SHT_GROUP, elf.SHT_SYMTAB_SHNDX):
            return f"its section {section.name} refers to other sections by number"
        if section.link in gone or (_info_is_section(section) and section.info in gone):
            return f"its section {section.name} refers to one that would be left out"
        if section.alignment > _MOST_ALIGNMENT and not section.is_allocated:
            return f"its section {section.name} has an alignment of {section.alignment}"
    return ""


def _end_of_loaded(program: Elf) -> int:
    segments = max((s.offset + s.file_bytes for s in program.segments), default=0)
    sections = max((_end(section) for section in program.sections if section.is_allocated), default=0)
    return max(segments, sections, _header_bytes(program))


def _end(section: Section) -> int:
    # A section without bytes in the file has an offset all the same, and the Go linker's lies beyond them.
    return section.offset + section.file_bytes if section.file_bytes else 0


def _header_bytes(program: Elf) -> int:
    return 64 if program.is_64 else 52


def _entry(program: Elf) -> struct.Struct:
    return struct.Struct(program.order + elf.SECTION_FORMAT[program.is_64])


def _end_of_table(program: Elf) -> int:
    return program.sections_offset + len(program.sections) * _entry(program).size


def _info_is_section(section: Section) -> bool:
    return bool(section.flags & elf.SHF_INFO_LINK) or section.kind in (4, 9)  # SHT_RELA, SHT_REL


def _laid_out(program: Elf, kept: Sequence[Section]) -> Plan:
    new_index = {section.index: at for at, section in enumerate(kept)}
    names, name_offsets = _names(program, kept)
    start = _end_of_loaded(program)
    # The Go linker puts the table right behind the program headers, others at the end.
    table_stays = _end_of_table(program) <= start
    at = start
    offsets: dict[int, int] = {}
    sizes: dict[int, int] = {}
    moved: list[tuple[int, int, int]] = []
    written: list[tuple[int, bytes]] = []
    for section in sorted(kept, key=lambda one: (one.offset, one.index)):
        offsets[section.index], sizes[section.index] = section.offset, section.size
        if _end(section) <= start:
            continue
        at = _aligned(at, section.alignment)
        offsets[section.index] = at
        content = names if section.index == program.names_index else _renumbered(program, section, new_index)
        if content is None:
            moved.append((at, section.offset, section.size))
        else:
            sizes[section.index] = len(content)
            written.append((at, content))
        at += sizes[section.index]
    table_at = program.sections_offset if table_stays else _aligned(at, 8)
    entry = _entry(program)
    table = b"".join(
        entry.pack(
            name_offsets.get(s.index, s.name_offset),
            s.kind,
            s.flags,
            s.address,
            offsets[s.index],
            sizes[s.index],
            new_index.get(s.link, 0),
            new_index.get(s.info, 0) if _info_is_section(s) else s.info,
            s.alignment,
            s.entry_size,
        )
        for s in kept
    )
    if table_stays:
        written.append((table_at, table.ljust(_end_of_table(program) - table_at, b"\0")))
    else:
        written.append((table_at, table))
        at = table_at + len(table)
    written += _header(program, table_at, len(kept), new_index.get(program.names_index, 0))
    return Plan(kept_bytes=start, moved=tuple(moved), written=tuple(written), total_bytes=at)


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment if alignment > 1 else offset


def _header(program: Elf, table_at: int, count: int, names_index: int) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of the ELF header that change: e_shoff, e_shnum, e_shstrndx."""
    order = program.order
    yield (40, struct.pack(f"{order}Q", table_at)) if program.is_64 else (32, struct.pack(f"{order}I", table_at))
    yield _header_bytes(program) - 4, struct.pack(f"{order}HH", count, names_index)


def _names(program: Elf, kept: Sequence[Section]) -> tuple[bytes | None, dict[int, int]]:
    """Return a new table of section names and each name's place; None where other names share the table."""
    index = program.names_index
    is_shared = any(section.link == index for section in kept) or program.sections[index].is_allocated
    if is_shared or program.sections[index].offset < _end_of_loaded(program):
        return None, {}
    table = bytearray(b"\0")
    places: dict[str, int] = {"": 0}
    for section in kept:
        if section.name not in places:
            places[section.name] = len(table)
            table += section.name.encode("utf-8", "surrogateescape") + b"\0"
    return bytes(table), {section.index: places[section.name] for section in kept}


def _renumbered(program: Elf, section: Section, new_index: dict[int, int]) -> bytes | None:
    """Return a symbol table whose section numbers are the new ones; None where none of them changes."""
    if section.kind != elf.SHT_SYMTAB:
        return None
    size, place = (24, 6) if program.is_64 else (16, 14)
    content = program.content(section)
    if len(content) % size:
        return None
    low, high = (place, place + 1) if program.is_little else (place + 1, place)
    pairs = list(zip(bytes(content[low::size]), bytes(content[high::size]), strict=True))
    changed = {
        pair: new_index.get(number, _ABSOLUTE)
        for pair in set(pairs)
        if 0 < (number := pair[0] | pair[1] << 8) < elf.SHN_LORESERVE and new_index.get(number) != number
    }
    if not changed:
        return None
    table = bytearray(content)
    form = struct.Struct(f"{program.order}H")
    for at, pair in enumerate(pairs):
        if pair in changed:
            form.pack_into(table, at * size + place, changed[pair])
    return bytes(table)


def _write(made: Plan, linked: Path, stripped: Path) -> None:
    with disk_errors(stripped), linked.open("rb") as source, stripped.open("xb") as target:
        _copy(source.fileno(), target.fileno(), 0, 0, made.kept_bytes)
        for at, start, size in made.moved:
            _copy(source.fileno(), target.fileno(), start, at, size)
        for at, content in made.written:
            os.pwrite(target.fileno(), content, at)
        # Where nothing follows the last section, its end is the file's.
        os.ftruncate(target.fileno(), made.total_bytes)


def _copy(source: int, target: int, start: int, at: int, size: int) -> None:
    """Copy a range between files: inside the kernel where it can, else a chunk at a time."""
    with suppress(OSError):
        while size > 0:
            done = os.copy_file_range(source, target, size, start, at)
            if done == 0:
                break
            start, at, size = start + done, at + done, size - done
    while size > 0:
        chunk = os.pread(source, min(size, _CHUNK_BYTES), start)
        if not chunk:
            break
        done = os.pwrite(target, chunk, at)
        start, at, size = start + done, at + done, size - done
