"""The state of a project before anything is built: versions, frameworks, layout, services, variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from proa.analyze.contract.reading import Contract
from proa.analyze.environment import Known, needed_tools, read_environment
from proa.analyze.layout import read_layout
from proa.errors import ProaError
from proa.outside.go import find_go
from proa.outside.installed import installed_versions
from proa.outside.projecttree import MOST_FILES, Tree, read_tree
from proa.outside.variables import parse_env
from proa.pipeline.preflight import Asked, targets
from proa.pipeline.source_contract import read_contract
from proa.preflight.variables import services_in
from proa.records.contract import Setting, Variable
from proa.records.environment import Framework, Version
from proa.records.evidence import Evidence, Finding
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
    services, problems = declared_services(tree.root)
    services = (*services, *_shown_services(tree, contract.variables, {one.name for one in services}))
    return State(
        environment=found.versions,
        frameworks=found.frameworks,
        layout=read_layout(tree),
        services=services,
        variables=contract.variables,
        findings=(*_bounded(tree), *found.findings, *problems, *contract.findings),
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


def _shown_services(tree: Tree, variables: tuple[Variable, ...], known: set[str]) -> Iterator[Service]:
    """Yield the services that examples of .env files and the defaults in the source show, where .env names none."""
    values = {one.name: one.default for one in variables if one.kind == "environment" and one.default}
    places = {one.name: one.where for one in variables}
    for name in (".env.example", ".env.sample", ".env.dist"):
        if tree.has(name):
            text = tree.text(name, most=1 << 20)
            values |= parse_env(text)
            for variable in parse_env(text):
                line = next((at for at, one in enumerate(text.splitlines(), 1) if variable in one), 1)
                places[variable] = (*places.get(variable, ()), Evidence(file=name, line=line))
    for target in services_in(values):
        service = target.service
        if service.name not in known:
            yield msgspec.structs.replace(service, where=places.get(service.name, service.where))


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
