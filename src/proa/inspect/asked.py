"""What a name on the command line of ``proa why`` means: a package, a module, a symbol."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

import msgspec

from proa.errors import NotInTarget, WrongUsage
from proa.records.why import Subject

_VERSION = re.compile(r"v[0-9]+|.*\.v[0-9]+")
_MOST_LISTED = 20


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A name and what it was taken for."""

    name: str
    subject: Subject
    packages: tuple[str, ...] = ()
    """Of a package itself, of a module all of its packages in the program; of a symbol none."""


def resolve(
    word: str, *, packages: Iterable[str], modules: Iterable[str], symbols: Iterable[str], main: str = "", what: str
) -> Asked:
    """Return what a word means in a program; ``what`` is the program's name for errors.

    In this order: a package's whole path, a module's, a symbol's whole name; then the end of exactly one package's
    path, of exactly one symbol's name. Raises NotInTarget, WrongUsage.

    >>> resolve("lang", packages=["x.org/text/lang", "fmt"], modules=[], symbols=[], what="p").name
    'x.org/text/lang'
    """
    known = set(packages)
    if word == "main" or (main and word == main):
        return Asked(name=main or "main", subject="package", packages=("main",))
    if word in known:
        return Asked(name=word, subject="package", packages=(word,))
    own = tuple(sorted(path for path in known if path.startswith(word + "/")))
    if word in modules and own:
        return Asked(name=word, subject="module", packages=own)
    names = set(symbols)
    if word in names:
        return Asked(name=word, subject="symbol")
    near = [path for path in known if is_end_of(word, path)]
    if near:
        path = _only(word, near, what)
        return Asked(name=path, subject="package", packages=(path,))
    near = [name for name in names if name.endswith(("/" + word, "." + word))] if word else []
    if near:
        return Asked(name=_only(word, near, what), subject="symbol")
    raise NotInTarget(f"{what} has no package and no symbol {word!r}", hint=guess(word, known, names))


def is_end_of(word: str, path: str) -> bool:
    """Say whether a word is the end of an import path, element by element; a version at the path's end is optional.

    >>> is_end_of("sprig", "github.com/Masterminds/sprig/v3"), is_end_of("prig", "github.com/Masterminds/sprig")
    (True, False)
    """
    if not word:
        return False
    parts = path.split("/")
    ends = [path, *(["/".join(parts[:-1])] if len(parts) > 1 and _VERSION.fullmatch(parts[-1]) else [])]
    if re.fullmatch(r".*\.v[0-9]+", parts[-1]):
        ends.append(path.rpartition(".v")[0])
    return any(end.endswith("/" + word) or end == word for end in ends)


def _only(word: str, found: Sequence[str], what: str) -> str:
    found = sorted(found)
    if len(found) > 1:
        more = f"\n… {len(found) - _MOST_LISTED} more" if len(found) > _MOST_LISTED else ""
        raise WrongUsage(
            f"{word!r} can be {len(found)} things in {what}",
            output="\n".join(found[:_MOST_LISTED]) + more,
            hint="write more of the one that is meant",
        )
    return found[0]


def guess(word: str, packages: Iterable[str], symbols: Iterable[str] = ()) -> str:
    """Return ``did you mean …?`` with names like a word, or how to see what there is."""
    last = word.rpartition("/")[2].lower()
    by_last: dict[str, str] = {}
    for path in sorted(packages):
        parts = [part for part in path.split("/") if not _VERSION.fullmatch(part)] or [path]
        by_last.setdefault(parts[-1].lower(), path)
        by_last.setdefault(path.lower(), path)
    near = [by_last[one] for one in difflib.get_close_matches(last, by_last, n=3, cutoff=0.7)]
    near += [by_last[one] for one in difflib.get_close_matches(word.lower(), by_last, n=2, cutoff=0.7)]
    if not near and "." in word:
        tail = word.rpartition(".")[2].strip("()*")
        near = sorted(name for name in symbols if tail and name.endswith("." + tail))[:3]
    named = ", ".join(dict.fromkeys(near))
    return f"did you mean {named}?" if named else "`proa inspect` lists what is there"
