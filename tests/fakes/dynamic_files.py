"""Small dynamic ELF files: a loader's name, needed libraries, folders to look in, imported and defined symbols."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

BASE = 0x10000


def dynamic_file(
    *,
    needed: Sequence[str] = (),
    soname: str = "",
    rpath: str = "",
    runpath: str = "",
    interpreter: str = "",
    imports: Sequence[str] = (),
    text: bytes = b"",
    flags_1: int = 0,
    machine: int = 62,
    entry: int = BASE,
) -> bytes:
    """Return a 64-bit little-endian file of type ET_DYN with a .dynsym of imports and a .rodata of ``text``."""
    strings = bytearray(b"\0")

    def put(word: str) -> int:
        strings.extend(word.encode() + b"\0")
        return len(strings) - len(word.encode()) - 1

    entries = [(1, put(name)) for name in needed]
    entries += [(tag, put(word)) for tag, word in ((14, soname), (15, rpath), (29, runpath)) if word]
    if flags_1:
        entries.append((0x6FFFFFFB, flags_1))
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", put(name), 0x12, 0, 0, 0, 0) for name in imports)
    names = b"\0.dynstr\0.dynsym\0.rodata\0.shstrtab\0"
    path = interpreter.encode() + b"\0" if interpreter else b""
    count = 3 if interpreter else 2
    at = 64 + 56 * count
    strings_at, at = at, at + len(strings)
    symbols_at, at = at, at + len(symbols)
    path_at, at = at, at + len(path)
    text_at, at = at, at + len(text)
    names_at, at = at, at + len(names)
    dynamic_at = at + -at % 8
    table = b"".join(struct.pack("<qQ", *one) for one in (*entries, (5, BASE + strings_at), (10, len(strings)), (0, 0)))
    sections_at = dynamic_at + len(table)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    head = ident + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, entry, 64, sections_at, 0, 64, 56, count, 64, 5, 4)
    segments = [(1, 5, 0, sections_at), (2, 4, dynamic_at, len(table))]
    if interpreter:
        segments.insert(0, (3, 4, path_at, len(path)))
    for kind, flags, start, size in segments:
        head += struct.pack("<IIQQQQQQ", kind, flags, start, BASE + start, BASE + start, size, size, 8)
    body = head + bytes(strings) + symbols + path + text + names
    sections = bytes(64)
    for name, kind, start, size, link in (
        (1, 3, strings_at, len(strings), 0),
        (9, 11, symbols_at, len(symbols), 1),
        (17, 1, text_at, len(text), 0),
        (25, 3, names_at, len(names), 0),
    ):
        flags = 0 if name == 25 else 2
        sections += struct.pack("<IIQQQQIIQQ", name, kind, flags, BASE + start, start, size, link, 0, 8, 24)
    return body.ljust(dynamic_at, b"\0") + table + sections


def put_file(root: Path, path: str, content: bytes) -> Path:
    """Write a file below a folder, with the folders above it."""
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


GLIBC = "/lib64/ld-linux-x86-64.so.2"
MUSL = "/lib/ld-musl-x86_64.so.1"
FOLDERS = b"/lib/x86_64-linux-gnu/\0/usr/lib/x86_64-linux-gnu/\0/lib/\0/usr/lib/\0"


def glibc_root(root: Path, *, libc_version: bytes = b"GLIBC_2.34\0") -> Path:
    """Make the root folder of a system with glibc as Debian lays it out."""
    put_file(root, GLIBC, dynamic_file(soname="ld-linux-x86-64.so.2", text=b"x" + FOLDERS))
    libc = dynamic_file(soname="libc.so.6", needed=["ld-linux-x86-64.so.2"], text=libc_version)
    put_file(root, "/lib/x86_64-linux-gnu/libc.so.6", libc)
    return root
