"""A shipped program and its debug file become one file again: the linked one, or one with its symbols and DWARF.

A debug file of proa says how the linked file was, so it is made again byte for byte and its digest is checked. One by
another tool (`objcopy --only-keep-debug`, a debuginfod server) gives a file that runs and is debugged alike.
"""

from __future__ import annotations

import secrets
from pathlib import Path

import msgspec
from msgspec.structs import replace

from proa.build import symbols
from proa.build.checksums import crc32, sha256
from proa.build.headers import (
    aligned,
    has_usual_entries,
    header_fields,
    name_of,
    names_table,
    new_section,
    section_table,
)
from proa.build.layout import LAYOUT, LITERAL, OWN, SHIPPED, read_layout
from proa.build.pieces import Piece, Pieces, write
from proa.build.strip import DEBUG_LINK
from proa.errors import BinaryDamaged, DebugMismatch, NotWritable
from proa.outside import elf
from proa.outside.elf import Elf, Section

_MOST_ALIGNMENT = 4096
_MOST_PADDING_BYTES = 1 << 20
_FROM_DEBUG = 1
_GO_BUILD_ID = 4
"""Type of the note that has Go's own build id, owner ``Go``. Source: cmd/link/internal/ld/elf.go."""


class Rejoined(msgspec.Struct, frozen=True, kw_only=True):
    """The file that was written."""

    is_exact: bool
    """The same bytes as the linker wrote, checked by their digest where the debug file has it."""
    digest: str
    bytes: int


def rejoin(shipped: Path, debug: Path, target: Path) -> Rejoined:
    """Write the unstripped program to ``target``, over what is there; nothing is left half-written.

    A program that was never stripped is written as it is. Raises DebugMismatch where the two are of different builds,
    BinaryDamaged, ImageMissing, NoSpace, NotWritable.
    """
    try:
        return _rejoin(shipped, debug, target)
    except OSError as error:
        place = error.filename if error.filename in (str(shipped), str(debug)) else target
        raise NotWritable(f"{place}: {error.strerror}") from error


def _rejoin(shipped: Path, debug: Path, target: Path) -> Rejoined:
    program, symbolic = _opened(shipped), _opened(debug)
    is_tied = check_pair(program, symbolic, debug)
    partial = target.with_name(f".{secrets.token_hex(8)}.partial")
    sources = [shipped, debug]
    try:
        exact = _exact(program, symbolic)
        if _is_whole(program):
            write(
                Pieces(pieces=(Piece(0, 0, len(program.data)),), written=(), total_bytes=len(program.data)),
                sources,
                partial,
            )
            return _done(partial, target, is_exact=exact is None or sha256(partial) == exact[1])
        if exact is not None:
            made, expected = exact
            write(made, sources, partial)
            if sha256(partial) == expected:
                return _done(partial, target, is_exact=True)
            # Signed, packed or stripped further after it was shipped.
            partial.unlink()
        if not is_tied:
            raise DebugMismatch(f"nothing in {shipped.name} and {debug.name} says that they belong together")
        write(_joined(program, symbolic), sources, partial)
        return _done(partial, target, is_exact=False)
    finally:
        partial.unlink(missing_ok=True)


def _opened(file: Path) -> Elf:
    """Map a file of the two and read its tables. Raises BinaryDamaged, naming it; ImageMissing."""
    try:
        return elf.open_elf(file)
    except BinaryDamaged as error:
        raise BinaryDamaged(f"{file.name}: {error.what}", output=error.output, hint=error.hint) from error


def _is_whole(program: Elf) -> bool:
    """Say whether a program has symbols and DWARF itself: stripping leaves out at least the latter."""
    return any(one.kind == elf.SHT_SYMTAB for one in program.sections) and any(
        one.name in (".debug_info", ".zdebug_info") and one.file_bytes for one in program.sections
    )


def _done(partial: Path, target: Path, *, is_exact: bool) -> Rejoined:
    partial.chmod(0o755)
    done = Rejoined(is_exact=is_exact, digest=f"sha256:{sha256(partial)}", bytes=partial.stat().st_size)
    partial.replace(target)
    return done


def check_pair(program: Elf, symbolic: Elf, debug: Path) -> bool:
    """Say whether something ties a program to a debug file: a build-id, or the checksum in ``.gnu_debuglink``.

    Raises DebugMismatch where something says that they are of different builds.
    """
    kinds = [(one.machine, one.is_64, one.is_little) for one in (program, symbolic)]
    if kinds[0] != kinds[1]:
        raise DebugMismatch(f"{debug.name} is for another architecture than the program")
    for read in (elf.build_id, _go_build_id):
        ids = [read(one) for one in (program, symbolic)]
        if ids[0] != ids[1]:
            names = [text or "none" for text in ids]
            raise DebugMismatch(f"the program has the build-id {names[0]}, and {debug.name} has {names[1]}")
        if ids[0]:
            return True
    link = program.section(DEBUG_LINK)
    if link is None:
        return False
    expected = int.from_bytes(program.content(link)[-4:], "little" if program.is_little else "big")
    if expected != crc32(debug):
        raise DebugMismatch(f"{debug.name} has not the checksum {expected:#010x} that the program's link asks for")
    return True


def _go_build_id(program: Elf) -> str:
    found = [
        note.content.decode("ascii", "replace")
        for note in elf.notes(program)
        if note.owner == "Go" and note.kind == _GO_BUILD_ID
    ]
    return found[0] if found else ""


