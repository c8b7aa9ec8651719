"""What the user called SOURCE, as places where the go command can be asked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import NoProject, WrongUsage
from proa.outside.elf import is_elf
from proa.outside.go import find_upward, workspace_file
from proa.outside.gomod import read_mod

_MOST_FOLDERS = 5_000
_MOST_LEVELS = 6
"""Where a search below a folder gives up: 0.1 s, so a home folder given by mistake costs nothing (arbitrary)."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One folder to run the go command in, and what to ask for there."""

    directory: Path
    """The module or workspace root."""
    patterns: tuple[str, ...] = ()
    """Relative to ``directory``."""
    environment: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Laid over every call, such as GOWORK=off for a module its workspace does not use."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """SOURCE taken apart."""

    places: tuple[Place, ...] = ()
    versioned: tuple[tuple[str, str], ...] = ()
    """Package path and version of every ``path@version``."""
    folder: Path | None = None
    """Set where one folder was named: if it holds no program itself, those below it are meant."""


def split_source(patterns: Sequence[str], *, directory: Path, environ: Mapping[str, str]) -> Source:
    """Return where and how to ask for the packages a user named; none named stands for ``.``.

    A path that exists wins over an import path. Raises NoProject, WrongUsage.
    """
    here = directory.resolve()
    asked = [word.strip() for word in patterns] or ["."]
    versioned: list[tuple[str, str]] = []
    local: list[tuple[Place, str]] = []
    for word in asked:
        if not word or word.startswith("-") or "\0" in word:
            raise WrongUsage(f"{word!r} is neither a folder nor a package")
        if "@" in word and not _exists(here, word):
            versioned.append(parse_versioned(word))
        else:
            local.extend(_local(word, here, environ))
    only = asked[0] if len(asked) == 1 and local and not asked[0].endswith("...") else ""
    return Source(
        places=_merge(local),
        versioned=tuple(versioned),
        folder=(here / only).resolve() if only and (here / only).is_dir() else None,
    )


def parse_versioned(word: str) -> tuple[str, str]:
    """Return path and version of ``path@version``. Raises WrongUsage.

    >>> parse_versioned("example.com/a/cmd/b@v1.2.3")
    ('example.com/a/cmd/b', 'v1.2.3')
    """
    path, _, version = word.partition("@")
    first = path.partition("/")[0]
    whole = not word.startswith((".", "/")) and "..." not in path and "//" not in path and not path.endswith("/")
    if not whole or "." not in first or not version or not _is_plain(path) or not _is_plain(version.replace("/", "")):
        raise WrongUsage(
            f"{word!r} is not a module path with a version",
            hint="write it as example.com/module/cmd/name@v1.2.3 (or @latest)",
        )
    return path, version


def below(folder: Path, *, directory: Path, environ: Mapping[str, str]) -> tuple[Place, ...]:
    """Return how to ask for everything below a folder, in every module of a workspace that starts there."""
    return _merge(list(_local(f"{folder}/...", directory.resolve(), environ)))


def find_modules(folder: Path) -> list[Path]:
    """Return the folders below that hold a go.mod, as the go command walks: no vendor, testdata, ``.x``, ``_x``."""
    found: list[Path] = []
    if folder == Path(folder.anchor):
        return found
    for count, (name, folders, files) in enumerate(os.walk(folder)):
        if count > _MOST_FOLDERS:
            break
        is_deep = len(Path(name).relative_to(folder).parts) >= _MOST_LEVELS
        passed_over = ("vendor", "testdata", "node_modules")
        folders[:] = [] if is_deep else sorted(sub for sub in folders if sub not in passed_over and sub[0] not in "._")
        if "go.mod" in files:
            found.append(Path(name))
    return found


def _is_plain(text: str) -> bool:
    # Source: https://go.dev/ref/mod#go-mod-file-ident; a version may also be a branch name.
    return all(sign.isascii() and (sign.isalnum() or sign in "-._~/+") for sign in text)


def _exists(here: Path, word: str) -> bool:
    try:
        return (here / word).exists()
    except OSError:
        return False


def _local(word: str, here: Path, environ: Mapping[str, str]) -> Iterator[tuple[Place, str]]:
    stem, dots = (word[:-3].rstrip("/") or "/", True) if word.endswith("...") else (word, False)
    is_path = word.startswith(("./", "../", "/")) or word in (".", "..", "...") or _exists(here, stem)
    if not is_path:
        yield _place(here, here, environ), word
        return
    folder = (here / ("." if word == "..." else stem)).resolve()
    if folder.is_file() and folder.suffix == ".go":
        raise WrongUsage(f"{word} is a file", hint=f"name its folder: {os.path.relpath(folder.parent, here)}")
    if folder.is_file() and is_elf(folder):
        raise WrongUsage(f"{word} is a finished program", hint=f"proa ship --binary {word} makes an image of it")
    if not folder.is_dir():
        raise WrongUsage(f"there is no folder {word}", hint="SOURCE is a folder, a package in it, or path@version")
    roots = _roots(folder, dots, environ)
    # A folder that stands for several modules has no package of its own.
    suffix = "/..." if dots or roots != [folder] else ""
    for root in roots:
        place = _place(root, here, environ)
        yield place, _relative(root, place.directory) + suffix


def _roots(folder: Path, dots: bool, environ: Mapping[str, str]) -> list[Path]:
    """Return the folders whose packages are meant: one, or each module of a workspace that starts here."""
    work = workspace_file(folder, environ)
    module = find_upward("go.mod", folder)
    means_all = dots or module is None or module.parent != folder
    if work is not None and work.parent.resolve() == folder and means_all and (uses := _uses(work)):
        return uses
    if module is not None:
        return [folder]
    found = find_modules(folder)
    if dots and found:
        return found
    raise NoProject(
        f"no go.mod was found in {folder} or above it",
        hint=f"there is one below: `proa ship ./{found[0].relative_to(folder)}`" if found else "",
    )


def _place(folder: Path, here: Path, environ: Mapping[str, str]) -> Place:
    """Return where to ask for a folder: the workspace that uses its module, the user's own first, or the module."""
    module = find_upward("go.mod", folder)
    works = [work for work in (workspace_file(here, environ), workspace_file(folder, environ)) if work is not None]
    for work in works:
        root = work.parent.resolve()
        if module is None or module.parent in _uses(work):
            return Place(directory=root)
    if module is None:
        raise NoProject(f"no go.mod was found in {folder} or above it")
    # A workspace that does not use this module would refuse to list it.
    return Place(directory=module.parent, environment={"GOWORK": "off"} if workspace_file(folder, environ) else {})


def _uses(work: Path) -> list[Path]:
    return [(work.parent / use).resolve() for use in read_mod(work).uses]


def _relative(folder: Path, root: Path) -> str:
    relative = os.path.relpath(folder, root)
    return relative if relative == "." or relative.startswith("..") else f"./{relative}"


def _merge(asked: Sequence[tuple[Place, str]]) -> tuple[Place, ...]:
    """Return one place per folder with all its patterns, so that one call answers for all of them."""
    merged: dict[Path, tuple[Place, list[str]]] = {}
    for place, pattern in asked:
        merged.setdefault(place.directory, (place, []))[1].append(pattern)
    return tuple(
        msgspec.structs.replace(place, patterns=tuple(dict.fromkeys(patterns))) for place, patterns in merged.values()
    )
