"""Programs of another architecture run here: by the kernel's own arrangement, or by an emulator put beside them.

Source: Documentation/admin-guide/binfmt-misc.rst; qemu's user mode, https://www.qemu.org/docs/master/user/main.html.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proa.errors import BinaryDamaged
from proa.outside import elf
from proa.outside.machine import copy_file
from proa.outside.sandbox import find_program

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_QEMU = {"amd64": "x86_64", "386": "i386", "arm64": "aarch64", "loong64": "loongarch64", "mips64le": "mips64el"}
_INSIDE = "/.proa-emulator"


def is_emulated_here(architecture: str, *, folder: Path = _BINFMT) -> bool:
    """Say whether the kernel hands this architecture's programs to an emulator that needs nothing in the image.

    Flag F: the kernel keeps the emulator open.
    """
    try:
        text = (folder / f"qemu-{_name(architecture)}").read_text(encoding="ascii")
    except OSError:
        return False
    lines = text.splitlines()
    return "enabled" in lines and any(line.startswith("flags:") and "F" in line for line in lines)


def find_emulator(architecture: str, environ: Mapping[str, str]) -> str:
    """Return the path of qemu's user mode for an architecture; empty where there is none that runs anywhere.

    One that needs libraries of this machine would not start in an empty root file system.
    """
    for name in (f"qemu-{_name(architecture)}-static", f"qemu-{_name(architecture)}"):
        program = find_program(name, environ)
        if program and _is_static(Path(program)):
            return program
    return ""


def place_emulator(emulator: str, rootfs: Path) -> str:
    """Copy an emulator into an unpacked image and return its path there; every engine then has it.

    Raises NoSpace, NotWritable.
    """
    copy_file(Path(emulator), rootfs / _INSIDE.lstrip("/"), mode=0o755)
    return _INSIDE


def _is_static(program: Path) -> bool:
    try:
        return elf.is_elf(program) and not elf.interpreter(elf.open_elf(program))
    except (BinaryDamaged, OSError):
        return False


def _name(architecture: str) -> str:
    return _QEMU.get(architecture, architecture)
