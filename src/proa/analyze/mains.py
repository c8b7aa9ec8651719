"""Which programs are meant: judgement over the main packages that were found."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from proa.errors import NoMain, SeveralMains
from proa.records.project import Main

_VERSION_SUFFIX = re.compile(r"v[0-9]+")
_ASIDE = frozenset({"example", "examples", "test", "tests", "e2e", "hack", "tools", "scripts", "internal"})
"""Folders whose programs serve the repository itself; they are taken where there is nothing else."""


def program_name(import_path: str) -> str:
    """Return the name ``go build`` gives a program. Source: cmd/go/internal/load, DefaultExecName.

    >>> program_name("example.com/shop/v2")
    'shop'
    """
    parts = import_path.rstrip("/").split("/")
    is_version = len(parts) > 1 and _VERSION_SUFFIX.fullmatch(parts[-1]) and parts[-1] not in ("v0", "v1")
    return parts[-2] if is_version else parts[-1]


def choose_mains(mains: Sequence[Main], *, folder: Path | None) -> tuple[Main, ...]:
    """Return the programs to ship.

    Where packages or patterns were named (``folder`` None) all that match are meant. A folder by itself means one
    program: the one in it, else the only one in its ``cmd``, else the only one below it.
    Raises NoMain, SeveralMains.
    """
    if not mains:
        where = f"in or below {folder}" if folder else "among the packages named"
        raise NoMain(f"there is no main package {where}", hint="a program is a folder with `package main`")
    if folder is None:
        return tuple(mains)
    for group in _by_preference(mains, folder):
        if len(group) == 1:
            return tuple(group)
        if group:
            raise _several(group, folder)
    raise _several(mains, folder)


def _by_preference(mains: Sequence[Main], folder: Path) -> list[list[Main]]:
    """Return the programs in the folder itself, under its ``cmd``, in ordinary places, anywhere."""
    parts = {main.import_path: _parts(main, folder) for main in mains}
    return [
        [main for main in mains if not parts[main.import_path]],
        [main for main in mains if parts[main.import_path][:1] == ("cmd",)],
        [main for main in mains if not _ASIDE & set(parts[main.import_path])],
        list(mains),
    ]


def _parts(main: Main, folder: Path) -> tuple[str, ...]:
    directory = Path(main.directory)
    return directory.relative_to(folder).parts if directory.is_relative_to(folder) else directory.parts


def _several(mains: Sequence[Main], folder: Path) -> SeveralMains:
    places = sorted(_shown(main, folder) for main in mains)
    return SeveralMains(
        f"{len(mains)} main packages were found and none was chosen",
        output="\n".join(places),
        hint=f"choose, e.g. `proa ship {places[0]}`, or take all of them: `proa ship ./...`",
    )


def _shown(main: Main, folder: Path) -> str:
    directory = Path(main.directory)
    return f"./{directory.relative_to(folder)}" if directory.is_relative_to(folder) else str(directory)
