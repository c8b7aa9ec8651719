"""A program's file of any of the three formats opened: ELF, Mach-O, PE; its symbols; what packed it.

What is neither says what it is instead, so far as its first bytes tell.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from proa.errors import NotWritable, WrongUsage
from proa.outside import elf, macho, pe
from proa.outside.elf import Elf, read_elf

_PCLNTAB = b"\xf1\xff\xff\xff\x00\x00"
_OTHERS = {
    b"\0asm": "WebAssembly",
    b"\x00\x00\x01\xeb": "a Plan 9 program for 386",
    b"\x00\x00\x8a\x97": "a Plan 9 program for amd64",
    b"\x00\x00\x06\x47": "a Plan 9 program for arm",
    b"\x01\xdf": "an XCOFF program for AIX",
    b"\x01\xf7": "an XCOFF program for AIX",
    b"#!": "a script",
    b"!<arch>\n": "an archive of object files",
    b"PK\x03\x04": "a zip file",
    b"\x1f\x8b": "a gzip file",
}
"""Source: Go's src/debug/plan9obj, WebAssembly core specification 5.5, and each format's own first bytes."""


class SymbolTable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Symbols as columns, in the order of the file; names are offsets into ``strings``."""

    addresses: Any
    sizes: Any
    """0 where the format does not say."""
    types: Any
    """As ELF numbers them: 0 none, 1 object, 2 function, 3 section, 4 file."""
    sections: Any
    """1 where the symbol is defined here."""
    names: Any
    strings: bytes
    locals_count: int = 0
    """How many symbols come before the first that is not local; 0 where the format does not say."""


class Executable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One program, mapped."""

    format: Literal["elf", "macho", "pe"]
    elf: Elf
    """In the shape of ELF, whatever it is."""
    table: tuple[int, ...] = ()
    """Where the symbols of Mach-O and PE are."""


def open_executable(file: Path) -> Executable:
    """Map a program and read its headers. Raises BinaryDamaged, ImageMissing, NotWritable, WrongUsage."""
    if file.is_dir():
        raise WrongUsage(f"{file} is a folder, not a program")
    try:
        data = elf.map_file(file)
    except OSError as error:
        raise NotWritable(f"{file} cannot be read: {error.strerror}") from error
    return read_executable(data, file.name)


def read_executable(data: bytes | memoryview, name: str) -> Executable:
    """Read the headers of a program. Raises BinaryDamaged, and WrongUsage where it is something else."""
    view = memoryview(data)
    start = bytes(view[:8])
    if start.startswith(elf.MAGIC):
        read = read_elf(view)
        if read.kind not in (elf.ET_EXEC, elf.ET_DYN):
            raise WrongUsage(f"{name} is an object file or a core (ELF type {read.kind}), not a program")
        for section in read.sections:
            read.content(section)
        for segment in read.segments:
            elf.cut(view, segment.offset, segment.file_bytes)
        return Executable(format="elf", elf=read)
    if start[:4] in macho.MAGICS:
        found, table = macho.read_macho(view)
        return Executable(format="macho", elf=found, table=table)
    if start[:4] in macho.FAT_MAGICS:
        raise WrongUsage(f"{name} is a universal Mach-O file", hint="take one architecture out: lipo -thin arm64")
    if start.startswith(pe.MAGIC):
        read_pe, place = pe.read_pe(view)
        return Executable(format="pe", elf=_with_tables(read_pe), table=place)
    what = next((text for magic, text in _OTHERS.items() if start.startswith(magic)), "no program that proa knows")
    raise WrongUsage(f"{name} is {what}", hint="proa inspect reads ELF, Mach-O and PE programs, and images")


def _with_tables(read: Elf) -> Elf:
    """Name Go's function table, which in PE files is an unmarked part of a section."""
    for section in read.sections:
        content = bytes(read.content(section)) if section.is_allocated and section.name != ".text" else b""
        at = content.find(_PCLNTAB)
        while at >= 0 and content[at + 7 : at + 8] not in (b"\x04", b"\x08"):
            at = content.find(_PCLNTAB, at + 1)
        if at >= 0:
            table = msgspec.structs.replace(
                section,
                index=len(read.sections),
                name=".gopclntab",
                address=section.address + at,
                offset=section.offset + at,
                size=section.size - at,
            )
            return msgspec.structs.replace(read, sections=(*read.sections, table))
    return read


def is_other_program(file: Path) -> bool:
    """Say whether a file is a program of a format that proa cannot read: WebAssembly, Plan 9, XCOFF, a script."""
    try:
        with file.open("rb") as stream:
            start = stream.read(8)
    except (OSError, ValueError):
        return False
    return any(start.startswith(magic) for magic, text in _OTHERS.items() if not text.endswith(" file"))


