"""What the slim room says of an unpacked image; its names are read once for all rounds."""

from __future__ import annotations

from collections.abc import Sequence

from proa.pipeline.slim_source import Source
from proa.records.configuration import Configuration
from proa.records.slimming import Kept, LeftOutGroup, Seed
from proa.slim.closure import close_tree
from proa.slim.packages import Packages
from proa.slim.tree import Tree


class Needed:
    """The names of one image, and what they show."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tree = Tree(source.root)
        self._packages = Packages(self._tree)

    def asked_for(self, settings: Configuration) -> tuple[Seed, ...]:
        """Return what the user keeps by ``--keep`` and proa.yaml. Raises WrongUsage."""
        return tuple(Seed(path=word, rule="asked", because=f"--keep {word}") for word in settings.slim.keep)

    def kept(self, seeds: Sequence[Seed]) -> tuple[Kept, ...]:
        """Return what is needed by the image's own files and these seeds. Raises NotWritable, HostileArchive."""
        return close_tree(self._tree, self._packages, self._source.config, seeds)

    def groups(self, left_out: Sequence[str]) -> tuple[LeftOutGroup, ...]:
        """Return what was left out by the names it can be brought back with, the largest first."""
        if not left_out:
            return ()
        size = sum(map(self._source.view.bytes_of, left_out))
        paths = tuple(f"/{path}" for path in left_out)
        return (LeftOutGroup(name="/", files=len(left_out), bytes=size, paths=paths),)
