"""What deployment files set of a contract, and which services a project talks to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from proa.analyze.contract.comparison import compared
from proa.analyze.contract.deployments import may_deploy, units_in
from proa.analyze.contract.example_file import example_text
from proa.analyze.contract.reading import Contract, SourceFile, counts, merged
from proa.analyze.contract.services import services_of
from proa.errors import NotWritable
from proa.outside.projecttree import Tree
from proa.preflight.variables import services_in
from proa.records.contract import Setting, Variable
from proa.records.evidence import Finding
from proa.records.preflight import Service

_SOURCES = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx", ".py", ".java", ".rs", ".go")
_OTHERS = (
    ".properties",
    ".json",
    "pom.xml",
    ".gradle",
    ".gradle.kts",
    ".toml",
    "requirements.txt",
    "go.mod",
    "Pipfile",
)
_MOST_BYTES = 1 << 20
_MOST_FILES = 40_000
"""So many files are read at most (arbitrary); it is said when there are more."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a project's files show of its configuration."""

    variables: tuple[Variable, ...] = ()
    settings: tuple[Setting, ...] = ()
    services: tuple[Service, ...] = ()
    findings: tuple[Finding, ...] = ()


def completed(tree: Tree, contract: Contract) -> Known:
    """Return a contract with what deployment files set of it, and the services that all of them show."""
    names = [path for path, size in tree.sizes.items() if size <= _MOST_BYTES and _is_wanted(path)]
    files = tuple(SourceFile(path, tree.text(path).encode()) for path in names[:_MOST_FILES])
    findings = list(contract.findings)
    if len(names) > _MOST_FILES:
        findings.append(
            Finding(
                id="analyze.contract-cut",
                message=f"only {_MOST_FILES} of {len(names)} files were searched for services and settings",
                hint="name the folder of one program",
            )
        )
    variables = merged(contract.variables)
    units = units_in(files)
    settings, told = compared(variables, units)
    services = services_of(variables, units, files, _recognised)
    return Known(variables=variables, settings=settings, services=services, findings=(*findings, *told))


def _is_wanted(path: str) -> bool:
    return may_deploy(path) or (path.endswith((*_SOURCES, *_OTHERS)) and counts(path))


def _recognised(values: Mapping[str, str]) -> tuple[Service, ...]:
    return tuple(one.service for one in services_in(values))


def joined_services(found: Iterable[Service], declared: Iterable[Service]) -> tuple[Service, ...]:
    """Return both, by name; what .env and proa.yaml say of an address holds, and all places are told."""
    laid = {one.name: one for one in found}
    for one in declared:
        known = laid.get(one.name)
        where = (*(known.where if known is not None else ()), *one.where)
        laid[one.name] = msgspec.structs.replace(one, where=tuple(dict.fromkeys(where)))
    return tuple(laid[name] for name in sorted(laid))


def write_example(file: Path, variables: Iterable[Variable]) -> None:
    """Write a .env.example. Raises NotWritable."""
    try:
        file.write_text(example_text(merged(variables)), encoding="utf-8")
    except OSError as error:
        raise NotWritable(f"{file} cannot be written: {error.strerror}") from error
