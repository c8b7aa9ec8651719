"""Units of Compose files and of platforms' own files: Heroku, Fly, Serverless, GitHub Actions, Terraform, proa.yaml."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from proa.analyze.contract.deployment_yaml import line_of, read_documents
from proa.analyze.contract.deployments import NAME, Assignment, Unit, env_file
from proa.analyze.contract.reading import SourceFile

_COMPOSE = re.compile(r"(?:.*/)?(?:docker-)?compose[\w.-]*\.ya?ml")
_DEPLOYS = re.compile(
    r"deploy|release|kubectl|helm|flyctl|fly\.io|heroku|serverless|ssh|rollout|cloud run|ecs|lambda", re.IGNORECASE
)


def compose_units(file: SourceFile, by_path: Mapping[str, SourceFile]) -> Iterator[Unit]:
    """Yield the services of a Compose file."""
    if not _COMPOSE.fullmatch(file.path):
        return
    folder = file.path.rpartition("/")[0]
    for document in read_documents(file.data):
        services = document.get("services") if isinstance(document, dict) else None
        for name, service in services.items() if isinstance(services, dict) else ():
            if isinstance(service, dict):
                yield _service(file.path, folder, name, service, by_path)


def _service(path: str, folder: str, name: str, service: dict[str, Any], by_path: Mapping[str, SourceFile]) -> Unit:
    sets: list[Assignment] = []
    is_open = "extends" in service
    files = service.get("env_file", [])
    for one in files if isinstance(files, list) else [files]:
        said = str(one.get("path", "") if isinstance(one, dict) else one).removeprefix("./")
        other = by_path.get(f"{folder}/{said}" if folder else said)
        is_open = is_open or other is None
        sets += env_file(other.path, other.data.decode("utf-8-sig", "replace")) if other is not None else ()
    sets += assignments(path, service.get("environment"))
    return Unit(
        file=path, line=line_of(name), name=str(name), sets=tuple(sets), is_open=is_open, is_own="build" in service,
        image=str(service.get("image", "")),
    )  # fmt: skip


def assignments(path: str, given: Any) -> Iterator[Assignment]:
    """Yield what a mapping or a list of ``NAME=value`` sets; a name alone is passed through."""
    if isinstance(given, dict):
        for name, value in given.items():
            if NAME.fullmatch(name):
                text = str(value) if isinstance(value, str) else ""
                yield Assignment(name=str(name), value=text, file=path, line=line_of(name))
    elif isinstance(given, list):
        for one in given:
            name, _, value = str(one).partition("=")
            if isinstance(one, str) and NAME.fullmatch(name):
                yield Assignment(name=name, value=value, file=path, line=line_of(one))


def platform_units(file: SourceFile) -> Iterator[Unit]:
    """Yield what a platform's own file sets."""
    path, name = file.path, file.path.rpartition("/")[2]
    if name == "app.json":
        yield from _heroku(path, file.data)
    elif re.fullmatch(r"fly[\w.-]*\.toml", name):
        yield from _fly(path, file.data)
    elif re.fullmatch(r"serverless\.ya?ml", name):
        for document in read_documents(file.data):
            yield from _serverless(path, document)
    elif re.fullmatch(r"proa\.ya?ml", name):
        for document in read_documents(file.data):
            image = document.get("image") if isinstance(document, dict) else None
            sets = tuple(assignments(path, image.get("env"))) if isinstance(image, dict) else ()
            if sets:
                yield Unit(file=path, line=sets[0].line, sets=sets, is_open=True, is_own=True)
    elif re.search(r"(?:^|/)\.github/workflows/", path):
        for document in read_documents(file.data):
            yield from _workflow(path, document)
    elif name.endswith(".tf"):
        yield from _terraform(path, file.data.decode("utf-8", "replace"))


