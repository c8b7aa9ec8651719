"""Every name of an unpacked image, read once: no rule asks the disk what is where, and no link leads out of it.

Paths are absolute in the image; bytes that are no UTF-8 are surrogates, as Python's own functions return them.
"""

from __future__ import annotations

import os
import posixpath
import stat
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from proa.errors import HostileArchive, NotWritable

_MOST_LINKS = 40
_MOST_ENTRIES = 2_000_000
"""The largest known image has some 700,000 (arbitrary, above)."""


class Entry(msgspec.Struct, frozen=True):
    """One name."""

    kind: Literal["file", "link", "folder", "other"]
    bytes: int = 0
    target: str = ""
    """Of a link, as it is written."""
    mode: int = 0
    uid: int = 0

    @property
    def is_executable(self) -> bool:
        """Say whether anybody may run it."""
        return self.kind == "file" and bool(self.mode & 0o111)


class Tree:
    """The names of an image, and the few contents that rules ask for."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries: dict[str, Entry] = {"/": Entry("folder", mode=0o755)}
        self.children: dict[str, dict[str, str]] = {}
        """By folder: name → path, in order."""
        self._scan()
        self.paths: list[str] = sorted(self.entries)

    def _scan(self) -> None:
        todo = ["/"]
        while todo:
            folder = todo.pop()
            names = self.children[folder] = {}
            for name, entry in self._read_folder(folder):
                path = f"{folder.rstrip('/')}/{name}"
                names[name] = path
                self.entries[path] = entry
                if entry.kind == "folder":
                    todo.append(path)
            if len(self.entries) > _MOST_ENTRIES:
                raise HostileArchive(f"the image has more than {_MOST_ENTRIES} files")

    def _read_folder(self, folder: str) -> list[tuple[str, Entry]]:
        found = []
        try:
            with os.scandir(self.here(folder)) as listing:
                for one in listing:
                    status = one.stat(follow_symlinks=False)
                    target = str(Path(one.path).readlink()) if stat.S_ISLNK(status.st_mode) else ""
                    found.append((one.name, _entry(status, target)))
        except OSError as error:
            raise NotWritable(f"{folder} of the unpacked image cannot be read: {error.strerror}") from error
        return sorted(found, key=lambda pair: pair[0])

    def here(self, path: str) -> Path:
        """Return where a path is on this machine; only for paths of ``entries``, which no link leads to."""
        return self.root / path.lstrip("/")

    def below(self, folder: str) -> Iterator[str]:
        """Yield every path below a folder, in order; links are not followed."""
        start = folder.rstrip("/") + "/"
        at = bisect_left(self.paths, start)
        while at < len(self.paths) and self.paths[at].startswith(start):
            if self.paths[at] != "/":
                yield self.paths[at]
            at += 1

    def walk(self, path: str) -> tuple[str | None, tuple[str, ...]]:
        """Return where a path leads, all links followed, and the links on the way; None where it leads nowhere."""
        todo = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        current, links = "/", list[str]()
        while todo:
            part = todo.pop()
            if part == "..":
                current = posixpath.dirname(current)
                continue
            place = self.children.get(current, {}).get(part)
            if place is None:
                return None, tuple(links)
            entry = self.entries[place]
            if entry.kind != "link":
                current = place
                continue
            links.append(place)
            if len(links) > _MOST_LINKS:
                return None, tuple(links)
            if entry.target.startswith("/"):
                current = "/"
            todo += [piece for piece in reversed(entry.target.split("/")) if piece not in ("", ".")]
        return current, tuple(links)

    def real(self, path: str) -> str | None:
        """Return where a path leads; None where it leads nowhere."""
        return path if path in self.entries and self._is_plain(path) else self.walk(path)[0]

    def _is_plain(self, path: str) -> bool:
        # Keys of ``entries`` have no link among their folders: only the last name may be one.
        return self.entries[path].kind != "link"

    def is_file(self, path: str) -> bool:
        """Say whether a path leads to a regular file."""
        real = self.real(path)
        return real is not None and self.entries[real].kind == "file"

    def is_folder(self, path: str) -> bool:
        """Say whether a path leads to a folder."""
        real = self.real(path)
        return real is not None and self.entries[real].kind == "folder"

    def names(self, folder: str) -> dict[str, str]:
        """Return what is in a folder, links to it followed: name → path; empty where there is none."""
        real = self.real(folder)
        return self.children.get(real, {}) if real else {}

    def read(self, path: str, most_bytes: int = 1 << 20) -> bytes:
        """Return the start of a regular file, links followed; empty where there is none that can be read."""
        real = self.real(path)
        if real is None or self.entries[real].kind != "file":
            return b""
        try:
            with self.here(real).open("rb") as stream:
                return stream.read(most_bytes)
        except OSError:
            return b""

    def text(self, path: str, most_bytes: int = 1 << 20) -> str:
        """Return the start of a file as text; whatever is no UTF-8 stays as surrogates."""
        return self.read(path, most_bytes).decode("utf-8", "surrogateescape")


def _entry(status: os.stat_result, target: str) -> Entry:
    mode = status.st_mode
    if stat.S_ISREG(mode):
        return Entry("file", status.st_size, mode=stat.S_IMODE(mode), uid=status.st_uid)
    if stat.S_ISLNK(mode):
        return Entry("link", target=target, mode=stat.S_IMODE(mode), uid=status.st_uid)
    return Entry("folder" if stat.S_ISDIR(mode) else "other", mode=stat.S_IMODE(mode), uid=status.st_uid)
