"""The files of a project as its people see them: what version control ignores is left out, links are not followed.

Bounded on purpose: a monorepo is looked at up to a number of files, and of what is read only the beginning.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proa.errors import NotWritable, WrongUsage
from proa.outside.command import Run, run
from proa.outside.sourcetree import ASIDE, is_output, names_by_git

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MOST_FILES = 250_000
"""More are not looked at, and it is said that they are not: 3 s on the machine of benchmarks/README.md."""
MOST_TEXT = 16 << 20
"""A larger lock file is not read; the largest seen in practice have a few MiB."""


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A project's files."""

    root: Path
    sizes: dict[str, int]
    """Bytes by path relative to the root, with ``/``, sorted; of links and regular files only."""
    is_complete: bool = True
    """False: there are more files than were looked at."""

    def names(self, *called: str) -> tuple[str, ...]:
        """Return the paths of files with one of these names, the shallowest first."""
        found = [path for path in self.sizes if path.rpartition("/")[2] in called]
        return tuple(sorted(found, key=lambda path: (path.count("/"), path)))

    def without(self, *folders: str) -> Tree:
        """Return the tree without what lies below a folder with one of these names."""
        aside = frozenset(folders)
        kept = {path: size for path, size in self.sizes.items() if aside.isdisjoint(path.split("/")[:-1])}
        return Tree(root=self.root, sizes=kept, is_complete=self.is_complete)

    def text(self, path: str, *, most: int = MOST_TEXT) -> str:
        """Return a file's text, its first ``most`` bytes; empty where there is none that may be read.

        A link that leads out of the project is not followed, nor is a pipe or device opened.
        """
        file = self.root / path
        try:
            if file.is_symlink() and not file.resolve().is_relative_to(self.root.resolve()):
                return ""
            if not stat.S_ISREG(file.stat().st_mode):
                return ""
            with file.open("rb") as stream:
                return stream.read(most).decode("utf-8-sig", errors="replace")
        except (OSError, ValueError, RuntimeError):
            return ""

    def has(self, path: str) -> bool:
        """Say whether a file of this path was listed."""
        return path in self.sizes


def read_tree(root: Path, *, environ: Mapping[str, str], run: Run = run, most: int = MOST_FILES) -> Tree:
    """Return the files of a project. Raises WrongUsage where there is no such folder, NotWritable for a closed one."""
    if not root.is_dir():
        raise WrongUsage(f"{root} is no folder")
    try:
        os.scandir(root).close()
    except OSError as error:
        raise NotWritable(f"{root} cannot be read: {error.strerror}") from error
    names = names_by_git(root, environ=environ, run=run)
    # A tree that is ignored as a whole has nothing to list, and is meant all the same.
    sizes = dict(islice(_sized(root, names) if names else _walked(root), most + 1))
    return Tree(root=root, sizes=dict(sorted(sizes.items())[:most]), is_complete=len(sizes) <= most)


def _sized(root: Path, names: list[str]) -> Iterator[tuple[str, int]]:
    for name in names:
        try:
            found = os.lstat(f"{root}/{name}")
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode):
            # A submodule is listed as the folder it is.
            yield from ((f"{name.rstrip('/')}/{inside}", size) for inside, size in _walked(root / name))
        elif stat.S_ISREG(found.st_mode) or stat.S_ISLNK(found.st_mode):
            yield name, found.st_size


def _walked(root: Path) -> Iterator[tuple[str, int]]:
    """Yield names and sizes without version control: tools' output and what a .gitignore names are left out."""
    waiting: list[tuple[str, tuple[_Ignore, ...]]] = [("", ())]
    while waiting:
        folder, ignores = waiting.pop()
        try:
            with os.scandir(root / folder) as listing:
                entries = sorted(listing, key=lambda one: one.name)
        except OSError:
            continue
        if any(one.name == ".gitignore" and one.is_file(follow_symlinks=False) for one in entries):
            ignores = (*ignores, _ignore(root, folder))
        for entry in entries:
            path = f"{folder}{entry.name}"
            is_folder = entry.is_dir(follow_symlinks=False)
            if _is_ignored(f"{path}/" if is_folder else path, ignores):
                continue
            if is_folder:
                if entry.name not in ASIDE and not is_output(root / path):
                    waiting.append((f"{path}/", ignores))
            elif entry.is_file(follow_symlinks=False) or entry.is_symlink():
                yield path, entry.stat(follow_symlinks=False).st_size


_Ignore = Callable[[str], bool | None]
"""Whether a .gitignore leaves a path out, takes it in again, or says nothing of it."""


def _is_ignored(path: str, ignores: tuple[_Ignore, ...]) -> bool:
    said = [one(path) for one in ignores]
    return next((one for one in reversed(said) if one is not None), False)


def _ignore(root: Path, folder: str) -> _Ignore:
    """Return what says whether a path is ignored by the .gitignore of a folder above it."""
    from pathspec import GitIgnoreSpec

    try:
        lines = (root / folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()[:2000]
        spec: GitIgnoreSpec = GitIgnoreSpec.from_lines(lines)
    except (OSError, ValueError):
        return lambda _path: None
    return lambda path: spec.check_file(path[len(folder) :]).include
