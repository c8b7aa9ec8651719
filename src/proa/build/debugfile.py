"""The debug file: what stripping leaves out, as an ELF file that debuggers read beside the program.

    ELF header, program headers     as the program's; loaded segments have no bytes here
    notes, name of the loader       the build-id ties both files together
    what was left out               DWARF, symbols
    .proa.symtab                    where the program keeps its symbols: just enough for delve and addr2line
    .proa.layout                    how the linked file is put together again, byte for byte
    names, section headers          every section of the linked file under its number; what runs has no bytes here

Source: GDB manual, "Debugging Information in Separate Files"; the same layout as `objcopy --only-keep-debug`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from proa.build import symbols
from proa.build.headers import (
    aligned,
    header_bytes,
    header_fields,
    named,
    new_section,
    section_table,
    segment_bytes,
    segment_table,
    segments_field,
)
from proa.build.layout import DEBUG, LAYOUT, OWN, SHIPPED, layout_of
from proa.build.pieces import Piece, Pieces, copied
from proa.build.strip import Stripping
from proa.errors import BinaryDamaged
from proa.outside import elf
from proa.outside.elf import Elf, Section, Segment

_KEPT_SEGMENTS = (elf.PT_NOTE, elf.PT_INTERP)
_ALTERNATE = ".gnu_debugaltlink"
"""Names a further file that DWARF refers to (dwz)."""
_SYMBOLS = (elf.SHT_SYMTAB, elf.SHT_STRTAB, elf.SHT_SYMTAB_SHNDX)
_NOTE_ALIGNMENT = 16
_GOROUTINE = ("runtime.tlsg", "runtime.tls_g")


def plan(program: Elf, stripping: Stripping, linked_digest: str) -> Pieces:
    """Return how to write the debug file of a program that is stripped like this. Raises BinaryDamaged.

    ``linked_digest`` is the sha256 of the linked file, 64 hexadecimal digits.
    """
    held = _held(program, stripping)
    has_symbols = any(program.sections[index].kind == elf.SHT_SYMTAB for index in held)
    sections = [
        section
        for section in program.sections
        # Where no symbol table has their numbers in it, tables that stay in the program need no header here.
        if has_symbols
        or section.index in held
        or section.index == program.names_index
        or section.is_allocated
        or section.kind not in _SYMBOLS
    ]
    return _laid_out(program, sections, held, stripping, linked_digest)


def _held(program: Elf, stripping: Stripping) -> set[int]:
    """Return the numbers of the sections whose bytes are in the debug file, beside notes."""
    held = set(stripping.gone | stripping.changed)
    held |= {program.sections[index].link for index in stripping.changed}
    held |= {section.index for section in program.sections if section.name == _ALTERNATE}
    if outside := [index for index in held if index >= len(program.sections)]:
        raise BinaryDamaged(f"a symbol table has its names in section {outside[0]} of {len(program.sections)}")
    return held - {program.names_index}


def _laid_out(
    program: Elf, sections: list[Section], held: set[int], stripping: Stripping, linked_digest: str
) -> Pieces:
    segments_at = header_bytes(program)
    at = segments_at + len(program.segments) * segment_bytes(program)
    notes = _notes(program, at)
    at = max((piece.at + piece.size for piece in notes), default=at)
    placed: dict[int, Section] = {}
    pieces: list[Piece] = []
    for section in sorted(sections, key=lambda one: (one.offset, one.index)):
        if section.index in held:
            at = aligned(at, section.alignment)
            pieces.append(Piece(at, section.offset, section.file_bytes))
            placed[section.index] = msgspec.structs.replace(section, offset=at)
            at += section.file_bytes
        else:
            placed[section.index] = _without_bytes(section, notes, at)
    extra: list[Section] = []
    written: list[tuple[int, bytes]] = []
    for section, content in _few_symbols(program, sections):
        at = aligned(at, section.alignment)
        extra.append(msgspec.structs.replace(section, offset=at, size=len(content)))
        written.append((at, content))
        at += len(content)
    layout = layout_of(program.data, _claims(stripping, pieces), linked_digest)
    note = new_section(len(program.sections) + len(extra), LAYOUT, elf.SHT_PROGBITS)
    extra.append(msgspec.structs.replace(note, offset=at, size=len(layout)))
    written.append((at, layout))
    at += len(layout)
    ordered = [*(placed[section.index] for section in sections), *extra]
    # Symbols may have their names in the same table as the sections.
    is_shared = any(program.sections[index].link == program.names_index for index in held)
    ordered, names = named(program, ordered, keeps_old=is_shared)
    numbers = {section.index: number for number, section in enumerate(ordered)}
    number = numbers[program.names_index]
    ordered[number] = msgspec.structs.replace(ordered[number], kind=elf.SHT_STRTAB, offset=at, size=len(names))
    written.append((at, names))
    at = aligned(at + len(names), 8)
    table = section_table(program, ordered, numbers)
    written.append((at, table))
    written.append((segments_at, segment_table(program, lambda segment: _placed_segment(program, segment, notes))))
    written += [*header_fields(program, at, len(ordered), number), segments_field(program, segments_at)]
    return Pieces(
        pieces=(Piece(0, 0, segments_at), *notes, *pieces), written=tuple(written), total_bytes=at + len(table)
    )


def _few_symbols(program: Elf, here: Sequence[Section]) -> list[tuple[Section, bytes]]:
    """Return a table of one to three symbols where the program keeps its own.

    Debuggers take names from the program. But delve refuses a debug file without a table, and looks there for where
    Go keeps the current goroutine (v1.27.2, pkg/proc/bininfo.go); and addr2line cannot decompress DWARF where there
    is no symbol at all (binutils 2.40). Not called .symtab: perf (6.1) would take no names from anywhere else.
    """
    if any(section.kind == elf.SHT_SYMTAB for section in here):
        return []
    numbers = {section.index: number for number, section in enumerate(here)}
    return symbols.sections(
        program,
        symbols.reduced(program, _GOROUTINE, numbers, file=LAYOUT),
        first_index=len(program.sections),
        names=(f"{OWN}symtab", f"{OWN}strtab"),
    )


def _claims(stripping: Stripping, held: list[Piece]) -> Iterator[Piece]:
    """Yield which ranges of the linked file are where in the two files."""
    for piece in copied(stripping.pieces):
        yield Piece(piece.start, piece.at, piece.size, SHIPPED)
    for piece in held:
        yield Piece(piece.start, piece.at, piece.size, DEBUG)


def _notes(program: Elf, at: int) -> list[Piece]:
    """Return where notes and the loader's name go: ranges of the linked file, apart from each other."""
    ranges = [(s.offset, s.offset + s.file_bytes) for s in program.segments if s.kind in _KEPT_SEGMENTS]
    ranges += [(s.offset, s.offset + s.size) for s in program.sections if s.kind == elf.SHT_NOTE and s.is_allocated]
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    pieces = []
    for start, end in merged:
        # Notes are aligned by their address, which goes with the offset in the linked file.
        at = aligned(at, _NOTE_ALIGNMENT) + start % _NOTE_ALIGNMENT
        pieces.append(Piece(at, start, end - start))
        at += end - start
    return pieces


