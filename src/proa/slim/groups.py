"""What was left out, in groups that a user can bring back by name: a system package, or a folder."""

from __future__ import annotations

from collections.abc import Collection
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
    return group(tree, Packages(tree), kept)


def group(tree: Tree, packages: Packages, kept: Collection[str], *, shown: int = _SHOWN) -> tuple[LeftOutGroup, ...]:
    """Return the same as ``left_out`` for names that were read already; ``shown`` paths of each, the largest first."""
    stays = kept if isinstance(kept, (set, frozenset, dict)) else frozenset(kept)
    members: dict[str, list[str]] = {}
    for path in tree.paths:
        if path not in stays and tree.entries[path].kind != "folder":
            members.setdefault(packages.owners.get(path) or folder_name(path), []).append(path)
    groups = []
    for name, paths in members.items():
        largest = sorted(paths, key=lambda path: (-tree.entries[path].bytes, path))
        size = sum(tree.entries[path].bytes for path in paths)
        groups.append(LeftOutGroup(name=name, files=len(paths), bytes=size, paths=tuple(largest[:shown])))
    return tuple(sorted(groups, key=lambda one: (-one.bytes, -one.files, one.name)))


def folder_name(path: str) -> str:
    """Return the folder that stands for a file which no package owns, with a slash at its end.

    >>> folder_name("/usr/local/go/src/fmt/print.go"), folder_name("/core")
    ('/usr/local/go/', '/')
    """
    parts = path.strip("/").split("/")[:-1][:_FOLDER_DEPTH]
    return f"/{'/'.join(parts)}/" if parts else "/"
