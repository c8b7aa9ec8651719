"""What one ecosystem's files say, as all of them say it, and how their syntax errors are told."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.errors import WrongConfiguration
from proa.outside.projecttree import Tree
from proa.records.environment import Ecosystem, Framework, FrameworkRole, Version
from proa.records.evidence import Evidence, Finding

MOST_MANIFESTS = 60
"""Manifests that are read per ecosystem, the shallowest first; arbitrary, and said where there are more."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Versions, frameworks and what is worth telling, of one ecosystem."""

    versions: tuple[Version, ...] = ()
    frameworks: tuple[Framework, ...] = ()
    findings: tuple[Finding, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(
            versions=(*self.versions, *other.versions),
            frameworks=(*self.frameworks, *other.frameworks),
            findings=(*self.findings, *other.findings),
        )


Names = Mapping[str, tuple[str, FrameworkRole]]
"""By package: what people call it, and what it is for."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest that was read: its text as well, because places are lines of it."""

    path: str
    text: str
    said: dict[str, Any]

    @property
    def folder(self) -> str:
        """Return its folder, empty or ending in ``/``."""
        return self.path[: self.path.rfind("/") + 1]

    def at(self, *words: str) -> Evidence:
        """Return where in it the words stand one after the other."""
        return at(self.text, self.path, *words)


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """One direct dependency: as declared, locked and installed, and where it is declared."""

    package: str
    declared: str = ""
    locked: str = ""
    installed: str = ""
    where: Evidence


def framework(one: Dependency, names: Names, ecosystem: Ecosystem) -> Framework | None:
    """Return a dependency as a framework; None where it is none."""
    if one.package not in names:
        return None
    name, role = names[one.package]
    return Framework(
        name=name,
        package=one.package,
        ecosystem=ecosystem,
        role=role,
        declared=one.declared,
        locked=one.locked,
        installed=one.installed,
        where=(one.where,),
    )


def toml_of(tree: Tree, path: str) -> tuple[dict[str, Any], Found]:
    """Return a TOML file's content, and a finding where it cannot be read."""
    return _parsed(tree, path, tomllib.loads)


def json_of(tree: Tree, path: str) -> tuple[dict[str, Any], Found]:
    """Return a JSON file's content where it is an object, and a finding where it cannot be read."""
    return _parsed(tree, path, msgspec.json.decode)


def yaml_of(text: str, path: str) -> tuple[dict[str, Any], Found]:
    """Return a YAML text's content, and a finding where it cannot be read."""
    from proa.outside.plainyaml import read_yaml

    try:
        value = read_yaml(text, name=path).value
    except WrongConfiguration as error:
        return {}, unreadable(path, error.what)
    return (value if isinstance(value, dict) else {}), Found()


def _parsed(tree: Tree, path: str, parse: Callable[[str], Any]) -> tuple[dict[str, Any], Found]:
    text = tree.text(path)
    if not text:
        return {}, Found()
    try:
        value = parse(text)
    except (ValueError, RecursionError, msgspec.MsgspecError) as error:
        return {}, unreadable(path, str(error))
    return (value, Found()) if isinstance(value, dict) else ({}, unreadable(path, "it holds no table"))


def unreadable(path: str, why: str) -> Found:
    """Return that a file was skipped, and why."""
    line = re.search(r"line (\d+)", why)
    where = Evidence(file=path, line=int(line[1]) if line else 0)
    finding = Finding(
        id="environment.unreadable",
        message=f"{path} was skipped: {why[:200]}",
        hint="what it declares is not known until it is mended",
        evidence=(where,),
    )
    return Found(findings=(finding,))


def limited(names: tuple[str, ...], what: str) -> tuple[tuple[str, ...], Found]:
    """Return as many manifests as are read, and a finding where there are more."""
    if len(names) <= MOST_MANIFESTS:
        return names, Found()
    message = f"{len(names)} {what} were found; the {MOST_MANIFESTS} nearest to the top were read"
    finding = Finding(
        id="environment.many-manifests", severity="info", message=message, hint="name one of the projects"
    )
    return names[:MOST_MANIFESTS], Found(findings=(finding,))


def at(tree_text: str, path: str, *words: str) -> Evidence:
    r"""Return the first line of a file that holds the words one after the other; line 1 where none does.

    >>> at("a\n  b: c", "f", "b", "c").line, at("a", "f", "x").line
    (2, 1)
    """
    position = 0
    for word in words:
        found = tree_text.find(word, position)
        if found < 0:
            break
        position = found
    return Evidence(file=path, line=tree_text.count("\n", 0, position) + 1)


def text_of(value: Any) -> str:
    """Return a value as text where it is a plain one, else nothing: files hold what they like."""
    if isinstance(value, str):
        return value.strip()[:200]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def table_of(value: Any, *path: str) -> dict[str, Any]:
    """Return the table at a path of keys; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
