"""ELF core files read: which program crashed, what was mapped, and the build-id found in the dumped memory.

A core names its program by path only; the build-id is read from the first page of the program as it lay in memory,
which Linux dumps by default (coredump_filter, bit 4). Nothing in the file is believed: counts and sizes are bounded,
every read is checked against the file's end, and what does not hold raises BinaryDamaged with the offset. The file is
read in pieces, never mapped: a core may be cut short while it is read.
Source: System V ABI, chapters 4 and 5; Linux, fs/binfmt_elf.c (fill_files_note), core(5), elfcore.h; getauxval(3).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from proa.errors import BinaryDamaged, DebugMissing, ImageMissing
from proa.outside.elf import MAGIC, NT_GNU_BUILD_ID, PT_LOAD, PT_NOTE, PT_PHDR
from proa.outside.store import disk_errors

ET_CORE = 4
_NT_PRPSINFO, _NT_AUXV, _NT_FILE = 3, 6, 0x46494C45
_AT_PHDR, _AT_PHNUM = 3, 5
_PN_XNUM = 0xFFFF
_MOST_SEGMENTS = 1 << 18
"""Linux maps 65,530 areas per process unless vm.max_map_count was raised."""
_MOST_NOTE_BYTES = 32 << 20
_MOST_NOTES = 1 << 17
"""Some four per thread."""
_MOST_FILES = 1 << 17
_MOST_PROGRAM_HEADERS = 512
_HEAD_BYTES = 64 << 10
"""The largest page of the architectures Go knows: the notes are in the first one."""
_BUILD_ID_BYTES = range(2, 65)
_PACKED = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip", b"\x04\x22\x4d\x18": "lz4", b"\xfd7zXZ": "xz"}


class Mapping(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a file as it was mapped into memory."""

    start: int
    end: int
    offset: int
    """In the file, bytes."""
    path: str


class Core(msgspec.Struct, frozen=True, kw_only=True):
    """What a core file says of the program that crashed."""

    program: str
    """Its path where it ran, from the mappings; else its short name."""
    command: str = ""
    """The beginning of its command line."""
    build_id: str
    mappings: tuple[Mapping, ...] = ()


class _Segment(msgspec.Struct, frozen=True, kw_only=True):
    kind: int
    offset: int
    address: int
    file_bytes: int


class _Reader:
    """The bytes of a core, and the memory it holds."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file.fileno()
        self.bytes = os.fstat(self._file).st_size
        ident = self.at(0, 16)
        if ident[:4] != MAGIC or ident[4] not in (1, 2) or ident[5] not in (1, 2):
            raise BinaryDamaged(f"the ELF header has class {ident[4]} and byte order {ident[5]} at offset 0x4")
        self.is_64 = ident[4] == 2
        self.order = "<" if ident[5] == 1 else ">"
        self.loads: tuple[_Segment, ...] = ()

    def at(self, offset: int, size: int) -> bytes:
        """Return ``size`` bytes at ``offset`` of the file, all of them. Raises BinaryDamaged."""
        if offset < 0 or offset + size > self.bytes:
            raise BinaryDamaged(f"{size} bytes at offset {offset:#x} are beyond the core's end ({self.bytes} bytes)")
        data = os.pread(self._file, size, offset)
        if len(data) != size:
            raise BinaryDamaged(f"the core ends at offset {offset + len(data):#x} while it is read")
        return data

    def memory(self, address: int, most: int) -> bytes:
        """Return up to ``most`` bytes of dumped memory; fewer or none where less was dumped."""
        for load in self.loads:
            if load.address <= address < load.address + load.file_bytes:
                skip = address - load.address
                size = min(most, load.file_bytes - skip, max(self.bytes - load.offset - skip, 0))
                return self.at(load.offset + skip, size) if size else b""
        return b""

    def words(self, data: bytes) -> tuple[int, ...]:
        """Return data as the machine's own words; a rest that is no whole word is left out."""
        size = 8 if self.is_64 else 4
        return struct.unpack_from(f"{self.order}{len(data) // size}{'Q' if self.is_64 else 'I'}", data)


