"""Which build tags a program's packages know, what each would leave out of it, and which belong together.

Everything here is decided from what was read before: the constraint lines of all files in the packages of the import
graph, the import graph with a tag set, and the sizes of what is linked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import PurePosixPath

import msgspec

from proa.records.evidence import Evidence
from proa.records.project import Main, Package
from proa.records.tuning import Tag
from proa.tune.constraints import ARCHITECTURES, SYSTEMS, Expression, is_custom, is_settable, of_file
from proa.tune.weights import Weights

MOST_EVIDENCE = 20
"""Files named as evidence for one tag, those that it changes first (arbitrary; ``purego`` stands in 170)."""
_SURE_PLATFORMS = 3
"""A word that stands beside so many platforms in every file is one that another compiler knows (arbitrary)."""
_NOISE = 10_000
"""The part of a program that is no saving: the tag's own name in the build information and the alignment of what
follows move up to 160 bytes of 79 MB (measured)."""
_MOST_WORDS = 100
"""A constraint with more words is not searched for tags that matter beside each other (arbitrary; seen: 16)."""
_MOST_NAMED = 6
"""Modules named in a meaning (arbitrary)."""


class Constrained(msgspec.Struct, frozen=True, kw_only=True):
    """One file with a constraint of its own."""

    module: str
    """``path@version``, the main module's path, or ``std``."""
    evidence: Evidence
    expression: Expression


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One custom tag and what its constraints say of it, before the go command was asked."""

    name: str
    modules: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    leaves: int = 0
    """Files that its constraints alone leave out."""
    reason: str = ""
    """Why it cannot make this program smaller; empty: ask the go command."""
    beside: tuple[str, ...] = ()
    """Tags without which it changes nothing."""
    meaning: str = ""
    """What it does beside those."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """What one import graph has that another has not."""

    left_out: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    files_left_out: tuple[tuple[str, str], ...] = ()
    """Import path and name of files that are no longer compiled, in packages that stay."""
    files_added: tuple[tuple[str, str], ...] = ()

    @property
    def can_shrink(self) -> bool:
        """Say whether anything is left out at all."""
        return bool(self.left_out or self.files_left_out)


SAME = Difference()


class Known(msgspec.Struct, frozen=True):
    """What is known of a tag by its name."""

    kind: str = ""
    meaning: str = ""


def constrained(
    package: Package, lines: Mapping[str, Sequence[tuple[int, str]]], *, main: Main, root: str
) -> list[Constrained]:
    """Return the files of a package whose constraint names a custom tag.

    ``lines`` are the constraint lines with their numbers, by file name; ``root`` is the project's folder.
    """
    found = []
    for name, numbered in lines.items():
        expression = of_file(name, [text for _, text in numbered]) if numbered else None
        if expression is None or not any(map(is_custom, expression.words)):
            continue
        place = Evidence(package=package.import_path, file=_place(package, name, root), line=numbered[0][0])
        found.append(Constrained(module=module_label(package, main), evidence=place, expression=expression))
    return found


def module_label(package: Package, main: Main) -> str:
    """Return the module that declares what stands in a package, as people write it."""
    if package.is_standard:
        return "std"
    version = package.module_version or (main.module_version if package.module == main.module else "")
    return f"{package.module}@{version}" if version else package.module


def _place(package: Package, name: str, root: str) -> str:
    directory = PurePosixPath(package.directory)
    if not package.module_version and root and directory.is_relative_to(root) and not package.is_standard:
        return (directory.relative_to(root) / name).as_posix()
    label = "std" if package.is_standard else package.module
    inner = package.import_path.removeprefix(package.module).strip("/")
    if package.module_version:
        label += f"@{package.module_version}"
    return "/".join(part for part in (label, inner, name) if part)


def find_tags(places: Sequence[Constrained], *, words: Collection[str], own: Collection[str]) -> tuple[Found, ...]:
    """Return every custom tag the files know, by name. ``words`` hold in this build; ``own`` are set in it.

    Passed over are the names of platforms that other compilers know, and what only the standard library knows and
    cannot change this program: every program has those.
    """
    by_tag: dict[str, list[Constrained]] = {}
    for place in places:
        for word in filter(is_custom, place.expression.words):
            by_tag.setdefault(word, []).append(place)
    found = [
        _found(name, by_tag[name], frozenset(words), own)
        for name in sorted(by_tag)
        if not _is_platform(name, by_tag[name])
    ]
    return tuple(one for one in found if one.modules != ("std",) or not one.reason or _is_wanted(one.name, own))


def _is_wanted(name: str, own: Collection[str]) -> bool:
    return name in own or known_tag(name).kind == "cgo"


def _is_platform(name: str, places: Sequence[Constrained]) -> bool:
    platforms = [len(place.expression.words & (SYSTEMS | ARCHITECTURES)) for place in places]
    return min(platforms) >= _SURE_PLATFORMS and not known_tag(name).kind


def _found(name: str, places: Sequence[Constrained], words: frozenset[str], own: Collection[str]) -> Found:
    leaves = [place for place in places if _changes(place, name, words) == "out"]
    comes = [place for place in places if _changes(place, name, words) == "in"]
    beside = () if leaves or comes else _beside(name, places, words)
    ordered = dict.fromkeys(place.evidence for place in (*leaves, *comes, *places))
    return Found(
        name=name,
        modules=tuple(sorted({place.module for place in places})),
        evidence=tuple(ordered)[:MOST_EVIDENCE],
        leaves=len(leaves),
        reason=_reason(name, own, beside, leaves=len(leaves), comes=len(comes), has_cgo="cgo" in words),
        beside=beside,
        meaning=_meaning_beside(name, beside, places, words) if beside else "",
    )


def _meaning_beside(name: str, beside: Sequence[str], places: Sequence[Constrained], words: frozenset[str]) -> str:
    """Return what a tag does with the first of those beside which it matters."""
    how = [(_changes(place, name, words | {beside[0]}), place.evidence.file) for place in places]
    back, out = [file for change, file in how if change == "in"], [file for change, file in how if change == "out"]
    return f"beside {beside[0]} it {'brings in' if back else 'leaves out'} {_listed(back or out)}"


def _changes(place: Constrained, name: str, words: frozenset[str]) -> str:
    before, after = place.expression.holds(words), place.expression.holds(words | {name})
    return "" if before == after else "out" if before else "in"


def _beside(name: str, places: Sequence[Constrained], words: frozenset[str]) -> tuple[str, ...]:
    """Return the other tags that make this one matter, when they are set."""
    return tuple(
        sorted(
            {
                other
                for place in places
                if len(place.expression.words) <= _MOST_WORDS
                for other in place.expression.words
                if other != name and is_custom(other) and _changes(place, name, words | {other})
            }
        )
    )


def _reason(name: str, own: Collection[str], beside: Sequence[str], *, leaves: int, comes: int, has_cgo: bool) -> str:
    if name in own:
        return "it is set already"
    if not is_settable(name):
        return "it is no word that -tags takes"
    if (known := known_tag(name)).kind == "inner":
        return known.meaning
    if known.kind == "cgo" and not has_cgo:
        return "without cgo it changes nothing"
    if beside:
        return f"it changes nothing by itself, only beside {', '.join(beside)}"
    if not leaves and not comes:
        return "its files are in or out for other reasons: the platform, cgo, the version of Go"
    return "" if leaves else f"it only adds files ({comes}), so it cannot make the program smaller"


def difference(before: Iterable[Package], after: Iterable[Package]) -> Difference:
    """Return what changes from one import graph to another."""
    old = {package.import_path: package for package in before}
    new = {package.import_path: package for package in after}
    both = old.keys() & new.keys()
    return Difference(
        left_out=tuple(sorted(old.keys() - new.keys())),
        added=tuple(sorted(new.keys() - old.keys())),
        files_left_out=tuple(sorted((path, name) for path in both for name in _files(old[path]) - _files(new[path]))),
        files_added=tuple(sorted((path, name) for path in both for name in _files(new[path]) - _files(old[path]))),
    )


def _files(package: Package) -> set[str]:
    return {*package.files, *package.cgo_files, *package.other_files}


def expected_bytes(change: Difference, weights: Weights) -> int:
    """Return about how much smaller the program gets: what the lost packages and files take in it now."""
    packages = sum(weights.packages.get(path, 0) for path in change.left_out)
    return packages + sum(weights.files.get(place, 0) for place in change.files_left_out)


def in_order(expected: Mapping[str, int]) -> tuple[str, ...]:
    """Return tags in the order they are worth building: the largest expected saving first.

    Those known to leave a feature out come before all, those that do the same in another way after all.

    >>> in_order({"b": 1, "a": 1, "purego": 9, "c": 5, "grpcnotrace": 0})
    ('grpcnotrace', 'c', 'a', 'b', 'purego')
    """
    kinds = ("feature", "", "other", "cgo")
    return tuple(sorted(expected, key=lambda name: (kinds.index(known_tag(name).kind), -expected[name], name)))


def join_together(tags: Iterable[Tag], *, program_bytes: int) -> tuple[str, ...]:
    """Return the tags to try together: each saves something by leaving packages out, and does nothing else."""
    least_bytes = program_bytes // _NOISE
    return tuple(
        tag.name
        for tag in tags
        if tag.state == "measured"
        and tag.saving_bytes > least_bytes
        and (known_tag(tag.name).kind or ("feature" if tag.left_out else "other")) == "feature"
    )


def may_join(tags: Iterable[Tag], joined: Collection[str]) -> tuple[str, ...]:
    """Return the tags that leave files out, and may leave packages out once others no longer import those."""
    return tuple(
        tag.name
        for tag in tags
        if tag.name not in joined
        and tag.state != "failed"
        and tag.files_left_out
        and not tag.left_out
        and known_tag(tag.name).kind in ("", "feature")
    )


def beside_others(lost: Sequence[str]) -> str:
    """Return why a tag that leaves no package out by itself is set together with others."""
    return f"together with the others it also leaves out {_listed(lost)}"


def meaning_of(name: str, change: Difference, before: Sequence[Package], after: Sequence[Package]) -> str:
    """Return what the program no longer does or has, in a line."""
    if known := known_tag(name).meaning:
        return known
    gone = {package.module for package in before} - {package.module for package in after} - {""}
    if gone:
        return f"nothing of {_listed(sorted(gone))} is in the program any more"
    if change.left_out:
        standard = {package.import_path for package in before if package.is_standard}
        own = [path for path in change.left_out if path not in standard]
        return f"without {_listed(own or change.left_out)}"
    if change.files_added:
        return "other files stand in for those left out"
    return f"files of {_listed(sorted({path for path, _ in change.files_left_out}))} are left out, and none stands in"


def _listed(names: Sequence[str]) -> str:
    """Return some names and how many more there are.

    >>> _listed(["a", "b"]), _listed([str(n) for n in range(9)])
    ('a, b', '0, 1, 2, 3, 4, 5 and 3 more')
    """
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def known_tag(name: str) -> Known:
    """Return what is known of a tag by its name; nothing of most."""
    return _known().get(name, Known())


@lru_cache
def _known() -> dict[str, Known]:
    text = files("proa.tune").joinpath("data/tags.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Known])
