"""Write the two files of the corpus that no tool makes small enough: a Go program's tables, and a core.

The others are a few lines of C, compiled with gcc and zig for several machines, stripped and split by objcopy.
Source of the layouts: ``outside/gobinary.py`` and ``outside/corefile.py`` name them.
"""

from __future__ import annotations

import struct
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
BASE = 0x400000


def go_program() -> bytes:
    """Return a program with three functions, one of them inlined into another, and symbols."""
    names = b"\0main.main\0main.f\0main.g\0"
    files = b"main.go\0util.go\0"
    units = struct.pack("<II", 0, 8)
    # Pairs of (value, pc), each a varint: one run, then the end.
    tables = b"\0\x02\x40\0" + b"\x14\x20\x02\x20\0" + b"\x02\x10\x01\x30\0"
    functions = []
    for number, name in enumerate((1, 11, 18)):
        head = (number * 64, name, 0, 0, 1, 1, 4, 3, 0, number + 1, 0, 0, 0, 4)
        record = struct.pack("<IiiIIIIIIiBBBB", *head)
        functions.append(record + struct.pack("<III", 0, 0, 9) + struct.pack("<IIII", *(0xFFFFFFFF,) * 3, 0))
    head_bytes, size = 72, 2 * 3 * 4 + 4
    records_at = size + -size % 8
    rows = b"".join(struct.pack("<II", n * 64, records_at + n * len(functions[0])) for n in range(3))
    rows += struct.pack("<I", 192) + bytes(records_at - size)
    parts = [names, units, files, tables, rows + b"".join(functions)]
    offsets, at = [], head_bytes
    for part in parts:
        offsets.append(at)
        at += len(part)
    table = struct.pack("<IBBBB", 0xFFFFFFF1, 0, 0, 1, 8)
    table += struct.pack("<8Q", 3, 2, BASE + 0x1000, *offsets) + b"".join(parts)
    inlined = struct.pack("<B3xiii", 0, 18, 0x20, 7) * 2
    info = b"\xff Go buildinf:\x08\x02" + bytes(16) + b"\x08go1.26.8" + bytes(20)
    return _elf({".text": (b"\x90" * 192, 1), ".gopclntab": (table, 1), ".go.buildinfo": (info, 1),
                 ".rodata": (inlined, 1)}, {"runtime.text": (".text", 0), "go:func.*": (".rodata", 0)})  # fmt: skip


def _elf(content: dict[str, tuple[bytes, int]], symbols: dict[str, tuple[str, int]]) -> bytes:
    """Return a 64-bit file with these sections, loaded as they lie, and symbols that stand for their beginnings."""
    places: dict[str, int] = {}
    body = bytearray(64 + 56)
    for name, (data, _) in content.items():
        body += bytes(-len(body) % 16)
        places[name] = len(body)
        body += data
    end = len(body)
    strings, table = b"\0", bytes(24)
    for symbol, (section, offset) in symbols.items():
        number = list(content).index(section) + 1
        table += struct.pack("<IBBHQQ", len(strings), 0x11, 0, number, BASE + 0x1000 + places[section] + offset, 8)
        strings += symbol.encode() + b"\0"
    more = {".symtab": (table, 2), ".strtab": (strings, 3), ".shstrtab": (b"", 3)}
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*content, *more))
    more[".shstrtab"] = (names, 3)
    headers = bytes(64)
    for name, (data, kind) in (*content.items(), *more.items()):
        if name in more:
            body += bytes(-len(body) % 8)
            places[name] = len(body)
            body += data
        is_loaded = name in content
        address = BASE + 0x1000 + places[name] if is_loaded else 0
        link = len(content) + 2 if name == ".symtab" else 0
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        row = (at, kind, 2 if is_loaded else 0, address, places[name], len(data), link, 1 if link else 0, 8,
               24 if link else 0)  # fmt: skip
        headers += struct.pack("<IIQQQQIIQQ", *row)
    body += bytes(-len(body) % 8)
    count = len(content) + len(more) + 1
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    entry = BASE + 0x1000 + places[".text"]
    body[:64] = ident + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, entry, 64, len(body), 0, 64, 56, 1, 64, count, count - 1
    )
    body[64:120] = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE + 0x1000, BASE + 0x1000, end, end, 4096)
    return bytes(body + headers)


def core() -> bytes:
    """Return a core of a program whose first page was dumped, with the notes Linux writes."""
    build_id = struct.pack("<III", 4, 20, 3) + b"GNU\0" + bytes(range(20))
    page = bytearray(4096)
    page[:64] = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, 62, 1, BASE + 0x1000, 64, 0, 0, 64, 56, 2, 64, 0, 0)  # fmt: skip
    page[64:120] = struct.pack("<IIQQQQQQ", 1, 5, 0, BASE, BASE, 4096, 4096, 4096)
    page[120:176] = struct.pack("<IIQQQQQQ", 4, 4, 200, BASE + 200, BASE + 200, len(build_id), len(build_id), 4)
    page[200 : 200 + len(build_id)] = build_id
    name = b"/app/program\0"
    mapped = struct.pack("<QQ", 1, 4096) + struct.pack("<QQQ", BASE, BASE + 4096, 0) + name
    about = bytes(40) + b"program\0".ljust(16, b"\0") + b"program --flag\0".ljust(80, b"\0")
    auxiliary = struct.pack("<6Q", 3, BASE + 64, 5, 2, 0, 0)
    notes = b"".join(
        _note(kind, data) for kind, data in ((3, about), (6, auxiliary), (0x46494C45, mapped), (1, bytes(336)))
    )
    at = 64 + 2 * 56
    memory_at = at + len(notes) + -(at + len(notes)) % 16
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)  # fmt: skip
    head += struct.pack("<IIQQQQQQ", 4, 0, at, 0, 0, len(notes), 0, 4)
    head += struct.pack("<IIQQQQQQ", 1, 5, memory_at, BASE, 0, 4096, 4096, 16)
    return (head + notes).ljust(memory_at, b"\0") + bytes(page)


def _note(kind: int, content: bytes) -> bytes:
    return struct.pack("<III", 5, len(content), kind) + b"CORE\0\0\0\0" + content + bytes(-len(content) % 4)


if __name__ == "__main__":
    (CORPUS / "go-tables").write_bytes(go_program())
    (CORPUS / "core").write_bytes(core())