def _moved(start: int, size: int, notes: list[Piece]) -> int | None:
    """Return where a range of the linked file is among the notes, or None."""
    for piece in notes:
        if size and piece.start <= start and start + size <= piece.start + piece.size:
            return start - piece.start + piece.at
    return None


def _without_bytes(section: Section, notes: list[Piece], at: int) -> Section:
    """Return the header of a section whose bytes are in the program; those of notes are here as well."""
    if section.kind in (elf.SHT_NULL, elf.SHT_NOBITS):
        return msgspec.structs.replace(section, offset=0 if section.kind == elf.SHT_NULL else at)
    moved = _moved(section.offset, section.size, notes) if section.is_allocated else None
    if moved is not None:
        return msgspec.structs.replace(section, offset=moved)
    return msgspec.structs.replace(section, kind=elf.SHT_NOBITS, offset=at)


def _placed_segment(program: Elf, segment: Segment, notes: list[Piece]) -> tuple[int, int]:
    """Return a segment's offset and its bytes in the file: none but for notes and the program headers."""
    moved = _moved(segment.offset, segment.file_bytes, notes)
    if moved is not None:
        return moved, segment.file_bytes
    start = program.segments_offset
    if segment.kind == elf.PT_PHDR and segment.offset == start:
        return header_bytes(program), segment.file_bytes
    if segment.kind == elf.PT_LOAD and segment.offset == 0 and start == header_bytes(program):
        # The program headers are part of what is loaded, here as well.
        return 0, min(segment.file_bytes, start + len(program.segments) * segment_bytes(program))
    return segment.address % segment.alignment if segment.alignment > 1 else 0, 0
