"""Python: pyproject.toml, requirements files, Pipfile, .python-version, the lock files, and the project's own .venv.

Sources: https://packaging.python.org/en/latest/specifications/, https://python-poetry.org/docs/pyproject/,
https://pipenv.pypa.io/en/latest/pipfile.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from proa.analyze.environment.found import (
    Dependency,
    Found,
    Names,
    at,
    framework,
    limited,
    table_of,
    text_of,
    toml_of,
)
from proa.analyze.environment.python_locks import LOCKS, canonical, read_lock
from proa.analyze.environment.ranges import in_python_range
from proa.outside.projecttree import Tree
from proa.records.environment import Version
from proa.records.evidence import Evidence, Finding

NAMES: Names = {
    "django": ("Django", "web"),
    "flask": ("Flask", "web"),
    "fastapi": ("FastAPI", "web"),
    "starlette": ("Starlette", "web"),
    "quart": ("Quart", "web"),
    "sanic": ("Sanic", "web"),
    "tornado": ("Tornado", "web"),
    "aiohttp": ("aiohttp", "web"),
    "falcon": ("Falcon", "web"),
    "bottle": ("Bottle", "web"),
    "pyramid": ("Pyramid", "web"),
    "litestar": ("Litestar", "web"),
    "uvicorn": ("Uvicorn", "web"),
    "gunicorn": ("Gunicorn", "web"),
    "djangorestframework": ("Django REST framework", "web"),
    "grpcio": ("gRPC", "rpc"),
    "celery": ("Celery", "application"),
    "sqlalchemy": ("SQLAlchemy", "data"),
    "alembic": ("Alembic", "data"),
    "pydantic": ("Pydantic", "other"),
    "pydantic-settings": ("pydantic-settings", "other"),
    "requests": ("Requests", "client"),
    "httpx": ("HTTPX", "client"),
    "pytest": ("pytest", "test"),
}
_ENVIRONMENTS = (".venv", "venv", "env")
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([^;#@]*)")
_LISTS = re.compile(r"requirements[\w.-]*\.(?:txt|in)")
_MANAGERS = {"poetry.lock": "poetry", "uv.lock": "uv", "pdm.lock": "pdm", "Pipfile.lock": "pipenv"}


class _Manifests(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder's pyproject.toml and Pipfile say."""

    folder: str
    said: dict[str, Any]
    pipfile: dict[str, Any]


class _Environment(msgspec.Struct, frozen=True, kw_only=True):
    """A project's own virtual environment."""

    python: str = ""
    packages: dict[str, str] = {}


def read_python(tree: Tree, installed: Mapping[str, str]) -> Found:
    """Return what the tree's Python projects say: one per folder that has a manifest."""
    manifests = tree.names("pyproject.toml", "Pipfile", "setup.py", "setup.cfg")
    lists = tuple(path for path in tree.sizes if _LISTS.fullmatch(path.rpartition("/")[2]))
    lists += tuple(path for path in tree.sizes if re.fullmatch(r"(?:.*/)?requirements/[\w.-]+\.txt", path))
    folders = dict.fromkeys(_folder(path) for path in (*manifests, *sorted(lists, key=lambda one: one.count("/"))))
    # A folder of requirement files belongs to the project above it.
    folders = dict.fromkeys(folder.removesuffix("requirements/") for folder in folders)
    chosen, found = limited(tuple(sorted(folders, key=lambda one: (one.count("/"), one))), "Python projects")
    for folder in chosen:
        found += _project(tree, folder, lists, installed)
    return found


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1]


