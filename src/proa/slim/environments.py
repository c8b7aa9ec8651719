"""Folders that a language's package manager fills: what of them belongs to the program is for that language to say."""

from __future__ import annotations

import re

_DEPENDENCIES = re.compile(r"/(?:node_modules|site-packages|dist-packages)(?:/|$)")


def is_dependency(path: str) -> bool:
    """Say whether a path is of a package that a language's package manager put there.

    >>> is_dependency("/app/node_modules/left-pad/index.js"), is_dependency("/app/index.js")
    (True, False)
    """
    return _DEPENDENCIES.search(path) is not None


def is_dependency_folder(path: str) -> bool:
    """Say whether a folder is the one that packages are put into.

    >>> is_dependency_folder("/app/node_modules"), is_dependency_folder("/app/node_modules/left-pad")
    (True, False)
    """
    return path.rpartition("/")[2] in ("node_modules", "site-packages", "dist-packages")
