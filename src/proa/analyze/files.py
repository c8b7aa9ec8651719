"""The source files of a program's packages, read and parsed when asked for, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from proa.analyze.syntax import File
from proa.analyze.texts import Values
from proa.analyze.values import MOST_STEPS, Evaluation
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

_Kept = TypeVar("_Kept")
_MOST_FILE_BYTES = 4 << 20
"""Larger Go files are generated tables (arbitrary)."""
_MOST_FILES = 64
"""Syntax trees that are kept; one takes ten times its source (measured)."""
_MOST_TEXTS = 1024


class Sources:
    """The source files of a program's packages, parsed when asked for."""

    def __init__(self, packages: Iterable[Package], *, main: str, steps: int = MOST_STEPS) -> None:
        """Follow what an expression can be for so many ``steps`` at most, then take it as not known."""
        self.packages = {package.import_path: package for package in packages if not package.is_standard}
        self.main = main
        self._files: dict[tuple[str, str], File | None] = {}
        self._texts: dict[tuple[str, str], bytes] = {}
        self._evaluation = Evaluation(self, steps=steps)

    def package(self, import_path: str) -> Package | None:
        """Return a package of the program; ``main`` is the program's own."""
        return self.packages.get(self.main if import_path == "main" else import_path)

    @cached_property
    def local(self) -> tuple[Package, ...]:
        """Return the packages of the program's own module, and others whose source is a local folder."""
        own = self.packages.get(self.main)
        return tuple(
            package
            for package in self.packages.values()
            if package.is_local or (own is not None and package.module == own.module)
        )

    @cached_property
    def local_paths(self) -> frozenset[str]:
        """Return the import paths of those."""
        return frozenset(package.import_path for package in self.local)

    def text(self, package: Package, name: str) -> bytes:
        """Return a file's bytes; empty where it cannot be read or is too large."""
        key = (package.import_path, name)
        if key not in self._texts:
            _make_room(self._texts, _MOST_TEXTS)
            self._texts[key] = _read(Path(package.directory) / name)
        return self._texts[key]

    def file(self, package: Package, name: str) -> File | None:
        """Return a file parsed, or None where it cannot be read."""
        key = (package.import_path, name)
        if key in self._files:
            self._files[key] = self._files.pop(key)
        else:
            _make_room(self._files, _MOST_FILES)
            data = self.text(package, name)
            self._files[key] = File(package, name, data) if data else None
        return self._files[key]

    def is_parsed(self, package: Package, name: str) -> bool:
        """Say whether a file's tree is at hand."""
        return (package.import_path, name) in self._files

    def files(self, packages: Iterable[Package], *mentioning: str) -> Iterator[File]:
        """Yield the files of some packages that mention any of these words."""
        words = [word.encode() for word in mentioning]
        for package in packages:
            for name in package.files:
                data = self.text(package, name)
                if any(word in data for word in words) and (file := self.file(package, name)) is not None:
                    yield file

    def values(self, node: Node | None, file: File, bound: Mapping[str, Values] | None = None) -> Values:
        """Return every text an expression can have, with HOLE for what is not known.

        ``bound`` is what the parameters of the function around it are known to be.
        """
        return self._evaluation.values(node, file, bound)


def _make_room(kept: dict[tuple[str, str], _Kept], most: int) -> None:
    """Forget what was not used for longest."""
    while len(kept) >= most:
        del kept[next(iter(kept))]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MOST_FILE_BYTES:
            return b""
        return path.read_bytes()
    except OSError:
        return b""
