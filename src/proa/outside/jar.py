"""Jars: zip archives with a manifest, read with bounds. Nothing of one is ever run here.

Source: JAR File Specification (manifest, multi-release); Spring Boot's layout of nested jars.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from proa.errors import JarUnfit
from proa.outside.store import disk_errors

_MOST_ENTRIES = 300_000
_MOST_UNPACKED_BYTES = 4 << 30
_MOST_RATIO = 200
"""Unpacked to packed: class files shrink to a third (arbitrary: deflate's most is 1032)."""
_SMALL_BYTES = 64 << 20
"""Below this a ratio says nothing."""
_MOST_MANIFEST_BYTES = 4 << 20
_MOST_NESTED_BYTES = 512 << 20
_VERSIONED = re.compile(r"META-INF/versions/([0-9]{1,4})/(.+)")
_FEATURE_OF_MAJOR = 44
"""Class files of Java N have major version N + 44. Source: JVMS 4.1."""
_BAD = (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError, OSError, KeyError)


class Jar(msgspec.Struct, frozen=True, kw_only=True):
    """What a jar says of itself."""

    manifest: dict[str, str]
    """The main section, names in lower case."""
    names: frozenset[str]
    is_signed: bool


@contextmanager
def _opened(source: Path | IO[bytes], name: str) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(source) as archive:
            _check(archive, name)
            yield archive
    except JarUnfit:
        raise
    except _BAD as error:
        raise JarUnfit(f"{name} is damaged: {str(error) or type(error).__name__}") from error


def _check(archive: zipfile.ZipFile, name: str) -> None:
    """Refuse what no build tool writes. Raises JarUnfit."""
    infos = archive.infolist()
    if len(infos) > _MOST_ENTRIES:
        raise JarUnfit(f"{name} has {len(infos)} entries, more than any honest jar")
    packed = unpacked = 0
    for info in infos:
        parts = info.filename.split("/")
        if info.filename.startswith("/") or ".." in parts or "\\" in info.filename:
            raise JarUnfit(f"{name} has an entry named {info.filename!r}, which leads out of it")
        if info.flag_bits & 1:
            raise JarUnfit(f"{name} is encrypted ({info.filename}), which java cannot read")
        packed, unpacked = packed + info.compress_size, unpacked + info.file_size
    if unpacked > _MOST_UNPACKED_BYTES or (unpacked > _SMALL_BYTES and unpacked > packed * _MOST_RATIO):
        raise JarUnfit(f"{name} is {packed} bytes and says it holds {unpacked}: a zip bomb")


def is_jar(file: Path) -> bool:
    """Say whether a file is a jar by its name; what is no zip archive is told of later."""
    try:
        with file.open("rb") as stream:
            head = stream.read(4)
    except (OSError, ValueError):
        return False
    return file.suffix.lower() in (".jar", ".war") and head != b"\x7fELF"


def read_jar(file: Path) -> Jar:
    """Return what a jar says of itself. Raises JarUnfit."""
    with _opened(file, file.name) as archive:
        names = frozenset(archive.namelist())
        manifest: dict[str, str] = {}
        if "META-INF/MANIFEST.MF" in names:
            with archive.open("META-INF/MANIFEST.MF") as stream:
                manifest = main_section(stream.read(_MOST_MANIFEST_BYTES).decode("utf-8", "replace"))
    signed = any(one.startswith("META-INF/") and one.upper().endswith((".RSA", ".DSA", ".EC")) for one in names)
    return Jar(manifest=manifest, names=names, is_signed=signed)


def main_section(text: str) -> dict[str, str]:
    r"""Return a manifest's main section; lines of 72 bytes are continued by a space, other sections follow a blank.

    >>> main_section("Main-Class: a.\r\n B\r\nMulti-Release: true\r\n\r\nName: x\r\n")
    {'main-class': 'a.B', 'multi-release': 'true'}
    """
    joined = re.sub(r"\r?\n ", "", text)
    found: dict[str, str] = {}
    for line in joined.splitlines():
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip().lower(), value.strip())
    return found


def class_feature(file: Path, name: str) -> int:
    """Return the Java that a class of a jar is compiled for; 0 where it is not in it. Raises JarUnfit."""
    with _opened(file, file.name) as archive:
        if name not in archive.namelist():
            return 0
        with archive.open(name) as stream:
            head = stream.read(8)
    if head[:4] != b"\xca\xfe\xba\xbe" or len(head) < 8:
        raise JarUnfit(f"{file.name}: {name} is no class file")
    return int.from_bytes(head[6:8], "big") - _FEATURE_OF_MAJOR


def unpack_classes(file: Path, target: Path, *, feature: int, nested: str = "") -> tuple[Path, ...]:
    """Write the classes of a jar, and of the jars below ``nested`` in it, into a folder per jar; return the folders.

    Of a multi-release jar the classes for ``feature`` are taken. Module descriptors stay out: jdeps would want the
    modules they name. Raises JarUnfit, NoSpace.
    """
    folders: list[Path] = []
    with _opened(file, file.name) as archive, disk_errors(target):
        prefix = nested.rpartition("lib/")[0] + "classes/" if nested else ""
        folders += _unpack(archive, target / file.name, feature=feature, prefix=prefix)
        for name in sorted(archive.namelist()) if nested else ():
            if not (name.startswith(nested) and name.endswith(".jar")):
                continue
            if archive.getinfo(name).file_size > _MOST_NESTED_BYTES:
                raise JarUnfit(f"{file.name}: {name} is larger than any honest library")
            inner = io.BytesIO(archive.read(name))
            with _opened(inner, f"{file.name}: {name}") as library:
                folders += _unpack(library, target / posixpath.basename(name), feature=feature)
    return tuple(folders)


def _unpack(archive: zipfile.ZipFile, folder: Path, *, feature: int, prefix: str = "") -> Iterator[Path]:
    chosen: dict[str, tuple[int, zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        name, version = info.filename, 0
        if found := _VERSIONED.fullmatch(name):
            version, name = int(found[1]), found[2]
        name = name.removeprefix(prefix)
        if not name.endswith(".class") or name.endswith("module-info.class") or version > feature:
            continue
        if name.startswith("META-INF/") or version < chosen.get(name, (-1,))[0]:
            continue
        chosen[name] = (version, info)
    for name, (_, info) in chosen.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(archive.read(info))
    if chosen:
        yield folder
