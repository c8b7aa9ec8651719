"""What the slim room says of an unpacked image; its names are read once for all rounds."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from proa.pipeline.slim_source import Source
from proa.pipeline.slim_view import displayed, readable
from proa.records.configuration import Configuration
from proa.records.slimming import Kept, LeftOutGroup, Seed
from proa.slim.closure import close_tree
from proa.slim.groups import group
from proa.slim.packages import Packages
from proa.slim.tree import Tree
from proa.slim.wanted import find_wanted


class Needed:
    """The names of one image, and what they show."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = Tree(source.root)
        self._packages = Packages(self._tree)

    def asked_for(self, settings: Configuration) -> tuple[Seed, ...]:
        """Return what the user keeps by ``--keep`` and proa.yaml. Raises WrongUsage."""
        return find_wanted(self._tree, self._packages, settings.slim.keep)

    def kept(self, seeds: Sequence[Seed]) -> tuple[Kept, ...]:
        """Return what is needed by the image's own files and these seeds. Raises NotWritable, HostileArchive."""
        return close_tree(self._tree, self._packages, self._source.config, seeds)

    def groups(self, left_out: Sequence[str]) -> tuple[LeftOutGroup, ...]:
        """Return what was left out by the names it can be brought back with, the largest first."""
        gone = set(left_out)
        # Names as the system has them, and what is not unpacked: devices.
        paths = [path for path in self._tree.paths if displayed(path) in gone]
        paths += [f"/{path}" for path in sorted(gone - {displayed(path) for path in paths})]
        return tuple(
            msgspec.structs.replace(one, name=readable(one.name), paths=tuple(map(readable, one.paths)))
            for one in group(self._tree, self._packages, paths, shown=None)
        )
