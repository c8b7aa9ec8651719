"""The state of a project before anything is built: versions, frameworks, layout, services, variables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa.analyze.contract.reading import Contract
from proa.analyze.environment import Known, needed_tools, read_environment
from proa.analyze.layout import read_layout
from proa.errors import ProaError
from proa.outside.go import find_go
from proa.outside.installed import installed_versions
from proa.outside.projecttree import MOST_FILES, Tree, read_tree
from proa.pipeline.contract import completed, joined_services
from proa.pipeline.preflight import Asked, targets
from proa.pipeline.source_contract import read_contract
from proa.records.contract import Setting, Variable
from proa.records.environment import Framework, Version
from proa.records.evidence import Finding
from proa.records.preflight import Service
from proa.records.project import Module, Package
from proa.records.project_layout import LayoutEntry


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a project's folder."""

    environment: tuple[Version, ...] = ()
    frameworks: tuple[Framework, ...] = ()
    layout: tuple[LayoutEntry, ...] = ()
    services: tuple[Service, ...] = ()
    variables: tuple[Variable, ...] = ()
    settings_found: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """What the go command chose for a program; empty for everything else."""

    toolchain: str = ""
    modules: tuple[Module, ...] = ()
    packages: tuple[Package, ...] = ()
    reads: tuple[Variable, ...] = ()


def read_state(tree: Tree, *, environ: Mapping[str, str], today: str, chosen: Chosen) -> State:
    """Return the state of a project. Nothing of it is run, and nothing is contacted."""
    home = Path(environ.get("HOME") or "/nonexistent")
    # What tests, examples and copies of others' sources are made with says nothing of the project itself.
    own = tree.without(*_ASIDE)
    known = Known(
        today=today,
        installed=installed_versions(needed_tools(own), environ=environ),
        toolchain=chosen.toolchain or (_toolchain(environ) if own.names("go.mod") else ""),
        modules=chosen.modules,
        packages=chosen.packages,
        home=home,
        cargo_home=Path(environ.get("CARGO_HOME") or home / ".cargo"),
    )
    found = read_environment(own, known)
    # The go command has said what a Go program is made of; the rest of its tree is another program's.
    contract = Contract(variables=chosen.reads) if chosen.modules else read_contract(tree)
    whole = completed(own, contract)
    declared, problems = declared_services(tree.root)
    return State(
        environment=found.versions,
        frameworks=found.frameworks,
        layout=read_layout(tree),
        services=joined_services(whole.services, declared),
        variables=whole.variables,
        settings_found=whole.settings,
        findings=(*_bounded(tree), *found.findings, *problems, *whole.findings),
    )


_ASIDE = (
    "test", "tests", "__tests__", "testdata", "fixtures", "e2e", "example", "examples", "samples", "node_modules",
    "vendor", "third_party",
)  # fmt: skip


def _toolchain(environ: Mapping[str, str]) -> str:
    try:
        return find_go(environ).version
    except ProaError:
        return ""


def state_tree(root: Path, *, environ: Mapping[str, str]) -> Tree:
    """Return the files of a project's folder. Raises WrongUsage, NotWritable."""
    return read_tree(root, environ=environ)


def declared_services(folder: Path) -> tuple[tuple[Service, ...], tuple[Finding, ...]]:
    """Return the services that the project's own .env and proa.yaml name; none of them is contacted."""
    try:
        found, _ = targets(Asked(folder=folder), environ={})
    except ProaError as error:
        finding = Finding(id="analyze.services", message=f"services were not read: {error.what}", hint=error.hint)
        return (), (finding,)
    return tuple(one.service for one in found), ()


def _bounded(tree: Tree) -> tuple[Finding, ...]:
    if tree.is_complete:
        return ()
    return (
        Finding(
            id="analyze.many-files",
            message=f"{tree.root} has more than {MOST_FILES} files: the others were not looked at",
            hint="name the project's own folder, or put what is no source into .gitignore",
        ),
    )
