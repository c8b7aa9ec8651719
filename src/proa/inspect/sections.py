"""What no package owns: sections and the file's own structures, each with what it is for."""

from __future__ import annotations

import struct

from proa.inspect.attribution import Layers, Names
from proa.outside.elf import Elf
from proa.outside.executables import Executable

HEADERS, PADDING, OUTSIDE = "(headers)", "(padding)", "(outside sections)"
_MEANINGS: tuple[tuple[str, str], ...] = (
    (".text", "code between functions: alignment, and the linker's own pieces"),
    (".plt", "jumps to functions of shared libraries"),
    (".got", "addresses the loader fills in"),
    (".gopclntab", "function and line tables: the header and what several parts share"),
    (".data.rel.ro.gopclntab", "function and line tables: the header and what several parts share"),
    (".rodata", "constants that nothing known refers to"),
    (".rdata", "constants that nothing known refers to"),
    (".data.rel.ro", "constants with addresses that nothing known refers to"),
    (".noptrdata", "variables without pointers that nothing known refers to"),
    (".data", "variables that nothing known refers to"),
    (".typelink", "the runtime's list of types"),
    (".itablink", "the runtime's list of interface tables"),
    (".go.buildinfo", "Go version, module list and settings, for `go version -m`"),
    (".go.module", "the runtime's own map of the program"),
    (".go.fipsinfo", "sums that the FIPS 140-3 module checks itself by"),
    (".note", "build ids and system notes"),
    (".debug", "DWARF: for debuggers, not loaded"),
    (".zdebug", "DWARF: for debuggers, not loaded"),
    (".symtab", "the symbol table: for debuggers and profilers, not loaded"),
    (".strtab", "names of symbols, not loaded"),
    (".shstrtab", "names of sections"),
    (".gnu_debuglink", "the name and sum of the split debug file"),
    (".eh_frame", "how to unwind the stack of code that is not Go"),
    (".gcc_except_table", "where exceptions are caught"),
    (".rel", "places the loader corrects"),
    (".dyn", "what the loader must know: libraries, symbols"),
    (".gnu", "what the loader must know: versions, hashes"),
    (".hash", "what the loader must know: a hash table of symbols"),
    (".interp", "the path of the loader"),
    (".init", "code and addresses run at the start"),
    (".fini", "code and addresses run at the end"),
    (".comment", "the compilers' names, not loaded"),
    (".t", "variables of each thread"),
    (".idata", "functions taken from DLLs"),
    (".reloc", "places the loader corrects"),
    (".pdata", "how to unwind the stack"),
    (".xdata", "how to unwind the stack"),
    (".linkedit", "symbols, signature and what the loader corrects"),
)


def meaning(name: str) -> str:
    """Say what a section is for.

    >>> meaning(".debug_info"), meaning(".mine")
    ('DWARF: for debuggers, not loaded', 'a section of the program that proa does not know')
    """
    best = max((start for start, _ in _MEANINGS if name.startswith(start)), key=len, default="")
    return dict(_MEANINGS).get(best, "a section of the program that proa does not know")


def lay_sections(program: Executable, layers: Layers, names: Names) -> None:
    """Lay the sections, the headers, and the whole file under all of them."""
    import numpy as np

    elf = program.elf
    frame = Layers(layers.total)

    def lay(start: int, end: int, owner: int) -> None:
        frame.lay([start], [end], owner, kind="none", known="none")

    for section in sorted(elf.sections, key=lambda section: section.size):
        if section.file_bytes:
            owner = names.section(section.name or "(a section without a name)", meaning(section.name))
            lay(section.offset, section.offset + section.file_bytes, owner)
    for start, end in _headers(program):
        owner = names.section(HEADERS, "the file's own header, and its tables of segments and sections")
        lay(start, end, owner)
    symbols, strings = _symbol_places(program)
    owner = names.section(".symtab", meaning(".symtab"))
    for start, size in (symbols, strings):
        lay(start, start + size, owner)
    # What is left is zeros that align something, or data that the file carries along.
    gaps = frame.resolved()
    free = np.flatnonzero(gaps.owners == -1)
    for index in free.tolist():
        start, end = int(gaps.starts[index]), int(gaps.starts[index + 1])
        is_zero = not bytes(elf.data[start:end]).strip(b"\0") if end - start <= 1 << 20 else False
        owner = (
            names.section(PADDING, "zeros between sections, so that each starts on a page")
            if is_zero
            else names.section(OUTSIDE, _outside(program))
        )
        lay(start, end, owner)
    whole = frame.resolved()
    layers.lay(whole.starts[:-1], whole.starts[1:], whole.owners, kind="none", known="none")


def _headers(program: Executable) -> list[tuple[int, int]]:
    elf = program.elf
    if program.format == "macho":
        (size,) = struct.unpack("<I", elf.data[20:24])
        return [(0, (32 if elf.is_64 else 28) + size)]
    if program.format == "pe":
        return [(0, elf.sections_offset + 40 * sum(s.name != ".gopclntab" for s in elf.sections))]
    ident, segment, section = (64, 56, 64) if elf.is_64 else (52, 32, 40)
    return [
        (0, ident),
        (elf.segments_offset, elf.segments_offset + segment * len(elf.segments)),
        (elf.sections_offset, elf.sections_offset + section * len(elf.sections)),
    ]


def _symbol_places(program: Executable) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return offset and bytes of the symbols and of their names where they are in no section."""
    if program.format == "macho":
        offset, count, strings, size = program.table
        return (offset, count * (16 if program.elf.is_64 else 12)), (strings, size)
    if program.format == "pe" and program.table[0]:
        offset, count = program.table
        end = offset + 18 * count
        raw = bytes(program.elf.data[end : end + 4])
        return (offset, 18 * count), (end, struct.unpack("<I", raw)[0] if len(raw) == 4 else 0)
    return (0, 0), (0, 0)


def _outside(program: Executable) -> str:
    if program.format == "macho":
        return "what the loader corrects, and the signature (__LINKEDIT)"
    return "bytes that no section has: data the program carries along, or a signature"


def loaded_bytes(elf: Elf) -> int:
    """Return how many of the file's bytes are mapped when the program runs, each once."""
    from proa.outside.elf import PT_LOAD

    spans = sorted((s.offset, s.offset + s.file_bytes) for s in elf.segments if s.kind == PT_LOAD and s.file_bytes)
    total = reached = 0
    for start, end in spans:
        total += max(0, end - max(start, reached))
        reached = max(reached, end)
    return total
