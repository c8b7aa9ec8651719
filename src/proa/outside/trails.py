"""Where a path that was asked for leads in an unpacked image: the links on the way, and what is at the end.

Links are followed as inside, never out of the folder; ``..`` is taken after the link before it, as the kernel does.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

import msgspec

_MOST_LINKS = 40
"""Source: Linux, path_resolution(7)."""


class Trail(msgspec.Struct, frozen=True):
    """Where a path leads."""

    links: tuple[str, ...]
    """Every symbolic link on the way, by its own real path."""
    end: str
    """The real path of what is there, or of the nearest folder above it that is."""
    is_whole: bool
    """All of the path is there."""


class Trails:
    """Follows paths in one folder, remembering what every name on the way was."""

    def __init__(self, root: Path) -> None:
        self._root = os.fspath(root)
        self._known: dict[str, str | None] = {}

    def follow(self, path: str) -> Trail:
        """Return where an absolute path leads; a circle of links leads to the folder it is in."""
        left = path.split("/")[::-1]
        here: list[str] = []
        links: dict[str, None] = {}
        count = 0
        while left:
            part = left.pop()
            if part in ("", "."):
                continue
            if part == "..":
                here = here[:-1]
                continue
            place = "/" + "/".join([*here, part])
            target = self._look(place)
            if target is None or count > _MOST_LINKS:
                return Trail(tuple(links), "/" + "/".join(here), is_whole=False)
            if not target:
                here.append(part)
                continue
            count += 1
            links[place] = None
            here = [] if target.startswith("/") else here
            left += target.split("/")[::-1]
        return Trail(tuple(links), "/" + "/".join(here), is_whole=True)

    def _look(self, place: str) -> str | None:
        """Return where the link at a real path leads, empty for anything else, None where nothing is."""
        if place not in self._known:
            try:
                is_link = stat.S_ISLNK(os.lstat(self._root + place).st_mode)
                self._known[place] = os.readlink(self._root + place) if is_link else ""  # noqa: PTH115 - a path of its own each
            except (OSError, ValueError):
                self._known[place] = None
        return self._known[place]

    def is_file(self, end: str) -> bool:
        """Say whether a real path is a regular file."""
        try:
            return stat.S_ISREG(os.lstat(self._root + end).st_mode)
        except (OSError, ValueError):
            return False

    def names(self, end: str, most: int) -> list[str]:
        """Return the real paths of the files and links directly in a folder, at most so many, sorted."""
        try:
            with os.scandir(self._root + end) as there:
                names = sorted(one.name for one in there if not one.is_dir(follow_symlinks=False))
        except OSError:
            return []
        return [f"{end.rstrip('/')}/{name}" for name in names[:most]]
