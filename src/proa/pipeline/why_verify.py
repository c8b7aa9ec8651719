"""``proa why --verify``: the program built again without some packages, and what its file really loses.

    link as it is ─▶ go list -export, in the words of that build ─▶ stubs ─▶ link ─▶ compare

What is left of a package is what others name of it: types without what they did, functions that do nothing,
variables without values. Its own imports go, but for those that its types are made of. The second program is weighed
and never run. Why it is done so: ``docs/decisions/0021-the-import-stubbed-out.md``.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from proa import build
from proa.errors import (
    BuildFailed,
    LockBroken,
    ModuleMissing,
    NeedsC,
    NotInTarget,
    ProaError,
    ToolFailed,
    WrongConfiguration,
)
from proa.outside import elf
from proa.outside.command import Ran, Run
from proa.outside.gooverlay import Laid, lay_over
from proa.outside.gostub import Exports, Unit, list_exports, write_stubs
from proa.pipeline.deadcode_link import Case, read_source, source_files
from proa.records.binary import Binary
from proa.records.evidence import Finding
from proa.records.project import Git, Package
from proa.tune import stub

Depth = Literal["named", "declared", "bodies"]
"""What a stub keeps: what others name of the package · all its declarations · all but the bodies of functions."""
_DEPTHS: tuple[Depth, ...] = ("named", "declared", "bodies")
_FAILURES = (BuildFailed, LockBroken, ModuleMissing, NeedsC, ToolFailed, WrongConfiguration)
"""What a stub may be the cause of; a full disk is not."""
_ALWAYS = ("runtime", "runtime/cgo", "runtime/race", "runtime/msan", "runtime/asan")
"""The linker itself names what is in them. Source: cmd/go/internal/load, LinkerDeps."""
_MISSING = re.compile(r"\(missing method (\w+)\)")
"""What the compiler says of a type that an interface does not fit. Source: go/types, missingMethodCause."""
_WITH_C = (".c", ".cc", ".cpp", ".cxx", ".m", ".f", ".F", ".for", ".f90", ".S", ".swig", ".swigcxx", ".syso")


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What a program lost when it was linked without some packages."""

    packages: tuple[str, ...]
    real_bytes: int | None = None
    """Of the shipped file, without the filling between its segments; None where it could not be linked."""
    file_bytes: int = 0
    """The same with the filling, which comes in pages: what a listing of the folder would show."""
    before_bytes: int = 0
    """Of the shipped file as it is, without the filling."""
    depth: Depth = "named"
    kept_imports: tuple[str, ...] = ()
    """What the stubs still import, because their types are made of it, beside what is stubbed itself; sorted."""
    findings: tuple[Finding, ...] = ()


class _Words(msgspec.Struct, frozen=True, kw_only=True):
    """How ``go build`` was called."""

    flags: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path


class _Link(msgspec.Struct, frozen=True, kw_only=True):
    """One program, weighed."""

    bytes: int
    """Of the shipped file, without filling."""
    file_bytes: int
    words: _Words


def verify(case: Case, packages: Sequence[str]) -> Verified:
    """Return what the program's file really loses without packages, given by their import paths.

    Where it cannot be linked without them a finding says why. Raises NotInTarget, and any ProaError of the build of
    the program as it is.
    """
    return Verification(case).without(packages)


