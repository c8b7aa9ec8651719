"""All ecosystems of a tree together, and what is worth telling of every version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from proa.analyze.environment.end_of_life import end_of_life
from proa.analyze.environment.found import Found
from proa.analyze.environment.go import read_go
from proa.analyze.environment.java import read_java
from proa.analyze.environment.node import read_node
from proa.analyze.environment.python import read_python
from proa.analyze.environment.ranges import is_exact, numbers, satisfies
from proa.analyze.environment.rust import read_rust
from proa.outside.projecttree import Tree
from proa.records.environment import Framework, Version
from proa.records.evidence import Finding
from proa.records.project import Module, Package

_TOOLS: dict[str, tuple[str, ...]] = {
    "package.json": ("node", "npm"),
    "yarn.lock": ("yarn",),
    "pnpm-lock.yaml": ("pnpm",),
    "bun.lock": ("bun",),
    "pyproject.toml": ("python",),
    "requirements.txt": ("python",),
    "setup.py": ("python",),
    "setup.cfg": ("python",),
    "Pipfile": ("python", "pipenv"),
    "poetry.lock": ("poetry",),
    "uv.lock": ("uv",),
    "pdm.lock": ("pdm",),
    "pom.xml": ("java", "maven"),
    "build.gradle": ("java", "gradle"),
    "build.gradle.kts": ("java", "gradle"),
    "Cargo.toml": ("rustc", "cargo"),
}
"""By a file that shows them used: what is asked for its version on this machine."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the files."""

    today: str
    """``2026-11-29``."""
    installed: dict[str, str] = {}
    toolchain: str = ""
    """Of Go: ``go1.26.8``."""
    modules: tuple[Module, ...] = ()
    packages: tuple[Package, ...] = ()
    home: Path = Path("/nonexistent")
    cargo_home: Path = Path("/nonexistent")


def needed_tools(tree: Tree) -> tuple[str, ...]:
    """Return the tools whose versions matter for a tree."""
    names = {path.rpartition("/")[2] for path in tree.sizes}
    tools = {tool for name, each in _TOOLS.items() if name in names for tool in each}
    if any(name.startswith("requirements") and name.endswith(".txt") for name in names):
        tools.add("python")
    return tuple(sorted(tools))


def read_environment(tree: Tree, known: Known) -> Found:
    """Return the versions, the frameworks, and what is worth telling of both."""
    found = read_go(tree, toolchain=known.toolchain, modules=known.modules, packages=known.packages)
    found += read_node(tree, known.installed)
    found += read_python(tree, known.installed)
    found += read_java(tree, known.installed, home=known.home)
    found += read_rust(tree, known.installed, cargo_home=known.cargo_home)
    versions = tuple(map(_judged, _merged_versions(found.versions)))
    frameworks = tuple(map(_supported, _merged_frameworks(found.frameworks)))
    return Found(
        versions=versions,
        frameworks=frameworks,
        findings=(*found.findings, *_worth_telling(versions, frameworks, known.today)),
    )


def _merged_versions(versions: Sequence[Version]) -> Iterator[Version]:
    """Yield one per name and wish: twenty package.json files of a monorepo that ask for the same node are one row."""
    groups: dict[tuple[str, str, str, str], list[Version]] = {}
    for one in versions:
        groups.setdefault((one.name, one.declared, one.locked, one.installed), []).append(one)
    said = {one.name for one in versions if one.declared or one.locked}
    for (name, declared, locked, _), group in groups.items():
        # A folder that asks for nothing follows the one that does.
        if name in said and not declared and not locked:
            continue
        places = dict.fromkeys(place for one in group for place in one.where)
        yield msgspec.structs.replace(group[0], where=tuple(places)[:20])


def _merged_frameworks(frameworks: Sequence[Framework]) -> Iterator[Framework]:
    groups: dict[tuple[str, str, str, str], list[Framework]] = {}
    for one in frameworks:
        groups.setdefault((one.package, one.declared, one.locked, one.installed), []).append(one)
    for group in groups.values():
        places = dict.fromkeys(place for one in group for place in one.where)
        yield msgspec.structs.replace(group[0], where=tuple(places)[:20])


