"""Small ELF programs, laid out as the Go linker and as GNU ld do, for both classes and byte orders."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

CODE = b"\x90" * 300
DATA = b"data" * 40
BUILDINFO = b"\xff Go buildinf:\x08\x02" + b"\0" * 16 + b"\x08go1.26.8" + b"\x00" * 20
BUILD_ID = bytes(range(20))


@dataclass(frozen=True)
class Form:
    """What kind of ELF file is written."""

    is_64: bool = True
    is_little: bool = True
    machine: int = 62
    table_first: bool = True
    """Section headers behind the program headers (Go), else at the end (GNU ld)."""
    interpreter: bytes = b""
    libraries: tuple[bytes, ...] = ()
    kind: int = 2
    debug: bool = True
    symbols: bool = True
    trailing: bytes = b""
    names_shared: bool = False
    build_id: bytes = BUILD_ID
    """Of any length; empty for a program without one."""
    plain_symbols: bool = False
    """Only symbols of sections that run, so that a table stays as it is when sections go."""


@dataclass
class _Part:
    name: str
    kind: int
    flags: int
    content: bytes
    link: int = 0
    info: int = 0
    entry: int = 0
    align: int = 1
    address: int = 0
    offset: int = 0
    size: int = field(default=0)


BASE = 0x400000


def program(form: Form) -> bytes:
    """Write one program."""
    order = "<" if form.is_little else ">"
    parts = [_Part("", 0, 0, b"")]
    if form.build_id:
        note = struct.pack(order + "III", 4, len(form.build_id), 3) + b"GNU\0" + form.build_id
        parts.append(_Part(".note.gnu.build-id", 7, 2, note, align=4))
    if form.interpreter:
        parts.append(_Part(".interp", 1, 2, form.interpreter + b"\0"))
    if form.libraries:
        strings = b"\0" + b"".join(name + b"\0" for name in form.libraries)
        parts.append(_Part(".dynstr", 3, 2, strings))
        parts.append(_Part(".dynamic", 6, 2, b"", align=8))
    parts += [
        _Part(".text", 1, 6, CODE, align=16),
        _Part(".go.buildinfo", 1, 3, BUILDINFO, align=16),
        _Part(".data", 1, 3, DATA, align=16),
        _Part(".bss", 8, 3, b"", align=16, size=0x20000),
    ]
    last_allocated = len(parts) - 1
    if form.debug:
        parts += [_Part(".debug_info", 1, 0, b"D" * 1000), _Part(".debug_line", 1, 0, b"L" * 501)]
    parts.append(_Part(".comment", 1, 0, b"made by hand\0", align=4))
    comment = len(parts) - 1
    if form.symbols:
        text = next(at for at, part in enumerate(parts) if part.name == ".text")
        rows = [(0, 0, 0), (1, text, 0x12), (6, text if form.plain_symbols else comment, 3), (0, 0xFFF1, 4)]
        rows += [(0, last_allocated + 1, 3)] if form.debug and not form.plain_symbols else []
        table = b"".join(_symbol(form, name, section, info) for name, section, info in rows)
        strtab = len(parts) + 1
        parts.append(_Part(".symtab", 2, 0, table, link=strtab, info=2, entry=len(_symbol(form, 0, 0, 0)), align=8))
        if form.names_shared:
            parts[-1].link = len(parts)
        else:
            parts.append(_Part(".strtab", 3, 0, b"\0main\0note\0"))
    names = b"\0" + b"".join(part.name.encode() + b"\0" for part in parts if part.name) + b".shstrtab\0"
    parts.append(_Part(".shstrtab", 3, 0, names))
    return _laid_out(form, order, parts)


def _symbol(form: Form, name: int, section: int, info: int) -> bytes:
    order = "<" if form.is_little else ">"
    if form.is_64:
        return struct.pack(order + "IBBHQQ", name, info, 0, section, BASE, 8)
    return struct.pack(order + "IIIBBH", name, BASE, 8, info, 0, section)


def _laid_out(form: Form, order: str, parts: list[_Part]) -> bytes:
    header_bytes, segment_bytes, entry_bytes = (64, 56, 64) if form.is_64 else (52, 32, 40)
    segments = 1 + bool(form.interpreter) + bool(form.libraries)
    table_bytes = len(parts) * entry_bytes
    at = header_bytes + segments * segment_bytes
    table_at = at if form.table_first else 0
    at += table_bytes if form.table_first else 0
    loaded_end = 0
    for part in parts[1:]:
        at = -(-at // part.align) * part.align
        part.offset = at
        if part.flags & 2:
            part.address = BASE + at
        if part.name == ".dynamic":
            part.content = _dynamic(form, order, parts)
            part.link = next(i for i, other in enumerate(parts) if other.name == ".dynstr")
        if part.kind == 8:
            # As the Go linker does: an offset far behind the bytes of the file.
            part.offset += 0x10000
            continue
        part.size = len(part.content)
        at += part.size
        loaded_end = at if part.flags & 2 else loaded_end
    if not form.table_first:
        table_at = -(-at // 8) * 8
        at = table_at + table_bytes
    out = bytearray(at)
    for part in parts[1:]:
        if part.kind != 8:
            out[part.offset : part.offset + part.size] = part.content
    out[:header_bytes] = _header(form, order, segments, len(parts), table_at)
    headers = [_segment(form, order, 1, 0, loaded_end)]
    for name, kind in ((".interp", 3), (".dynamic", 2)):
        headers += [_segment(form, order, kind, p.offset, p.size) for p in parts if p.name == name]
    out[header_bytes : header_bytes + len(headers) * segment_bytes] = b"".join(headers)
    entries = b"".join(_entry(form, order, part, parts[-1].content) for part in parts)
    out[table_at : table_at + table_bytes] = entries
    return bytes(out) + form.trailing


def _dynamic(form: Form, order: str, parts: list[_Part]) -> bytes:
    strings = next(part for part in parts if part.name == ".dynstr")
    pair = order + ("qQ" if form.is_64 else "iI")
    rows = [(1, strings.content.index(b"\0" + name + b"\0") + 1) for name in form.libraries]
    return b"".join(struct.pack(pair, *row) for row in [*rows, (5, strings.address), (0, 0)])


def _header(form: Form, order: str, segments: int, sections: int, table_at: int) -> bytes:
    ident = b"\x7fELF" + bytes([2 if form.is_64 else 1, 1 if form.is_little else 2, 1]) + bytes(9)
    word = "Q" if form.is_64 else "I"
    header_bytes, segment_bytes, entry_bytes = (64, 56, 64) if form.is_64 else (52, 32, 40)
    return ident + struct.pack(
        f"{order}HHI{word}{word}{word}IHHHHHH",
        form.kind,
        form.machine,
        1,
        BASE,
        header_bytes,
        table_at,
        0,
        header_bytes,
        segment_bytes,
        segments,
        entry_bytes,
        sections,
        sections - 1,
    )


def _segment(form: Form, order: str, kind: int, offset: int, size: int) -> bytes:
    address = BASE + offset
    if form.is_64:
        return struct.pack(order + "IIQQQQQQ", kind, 5, offset, address, address, size, size, 4096)
    return struct.pack(order + "IIIIIIII", kind, offset, address, address, size, size, 5, 4096)


def _entry(form: Form, order: str, part: _Part, names: bytes) -> bytes:
    name = names.index(b"\0" + part.name.encode() + b"\0") + 1 if part.name else 0
    layout = "IIQQQQIIQQ" if form.is_64 else "IIIIIIIIII"
    return struct.pack(
        order + layout,
        name,
        part.kind,
        part.flags,
        part.address,
        part.offset,
        part.size,
        part.link,
        part.info,
        part.align,
        part.entry,
    )
