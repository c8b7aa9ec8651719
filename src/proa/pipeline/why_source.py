"""The source of a program, found again: its import graph, and where its import statements stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import ProaError, WrongUsage
from proa.inspect.modules import BuildInfo
from proa.inspect.why_go import Imports
from proa.outside.go import find_upward
from proa.outside.gomod import read_mod
from proa.pipeline.plan import Bench, Plan, lay_plans
from proa.records.evidence import Evidence, Finding
from proa.records.project import Package
from proa.records.request import Request

_RELEASE = re.compile(r"v[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*(?:\+incompatible)?")
_MOST_FILE_BYTES = 4 << 20
_METHOD = re.compile(rb"(?:\.\s*|^\s+)([A-Z][A-Za-z0-9_]*)", re.MULTILINE)
"""After a dot, or first in a line of an interface."""
_UNKNOWN_MAIN = "command-line-arguments"


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A program's source for one platform."""

    plan: Plan
    number: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def packages(self) -> Mapping[str, Package]:
        """Return the packages of the import graph by their paths."""
        return {one.import_path: one for one in self.plan.graphs[self.number].packages}

    @property
    def imports(self) -> Imports:
        """Return who imports whom."""
        return Imports(
            main=self.plan.main.import_path, edges={path: one.imports for path, one in self.packages.items()}
        )

    def methods_named(self, packages: Collection[str]) -> frozenset[str]:
        """Return what may be methods' names in the files of all that import some packages, by whatever way."""
        reaching, found = set(packages), set[bytes]()
        # Dependencies come before their importers.
        for one in self.plan.graphs[self.number].packages:
            if one.import_path not in packages and not reaching.isdisjoint(one.imports):
                reaching.add(one.import_path)
                for name in (*one.files, *one.cgo_files):
                    found.update(_METHOD.findall(_content(Path(one.directory) / name)))
        return frozenset(name.decode("ascii") for name in found)


def find_source(
    info: BuildInfo, *, bench: Bench, asked: str, directory: Path
) -> tuple[Source | None, tuple[Finding, ...]]:
    """Return the source a program was built from; where none is at hand, findings say what was tried.

    ``asked`` is what the user named: a folder or ``module@version``; empty for the folder this runs in, or else the
    version that the program itself names. Raises WrongUsage and what reading the project raises, where ``asked``.
    """
    if asked:
        return _asked(info, bench, asked, directory), ()
    here = _module_here(directory)
    if info.main and here == info.main and info.path != _UNKNOWN_MAIN:
        return _tried(info, bench, info.path, directory, f"the source in {directory}")
    version = info.modules.get(info.main, "")
    if info.path and _RELEASE.fullmatch(version) and not _is_own_stamp(version):
        return _tried(info, bench, f"{info.path}@{version}", directory, f"{info.path}@{version}")
    return None, ()


def _is_own_stamp(version: str) -> bool:
    """Say whether the go command made a version up from the state of a repository."""
    return version.startswith("v0.0.0-")


def _module_here(directory: Path) -> str:
    found = find_upward("go.mod", directory.absolute())
    try:
        return read_mod(found).module if found else ""
    except ProaError:
        return ""


def _asked(info: BuildInfo, bench: Bench, asked: str, directory: Path) -> Source:
    folder = directory / asked
    if folder.is_dir():
        # The main package's own folder, or the module's: the program says which package it was.
        is_module = _module_here(folder) == info.main and info.path not in ("", _UNKNOWN_MAIN)
        source = _laid(info, bench, info.path if is_module else ".", folder)
    elif "@" in asked:
        path, _, version = asked.partition("@")
        whole = info.path if info.path.startswith(path) else path
        source = _laid(info, bench, f"{whole}@{version}", directory)
    else:
        raise WrongUsage(f"there is no folder {asked}", hint="--source is a folder or module@version")
    if info.path not in ("", _UNKNOWN_MAIN, source.plan.main.import_path):
        raise WrongUsage(
            f"the program was built from {info.path}, and {asked} is {source.plan.main.import_path}",
            hint="name the source of that program, or leave --source out",
        )
    return source


def _tried(
    info: BuildInfo, bench: Bench, word: str, directory: Path, what: str
) -> tuple[Source | None, tuple[Finding, ...]]:
    try:
        return _laid(info, bench, word, directory), ()
    except ProaError as error:
        told = Finding(
            id="why.source-unread",
            severity="info",
            message=f"{what} could not be read: {error.what}",
            hint="the answer is from the program alone",
        )
        return None, (told,)


def _laid(info: BuildInfo, bench: Bench, word: str, directory: Path) -> Source:
    plans = lay_plans(bench, _request(info, word, directory), is_image=False)
    plan = next((one for one in plans if one.main.import_path == info.path), plans[0])
    if plan.main.language != "go" or not plan.graphs[0].packages:
        raise WrongUsage(f"{word} is no Go program")
    return Source(plan=plan, findings=tuple(_differences(info, plan)))


def _request(info: BuildInfo, word: str, directory: Path) -> Request:
    settings = info.settings
    platform = "/".join(filter(None, (settings.get("GOOS", ""), settings.get("GOARCH", ""))))
    build: dict[str, Any] = {}
    if tags := settings.get("-tags", ""):
        build["tags"] = tuple(tags.split(","))
    if settings.get("CGO_ENABLED") == "0":
        build["cgo"] = "off"
    return Request(
        sources=(word,),
        directory=str(directory),
        platforms=(platform,) if "/" in platform else (),
        overrides={"build": build} if build else {},
    )


def _differences(info: BuildInfo, plan: Plan) -> Iterator[Finding]:
    """Say where a program was built from other versions than the source asks for."""
    theirs = {one.path: one.version for one in plan.graphs[0].modules if one.version and not one.replacement}
    other = [
        f"{path} {info.modules[path]}, not {version}"
        for path, version in sorted(theirs.items())
        if info.modules.get(path, version) not in (version, "(devel)", "")
        and not info.modules.get(path, "").startswith("=>")
    ]
    if other:
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        yield Finding(
            id="why.source-differs",
            message=f"the source does not match the program, which was built with {'; '.join(other[:3])}{more}",
            hint="the imports are the source's, the bytes the program's",
        )


def import_statements(chain: Sequence[str], source: Source) -> tuple[Evidence, ...]:
    """Return where each package of a chain imports the next one."""
    packages, found = source.packages, []
    for importer, imported in pairwise(chain):
        package = packages.get(importer)
        place = _statement(package, imported) if package else None
        if package and place:
            found.append(Evidence(package=importer, file=_place(package, place[0], source), line=place[1]))
    return tuple(found)


def _statement(package: Package, imported: str) -> tuple[str, int] | None:
    quoted = re.compile(rb'^[^"`/]*["`]' + re.escape(imported.encode()) + rb'["`]')
    for name in (*package.files, *package.cgo_files):
        for number, line in enumerate(_content(Path(package.directory) / name).splitlines(), 1):
            if quoted.match(line.lstrip()):
                return name, number
    return None


def _content(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_FILE_BYTES)
    except OSError:
        return b""


def _place(package: Package, name: str, source: Source) -> str:
    modules = {one.path: one for one in source.plan.graphs[source.number].modules}
    module = modules.get(package.module)
    root = Path(module.directory) if module and module.directory else None
    file = Path(package.directory) / name
    inner = str(file.relative_to(root)) if root and file.is_relative_to(root) else name
    if package.is_standard:
        return f"{package.import_path}/{name}"
    return inner if package.is_local or not module else f"{module.path}@{module.version}/{inner}"
