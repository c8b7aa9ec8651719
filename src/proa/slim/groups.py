"""What was left out, in groups that a user can bring back by name: a system package, or a folder."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from proa.records.slimming import LeftOutGroup
from proa.slim.packages import Packages
from proa.slim.tree import Tree

_SHOWN = 5
_FOLDER_DEPTH = 3
"""Of a folder that stands for files without a package: ``/usr/share/nodejs/``."""


def left_out(root: Path, kept: Collection[str]) -> tuple[LeftOutGroup, ...]:
    """Return the groups of what an unpacked image has and ``kept`` has not, the largest first.

    ``kept`` are absolute paths. Raises NotWritable where the folder cannot be read, HostileArchive.
    """
    tree = Tree(root)
    stays = frozenset(kept)
    gone = [path for path in tree.paths if path not in stays and tree.entries[path].kind != "folder"]
    return group(tree, Packages(tree), gone)


def group(
    tree: Tree, packages: Packages, gone: Iterable[str], *, shown: int | None = _SHOWN
) -> tuple[LeftOutGroup, ...]:
    """Return absolute paths that are left out in groups, the largest first; of each ``shown`` paths, None for all."""
    members: dict[str, list[str]] = {}
    for path in gone:
        members.setdefault(packages.owners.get(path) or folder_name(path), []).append(path)
    groups = []
    for name, paths in members.items():
        sizes = {path: tree.entries[path].bytes if path in tree.entries else 0 for path in paths}
        largest = sorted(paths, key=lambda path: (-sizes[path], path))
        total = sum(sizes.values())
        groups.append(LeftOutGroup(name=name, files=len(paths), bytes=total, paths=tuple(largest[:shown])))
    return tuple(sorted(groups, key=lambda one: (-one.bytes, -one.files, one.name)))


def folder_name(path: str) -> str:
    """Return the folder that stands for a file which no package owns, with a slash at its end.

    >>> folder_name("/usr/local/go/src/fmt/print.go"), folder_name("/core")
    ('/usr/local/go/', '/')
    """
    parts = path.strip("/").split("/")[:-1][:_FOLDER_DEPTH]
    return f"/{'/'.join(parts)}/" if parts else "/"
