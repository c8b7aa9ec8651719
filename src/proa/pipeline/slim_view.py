"""The final view of an image while it is made small: what leads where, and what small files hold.

Paths are as the merged view writes them: relative to the root, without links among the folders.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from proa.inspect.merge import Merged, Node

_MOST_LINKS = 40
"""Source: Linux, path_resolution(7)."""


def displayed(path: str) -> str:
    r"""Return a path of the system as the merged view writes it: relative, bytes that are no UTF-8 as ``\xff``.

    >>> displayed("/usr/\udcff/")
    'usr/\\xff'
    """
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").strip("/")


def readable(text: str) -> str:
    r"""Return text that JSON can hold: bytes that are no UTF-8 as ``\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def with_ways(merged: Merged, paths: Collection[str]) -> frozenset[str]:
    """Return the paths of an image that lead to these, and where their links end; those not there are left out.

    Folders above, links on the way and what they point to are all of the way. Paths are as ``displayed`` writes them.
    """
    found: set[str] = set()
    for path in paths:
        _walk(merged, path.split("/"), found)
    return frozenset(found)


def _walk(merged: Merged, parts: Sequence[str], found: set[str]) -> None:
    todo, links = list(reversed(parts)), 0
    done: list[str] = []
    nodes = [merged.root]
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if done:
                done.pop()
                nodes.pop()
            continue
        node = (nodes[-1].below or {}).get(part)
        if node is None:
            return
        here = "/".join((*done, part))
        found.add(here)
        if node.entry is not None and node.entry.kind == "symlink":
            links += 1
            if links > _MOST_LINKS:
                return
            if node.entry.target.startswith("/"):
                done, nodes = [], [merged.root]
            todo += reversed(node.entry.target.split("/"))
        else:
            done.append(part)
            nodes.append(node)


class FinalView:
    """What is to be seen of an image: its layers' entries, and an unpacked copy for the contents."""

    def __init__(self, merged: Merged, root: Path) -> None:
        self._merged = merged
        self._root = root.resolve()
        self._nodes = {path: node for path, node in merged.walk() if node.below is None}

    def paths(self) -> Collection[str]:
        """Return every file, link and device; quick to ask for one."""
        return self._nodes.keys()

    def items(self) -> Iterator[tuple[str, Node]]:
        """Yield every file, link and device."""
        yield from self._nodes.items()

    def bytes_of(self, path: str) -> int:
        """Return the size of a file, 0 for anything else."""
        node = self._nodes.get(path)
        return node.stored.entry.size_bytes if node is not None and node.stored is not None else 0

    def contents_bytes(self, paths: Iterable[str]) -> int:
        """Return the size of these files together, a content with several names counted once."""
        nodes = (self._nodes[path] for path in paths)
        stored = {id(node.stored): node.stored.entry.size_bytes for node in nodes if node.stored is not None}
        return sum(stored.values())

    def is_device(self, path: str) -> bool:
        """Say whether a device or pipe is there."""
        node = self._nodes.get(path)
        return node is not None and node.entry is not None and node.entry.kind == "device"

    def has_folder(self, path: str) -> bool:
        """Say whether a folder is there, links followed."""
        found = self._merged.find(path)
        return found is not None and found[1].below is not None

    def locate(self, path: str) -> str | None:
        """Return a path with the links among its folders followed, None where nothing is there."""
        path = path.strip("/")
        if path in self._nodes:
            return path
        above, _, name = path.rpartition("/")
        found = self._merged.find(above)
        if found is None or name not in (found[1].below or {}):
            return None
        return f"{found[0]}/{name}" if found[0] else name

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a regular file's content, links followed; None where there is none, or it is larger."""
        found = self._merged.find(path)
        if found is None or found[1].stored is None or found[1].stored.entry.size_bytes > most_bytes:
            return None
        file = self._root / found[0]
        try:
            # Nothing outside the copy is read, whatever became of it since it was unpacked.
            descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as stream:
                if not Path(os.readlink(f"/proc/self/fd/{descriptor}")).is_relative_to(self._root):  # noqa: PTH115
                    return None
                return stream.read(most_bytes)
        except OSError:
            return None

    def below(self, folder: str, most: int) -> list[str]:
        """Return the files directly in a folder, at most so many."""
        found = self._merged.find(folder)
        if found is None:
            return []
        names = [name for name, node in (found[1].below or {}).items() if node.below is None]
        return [f"{found[0]}/{name}" if found[0] else name for name in sorted(names)[:most]]