def is_core(file: Path) -> bool:
    """Say whether a file is an ELF core. Raises DebugMissing for one that is compressed."""
    with disk_errors(file), file.open("rb") as stream:
        head = stream.read(18)
    for magic, name in _PACKED.items():
        if head.startswith(magic) and ("core" in file.name):
            raise DebugMissing(
                f"{file} is compressed with {name}", hint="unpack it first; `coredumpctl dump -o FILE` does so"
            )
    if head[:4] != MAGIC or len(head) < 18:
        return False
    return head[16:18] == (b"\x04\x00" if head[5] == 1 else b"\x00\x04")


def read_core(file: Path) -> Core:
    """Read a core file. Raises BinaryDamaged, ImageMissing, NotWritable; DebugMissing where it has no build-id."""
    try:
        with disk_errors(file), file.open("rb") as stream:
            return _read(_Reader(stream), file.name)
    except FileNotFoundError as error:
        raise ImageMissing(f"{file} is not there") from error


def _read(core: _Reader, name: str) -> Core:
    segments = _segments(core)
    core.loads = tuple(segment for segment in segments if segment.kind == PT_LOAD and segment.file_bytes)
    mappings: tuple[Mapping, ...] = ()
    short, command = "", ""
    auxv: tuple[int, ...] = ()
    for kind, content in _notes(core, [segment for segment in segments if segment.kind == PT_NOTE]):
        if kind == _NT_FILE and not mappings:
            mappings = _mappings(core, content)
        elif kind == _NT_PRPSINFO and not short:
            short, command = _names(content, is_64=core.is_64)
        elif kind == _NT_AUXV and not auxv:
            auxv = core.words(content)
    wanted = dict(zip(auxv[::2], auxv[1::2], strict=False))
    headers = wanted.get(_AT_PHDR, 0)
    owner = next((each for each in mappings if each.start <= headers < each.end), None)
    program = owner.path if owner else short
    build_id = _build_id(core, headers, wanted.get(_AT_PHNUM, 0), owner, mappings)
    if not build_id:
        raise DebugMissing(
            f"{name} has no build-id of {program or 'its program'}: the first page of the program was not dumped",
            hint="name the image or the build-id instead; bit 4 of /proc/PID/coredump_filter dumps it the next time",
        )
    return Core(program=program, command=command, build_id=build_id, mappings=mappings)


def _segments(core: _Reader) -> list[_Segment]:
    form = struct.Struct(core.order + ("HHIQQQIHHHHHH" if core.is_64 else "HHIIIIIHHHHHH"))
    kind, _, _, _, phoff, shoff, _, _, entry_bytes, count, *_ = form.unpack(core.at(16, form.size))
    if kind != ET_CORE:
        raise BinaryDamaged(f"the file is no core: its type is {kind} at offset 0x10")
    if count == _PN_XNUM and shoff:
        # Too many for 16 bits: the number is in sh_info of the first section header.
        count = struct.unpack(core.order + "I", core.at(shoff + (44 if core.is_64 else 28), 4))[0]
    row = struct.Struct(core.order + ("IIQQQQQQ" if core.is_64 else "IIIIIIII"))
    if count > _MOST_SEGMENTS or (count and entry_bytes != row.size):
        raise BinaryDamaged(f"the program header table at offset {phoff:#x} has {count} entries of {entry_bytes} bytes")
    table = core.at(phoff, row.size * count)
    found = []
    for fields in row.iter_unpack(table):
        if core.is_64:
            kind, _, offset, address, _, size, _, _ = fields
        else:
            kind, offset, address, _, size, _, _, _ = fields
        if kind in (PT_LOAD, PT_NOTE):
            found.append(_Segment(kind=kind, offset=offset, address=address, file_bytes=size))
    return found