def runs_on(one: Version) -> str:
    """Return the version a project will run on, as far as it can be told.

    What is locked is what a deployment takes; without a lock what is installed, where it is what was asked for; then
    the least that is asked for.

    >>> runs_on(Version(name="node", ecosystem="node", declared=">=18", installed="22.1.0"))
    '22.1.0'
    """
    if one.locked:
        return one.locked
    if one.installed and satisfies(one.installed, one.declared, one.ecosystem) is not False:
        return one.installed
    return one.declared if numbers(one.declared) else one.installed


def _judged(one: Version) -> Version:
    wanted = one.locked if is_exact(one.locked) or not one.declared else one.declared
    is_satisfied = satisfies(one.installed, one.declared or one.locked, one.ecosystem)
    if one.locked and one.ecosystem == "node" and is_satisfied is not False:
        is_satisfied = satisfies(one.installed, wanted, one.ecosystem)
    return msgspec.structs.replace(one, is_satisfied=is_satisfied, end_of_life=end_of_life(one.name, runs_on(one)))


def _supported(one: Framework) -> Framework:
    return msgspec.structs.replace(one, end_of_life=end_of_life(one.name, one.locked or one.installed or one.declared))


def _worth_telling(versions: Sequence[Version], frameworks: Sequence[Framework], today: str) -> Iterator[Finding]:
    for one in versions:
        wanted = one.declared or one.locked
        if one.end_of_life and one.end_of_life < today:
            yield Finding(
                id="environment.end-of-life",
                message=f"{one.name} {runs_on(one)} has had no support since {one.end_of_life}",
                hint=f"move to a supported {one.name}: no security fixes are made for this one",
                evidence=one.where,
            )
        if one.is_satisfied is False:
            yield Finding(
                id="environment.unsatisfied",
                message=f"{one.name} {one.installed} is installed, and the project asks for {wanted}"
                + (f" (locked: {one.locked})" if one.locked and one.declared else ""),
                hint="what works here may fail where the version asked for is used",
                evidence=one.where,
            )
        elif wanted and not one.installed and one.role == "run-time":
            yield Finding(
                id="environment.not-installed",
                severity="info",
                message=f"{one.name} {wanted} is asked for, and none is installed here",
                evidence=one.where,
            )
        if not wanted and one.role == "run-time":
            yield Finding(
                id="environment.undeclared",
                message=f"nothing says which {one.name} this project runs on",
                hint=_DECLARE.get(one.name, ""),
                evidence=one.where,
            )
        if one.declared and is_exact(one.locked) and satisfies(one.locked, one.declared, one.ecosystem) is False:
            yield Finding(
                id="environment.lock-out-of-step",
                message=f"{one.name} is locked to {one.locked}, and {one.declared} is asked for",
                hint="let both say the same",
                evidence=one.where,
            )
    for framework in frameworks:
        if framework.end_of_life and framework.end_of_life < today:
            version = framework.locked or framework.installed or framework.declared
            yield Finding(
                id="environment.end-of-life",
                message=f"{framework.name} {version} has had no support since {framework.end_of_life}",
                hint="move to a supported version: no security fixes are made for this one",
                evidence=framework.where,
            )
        if framework.locked and framework.installed and framework.locked != framework.installed:
            yield Finding(
                id="environment.unsatisfied",
                message=f"{framework.name} {framework.installed} is installed, and the lock holds {framework.locked}",
                hint="install from the lock file again",
                evidence=framework.where,
            )


_DECLARE = {
    "node": 'say it in package.json: "engines": {"node": ">=22"}, or in .nvmrc',
    "python": 'say it in pyproject.toml: requires-python = ">=3.12"',
    "java": "say it in pom.xml (maven.compiler.release) or in build.gradle (a Java toolchain)",
    "rustc": 'say it in Cargo.toml: rust-version = "1.80"',
    "go": "say it in go.mod: go 1.26",
}
