"""The program an image starts, as its file says: where it is, for which machine, what loads it.

Reads a few kilobytes of files that may be anything; never follows a link out of the image.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from proa.outside.elf import MACHINES, PT_INTERP
from proa.records.platform import Platform

_MOST_LINKS = 40
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_MACHINES = {
    (machine, 2 if is_64 else 1, 1 if is_little else 2): name for name, (machine, is_64, is_little) in MACHINES.items()
}
"""By e_machine, EI_CLASS and EI_DATA."""


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the file that is started."""

    path: str
    """Absolute in the image."""
    is_there: bool = False
    is_executable: bool = False
    """By a user who does not own it."""
    architecture: str = ""
    """As Go names it; empty for what is no ELF file."""
    interpreter: str = ""
    """The loader (PT_INTERP), or the program after ``#!``."""
    has_interpreter: bool = True


def find_program(rootfs: Path, argv0: str, environment: Mapping[str, str], directory: str) -> Program:
    """Return what is known of the program ``argv0`` names in an unpacked image."""
    if "/" in argv0:
        candidates = [str(PurePosixPath(directory) / argv0)]
    else:
        folders = environment.get("PATH", _DEFAULT_PATH).split(":")
        candidates = [f"{folder or '.'}/{argv0}" for folder in folders]
    for candidate in candidates:
        file = resolve(rootfs, candidate)
        if file is not None and file.is_file():
            return _describe(rootfs, candidate, file)
    return Program(path=candidates[0] if "/" in argv0 else argv0)


def resolve(rootfs: Path, inside: str) -> Path | None:
    """Return the file a path leads to within an image, links followed as inside; None where there is none.

    The answer is always below ``rootfs``.
    """
    parts = [part for part in inside.split("/") if part]
    current: list[str] = []
    links = 0
    while parts:
        part = parts.pop(0)
        if part == ".":
            continue
        if part == "..":
            current = current[:-1]
            continue
        here = rootfs.joinpath(*current, part)
        try:
            if here.is_symlink():
                links += 1
                if links > _MOST_LINKS:
                    return None
                target = str(here.readlink())
                current = [] if target.startswith("/") else current
                parts = [piece for piece in target.split("/") if piece] + parts
                continue
        except OSError:
            return None
        current = [*current, part]
    found = rootfs.joinpath(*current)
    return found if found.exists() else None


def _describe(rootfs: Path, inside: str, file: Path) -> Program:
    is_executable = bool(file.stat().st_mode & 0o001)
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
            interpreter = _elf_interpreter(head) if head[:4] == b"\x7fELF" else _script_interpreter(head)
    except OSError:
        return Program(path=inside, is_there=True)
    return Program(
        path=inside,
        is_there=True,
        is_executable=is_executable,
        architecture=architecture(head),
        interpreter=interpreter,
        has_interpreter=not interpreter or resolve(rootfs, interpreter) is not None,
    )


def architecture(head: bytes) -> str:
    r"""Return the architecture an ELF file is for, from its first 20 bytes; empty for anything else.

    >>> architecture(b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00")
    'amd64'
    """
    if len(head) < 20 or head[:4] != b"\x7fELF":
        return ""
    (machine,) = struct.unpack_from("<H" if head[5] == 1 else ">H", head, 18)
    return _MACHINES.get((machine, head[4], head[5]), f"machine {machine}")


def _elf_interpreter(head: bytes) -> str:
    if len(head) < 64:
        return ""
    order, is_wide = "<" if head[5] == 1 else ">", head[4] == 2
    offset = struct.unpack_from(order + ("Q" if is_wide else "I"), head, 32 if is_wide else 28)[0]
    size, count = struct.unpack_from(order + "HH", head, 54 if is_wide else 42)
    for number in range(min(count, 64)):
        entry = head[offset + number * size : offset + (number + 1) * size]
        if len(entry) < (56 if is_wide else 32) or struct.unpack_from(order + "I", entry)[0] != PT_INTERP:
            continue
        start, length = struct.unpack_from(order + ("Q16xQ" if is_wide else "I8xI"), entry, 8 if is_wide else 4)
        return head[start : start + min(length, 256)].split(b"\0")[0].decode(errors="replace")
    return ""


def _script_interpreter(head: bytes) -> str:
    if not head.startswith(b"#!"):
        return ""
    words = head[2:].split(b"\n", 1)[0].split()
    return words[0].decode(errors="replace") if words else ""


def is_native(platform: Platform, here: Platform) -> bool:
    """Say whether this machine's own processor runs a platform's programs.

    >>> is_native(Platform("linux", "386"), Platform("linux", "amd64"))
    True
    """
    if platform.os != here.os:
        return False
    return platform.architecture == here.architecture or (platform.architecture, here.architecture) == ("386", "amd64")