def _notes(core: _Reader, segments: Sequence[_Segment]) -> Iterator[tuple[int, bytes]]:
    """Yield the notes that say something of the program; those of threads are stepped over unread."""
    header = struct.Struct(core.order + "III")
    left = _MOST_NOTES
    for segment in segments:
        at, end = segment.offset, segment.offset + segment.file_bytes
        while at + header.size <= end:
            left -= 1
            if left < 0:
                raise BinaryDamaged(f"there are more than {_MOST_NOTES} notes at offset {segment.offset:#x}")
            name_bytes, content_bytes, kind = header.unpack(core.at(at, header.size))
            start = at + header.size + -(-name_bytes // 4) * 4
            if start + content_bytes > end:
                raise BinaryDamaged(f"the note at offset {at:#x} has {content_bytes} bytes, more than its segment")
            if kind in (_NT_FILE, _NT_PRPSINFO, _NT_AUXV):
                if content_bytes > _MOST_NOTE_BYTES:
                    raise BinaryDamaged(f"the note at offset {at:#x} has {content_bytes} bytes")
                yield kind, core.at(start, content_bytes)
            at = start + -(-content_bytes // 4) * 4


def _mappings(core: _Reader, content: bytes) -> tuple[Mapping, ...]:
    """Return NT_FILE's table: a count and the page's size, then three words per mapping, then their paths."""
    size = 8 if core.is_64 else 4
    head = core.words(content[: 2 * size])
    if len(head) < 2:
        raise BinaryDamaged(f"the note of mapped files has {len(content)} bytes")
    count, page_bytes = head
    if count > _MOST_FILES or (2 + 3 * count) * size > len(content):
        raise BinaryDamaged(f"the note of mapped files has {count} entries in {len(content)} bytes")
    table = core.words(content[2 * size : (2 + 3 * count) * size])
    paths = content[(2 + 3 * count) * size :].split(b"\0", count)
    if len(paths) < count:
        raise BinaryDamaged(f"the note of mapped files has {len(paths)} paths for {count} entries")
    return tuple(
        Mapping(start=start, end=end, offset=pages * page_bytes, path=path.decode("utf-8", "backslashreplace"))
        for start, end, pages, path in zip(table[::3], table[1::3], table[2::3], paths, strict=False)
    )


def _names(content: bytes, *, is_64: bool) -> tuple[str, str]:
    """Return the short name and the command line's beginning: the last two fields of struct elf_prpsinfo."""
    if len(content) < 96 + (16 if is_64 else 12):
        return "", ""
    name, arguments = content[-96:-80], content[-80:]
    return _text(name), _text(arguments).strip()


def _text(content: bytes) -> str:
    return content.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def _build_id(core: _Reader, headers: int, count: int, owner: Mapping | None, mappings: Sequence[Mapping]) -> str:
    """Return the program's build-id from its notes in memory, else from its first page, else an empty string."""
    found = _from_headers(core, headers, min(count, _MOST_PROGRAM_HEADERS))
    if found:
        return found
    # Go's note segment does not cover the GNU note beside it; it is in the first page all the same.
    first = next((each for each in mappings if owner and each.path == owner.path and each.offset == 0), None)
    start = first.start if first else headers & ~0xFFF
    head = core.memory(start, _HEAD_BYTES)
    return _scanned(head, core.order) if head.startswith(MAGIC) else ""


def _from_headers(core: _Reader, headers: int, count: int) -> str:
    """Return the build-id from the note segments that the program headers in memory lead to."""
    row = struct.Struct(core.order + ("IIQQQQQQ" if core.is_64 else "IIIIIIII"))
    table = core.memory(headers, row.size * count) if headers else b""
    rows = list(row.iter_unpack(table[: len(table) // row.size * row.size]))
    place, size = (3, 5) if core.is_64 else (2, 4)
    own = next((fields[place] for fields in rows if fields[0] == PT_PHDR), None)
    if own is None:
        # Without an entry for itself the table follows the header of a file that is mapped from its start.
        own = next((fields[place] for fields in rows if fields[0] == PT_LOAD), 0) + (64 if core.is_64 else 52)
    moved = headers - own
    for fields in rows:
        if fields[0] == PT_NOTE:
            notes = core.memory((fields[place] + moved) % (1 << 64), min(fields[size], _HEAD_BYTES))
            if found := _scanned(notes, core.order):
                return found
    return ""


def _scanned(data: bytes, order: str) -> str:
    """Return the GNU build-id of the first note in data that is one; notes stand at multiples of four bytes."""
    at = data.find(b"GNU\0")
    while at >= 0:
        if at >= 12 and at % 4 == 0:
            name_bytes, content_bytes, kind = struct.unpack_from(order + "III", data, at - 12)
            content = data[at + 4 : at + 4 + content_bytes] if content_bytes in _BUILD_ID_BYTES else b""
            if name_bytes == 4 and kind == NT_GNU_BUILD_ID and len(content) == content_bytes and content:
                return content.hex()
        at = data.find(b"GNU\0", at + 1)
    return ""
