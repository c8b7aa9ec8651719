"""What a linked program's own headers prove: for which machine it is, and what it needs to start."""

from __future__ import annotations

from pathlib import Path

import msgspec

from proa.errors import BinaryDamaged, BuildFailed
from proa.outside import elf
from proa.outside.dynamic import read_dynamic
from proa.outside.elf import Elf
from proa.records.platform import Platform

_BUILDINFO = b"\xff Go buildinf:"
_MOST_INFO_BYTES = 4 << 20


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from a program."""

    is_elf: bool
    is_static: bool
    interpreter: str = ""
    libraries: tuple[str, ...] = ()
    build_id: str = ""
    go_version: str = ""


def prove(file: Path, platform: Platform) -> Proof:
    """Read a program's headers, and check that it is for this platform.

    What is not ELF (Windows, macOS) is never called static. Raises BinaryDamaged, BuildFailed.
    """
    if not elf.is_elf(file):
        return Proof(is_elf=False, is_static=False)
    program = elf.open_elf(file)
    check_machine(program, platform)
    dynamic = read_dynamic(program)
    return Proof(
        is_elf=True,
        is_static=not dynamic.interpreter and not dynamic.needed,
        interpreter=dynamic.interpreter,
        libraries=dynamic.needed,
        build_id=elf.build_id(program),
        go_version=go_version(program),
    )


def check_machine(program: Elf, platform: Platform) -> None:
    """Raise BuildFailed where a program is for another architecture than was asked for."""
    expected = elf.MACHINES.get(platform.architecture)
    found = (program.machine, program.is_64, program.is_little)
    if expected is not None and found != expected:
        names = [name for name, machine in elf.MACHINES.items() if machine == found]
        what = names[0] if names else f"ELF machine {program.machine}"
        raise BuildFailed(f"the program was built for {what} where {platform} was asked for")


def platform_of(program: Elf) -> Platform:
    """Return the platform a program says it is for, without a variant. Raises BinaryDamaged for an unknown one."""
    found = (program.machine, program.is_64, program.is_little)
    for name, machine in elf.MACHINES.items():
        if machine == found:
            return Platform("linux", name)
    raise BinaryDamaged(f"the program is for ELF machine {program.machine} (offset 0x12), which no platform stands for")


def go_version(program: Elf) -> str:
    """Return the version of the tool chain that linked the program, ``go1.26.8``; empty where it does not say.

    Source: https://go.dev/src/debug/buildinfo/buildinfo.go (inline strings, Go 1.18 and later).
    """
    section = program.section(".go.buildinfo")
    content = bytes(program.content(section)[:_MOST_INFO_BYTES]) if section else b""
    if not content.startswith(_BUILDINFO) or len(content) < 34 or not content[15] & 2:
        return ""
    size, at = _varint(content, 32)
    version = content[at : at + size].decode("ascii", "replace")
    return version if len(version) == size and size < 256 else ""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[at : at + 9]):
        value |= (byte & 0x7F) << (7 * shift)
        if byte < 0x80:
            return value, at + shift + 1
    return 0, at