def _heroku(path: str, data: bytes) -> Iterator[Unit]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return
    given = value.get("env") if isinstance(value, dict) else None
    if not isinstance(given, dict):
        return
    lines = data.decode("utf-8", "replace").splitlines()
    sets = []
    for name, one in given.items():
        said = one.get("value", "") if isinstance(one, dict) else one
        line = next((at for at, text in enumerate(lines, start=1) if f'"{name}"' in text), 1)
        sets.append(Assignment(name=name, value=said if isinstance(said, str) else "", file=path, line=line))
    yield Unit(file=path, sets=tuple(sets), is_own=True)


def _fly(path: str, data: bytes) -> Iterator[Unit]:
    text = data.decode("utf-8", "replace")
    try:
        given = tomllib.loads(text).get("env", {})
    except (tomllib.TOMLDecodeError, RecursionError):
        return
    lines = text.splitlines()
    sets = [
        Assignment(
            name=name, value=str(value), file=path,
            line=next((at for at, line in enumerate(lines, start=1) if line.lstrip(" \"'").startswith(name)), 1),
        )
        for name, value in (given.items() if isinstance(given, dict) else ())
    ]  # fmt: skip
    # Fly's secrets are set beside this file.
    yield Unit(file=path, sets=tuple(sets), is_open=True, is_own=True)


def _serverless(path: str, document: Any) -> Iterator[Unit]:
    if not isinstance(document, dict):
        return
    provider = document.get("provider")
    common = tuple(assignments(path, provider.get("environment"))) if isinstance(provider, dict) else ()
    functions = document.get("functions")
    for name, one in functions.items() if isinstance(functions, dict) else ():
        own = tuple(assignments(path, one.get("environment"))) if isinstance(one, dict) else ()
        yield Unit(file=path, line=line_of(name), name=str(name), sets=(*common, *own), is_open=True, is_own=True)


def _workflow(path: str, document: Any) -> Iterator[Unit]:
    """Yield the variables of jobs and steps that deploy; others read them too."""
    jobs = document.get("jobs") if isinstance(document, dict) else None
    for name, job in jobs.items() if isinstance(jobs, dict) else ():
        if not isinstance(job, dict):
            continue
        steps = [one for one in job.get("steps", []) or [] if isinstance(one, dict)]
        said = " ".join(str(one.get(key, "")) for one in steps for key in ("name", "uses", "run"))
        if not _DEPLOYS.search(f"{name} {job.get('name', '')} {said}"):
            continue
        sets = list(assignments(path, document.get("env"))) + list(assignments(path, job.get("env")))
        for one in steps:
            sets += assignments(path, one.get("env"))
        if sets:
            yield Unit(
                file=path, line=line_of(name), name=str(name), sets=tuple(sets), is_open=True, is_own=True,
                is_shared=True,
            )  # fmt: skip


_BLOCK = re.compile(r"\b(?:environment|environment_variables|env|env_vars|variables|app_settings|secrets)\s*=?\s*\{")


def _terraform(path: str, text: str) -> Iterator[Unit]:
    """Yield the names set in blocks called environment, env or variables; Terraform's own variables are none."""
    sets: dict[str, Assignment] = {}
    for block in _BLOCK.finditer(text):
        depth, end = 1, block.end()
        while end < len(text) and depth:
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
        inner = text[block.end() : end]
        for match in re.finditer(
            r'^\s*"?([A-Z][A-Z0-9_]*)"?\s*[=:]\s*(?:"([^"\n]*)")?|\bname\s*=\s*"([A-Z][A-Z0-9_]*)"', inner, re.MULTILINE
        ):
            name = match[1] or match[3]
            line = text.count("\n", 0, block.end() + match.start(1 if match[1] else 3)) + 1
            sets.setdefault(name, Assignment(name=name, value=match[2] or "", file=path, line=line))
    if sets:
        yield Unit(file=path, line=min(one.line for one in sets.values()), sets=tuple(sets.values()), is_open=True)