def symbol_table(program: Executable) -> SymbolTable | None:
    """Return the symbols, or None where the file has none. Raises BinaryDamaged."""
    if program.format == "elf":
        return elf_symbols(program.elf)
    return _macho_symbols(program) if program.format == "macho" else _pe_symbols(program)


def elf_symbols(read: Elf) -> SymbolTable | None:
    """Return the symbols of an ELF file, a split debug file too, or None. Raises BinaryDamaged."""
    section = read.section(".symtab") or read.section(".dynsym")
    if section is None or not 0 < section.link < len(read.sections) or not section.file_bytes:
        return None
    rows = elf.symbols(read, section)
    return SymbolTable(
        addresses=rows["value"].astype("i8"),
        sizes=rows["size"].astype("i8"),
        types=rows["info"] & 15,
        sections=(rows["section"] != elf.SHN_UNDEF).astype("u1"),
        names=rows["name"].astype("i8"),
        strings=bytes(read.content(read.sections[section.link])),
        locals_count=section.info,
    )


def _macho_symbols(program: Executable) -> SymbolTable | None:
    import numpy as np

    offset, count, names, size = program.table
    word = "<u8" if program.elf.is_64 else "<u4"
    form = np.dtype([("name", "<u4"), ("type", "u1"), ("section", "u1"), ("info", "<u2"), ("value", word)])
    if not count:
        return None
    rows = np.frombuffer(elf.cut(program.elf.data, offset, count * form.itemsize), dtype=form)
    # N_STAB entries are for debuggers; N_SECT (0xe) is defined here.
    defined = ((rows["type"] & 0xE0) == 0) & ((rows["type"] & 0x0E) == 0x0E)
    strings = bytes(elf.cut(program.elf.data, names, size))
    at = rows["name"][defined].astype("i8")
    # Every name has an underscore before it here.
    octets = np.frombuffer(strings + b"\0", "u1")
    at = at + (octets[np.minimum(at, size)] == ord("_"))
    return _measured(program.elf, rows["value"][defined].astype("i8"), at, strings)


def _pe_symbols(program: Executable) -> SymbolTable | None:
    import numpy as np

    offset, count = program.table
    if not count or not offset:
        return None
    form = np.dtype(
        [
            ("zero", "<u4"),
            ("name", "<u4"),
            ("value", "<u4"),
            ("section", "<i2"),
            ("type", "<u2"),
            ("class", "u1"),
            ("more", "u1"),
        ]
    )
    rows = np.frombuffer(elf.cut(program.elf.data, offset, count * form.itemsize), dtype=form)
    at = offset + count * form.itemsize
    strings = program.elf.data[at:]
    own = [section for section in program.elf.sections if section.name != ".gopclntab"]
    bases = np.array([0, *(section.address for section in own)], "i8")
    # Names of at most 8 bytes stand in the symbol itself; Go's are longer or do not matter here.
    defined = (rows["section"] > 0) & (rows["section"] < len(bases)) & (rows["zero"] == 0) & (rows["class"] <= 3)
    rows = rows[defined]
    return _measured(
        program.elf, rows["value"].astype("i8") + bases[rows["section"]], rows["name"].astype("i8"), bytes(strings)
    )


def _measured(read: Elf, addresses: Any, names: Any, strings: bytes) -> SymbolTable:
    """Give every symbol the bytes up to the next one or the end of its section."""
    import numpy as np

    order = addresses.argsort(kind="stable")
    addresses, names = addresses[order], names[order]
    edges = np.unique(
        np.concatenate(
            [
                addresses,
                *(
                    [
                        [s.address, s.address + s.size]
                        for s in read.sections
                        if s.is_allocated and s.address + s.size < 1 << 62
                    ]
                ),
            ]
        )
    ).astype("i8")
    following = edges.searchsorted(addresses, side="right")
    ends = np.append(edges, edges[-1:])[following] if len(edges) else addresses
    return SymbolTable(
        addresses=addresses,
        sizes=np.maximum(ends - addresses, 0),
        types=np.zeros(len(addresses), "u1"),
        sections=np.ones(len(addresses), "u1"),
        names=names,
        strings=strings,
    )


def packer(read: Elf, data: memoryview) -> str:
    """Return the name of what packed the program, or an empty string.

    Source: UPX's src/stub: its header begins ``UPX!``, and its PE sections are called UPX0, UPX1.
    """
    if any(section.name.startswith("UPX") for section in read.sections):
        return "UPX"
    few = not any(section.name == ".text" for section in read.sections)
    head, tail = bytes(data[:4096]), bytes(data[-4096:])
    return "UPX" if few and (b"UPX!" in head or b"UPX!" in tail) else ""
