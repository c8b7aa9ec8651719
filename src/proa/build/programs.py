"""The programs that a build left behind, and which of them is meant."""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.errors import BinaryDamaged, NoProgram
from proa.outside import elf

_ASIDE = frozenset({"CMakeFiles", "meson-private", "meson-logs", "_deps", ".git"})
"""Folders where CMake and meson try compilers out."""
_LIBRARY = re.compile(r"\.so(?:\.[0-9.]+)?$|\.(?:o|a|ko|mod)$")
_SHARED = re.compile(r"^lib.+\.so(?:\.[0-9.]+)?$")
_UNUSED = re.compile(r"(?:^|/)(?:share/(?:man|doc|info|licenses)|include|lib(?:64)?/(?:pkgconfig|cmake))/|\.(?:a|la)$")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One program that can be run."""

    name: str
    """Its path in the folder that was searched."""
    path: Path
    identity: tuple[int, int, int]
    """Size, time and inode: another one after a build where the build wrote it."""

    def is_called(self, wanted: str) -> bool:
        """Say whether a setting means this one: by its name or by its path."""
        path = posixpath.normpath(wanted.lstrip("/"))
        return path in (self.name, posixpath.basename(self.name))


def find_programs(folder: Path) -> list[Found]:
    """Return the ELF programs below a folder, sorted; links, libraries and what is no regular file are passed over."""
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in _ASIDE]
        for name in files:
            path = Path(place, name)
            if not _LIBRARY.search(name) and not path.is_symlink() and path.is_file() and _is_program(path):
                status = path.stat()
                identity = (status.st_size, status.st_mtime_ns, status.st_ino)
                found.append(Found(name=path.relative_to(folder).as_posix(), path=path, identity=identity))
    return sorted(found, key=lambda one: one.name)


def folders_of_libraries(folder: Path) -> list[Path]:
    """Return the folders below one that hold a shared library."""
    return [Path(place) for place, _, files in os.walk(folder) if any(_SHARED.search(name) for name in files)]


def _is_program(path: Path) -> bool:
    with suppress(BinaryDamaged):
        if elf.is_elf(path):
            program = elf.open_elf(path)
            # A shared library is entered nowhere.
            return program.kind == elf.ET_EXEC or (program.kind == elf.ET_DYN and bool(program.entry))
    return False


def choose(programs: Sequence[Found], *, program: str, project: str, tool: str) -> Found:
    """Return the program that is meant: the one named, the only one, or the project's namesake. Raises NoProgram.

    >>> one = Found(name="src/api", path=Path("/b/src/api"), identity=(1, 1, 1))
    >>> choose([one], program="", project="shop", tool="make").name
    'src/api'
    """
    listed = "\n".join(one.name for one in programs)
    if not programs:
        raise NoProgram(
            f"{tool} ended well and made no program",
            hint="is there a default target that links one? build.arguments can name a target or options",
        )
    if program:
        named = [one for one in programs if one.is_called(program)]
        exact = [one for one in named if one.name == posixpath.normpath(program.lstrip("/"))]
        if len(exact or named) != 1:
            raise NoProgram(
                f"build.program names {program}, and {len(named) or 'none'} of what {tool} made is that one",
                output=listed,
                hint="name one of these by its path",
            )
        return (exact or named)[0]
    if len(programs) == 1:
        return programs[0]
    same = [one for one in programs if posixpath.basename(one.name) == project]
    if len(same) != 1:
        raise NoProgram(
            f"{tool} made {len(programs)} programs and none was chosen",
            output=listed,
            hint=f"choose one: `build: {{program: {programs[0].name}}}` in proa.yaml",
        )
    return same[0]


def others_installed(stage: Path, chosen: Found) -> list[str]:
    """Return what else was installed that a program could look for at run time; documentation and headers are not."""
    names = []
    for place, _, files in os.walk(stage):
        for name in files:
            path = Path(place, name)
            inside = path.relative_to(stage).as_posix()
            if path != chosen.path and not _UNUSED.search(inside):
                names.append(f"/{inside}")
    return sorted(names)
