"""What the words of ``--keep`` stand for: paths, folders, patterns, packages, groups that were left out."""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from proa.errors import WrongUsage
from proa.records.slimming import Seed
from proa.slim.leftovers import is_documentation
from proa.slim.packages import Packages
from proa.slim.tree import Tree

_MANAGERS = ("debian", "apk")
_MOST_WORD = 4_096
_MOST_NAMES = 20_000
"""That a word is compared with for close ones."""


def wanted(root: Path, words: Sequence[str]) -> tuple[Seed, ...]:
    """Return what words of ``--keep`` stand for in an unpacked image, each path once, in the words' order.

    Raises WrongUsage for a word that stands for nothing, with names that are close to it.
    """
    if not words:
        return ()
    tree = Tree(root)
    return find_wanted(tree, Packages(tree), words)


def find_wanted(tree: Tree, packages: Packages, words: Sequence[str]) -> tuple[Seed, ...]:
    """Return the same as ``wanted`` for names that were read already."""
    seeds: dict[str, Seed] = {}
    for word in words:
        found = list(_paths(tree, packages, word))
        if not found:
            raise WrongUsage(f"nothing in the image is meant by {word!r}", hint=_hint(tree, packages, word))
        for path in found:
            seeds.setdefault(path, Seed(path=path, rule="asked", because=f"--keep {word}"))
    return tuple(seeds.values())


def _paths(tree: Tree, packages: Packages, word: str) -> Iterator[str]:
    if not word.startswith("/"):
        package = _package(packages, word)
        if package:
            one = packages.by_name[package]
            # Who asks for a package's documentation names its folder.
            yield from (path for path in (*one.files, *one.folders) if not is_documentation(path))
    elif re.search(r"[*?\[]", word):
        yield from fnmatch.filter(tree.paths, word.rstrip("/")) if len(word) < _MOST_WORD else ()
    elif word.strip("/") and tree.walk(word)[0] is not None:
        yield word.rstrip("/")
        real = tree.real(word)
        if real is not None and tree.entries[real].kind == "folder":
            yield from tree.below(real)
    elif word.strip("/") and word in tree.entries:
        # A link that leads nowhere in the image itself.
        yield word


def _package(packages: Packages, word: str) -> str:
    if word in packages.by_name:
        return word
    names = [f"{manager}:{word}" for manager in _MANAGERS]
    return next((name for name in names if name in packages.by_name), "")


def _hint(tree: Tree, packages: Packages, word: str) -> str:
    """Return what may have been meant."""
    base = word.rstrip("/").rpartition("/")[2]
    if word.startswith("/"):
        folder = word.rstrip("/").rpartition("/")[0]
        while folder and not tree.is_folder(folder):
            folder = folder.rpartition("/")[0]
        names = [f"{folder}/{name}" for name in tree.names(folder or "/")][:_MOST_NAMES]
        names += [path for path in tree.paths if path.endswith(f"/{base}")][:5]
    else:
        names = list(packages.by_name)[:_MOST_NAMES]
        names += [name.partition(":")[2] for name in names]
    close = difflib.get_close_matches(word, names, n=3, cutoff=0.6) or [one for one in names if word in one][:3]
    if word.startswith("/"):
        close = list(dict.fromkeys((*(one for one in names if one.endswith(f"/{base}")), *close)))[:3]
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    return f"{meant}it may be a path, a folder (/srv/), a pattern (/usr/lib/*/gconv/*) or a package (debian:perl-base)"
