"""Why a file is in an image: who in it needs the file, and which system package it is of."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence

from proa.errors import NotInTarget, WrongUsage
from proa.inspect.merge import Merged, Node

_MOST_LISTED = 20


def find_file(merged: Merged, word: str, *, image: str) -> str:
    """Return the absolute path in the image that a word means: a path, or the name of exactly one file.

    Raises NotInTarget, WrongUsage.
    """
    if word.startswith("/"):
        if merged.find(word.strip("/")) is None:
            near = _alike(merged, word)
            raise NotInTarget(f"{image} has no {word}", hint=f"did you mean {', '.join(near)}?" if near else "")
        return "/" + word.strip("/")
    found = sorted(f"/{path}" for path, node in merged.walk() if is_named(path, word) and _is_file(node))
    if not found:
        near = _alike(merged, word)
        raise NotInTarget(f"{image} has no file {word!r}", hint=f"did you mean {', '.join(near)}?" if near else "")
    if len(found) > 1:
        raise WrongUsage(
            f"{word!r} can be {len(found)} files of {image}",
            output="\n".join(found[:_MOST_LISTED]),
            hint="write more of the one that is meant",
        )
    return found[0]


def is_named(path: str, word: str) -> bool:
    """Say whether a path ends with a word, part by part."""
    return path == word or path.endswith("/" + word)


def _is_file(node: Node) -> bool:
    return node.entry is not None and node.entry.kind != "folder"


def _alike(merged: Merged, word: str) -> list[str]:
    import difflib

    names: dict[str, str] = {}
    for path, _ in merged.walk():
        names.setdefault(posixpath.basename(path), f"/{path}")
    return [names[name] for name in difflib.get_close_matches(posixpath.basename(word), names, n=3, cutoff=0.75)]


def needed_by(path: str, merged: Merged, needs: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the files that need one by their headers; ``needs`` are names and paths by absolute path."""
    target = _real(path, merged)
    found = []
    for user, names in needs.items():
        for name in names:
            if user == path:
                continue
            same = _real(name, merged) == target if name.startswith("/") else _is_called(name, path, target, merged)
            if same:
                found.append(user)
                break
    return tuple(sorted(found))


def _is_called(name: str, path: str, target: str, merged: Merged) -> bool:
    if name in (posixpath.basename(path), posixpath.basename(target)):
        return True
    # libz.so.1 is a link beside libz.so.1.2.13.
    beside = posixpath.join(posixpath.dirname(target), name)
    return _real(beside, merged) == target


def _real(path: str, merged: Merged) -> str:
    found = merged.find(path.strip("/"))
    return f"/{found[0]}" if found else path


def way_from(start: str, path: str, needs: Mapping[str, Sequence[str]], merged: Merged) -> tuple[str, ...]:
    """Return the files from what is started to one, each of which needs the next; empty where there is no such way."""
    before: dict[str, str] = {path: ""}
    waiting = [path]
    while waiting:
        at = waiting.pop(0)
        if _real(start, merged) in (at, _real(at, merged)):
            way = [at]
            while before[way[-1]]:
                way.append(before[way[-1]])
            return tuple(way)
        for user in needed_by(at, merged, needs):
            if user not in before:
                before[user] = at
                waiting.append(user)
    return ()


def owning_package(paths: Sequence[str], lists: Mapping[str, bytes]) -> str:
    """Return the system package that has a file, by any of its names; ``lists`` are the databases by path.

    Source: dpkg(1), ``info/*.list``; Alpine's apk database: ``P:`` a package, ``F:`` a folder, ``R:`` a file in it.
    """
    # With a merged /usr the database still says /lib.
    wanted = {alias for path in paths for alias in (path, path.removeprefix("/usr"), "/usr" + path)}
    for place, content in lists.items():
        if place.endswith(".list") and any(line in wanted for line in content.decode("utf-8", "replace").splitlines()):
            return posixpath.basename(place).removesuffix(".list").partition(":")[0]
        if place.endswith("installed"):
            for package, file in _apk_files(content.decode("utf-8", "replace")):
                if file in wanted:
                    return package
    return ""


def _apk_files(text: str) -> Iterator[tuple[str, str]]:
    package = folder = ""
    for line in text.splitlines():
        kind, _, value = line.partition(":")
        if kind == "P":
            package, folder = value, ""
        elif kind == "F":
            folder = value
        elif kind == "R":
            yield package, f"/{folder}/{value}" if folder else f"/{value}"
