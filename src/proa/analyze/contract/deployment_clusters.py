"""Units of Kubernetes manifests, of kustomizations and of Helm charts (whose templates are text, not YAML)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from proa.analyze.contract.deployment_compose import assignments
from proa.analyze.contract.deployment_yaml import line_of, read_documents
from proa.analyze.contract.deployments import NAME, Assignment, Unit, env_file
from proa.analyze.contract.reading import SourceFile

_MOST_DEPTH = 20
_Sources = dict[tuple[str, str], list[Assignment]]
"""What ConfigMaps and Secrets hold, by kind and name."""


def manifest_units(files: Iterable[SourceFile], by_path: Mapping[str, SourceFile]) -> list[Unit]:
    """Return the containers of all manifests, with what the ConfigMaps and Secrets of the same files give them."""
    documents = [
        (file, document)
        for file in files
        if re.search(rb"^\s*kind\s*:|Generator\s*:", file.data, re.MULTILINE)
        for document in read_documents(file.data)
        if isinstance(document, dict)
    ]
    sources: _Sources = {}
    for file, document in documents:
        _collect(file, document, sources, by_path)
    return [_container(file.path, one, sources) for file, document in documents for one in _containers(document, 0)]


def _collect(file: SourceFile, document: dict[str, Any], sources: _Sources, by_path: Mapping[str, SourceFile]) -> None:
    kind, metadata = str(document.get("kind", "")), document.get("metadata")
    if kind in ("ConfigMap", "Secret") and isinstance(metadata, dict):
        held = sources.setdefault((kind, str(metadata.get("name", ""))), [])
        for key in ("data", "stringData"):
            given = list(assignments(file.path, document.get(key)))
            # A Secret's values are not kept: they are nobody's business here.
            held += [msgspec.structs.replace(one, value="") if kind == "Secret" else one for one in given]
    folder = file.path.rpartition("/")[0]
    for generator, kind in (("configMapGenerator", "ConfigMap"), ("secretGenerator", "Secret")):
        listed = document.get(generator)
        for one in listed if isinstance(listed, list) else ():
            if not isinstance(one, dict):
                continue
            held = sources.setdefault((kind, str(one.get("name", ""))), [])
            held += assignments(file.path, one.get("literals"))
            for name in one.get("envs", []) or []:
                other = by_path.get(f"{folder}/{name}" if folder else str(name))
                held += env_file(other.path, other.data.decode("utf-8-sig", "replace")) if other is not None else ()


def _containers(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if depth > _MOST_DEPTH:
        return
    if isinstance(value, list):
        for one in value:
            yield from _containers(one, depth + 1)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in ("containers", "initContainers") and isinstance(inner, list):
                yield from (one for one in inner if isinstance(one, dict) and ("image" in one or "env" in one))
            elif isinstance(inner, dict | list):
                yield from _containers(inner, depth + 1)


def _container(path: str, container: dict[str, Any], sources: _Sources) -> Unit:
    sets: list[Assignment] = []
    is_open = False
    for one in container.get("envFrom") or []:
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            reference = one.get(key) if isinstance(one, dict) else None
            if isinstance(reference, dict):
                held = sources.get((kind, str(reference.get("name", ""))))
                is_open = is_open or held is None
                prefix = str(one.get("prefix", ""))
                sets += [msgspec.structs.replace(each, name=f"{prefix}{each.name}") for each in held or ()]
    for one in container.get("env") or []:
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str) and NAME.fullmatch(name):
            value = one.get("value")
            said = str(value) if isinstance(value, str) else _referred(one.get("valueFrom"), sources)
            sets.append(Assignment(name=str(name), value=said, file=path, line=line_of(name)))
    line = line_of(container.get("name"), line_of(container.get("image")))
    return Unit(
        file=path, line=line, name=str(container.get("name", "")), sets=tuple(sets), is_open=is_open,
        image=str(container.get("image", "")),
    )  # fmt: skip


def _referred(given: Any, sources: _Sources) -> str:
    reference = given.get("configMapKeyRef") if isinstance(given, dict) else None
    if not isinstance(reference, dict):
        return ""
    held = sources.get(("ConfigMap", str(reference.get("name", ""))), [])
    return next((one.value for one in held if one.name == reference.get("key")), "")


_ENTRY = re.compile(r"""^\s*-\s*name:\s*["']?([A-Z][A-Z0-9_]*)["']?\s*$""")
_DATA = re.compile(r"""^\s+["']?([A-Z][A-Z0-9_]*)["']?:\s*(.*)$""")
_OPEN = re.compile(r"envFrom\s*:|\{\{-?\s*(?:range|with|toYaml|include|tpl)\b[^}]*[eE]nv|extraEnv")


def chart_units(files: Iterable[SourceFile], charts: Iterable[str]) -> list[Unit]:
    """Return one unit per chart: the names its templates and values set, whatever the conditions around them."""
    files = tuple(files)
    found = []
    for chart in charts:
        own = [one for one in files if one.path.startswith(f"{chart}/" if chart else "")]
        sets: list[Assignment] = []
        is_open = False
        for file in own:
            text = file.data.decode("utf-8", "replace")
            inside = file.path.removeprefix(chart).lstrip("/")
            if inside.startswith("templates/") and not inside.startswith("templates/tests/"):
                sets += _template(file.path, text)
                is_open = is_open or _OPEN.search(text) is not None
            elif inside == "values.yaml":
                for document in read_documents(file.data):
                    sets += _valued(file.path, document, 0)
        if sets:
            found.append(Unit(file=sets[0].file, line=sets[0].line, sets=tuple(sets), is_open=is_open, name=chart))
    return found


def _template(path: str, text: str) -> Iterator[Assignment]:
    is_map = re.search(r"^kind:\s*(?:ConfigMap|Secret)\s*$", text, re.MULTILINE) is not None
    lines = text.splitlines()
    for number, line in enumerate(lines, start=1):
        match = _ENTRY.match(line)
        if match:
            after = lines[number].strip() if number < len(lines) else ""
            value = after.removeprefix("value:").strip().strip("'\"") if after.startswith("value:") else ""
            yield Assignment(name=match[1], value="" if "{{" in value else value, file=path, line=number)
        elif is_map and (match := _DATA.match(line)):
            yield Assignment(name=match[1], file=path, line=number)


def _valued(path: str, value: Any, depth: int) -> Iterator[Assignment]:
    """Yield what is set below ``env``, ``environment`` or ``config`` in values.yaml."""
    for key, inner in value.items() if isinstance(value, dict) and depth < _MOST_DEPTH else ():
        if re.search(r"env|config|secret", key, re.IGNORECASE):
            named = list(_listed(path, inner)) if isinstance(inner, list) else list(assignments(path, inner))
            yield from (one for one in named if re.fullmatch(r"[A-Z][A-Z0-9_]*", one.name))
        yield from _valued(path, inner, depth + 1)


def _listed(path: str, given: list[Any]) -> Iterator[Assignment]:
    for one in given:
        name = one.get("name") if isinstance(one, dict) else None
        if isinstance(name, str):
            value = one.get("value")
            yield Assignment(
                name=str(name), value=str(value) if isinstance(value, str) else "", file=path, line=line_of(name)
            )