def _project(tree: Tree, folder: str, lists: tuple[str, ...], installed: Mapping[str, str]) -> Found:
    manifest = f"{folder}pyproject.toml"
    said, found = toml_of(tree, manifest)
    if tree.has(manifest) and not said and not found.findings:
        return found
    pipfile, problem = toml_of(tree, f"{folder}Pipfile")
    found += problem
    here = _environment(tree, folder)
    lock_path = _lock_path(tree, folder)
    locked, problem = read_lock(tree, lock_path) if lock_path else ({}, Found())
    found += problem
    manifests = _Manifests(folder=folder, said=said, pipfile=pipfile)
    declared = list(_declared(tree, manifests, lists))
    is_project = any((said.get("project"), table_of(said, "tool", "poetry"), pipfile, declared)) or any(
        tree.has(f"{folder}{name}") for name in ("setup.py", "setup.cfg")
    )
    if not is_project:
        # A pyproject.toml of tools' settings alone is no Python project.
        return found
    dependencies = [
        Dependency(
            package=name,
            declared=spec,
            locked=locked.get(name, "") or _pinned(spec),
            installed=here.packages.get(name, ""),
            where=where,
        )
        for name, spec, where in declared
    ]
    versions = [_python(tree, manifests, python=here.python or installed.get("python", ""))]
    if (manager := _MANAGERS.get(lock_path.rpartition("/")[2], "")) or tree.has(f"{folder}Pipfile"):
        versions.append(_manager(manager or "pipenv", lock_path or f"{folder}Pipfile", installed))
    seen: dict[str, Dependency] = {}
    for dependency in dependencies:
        known = seen.get(dependency.package)
        if known is None or (dependency.locked and not known.locked):
            seen[dependency.package] = dependency
    return found + Found(
        versions=tuple(versions),
        frameworks=tuple(one for each in seen.values() if (one := framework(each, NAMES, "python"))),
        findings=tuple(_out_of_step(dependencies, lock_path, locked)),
    )


def _declared(tree: Tree, manifests: _Manifests, lists: tuple[str, ...]) -> Iterator[tuple[str, str, Evidence]]:
    """Yield every direct dependency: canonical name, specifier, place."""
    folder, said, pipfile = manifests.folder, manifests.said, manifests.pipfile
    manifest, text = f"{folder}pyproject.toml", tree.text(f"{folder}pyproject.toml")
    project = table_of(said, "project")
    groups = [project.get("dependencies"), *table_of(project, "optional-dependencies").values()]
    groups += table_of(said, "dependency-groups").values()
    for group in groups:
        for entry in group if isinstance(group, list) else []:
            if isinstance(entry, str) and (match := _REQUIREMENT.match(entry)):
                yield canonical(match[1]), match[2].strip(), at(text, manifest, entry[:40].split('"')[0])
    poetry = table_of(said, "tool", "poetry")
    tables = [(poetry.get("dependencies"), "tool.poetry.dependencies")]
    tables += [
        (table_of(one).get("dependencies"), f"tool.poetry.group.{name}.dependencies")
        for name, one in table_of(poetry, "group").items()
    ]
    for table, heading in tables:
        for name, one in table_of(table).items():
            spec = text_of(one.get("version") if isinstance(one, dict) else one)
            if canonical(name) != "python":
                yield canonical(name), "" if spec == "*" else spec, at(text, manifest, heading, name)
    for table_name in ("packages", "dev-packages"):
        for name, one in table_of(pipfile, table_name).items():
            spec = text_of(one.get("version") if isinstance(one, dict) else one)
            where = at(tree.text(f"{folder}Pipfile"), f"{folder}Pipfile", f"[{table_name}]", name)
            yield canonical(name), "" if spec == "*" else spec, where
    for path in lists:
        if _folder(path).removesuffix("requirements/") == folder:
            yield from requirements(tree.text(path), path)


def requirements(text: str, path: str) -> Iterator[tuple[str, str, Evidence]]:
    r"""Yield the requirements of a requirements file: canonical name, specifier, place. Options are passed over.

    >>> text = "# x\nFlask[async]==3.0.0 ; python_version > '3'\n-r b.txt"
    >>> [(name, spec) for name, spec, _ in requirements(text, "r")]
    [('flask', '==3.0.0')]
    """
    for number, line in enumerate(text.splitlines()[:20_000], 1):
        words = line.partition(" --hash")[0].rstrip("\\ ")
        if words.lstrip().startswith(("#", "-")) or "://" in words.partition("#")[0].partition("@")[0]:
            continue
        if match := _REQUIREMENT.match(words):
            yield canonical(match[1]), match[2].strip(), Evidence(file=path, line=number)


def _pinned(spec: str) -> str:
    """Return the version of a requirement that names only one: such a file is its own lock."""
    match = re.fullmatch(r"={2,3}\s*([^,*\s]{1,60})", spec)
    return match[1] if match else ""