class Verification:
    """One program, linked once as it is, and then without this or that package."""

    def __init__(self, case: Case) -> None:
        self._case = case

    def without(self, packages: Sequence[str]) -> Verified:
        """Link without packages and compare. Raises what ``verify`` raises."""
        case = self._case
        asked = set(packages)
        chosen = tuple(one.import_path for one in case.packages if one.import_path in asked)
        if not chosen or asked - set(chosen):
            missing = _listed(sorted(asked - set(chosen))) or "any package of that name"
            raise NotInTarget(f"{case.main.name} does not import {missing}")
        if reason := self._refusal(chosen):
            return Verified(packages=chosen, findings=(_not_verified(chosen, BuildFailed(reason)),))
        before = self._before
        case.work.bench.say(f"linking {case.main.name} without {_listed(packages)}")
        failures: list[ProaError] = []
        for depth in _DEPTHS:
            try:
                after, imports = self._without(chosen if depth == "bodies" else self._with_exclusive(chosen), depth)
            except _FAILURES as error:
                failures.append(error)
                continue
            return Verified(
                packages=chosen,
                real_bytes=before.bytes - after.bytes,
                file_bytes=before.file_bytes - after.file_bytes,
                before_bytes=before.bytes,
                depth=depth,
                kept_imports=imports,
                findings=_findings(depth),
            )
        # The first says most: those after it are coarser tries of the same.
        return Verified(packages=chosen, before_bytes=before.bytes, findings=(_not_verified(chosen, failures[0]),))

    def _without(self, chosen: Sequence[str], depth: Depth) -> tuple[_Link, tuple[str, ...]]:
        """Link with stubs; the compiler says which methods an interface of somebody else's asks for."""
        methods: set[str] = set()
        while True:
            changed, imports = self._changed(chosen, depth, methods)
            try:
                return self._link("without", changed), imports
            except BuildFailed as error:
                missing = set(_MISSING.findall(error.output)) - methods
                if not missing or depth != "named":
                    raise
                methods |= missing

    @cached_property
    def _before(self) -> _Link:
        self._case.work.bench.say(f"linking {self._case.main.name} for {self._case.platform}")
        return self._link("whole", {})

    def _refusal(self, chosen: Sequence[str]) -> str:
        """Return why some package cannot be left out of any program; empty where nothing is known."""
        waiting = [path for path in _ALWAYS if path in self._case.by_path]
        needed = {"unsafe"}
        while waiting:
            path = waiting.pop()
            if path not in needed:
                needed.add(path)
                waiting += [one for one in self._case.by_path[path].imports if one in self._case.by_path]
        stuck = [path for path in chosen if path in needed]
        return f"no Go program runs without {_listed(stuck)}: the runtime is made of it" if stuck else ""

    def _changed(
        self, chosen: Sequence[str], depth: Depth, methods: Collection[str] = ()
    ) -> tuple[dict[str, bytes | None], tuple[str, ...]]:
        """Return changed files by the path they stand for, and what is imported by them still."""
        case = self._case
        if depth == "bodies":
            files = [file for path in chosen for file in source_files(case.by_path[path])]
            emptied: dict[str, bytes | None] = {file: stub.emptied(read_source(file)) for file in files}
            return emptied, ()
        words, plan = self._before.words, case.work.plan
        exports = list_exports(
            chosen, go=plan.go, directory=words.directory, environment=words.environment, flags=words.flags
        )
        stubs = write_stubs(
            # Importers first: what they do not name any more goes as well.
            [
                self._unit(case.by_path[path], exports, methods, keeps_all=depth == "declared")
                for path in reversed(chosen)
            ],
            exports=exports.files,
            architecture=case.platform.architecture,
            folder=case.folder / "gostub",
            go=plan.go,
            toolchain=plan.graphs[plan.platforms.index(case.platform)].toolchain,
        )
        if stubs.problems:
            raise BuildFailed(f"{_listed(stubs.problems)} could not be read", output="\n".join(stubs.problems.values()))
        changed: dict[str, bytes | None] = {name: text.encode() for name, text in stubs.files.items()}
        for path in chosen:
            changed |= dict.fromkeys(_of_bodies(case.by_path[path], stubs.imports.get(path, ())))
        return changed, tuple(sorted({one for paths in stubs.imports.values() for one in paths} - set(chosen)))

    def _unit(self, package: Package, exports: Exports, methods: Collection[str], *, keeps_all: bool) -> Unit:
        packages, modules = self._case.packages, self._case.modules
        version = next((one.go_version for one in modules if one.path == package.module and one.go_version), "")
        return Unit(
            path=package.import_path,
            files=tuple(source_files(package)),
            importers=tuple(tuple(source_files(one)) for one in packages if package.import_path in one.imports),
            callers=() if keeps_all else self._callers(package),
            methods=tuple(sorted(methods)),
            import_map=exports.maps.get(package.import_path, {}),
            version=f"go{version}" if version else "",
            keeps_all=keeps_all,
        )

    def _with_exclusive(self, chosen: Collection[str]) -> tuple[str, ...]:
        """Return packages and all that are imported by way of them alone: of those no more is left than types."""
        by_path = self._case.by_path
        waiting = [self._case.main.import_path, *_ALWAYS]
        reached = {"unsafe", *chosen}
        while waiting:
            path = waiting.pop()
            if path not in reached and path in by_path:
                reached.add(path)
                waiting += by_path[path].imports
        return tuple(path for path in by_path if path in chosen or path not in reached)

    def _callers(self, package: Package) -> tuple[str, ...]:
        """Return the files of all packages that import one, by whatever way."""
        reaching = {package.import_path}
        files: list[str] = []
        # Dependencies come before their importers.
        for one in self._case.packages:
            if not reaching.isdisjoint(one.imports):
                reaching.add(one.import_path)
                files += source_files(one)
        return tuple(files)

    def _link(self, name: str, changed: Mapping[str, bytes | None]) -> _Link:
        case, plan = self._case, self._case.work.plan
        laid = Laid()
        try:
            if changed:
                laid = lay_over(
                    changed,
                    modules={module.directory: module.path for module in case.modules if module.directory},
                    folder=case.folder / name,
                    go=plan.go,
                    directory=Path(case.main.module_directory or case.main.directory),
                    environment={**case.settings.env, **dict(case.main.go_environment)},
                    flags=case.settings.flags,
                )
            runner, noted = _laying(plan.go.run, laid)
            go = msgspec.structs.replace(plan.go, run=runner)
            binary = build.build(
                case.main, case.platform, case.settings, git=Git(), go=go, store=case.store, jobs=case.work.bench.jobs
            )
        finally:
            shutil.rmtree(case.folder / name, ignore_errors=True)
        file = case.store.blob_path(binary.digest)
        return _Link(bytes=_filled_bytes(file, binary), file_bytes=binary.bytes, words=noted[0])


