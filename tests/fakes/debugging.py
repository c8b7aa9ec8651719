"""Programs with debug files beside their images, small enough for tests that move them about."""

from __future__ import annotations

import struct

from fakes.elf_files import BUILD_ID, Form, program
from fakes.images import make_image, tar
from proa import publish
from proa.outside.store import Store
from proa.records.binary import Binary, DebugFile
from proa.records.oci import Descriptor
from proa.records.platform import Platform

PLATFORM = Platform("linux", "amd64")


def build_id(number: int = 0) -> str:
    """Return the build-id of the program with this number."""
    return _with_id(BUILD_ID, number).hex()


def stripped(number: int = 0) -> bytes:
    """Return a shipped program."""
    return program(Form(debug=False, symbols=False)).replace(BUILD_ID, _with_id(BUILD_ID, number))


def debug_file(number: int = 0) -> bytes:
    """Return what stripping took out of it: for these tests, the whole file."""
    return program(Form()).replace(BUILD_ID, _with_id(BUILD_ID, number))


def make_binary(store: Store, number: int = 0, *, name: str = "hello", architecture: str = "amd64") -> Binary:
    """Store a program and its debug file and return the record of both."""
    shipped, symbols = stripped(number), debug_file(number)
    digest, debug = store.put_blob(shipped), store.put_blob(symbols)
    return Binary(
        name=name,
        platform=Platform("linux", architecture),
        digest=digest,
        bytes=len(shipped),
        unstripped_digest=debug,
        unstripped_bytes=len(symbols),
        strip="all",
        is_static=True,
        build_id=build_id(number),
        debug=DebugFile(digest=debug, bytes=len(symbols), name=f"{name}.debug", build_id=build_id(number)),
    )


def make_shipped(
    store: Store, number: int = 0, *, architecture: str = "amd64"
) -> tuple[Descriptor, Descriptor, Binary]:
    """Store an image with a program at /hello and its debug file; return image, artifact and the program's record."""
    binary = make_binary(store, number, architecture=architecture)
    image = make_image(store, tar(hello=stripped(number)), architecture=architecture)
    artifact = publish.attach_debug(binary, image, program="/hello", store=store)
    assert artifact is not None
    return image, artifact, binary


def make_core(
    build_id: bytes = BUILD_ID,
    *,
    path: bytes = b"/hello",
    is_64: bool = True,
    has_page: bool = True,
    has_segment: bool = True,
    threads: int = 3,
) -> bytes:
    """Write a core file as Linux does: one note segment, then the dumped first page of the program.

    ``has_segment``: a note segment of the program covers the build-id (GNU ld); without, only the page holds it (Go).
    """
    base, page = 0x400000, 4096
    word, big = ("Q", "<HHIQQQIHHHHHH") if is_64 else ("I", "<HHIIIIIHHHHHH")
    head_bytes = 64 if is_64 else 52
    row = struct.Struct("<IIQQQQQQ" if is_64 else "<IIIIIIII")

    def segment(kind: int, offset: int, address: int, size: int) -> bytes:
        if is_64:
            return row.pack(kind, 4, offset, address, 0, size, size, 4)
        return row.pack(kind, offset, address, 0, size, size, 4, 4)

    def ident() -> bytes:
        return b"\x7fELF" + bytes([2 if is_64 else 1, 1, 1]) + bytes(9)

    def note(kind: int, content: bytes, owner: bytes = b"CORE\0") -> bytes:
        padded = content + bytes(-len(content) % 4)
        return struct.pack("<III", len(owner), len(content), kind) + owner + bytes(-len(owner) % 4) + padded

    own_note = note(3, build_id, b"GNU\0")
    notes_at = 0xE00
    headers = segment(6, head_bytes, base + head_bytes, 2 * row.size)
    headers += segment(4 if has_segment else 0x6FFFFFFF, notes_at, base + notes_at, len(own_note))
    first = ident() + struct.pack(big, 2, 62, 1, base, head_bytes, 0, 0, head_bytes, row.size, 2, 0, 0, 0)
    first = (first + headers).ljust(notes_at, b"\0") + own_note
    first = first.ljust(page, b"\0")

    auxv = struct.pack(f"<6{word}", 3, base + head_bytes, 5, 2, 0, 0)
    files = struct.pack(f"<5{word}", 1, page, base, base + page, 0) + path + b"\0"
    named = bytes(40 if is_64 else 28) + path.rpartition(b"/")[2].ljust(16, b"\0") + (path + b" serve").ljust(80, b"\0")
    notes = note(3, named) + note(6, auxv) + note(0x46494C45, files) + note(1, bytes(336)) * threads
    count = 2 if has_page else 1
    at = head_bytes + count * row.size
    table = segment(4, at, 0, len(notes))
    if has_page:
        table += segment(1, at + len(notes), base, page)
    core = ident() + struct.pack(big, 4, 62, 1, 0, head_bytes, 0, 0, head_bytes, row.size, count, 0, 0, 0)
    return core + table + notes + (first if has_page else b"")


def _with_id(build_id: bytes, number: int) -> bytes:
    return bytes([number]) + build_id[1:]