def _lock_path(tree: Tree, folder: str) -> str:
    for place in dict.fromkeys((folder, "")):
        for name in LOCKS:
            if tree.has(f"{place}{name}"):
                return f"{place}{name}"
    return ""


def _python(tree: Tree, manifests: _Manifests, *, python: str) -> Version:
    folder, said, pipfile = manifests.folder, manifests.said, manifests.pipfile
    manifest, text = f"{folder}pyproject.toml", tree.text(f"{folder}pyproject.toml")
    declared = text_of(table_of(said, "project").get("requires-python"))
    where = [at(text, manifest, "requires-python")] if declared else []
    if not declared and (declared := text_of(table_of(said, "tool", "poetry", "dependencies").get("python"))):
        where.append(at(text, manifest, "tool.poetry.dependencies", "python"))
    if not declared:
        for name in ("python_full_version", "python_version"):
            if declared := text_of(table_of(pipfile, "requires").get(name)):
                where.append(at(tree.text(f"{folder}Pipfile"), f"{folder}Pipfile", "[requires]", name))
                break
    if not declared and (match := _SETUP.search(tree.text(f"{folder}setup.cfg", most=256 << 10))):
        declared = match[1].strip()
        where.append(at(tree.text(f"{folder}setup.cfg"), f"{folder}setup.cfg", "python_requires"))
    locked = ""
    for file in dict.fromkeys((f"{folder}.python-version", ".python-version", f"{folder}runtime.txt")):
        first = tree.text(file, most=200).strip().splitlines()[:1]
        if first and (match := re.fullmatch(r"(?:python-|cpython-)?(\d[\w.]*)", first[0].strip())):
            locked = match[1]
            where.append(Evidence(file=file, line=1))
            break
    return Version(
        name="python",
        ecosystem="python",
        declared=declared,
        locked=locked,
        installed=python,
        where=tuple(where or [Evidence(file=folder or "./")]),
    )


_SETUP = re.compile(r"^\s*python_requires\s*=\s*(.{1,100})$", re.MULTILINE)


def _manager(name: str, path: str, installed: Mapping[str, str]) -> Version:
    return Version(
        name=name,
        ecosystem="python",
        role="package-manager",
        installed=installed.get(name, ""),
        where=(Evidence(file=path, line=1),),
    )


def _environment(tree: Tree, folder: str) -> _Environment:
    """Return the Python and the packages of the project's own virtual environment, by the names of its files."""
    for name in _ENVIRONMENTS:
        place = f"{folder}{name}"
        text = tree.text(f"{place}/pyvenv.cfg", most=64 << 10)
        if not text:
            continue
        match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+(?:\.\d+)?)", text, re.MULTILINE)
        packages: dict[str, str] = {}
        for site in sorted(Path(tree.root, place).glob("lib/python3*/site-packages"))[:1]:
            for entry in site.glob("*.dist-info"):
                package, _, version = entry.name.removesuffix(".dist-info").partition("-")
                packages[canonical(package)] = version
        return _Environment(python=match[1] if match else "", packages=packages)
    return _Environment()


def _out_of_step(dependencies: list[Dependency], lock_path: str, locked: Mapping[str, str]) -> Iterator[Finding]:
    if not lock_path:
        loose = [one for one in dependencies if not one.locked]
        if loose:
            yield Finding(
                id="environment.no-lock",
                message=f"{len(loose)} Python dependencies have no exact version and no lock file, "
                f"{loose[0].package} among them: every installation may differ",
                hint="uv lock, poetry lock or pip-compile writes one; commit it",
                evidence=(loose[0].where,),
            )
        return
    for one in dependencies if locked else ():
        if one.locked and in_python_range(one.locked, one.declared or ">=0") is not False:
            continue
        holds = f"has {one.locked}" if one.locked else "does not have it"
        manager = _MANAGERS.get(lock_path.rpartition("/")[2], "")
        yield Finding(
            id="environment.lock-out-of-step",
            message=f"{one.where.file} asks for {one.package} {one.declared}".rstrip() + f", and {lock_path} {holds}",
            hint=f"{manager} lock brings it in step" if manager else "make the lock file again",
            evidence=(one.where, Evidence(file=lock_path, line=1)),
        )
