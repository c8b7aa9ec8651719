"""Which short strings a Go or Rust program refers to: these lie one after the other, only references know their ends.

A reference is an address with a length: side by side in the data, or in the code as an instruction that takes the
address and, near it, one that takes the length. On arm64 the length is not looked at. Source: Go's internal ABI,
"string" as two words; Intel SDM, LEA and MOV; Arm ARM, ADRP and ADD (immediate).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from proa.errors import ProaError
from proa.outside.elf import Elf, open_elf

_STARTS = (b"os/exec.", b"os.StartProcess", b"syscall.forkExec", b"execvp", b"posix_spawn")
_MARKS = (b"Go buildinf:", b"/rustc/", b"\xff Go build")
_LEA = re.compile(rb"[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d]([\s\S]{4})")
_ADRP_ADD = re.compile(rb"[\s\S]{3}[\x90\xb0\xd0\xf0][\s\S]{2}[\x00-\x3f]\x91")
_X86, _ARM = 62, 183
_NEAR = 96
"""Bytes before and after the address within which its length is taken."""
_MOST_BYTES = 512 << 20


def referred_strings(file: Path, names: Collection[str]) -> set[str]:
    """Return those of some short names that a program refers to; none where it starts no programs.

    A file that is no ELF file of Go or Rust for amd64 or arm64 refers to none.
    """
    try:
        elf = open_elf(file)
        if elf.machine not in (_X86, _ARM) or not elf.is_little or len(elf.data) > _MOST_BYTES:
            return set()
        if not _has(elf, _MARKS) or not _has(elf, _STARTS):
            return set()
        return _referred(elf, {name.encode() for name in names if name.isascii()})
    except (ProaError, OSError, ValueError, struct.error):
        return set()


def _has(elf: Elf, marks: tuple[bytes, ...]) -> bool:
    return re.search(b"|".join(map(re.escape, marks)), elf.data) is not None


def _referred(elf: Elf, names: set[bytes]) -> set[str]:
    longest = max(map(len, names), default=0)
    found: set[bytes] = set()
    references: Iterator[tuple[int, bytes | int]] = chain(_in_code(elf), _in_data(elf, longest))
    for address, length in references:
        offset = _offset(elf, address)
        if offset < 0:
            continue
        text = bytes(elf.data[offset : offset + longest])
        for size in (length,) if isinstance(length, int) else range(2, longest + 1):
            if text[:size] in names and (isinstance(length, int) or _takes(length, size)):
                found.add(text[:size])
    return {name.decode("ascii") for name in found}


def _takes(code: bytes, length: int) -> bool:
    """Say whether instructions take a length as a 32-bit value; any where there are none to look at."""
    wanted = re.escape(struct.pack("<I", length))
    # MOV to a register, or to memory with an address of up to six bytes.
    return not code or re.search(rb"(?:[\xb8-\xbf]|\xc7[\s\S]{1,6})" + wanted, code) is not None


def _offset(elf: Elf, address: int) -> int:
    for one in elf.segments:
        if one.kind == 1 and one.address <= address < one.address + one.file_bytes:
            return one.offset + address - one.address
    return -1


def _in_code(elf: Elf) -> Iterator[tuple[int, bytes]]:
    for one in elf.segments:
        if one.kind != 1 or not one.flags & 1:
            continue
        code = elf.data[one.offset : one.offset + one.file_bytes]
        if elf.machine == _X86:
            for match in _LEA.finditer(code):
                to = one.address + match.end() + int.from_bytes(match[1], "little", signed=True)
                yield to, bytes(code[max(match.start() - _NEAR, 0) : match.end() + _NEAR])
        else:
            yield from _arm(code, one.address)


def _arm(code: memoryview, start: int) -> Iterator[tuple[int, bytes]]:
    for match in _ADRP_ADD.finditer(code):
        if match.start() % 4:
            continue
        adrp, add = struct.unpack_from("<II", code, match.start())
        if adrp & 31 != add >> 5 & 31 or add >> 22 != 0x91000000 >> 22:
            continue
        pages = (adrp >> 5 & 0x7FFFF) << 2 | adrp >> 29 & 3
        pages -= (pages & 1 << 20) << 1
        yield ((start + match.start()) & ~0xFFF) + (pages << 12) + (add >> 10 & 0xFFF), b""


def _in_data(elf: Elf, longest: int) -> Iterator[tuple[int, int]]:
    for one in elf.segments:
        if one.kind != 1 or one.flags & 1:
            continue
        size = one.file_bytes // 8 * 8
        before = 0
        for (word,) in struct.iter_unpack("<Q", elf.data[one.offset : one.offset + size]):
            if 1 < word <= longest and before > 4096:
                yield before, word
            before = word
