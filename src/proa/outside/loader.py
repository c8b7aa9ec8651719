"""The dynamic loader's own files on this machine or in a sysroot: its folders, its subfolders, where links lead.

Everything is read below ``sysroot`` and no link leads out of it.
Source: ld.so(8), ldconfig(8); elf/dl-hwcaps.c, elf/dl-load.c of glibc; ldso/dynlink.c of musl.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from proa.errors import BinaryDamaged, NotWritable
from proa.outside.elf import Elf, open_elf

Kind = Literal["glibc", "musl"]
_MOST_LINKS = 40
_MOST_FILES = 200
_MOST_BYTES = 1 << 20
_MUSL_FOLDERS = ("/lib", "/usr/local/lib", "/usr/lib")
_GLIBC_FOLDERS = {True: ("/lib64", "/usr/lib64", "/lib", "/usr/lib"), False: ("/lib", "/usr/lib")}
_BUILT_IN = re.compile(rb"(?:/[A-Za-z0-9._/-]{1,100}/\0){2,8}")
"""system_dirs of glibc: its folders one after the other, each with a slash at its end."""
_HWCAPS = {
    (62, True): ("x86-64-v2", "x86-64-v3", "x86-64-v4"),
    (21, True): ("power9", "power10"),
    (22, True): ("z13", "z14", "z15", "z16"),
}
"""By machine: what glibc looks for below glibc-hwcaps, the least demanding first."""


class Folder(msgspec.Struct, frozen=True):
    """A folder with libraries: where it is here, and what the loader calls it."""

    here: Path
    name: str
    """Absolute, as it will be in the image."""


class Loader(msgspec.Struct, frozen=True, kw_only=True):
    """A loader and the folders it searches by itself."""

    kind: Kind
    built_in: tuple[str, ...]
    """Searched without any file that says so: what holds in an image that has none."""
    searched: tuple[str, ...]
    """Searched on this machine, in this order: with /etc/ld.so.conf (through its cache) or /etc/ld-musl-*.path."""
    capabilities: tuple[str, ...] = ()
    """Subfolders of every folder that it prefers on a machine that can run what is there."""


def kind_of(interpreter: str) -> Kind:
    """Return whose loader a name is.

    >>> kind_of("/lib/ld-musl-x86_64.so.1"), kind_of("/lib64/ld-linux-x86-64.so.2")
    ('musl', 'glibc')
    """
    return "musl" if PurePosixPath(interpreter).name.startswith("ld-musl") else "glibc"


def read_loader(interpreter: str, program: Elf, *, sysroot: Path) -> Loader:
    """Return the folders that a program's loader searches. Raises NotWritable where its files cannot be read."""
    if kind_of(interpreter) == "musl":
        name = PurePosixPath(interpreter).name.removesuffix(".so.1")
        text = _text(sysroot, f"/etc/{name}.path")
        told = tuple(re.split(r"[:\n]+", text.strip(":\n"))) if text.strip(":\n") else ()
        return Loader(kind="musl", built_in=_MUSL_FOLDERS, searched=told or _MUSL_FOLDERS)
    file = real_file(sysroot, interpreter)
    built_in = (_built_in(file) if file else ()) or _GLIBC_FOLDERS[program.is_64]
    configured = _configured(sysroot, "/etc/ld.so.conf", set())
    return Loader(
        kind="glibc",
        built_in=built_in,
        searched=tuple(dict.fromkeys((*configured, *built_in))),
        capabilities=tuple(f"glibc-hwcaps/{one}" for one in _HWCAPS.get((program.machine, program.is_64), ())),
    )


def _built_in(file: Path) -> tuple[str, ...]:
    """Return the folders compiled into glibc's loader; none where they are not found."""
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            found = [match[0] for match in _BUILT_IN.finditer(data) if b"/lib" in match[0]]
    except (OSError, ValueError):
        return ()
    if not found:
        return ()
    folders = found[0].decode("ascii").rstrip("\0").split("\0")
    return tuple(dict.fromkeys(folder.rstrip("/") for folder in folders))


def _configured(sysroot: Path, path: str, seen: set[str]) -> Iterator[str]:
    """Yield the folders of a configuration file of ldconfig, those of the files it includes among them."""
    if path in seen or len(seen) > _MOST_FILES:
        return
    seen.add(path)
    for raw in _text(sysroot, path).splitlines():
        line = raw.partition("#")[0].strip()
        word, _, rest = line.partition(" ") if " " in line else line.partition("\t")
        if word == "include":
            for pattern in rest.split():
                for name in _matching(sysroot, str(PurePosixPath(path).parent / pattern)):
                    yield from _configured(sysroot, name, seen)
        elif word == "hwcap":
            continue
        else:
            yield from (one.rstrip("/") for one in re.split(r"[:,\s]+", line) if one.startswith("/"))


def _matching(sysroot: Path, pattern: str) -> list[str]:
    folder, name = str(PurePosixPath(pattern).parent), PurePosixPath(pattern).name
    place = real_file(sysroot, folder)
    if place is None or not place.is_dir():
        return []
    with suppress(OSError, ValueError):
        return sorted(f"{folder}/{file.name}" for file in place.glob(name) if file.is_file())[:_MOST_FILES]
    return []


def _text(sysroot: Path, path: str) -> str:
    file = real_file(sysroot, path)
    if file is None or not file.is_file():
        return ""
    try:
        with file.open("rb") as stream:
            return stream.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise NotWritable(f"{file} cannot be read: {error.strerror}") from error


def real_file(sysroot: Path, path: str) -> Path | None:
    """Return where a path really is below ``sysroot``, all links followed inside it; None where it is not there."""
    todo = [part for part in reversed(path.split("/")) if part]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part == "..":
            del done[-1:]
            continue
        place = sysroot.joinpath(*done, part)
        try:
            target = str(place.readlink()) if part != "." and place.is_symlink() else ""
        except (OSError, ValueError):
            return None
        if not target:
            done += [part] if part != "." else []
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        if target.startswith("/"):
            done = []
        todo += [piece for piece in reversed(target.split("/")) if piece]
    found = sysroot.joinpath(*done)
    try:
        return found if found.exists() else None
    except (OSError, ValueError):
        return None


def inside(sysroot: Path, file: Path) -> str:
    """Return the path below ``sysroot`` of a file that is in it."""
    return "/" + file.relative_to(sysroot).as_posix().lstrip("/")


def fitting(file: Path, like: Elf) -> Elf | None:
    """Return a library, where it is one for the same machine; the loader passes over others.

    >>> fitting(Path("/dev/null"), like=None) is None
    True
    """
    try:
        if not file.is_file():
            return None
        found = open_elf(file)
    except (BinaryDamaged, OSError, ValueError):
        return None
    same = (found.machine, found.is_64, found.is_little) == (like.machine, like.is_64, like.is_little)
    return found if same else None
