"""Leave DWARF or symbols out of a linked program, by writing the ELF file anew around what runs.

Linking once and stripping afterwards gives both files for the price of one link. Invariants:
(1) every allocated section and every segment keeps its bytes and its offset; (2) only sections that are not part of
the running program go, move or are added; (3) what is not understood is not touched: ``plan`` then says why.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from proa.build import symbols
from proa.build.headers import (
    aligned,
    has_usual_entries,
    header_bytes,
    header_fields,
    info_is_section,
    named,
    new_section,
    section_form,
    section_table,
)
from proa.build.pieces import Piece, Pieces
from proa.outside import elf
from proa.outside.elf import Elf, Section
from proa.records.binary import Strip

DEBUG_LINK = ".gnu_debuglink"
_DEBUG = (".debug_", ".zdebug_", ".rela.debug_", ".rel.debug_", ".gdb_index")
_MOST_ALIGNMENT = 4096
_CRC_BYTES = 4
_MOST_ADDED_BYTES = 512
"""What new sections may add to the file beside their own bytes and their headers: names, alignment."""


class Stripping(msgspec.Struct, frozen=True, kw_only=True):
    """How a program is written without what a level leaves out."""

    pieces: Pieces
    gone: frozenset[int]
    """Numbers of the sections that are left out."""
    changed: frozenset[int]
    """Numbers of symbol tables that stay with other section numbers in them."""
    crc_at: int = 0
    """Where the checksum of the debug file belongs, which is known last; 0 where there is no link."""
    unmatched: tuple[str, ...] = ()
    """Words of ``keep`` that no symbol matches."""


def plan(program: Elf, level: Strip, *, keep: Sequence[str] = (), link: str = "") -> Stripping | str | None:
    """Return how to write the stripped file; None where nothing is to be left out, words where it is not understood.

    ``keep`` are the symbols that stay at ``all``; ``link`` is the name of the debug file, for ``.gnu_debuglink``.
    Raises BinaryDamaged.
    """
    gone = _left_out(program, level)
    if not gone:
        return None
    if link:
        # The link that another tool wrote names a debug file that is not ours.
        gone |= {s.index for s in program.sections if s.name == DEBUG_LINK and not s.is_allocated}
    if reason := _odd(program, gone):
        return reason
    return _laid_out(program, gone, keep=keep if level == "all" else (), link=link)


def _left_out(program: Elf, level: Strip) -> set[int]:
    gone = {s.index for s in program.sections if s.name.startswith(_DEBUG) and not s.is_allocated}
    if level == "none":
        return set()
    if level == "all":
        for section in program.sections:
            if section.kind == elf.SHT_SYMTAB and not section.is_allocated:
                gone.add(section.index)
                if section.link != program.names_index:
                    gone.add(section.link)
        gone |= {s.index for s in program.sections if s.kind == elf.SHT_SYMTAB_SHNDX and s.link in gone}
    return gone


def _odd(program: Elf, gone: set[int]) -> str:
    """Return what is not understood about a file, or nothing."""
    last_allocated = max((s.index for s in program.sections if s.is_allocated), default=0)
    end = max(end_of_loaded(program), _end_of_table(program), *(_end(section) for section in program.sections))
    if program.kind not in (elf.ET_EXEC, elf.ET_DYN):
        return "it is no linked program"
    if not has_usual_entries(program):
        return "its tables have entries of an unusual size"
    if min(gone) <= last_allocated:
        return "its debugging sections stand between those of the running program"
    if program.names_index in gone:
        return "the names of its sections would be left out"
    if end != len(program.data):
        return "there is something behind its last section"
    for section in program.sections:
        if section.alignment > _MOST_ALIGNMENT and not section.is_allocated:
            return f"its section {section.name} has an alignment of {section.alignment}"
        if section.index in gone:
            continue
        if section.kind in (elf.SHT_GROUP, elf.SHT_SYMTAB_SHNDX):
            return f"its section {section.name} refers to other sections by number"
        # An allocated one names the symbols for tools only: relocations of a static program link to them.
        is_needed = section.link in gone and not section.is_allocated
        if is_needed or (info_is_section(section) and section.info in gone):
            return f"its section {section.name} refers to one that would be left out"
    return ""


def end_of_loaded(program: Elf) -> int:
    """Return where what runs ends in the file: the header, every segment and every allocated section."""
    segments = max((s.offset + s.file_bytes for s in program.segments), default=0)
    sections = max((_end(section) for section in program.sections if section.is_allocated), default=0)
    return max(segments, sections, header_bytes(program))


def _end(section: Section) -> int:
    # A section without bytes in the file has an offset all the same, and the Go linker's lies beyond them.
    return section.offset + section.file_bytes if section.file_bytes else 0


def _end_of_table(program: Elf) -> int:
    return program.sections_offset + len(program.sections) * section_form(program).size


def _laid_out(program: Elf, gone: set[int], *, keep: Sequence[str], link: str) -> Stripping | str:
    kept = [section for section in program.sections if section.index not in gone]
    numbers = {section.index: at for at, section in enumerate(kept)}
    contents: dict[int, bytes] = {}
    for section in kept:
        if section.kind == elf.SHT_SYMTAB and (content := symbols.renumbered(program, section, numbers)) is not None:
            contents[section.index] = content
    changed = frozenset(contents)
    added: list[tuple[Section, bytes]] = []
    unmatched: tuple[str, ...] = ()
    if keep:
        reduced = symbols.reduced(program, keep, numbers)
        added += symbols.sections(program, reduced, first_index=len(program.sections))
        unmatched = reduced.unmatched
    if link:
        added.append(_link_section(link, index=len(program.sections) + len(added)))
    contents |= {section.index: content for section, content in added}
    numbers |= {section.index: len(kept) + at for at, (section, _) in enumerate(added)}
    with_names = _with_names(program, [*kept, *(section for section, _ in added)])
    if with_names is None:
        return "the names of its sections are part of what runs"
    sections, names = with_names
    if names is not None:
        contents[program.names_index] = names
    pieces, offsets = _pieces(program, sections, numbers, contents)
    # What overlaps in the linked file would be written once for each section.
    added_bytes = sum(len(content) for _, content in added) + len(sections) * section_form(program).size if added else 0
    if pieces.total_bytes > len(program.data) + added_bytes + _MOST_ADDED_BYTES:
        return "its sections overlap"
    link_at = offsets[added[-1][0].index] + len(added[-1][1]) - _CRC_BYTES if link else 0
    return Stripping(pieces=pieces, gone=frozenset(gone), changed=changed, crc_at=link_at, unmatched=unmatched)


def _link_section(link: str, *, index: int) -> tuple[Section, bytes]:
    """Return the section that names the debug file; its checksum comes last, and is filled in later.

    Source: GDB manual, "Debugging Information in Separate Files".
    """
    name = link.encode() + b"\0"
    content = name.ljust(aligned(len(name), _CRC_BYTES), b"\0") + bytes(_CRC_BYTES)
    return new_section(index, DEBUG_LINK, elf.SHT_PROGBITS, alignment=_CRC_BYTES), content


def _with_names(program: Elf, sections: Sequence[Section]) -> tuple[list[Section], bytes | None] | None:
    """Return the sections with their places in a new table of names, and that table; None where it cannot be one.

    Where other names share the table it stays as it is, and new names go behind.
    """
    index, count = program.names_index, len(program.sections)
    table = program.sections[index]
    is_shared = any(section.link == index for section in sections)
    is_fixed = table.is_allocated or table.offset < end_of_loaded(program)
    has_new = any(section.index >= count for section in sections)
    if is_fixed or (is_shared and not has_new):
        return None if has_new else (list(sections), None)
    return named(program, sections, keeps_old=is_shared)


def _pieces(
    program: Elf, sections: Sequence[Section], numbers: dict[int, int], contents: dict[int, bytes]
) -> tuple[Pieces, dict[int, int]]:
    """Return the file of these sections, and each one's offset in it."""
    at = start = end_of_loaded(program)
    pieces, written, placed = [Piece(0, 0, start)], [], {}
    for section in sorted(sections, key=lambda one: (one.index in contents, one.offset, one.index)):
        content = contents.get(section.index)
        if content is None and _end(section) <= start:
            placed[section.index] = section
            continue
        at = aligned(at, section.alignment)
        size = section.size if content is None else len(content)
        placed[section.index] = msgspec.structs.replace(section, offset=at, size=size)
        if content is None:
            pieces.append(Piece(at, section.offset, size))
        else:
            written.append((at, content))
        at += size
    table = section_table(program, [placed[section.index] for section in sections], numbers)
    # The Go linker puts the table right behind the program headers, others at the end.
    room = _end_of_table(program) - program.sections_offset
    if _end_of_table(program) <= start and len(table) <= room:
        table_at, table = program.sections_offset, table.ljust(room, b"\0")
    else:
        table_at = aligned(at, 8)
        at = table_at + len(table)
    written.append((table_at, table))
    written += header_fields(program, table_at, len(sections), numbers.get(program.names_index, 0))
    made = Pieces(pieces=tuple(pieces), written=tuple(written), total_bytes=at)
    return made, {index: section.offset for index, section in placed.items()}
