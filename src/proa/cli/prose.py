"""An analysis as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from proa.records.analysis import Analysis
from proa.records.project import Project


def analysis_lines(analysis: Analysis) -> Iterator[str]:
    """Yield what the program is and needs, one fact a line, each with its evidence."""
    project = analysis.project
    yield f"{project.main.import_path} {project.main.module_version}".rstrip()
    standard = sum(package.is_standard for package in project.packages)
    yield (
        f"  module {project.main.module} · go {project.go_version} · built with {project.toolchain} · "
        f"{len(project.packages)} packages ({standard} of them standard) of {len(project.modules)} modules"
    )
    yield from _facts(project)
    for need in analysis.needs.needs:
        yield f"  needs {' '.join(part for part in (need.kind, need.what) if part)}: {need.reason}"
    for absent in analysis.needs.left_out:
        yield f"  does not need {absent.kind}: {absent.reason}"
    for finding in (*project.findings, *analysis.findings):
        yield f"  {finding.severity}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")


def _facts(project: Project) -> Iterator[str]:
    for use in project.cgo:
        yield f"  uses C in {use.package}: {' → '.join(use.chain)}"
    for variable in project.environment:
        yield f"  reads {variable.name} from the environment {_place(variable)}"
    for port in project.ports:
        yield f"  listens on {port.address or port.number} {_place(port)}"
    for route in project.routes:
        kind = "health route" if route.is_health else "route"
        yield f"  serves {kind} {' '.join(part for part in (route.method, route.path) if part)} {_place(route)}"


def _place(fact: Any) -> str:
    return f"({fact.evidence.file}:{fact.evidence.line})" if fact.evidence.file else ""


def origin_lines(analysis: Analysis) -> Iterator[str]:
    """Yield every setting, its value and where it came from (``default`` where nobody set it)."""
    yield "  settings"
    for path, value in _flat(msgspec.to_builtins(msgspec.structs.asdict(analysis.settings))):
        yield f"    {path} = {value!r}  [{analysis.origins.get(path, 'default')}]"


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        where = f"{path}.{key}" if path else key
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, where)
        else:
            yield where, inner