def _exact(program: Elf, symbolic: Elf) -> tuple[Pieces, str] | None:
    """Return how the linked file is written, and its sha256; None where the debug file does not say."""
    section = symbolic.section(LAYOUT)
    if section is None:
        return None
    layout, literal = read_layout(symbolic.content(section), len(symbolic.data))
    if any(piece.source == SHIPPED and piece.start + piece.size > len(program.data) for piece in layout.pieces):
        return None
    # What neither file has is zero: a file that is mostly zeros was not linked by anyone.
    if layout.bytes > 2 * (len(program.data) + len(symbolic.data)) + _MOST_PADDING_BYTES:
        raise BinaryDamaged(f"the section {LAYOUT} promises {layout.bytes} bytes")
    made = Pieces(
        pieces=tuple(piece for piece in layout.pieces if piece.source != LITERAL),
        written=tuple((p.at, literal[p.start : p.start + p.size]) for p in layout.pieces if p.source == LITERAL),
        total_bytes=layout.bytes,
    )
    return made, layout.sha256


def _joined(program: Elf, symbolic: Elf) -> Pieces:
    """Return the whole program as it is, with the debug file's sections and a new section table behind it.

    Raises BinaryDamaged.
    """
    if not has_usual_entries(program):
        raise BinaryDamaged("the program's tables have entries of an unusual size")
    added = _added(program, symbolic)
    kept = _kept(program, has_symbols=any(section.kind == elf.SHT_SYMTAB for section in added))
    places = _places(program, symbolic, kept, added)
    at, pieces, written = len(program.data), [Piece(0, 0, len(program.data))], []
    placed: list[Section] = []
    for section in added:
        at = aligned(at, section.alignment)
        content = symbols.renumbered(symbolic, section, places) if section.kind == elf.SHT_SYMTAB else None
        if content is None:
            pieces.append(Piece(at, section.offset, section.size, _FROM_DEBUG))
        else:
            written.append((at, content))
        placed.append(replace(section, offset=at))
        at += section.size
    if at > len(program.data) + len(symbolic.data) + _MOST_PADDING_BYTES:
        raise BinaryDamaged(f"the sections of the debug file overlap: {at} bytes from {len(symbolic.data)}")
    named = [*(name_of(program, section) for section in kept), *(name_of(symbolic, section) for section in added)]
    names, name_places = names_table([*named, b".shstrtab"])
    table = replace(new_section(0, ".shstrtab", elf.SHT_STRTAB), offset=at, size=len(names))
    written.append((at, names))
    at = aligned(at + len(names), 8)
    name_offsets = [name_places[name] for name in [*named, b".shstrtab"]]
    sections = [
        replace(section, name_offset=name_offset)
        for section, name_offset in zip([*kept, *placed, table], name_offsets, strict=True)
    ]
    headers = section_table(program, sections[: len(kept)], {s.index: number for number, s in enumerate(kept)})
    headers += section_table(program, sections[len(kept) :], places)
    written += [(at, headers), *header_fields(program, at, len(sections), len(sections) - 1)]
    return Pieces(pieces=tuple(pieces), written=tuple(written), total_bytes=at + len(headers))


def _added(program: Elf, symbolic: Elf) -> list[Section]:
    """Return the sections of a debug file that the program lacks. Raises BinaryDamaged."""
    foreign = [section for section in symbolic.sections if not section.name.startswith(OWN)]
    linked = {section.link for section in foreign if section.kind == elf.SHT_SYMTAB}
    # A program may have a symbol table of its own: a smaller one, or the same.
    there = {s.name for s in program.sections if s.kind not in (elf.SHT_SYMTAB, elf.SHT_STRTAB)} | {DEBUG_LINK}
    found = [
        section
        for section in foreign
        if not section.is_allocated
        and section.file_bytes
        and (section.index in linked or (section.name not in there and section.index != symbolic.names_index))
    ]
    for section in found:
        elf.cut(symbolic.data, section.offset, section.size)
        if section.alignment > _MOST_ALIGNMENT:
            raise BinaryDamaged(f"section {section.name} of the debug file has an alignment of {section.alignment}")
    return found


def _kept(program: Elf, *, has_symbols: bool) -> list[Section]:
    """Return the program's sections without those that are made anew or come from the debug file."""
    tables = [s for s in program.sections if s.kind == elf.SHT_SYMTAB and not s.is_allocated] if has_symbols else []
    gone = {section.index for section in tables} | {section.link for section in tables}
    gone |= {section.index for section in program.sections if section.name == DEBUG_LINK and not section.is_allocated}
    used = {section.link for section in program.sections if section.index not in gone}
    # Symbols that stay may have their names in the same table as the sections.
    gone |= {program.names_index} - used
    return [section for section in program.sections if section.index == 0 or section.index not in gone]


def _places(program: Elf, symbolic: Elf, kept: list[Section], added: list[Section]) -> dict[int, int]:
    """Return the new numbers of the debug file's sections, by the old ones."""
    by_name = {(name_of(program, section), section.address): number for number, section in enumerate(kept)}
    places = {
        section.index: by_name.get((name_of(symbolic, section), section.address)) for section in symbolic.sections
    }
    places |= {section.index: len(kept) + number for number, section in enumerate(added)}
    return {old: new for old, new in places.items() if new is not None}
