"""An analysis as lines of text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from proa.records.analysis import Analysis
from proa.records.explanation import Explanation
from proa.records.project import Project


def whole_lines(analysis: Analysis, *, with_settings: bool) -> Iterator[str]:
    """Yield an analysis as one screen: its name, the tables, what the program needs, what is worth telling."""
    from proa.cli import state_table

    version = analysis.project.main.module_version if analysis.project else ""
    yield f"{analysis.name} {version}".rstrip()
    yield ""
    yield from state_table.table_lines(analysis)
    yield from program_lines(analysis)
    if found := list(state_table.finding_lines(analysis)):
        yield "Worth knowing"
        yield from found
    if with_settings:
        yield from origin_lines(analysis)


def program_lines(analysis: Analysis) -> Iterator[str]:
    """Yield what the linked program is and needs, one fact a line, each with its evidence."""
    project = analysis.project
    if project is None:
        return
    yield "Program"
    yield _how_built(project)
    yield from _facts(project)
    for need in analysis.needs.needs:
        yield f"  needs {' '.join(part for part in (need.kind, need.what) if part)}: {need.reason}"
    for absent in analysis.needs.left_out:
        yield f"  does not need {absent.kind}: {absent.reason}"
    yield ""


def _how_built(project: Project) -> str:
    if (native := project.native) is not None:
        version = [f"version {native.version}"] if native.version else []
        parts = (project.main.language, native.system, *version, *([project.toolchain] if project.toolchain else []))
        return "  " + " · ".join(parts)
    standard = sum(package.is_standard for package in project.packages)
    return (
        f"  module {project.main.module} · go {project.go_version} · built with {project.toolchain} · "
        f"{len(project.packages)} packages ({standard} of them standard) of {len(project.modules)} modules"
    )


def _facts(project: Project) -> Iterator[str]:
    for use in project.cgo:
        yield f"  uses C in {use.package}: {' → '.join(use.chain)}"
    for port in project.ports:
        yield f"  listens on {port.address or port.number} {_place(port)}"
    for route in project.routes:
        kind = "health route" if route.is_health else "route"
        yield f"  serves {kind} {' '.join(part for part in (route.method, route.path) if part)} {_place(route)}"


def _place(fact: Any) -> str:
    return f"({fact.evidence.file}:{fact.evidence.line})" if fact.evidence.file else ""


def origin_lines(analysis: Analysis) -> Iterator[str]:
    """Yield every setting, the value that won, and where it came from (``default`` where nobody set it)."""
    yield "  settings"
    for path, value, origin in _settings(analysis):
        yield f"    {path} = {_value(value)}  [{origin}]"


def setting_explanations(analysis: Analysis, fact: str) -> list[Explanation]:
    """Return the settings a dotted path names: one (``image.ports``), or all of a part (``image``)."""
    return [
        Explanation(fact=path, value=_value(value), origin=origin, decides=(f"{path.partition('.')[0]}: as it says",))
        for path, value, origin in _settings(analysis)
        if path == fact or path.startswith(f"{fact}.")
    ]


def _settings(analysis: Analysis) -> Iterator[tuple[str, Any, str]]:
    """Yield every setting: its path, the value that won, and where that came from."""
    derived = dict(_derived(analysis))
    for path, value in _flat(analysis.settings):
        if path in analysis.origins:
            yield path, value, analysis.origins[path]
        elif path in derived:
            found, why = derived[path]
            yield path, found, f"derived: {why}"
        else:
            yield path, value, "default"


def _derived(analysis: Analysis) -> Iterator[tuple[str, tuple[Any, str]]]:
    """Yield what evidence decides where nobody set a value."""
    project = analysis.project
    if project is None:
        return
    yield "platforms", ((str(analysis.platform),), "this machine")
    if project.ports:
        yield "image.ports", (tuple(str(port.number) for port in project.ports), _place(project.ports[0]).strip("()"))
    health = [route for route in project.routes if route.is_health]
    if health:
        yield "trial.routes", (tuple(route.path for route in health), _place(health[0]).strip("()"))


def _flat(record: msgspec.Struct, path: str = "") -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(record):
        where = f"{path}.{field.encode_name}" if path else field.encode_name
        value = getattr(record, field.name)
        if isinstance(value, msgspec.Struct):
            yield from _flat(value, where)
        elif isinstance(value, dict) and value and all(isinstance(one, str) for one in value.values()):
            yield from ((f"{where}.{key}", one) for key, one in value.items())
        else:
            yield where, value


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    return msgspec.json.encode(value).decode()
