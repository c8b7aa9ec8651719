"""The loader and the libraries of a dynamic program, as entries of a layer of their own."""

from __future__ import annotations

import posixpath

from proa.errors import UnsafePath
from proa.pack.bases import Files
from proa.pack.entries import Entry
from proa.records.binary import Binary, Holds, RuntimeFile


def library_entries(binary: Binary, files: Files) -> list[Entry]:
    """Return what the program needs to be loaded and a base does not have: all of it where the base is empty.

    A base has its own loader and C library; a library it has under any folder is left to it. Raises UnsafePath.
    """
    present = {posixpath.basename(path) for path in files.paths()}
    return [one for one in entries_of(binary, "libraries") if posixpath.basename(one.path) not in present]


def entries_of(binary: Binary, holds: Holds) -> list[Entry]:
    """Return what a program needs beside itself in one of its layers. Raises UnsafePath."""
    return [_entry(one) for one in binary.runtime_files if one.holds == holds]


def _entry(file: RuntimeFile) -> Entry:
    path = file.path.lstrip("/")
    if not path or posixpath.normpath(path) != path or path.startswith("../"):
        raise UnsafePath(f"{file.path!r} is no path in an image")
    if file.target:
        return Entry(path=path, kind="symlink", mode=0o777, target=file.target, reason=file.reason)
    return Entry(path=path, mode=file.mode, size_bytes=file.bytes, blob=file.digest, reason=file.reason)