def _laying(run: Run, laid: Laid) -> tuple[Run, list[_Words]]:
    """Return a runner that lays changed files over a ``go build``, and where it notes how that was called."""
    noted: list[_Words] = []

    def runner(
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        accept: Sequence[int] | None = (0,),
    ) -> Ran:
        words, environment = list(argv), dict(env or {})
        if words[1:2] == ["build"] and "-o" in words:
            at = words.index("-o")
            # The folder this one compiles in is gone when the go command is asked again.
            lasting = {key: value for key, value in environment.items() if key != "GOTMPDIR"}
            noted.append(_Words(flags=tuple(words[2:at]), environment=lasting, directory=cwd or Path()))
            words = [laid.program or words[0], *words[1:at], *laid.flags, *words[at:]]
            environment |= laid.environment
        return run(words, cwd=cwd, env=environment, stdin=stdin, timeout_s=timeout_s, accept=accept)

    return runner, noted


def _of_bodies(package: Package, imports: Collection[str]) -> list[str]:
    """Return the files that hold what functions did: assembly, and C where nothing names it any more."""
    ends = (".s",) if "C" in imports else (".s", *_WITH_C)
    return [f"{package.directory}/{name}" for name in package.other_files if PurePosixPath(name).suffix in ends]


def _filled_bytes(file: Path, binary: Binary) -> int:
    """Return a file's bytes without the filling that puts segments on pages of their own."""
    if not elf.is_elf(file):
        return binary.bytes
    return sum(section.file_bytes for section in elf.open_elf(file).sections)


def _findings(depth: Depth) -> tuple[Finding, ...]:
    if depth == "named":
        return ()
    kept = "its declarations" if depth == "declared" else "its variables and what sets them"
    return (
        Finding(
            id="why.verified-coarsely",
            severity="info",
            message=f"it could only be left out but for {kept}, so a little more may go with it",
        ),
    )


def _not_verified(packages: Sequence[str], failure: ProaError) -> Finding:
    what = f"the program could not be built without {_listed(packages)}: {failure.what}"
    return Finding(
        id="why.not-verified",
        message="\n".join([what, *failure.output.strip().splitlines()]),
        hint="exclusive_bytes is the prediction alone",
    )


def _listed(paths: Collection[str], most: int = 3) -> str:
    """Return some paths in words.

    >>> _listed(["a", "b", "c", "d"])
    'a, b, c and 1 more'
    """
    shown = ", ".join(list(paths)[:most])
    return f"{shown} and {len(paths) - most} more" if len(paths) > most else shown
