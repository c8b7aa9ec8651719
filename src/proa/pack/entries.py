"""What goes into a layer: one entry per path, with where its bytes are and why it is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal

import msgspec

from proa.errors import NotWritable
from proa.outside.store import Store

_READ_BYTES = 1 << 20
EntryKind = Literal["file", "folder", "symlink", "hardlink", "character", "block", "pipe"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One path in a layer."""

    path: str
    """Relative to the image's root, without ``.``, ``..`` or a slash at either end."""
    kind: EntryKind = "file"
    mode: int = 0o444
    uid: int = 0
    gid: int = 0
    size_bytes: int = 0
    data: bytes | None = None
    """The content, where it is small and at hand."""
    source: Path | None = None
    """The content, where it is a file on this machine."""
    offset: int | None = None
    """Where in ``source`` it begins; without, it is the whole file."""
    blob: str = ""
    """The content, where it is a blob in the store."""
    target: str = ""
    """Of a link: for hard links relative to the root, like ``path``."""
    mtime: str = ""
    """Seconds since 1970 as a pax header writes them, ``1700000000.25``; empty: the archive's."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Extended attributes under their keys in the pax header, as ``untar.Member`` has them."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number."""
    group: str = ""
    """The path under which it is shown to people; many files of one folder share one."""
    reason: str = ""


def file_entry(path: str, data: bytes, *, reason: str, mode: int = 0o644, group: str = "") -> Entry:
    """Return a root-owned file with the given content."""
    return Entry(path=path, mode=mode, size_bytes=len(data), data=data, reason=reason, group=group or path)


def parents(path: str) -> list[str]:
    """Return the folders above a path, outermost first.

    >>> parents("a/b/c")
    ['a', 'a/b']
    """
    return [str(parent) for parent in reversed(PurePosixPath(path).parents) if str(parent) != "."]


def with_parents(entries: Iterable[Entry], *, present: Iterable[str] = ()) -> tuple[Entry, ...]:
    """Return the entries sorted by path, with the folders above them that are not ``present`` yet.

    A folder that is an entry itself keeps its own mode; a path given twice is kept once, the last one wins.

    >>> [(e.path, e.kind) for e in with_parents([Entry(path="a/b")])]
    [('a', 'folder'), ('a/b', 'file')]
    """
    wanted = {entry.path: entry for entry in entries}
    there = set(present)
    for path in list(wanted):
        for parent in parents(path):
            if parent not in wanted and parent not in there:
                wanted[parent] = Entry(path=parent, kind="folder", mode=0o755)
    # Hard links stand after their targets, or an unpacker finds nothing to link to.
    order = sorted(wanted.values(), key=lambda entry: (entry.kind == "hardlink", entry.path.split("/")))
    return tuple(order)


def open_content(entry: Entry, store: Store) -> BinaryIO:
    """Open an entry's bytes. Raises NotWritable, ImageMissing."""
    import io

    if entry.blob:
        return store.open_blob(entry.blob)
    if entry.source is not None:
        try:
            file = entry.source.open("rb")
            file.seek(entry.offset or 0)
        except OSError as error:
            raise NotWritable(f"{entry.source} cannot be read: {error.strerror}") from error
        return file
    return io.BytesIO(entry.data or b"")


def content_digest(entry: Entry, store: Store) -> str:
    """Return what names an entry's bytes: a digest, or the target of a link."""
    if entry.blob:
        return entry.blob
    if entry.kind != "file":
        return entry.target
    with open_content(entry, store) as stream:
        whole = hashlib.sha256()
        while data := stream.read(_READ_BYTES):
            whole.update(data)
        return f"sha256:{whole.hexdigest()}"
