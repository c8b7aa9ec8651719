"""A Go program linked again and again with some of its files changed, and what the linker says it reached."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from proa import analyze, build
from proa.outside.dumpdep import Reached, dumping, read_dumpdep
from proa.outside.gooverlay import Laid, lay_over
from proa.outside.machine import this_platform
from proa.outside.store import Store
from proa.pipeline import steps
from proa.records.binary import Binary
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git, Package
from proa.tune.deadcode import Owners

PLUGIN = "plugin"


class Linked:
    """One link: the program, and what the linker said it reached."""

    def __init__(self, binary: Binary, file: Path, dump: Path) -> None:
        self.binary = binary
        self.file = file
        self._dump = dump

    @cached_property
    def reached(self) -> Reached:
        """Read the linker's lines. Raises what ``read_dumpdep`` does."""
        return read_dumpdep(self._dump)

    def forget(self) -> None:
        """Let go of the symbols; they are read again where they are asked for."""
        self.__dict__.pop("reached", None)


class Case:
    """One program for one platform, with all that is needed to link it again and again."""

    def __init__(self, work: steps.Work, number: int, folder: Path) -> None:
        plan = work.plan
        self.work, self.folder = work, folder
        self.main, self.platform = plan.main, plan.platforms[number]
        self.packages = analyze.packages_of(plan.main, plan.graphs[number])
        self.modules = plan.graphs[number].modules
        self.owners = Owners(plan.main, self.packages, self.modules)
        self.by_path = {package.import_path: package for package in self.packages}
        self.loads_plugins = bool(self.owners.importers(PLUGIN))
        asked = msgspec.structs.replace(plan.build_settings(number), stamp=False)
        self.settings = _with_plugins(asked, self.platform, work) if self.loads_plugins else asked
        self.was_made_cgo = asked.cgo != self.settings.cgo
        self.can_plug = self.loads_plugins and self.settings.cgo == "on"
        # Everything is removed with the folder, but the cross compiler's own cache takes minutes to make.
        self.store = work.bench.store if self.settings.cgo == "on" else Store(folder / "store")

    def link(self, name: str, changed: Mapping[str, bytes]) -> Linked:
        """Build the program with some files changed. Raises what ``build.build`` raises."""
        plan = self.work.plan
        laid = Laid()
        if changed:
            laid = lay_over(
                changed,
                modules={module.directory: module.path for module in self.modules if module.directory},
                folder=self.folder / name,
                go=plan.go,
                directory=Path(self.main.module_directory or self.main.directory),
                environment={**self.settings.env, **dict(self.main.go_environment)},
                flags=self.settings.flags,
            )
        dump = self.folder / f"{name}.dump"
        go = msgspec.structs.replace(
            plan.go, run=dumping(dump, flags=laid.flags, environment=laid.environment, program=laid.program)
        )
        try:
            binary = build.build(
                self.main, self.platform, self.settings, git=Git(), go=go, store=self.store, jobs=self.work.bench.jobs
            )
        finally:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        return Linked(binary, self.store.blob_path(binary.unstripped_digest), dump)


def _with_plugins(settings: BuildSettings, platform: Platform, work: steps.Work) -> BuildSettings:
    """Return settings that let package plugin do its work, where nobody said otherwise and a compiler is here.

    Without cgo it is a stub that loads nothing, and the linker knows.
    """
    path = work.plan.go.environment.get("PATH")
    cc = settings.cc or next((name for name in ("gcc", "clang", "cc") if shutil.which(name, path=path)), "")
    if settings.cgo == "on" or "build.cgo" in work.plan.origins or platform != this_platform() or not cc:
        return settings
    return msgspec.structs.replace(settings, cgo="on", cc=cc)


def source_files(package: Package) -> Iterator[str]:
    """Return the paths of the Go files that are compiled."""
    return (f"{package.directory}/{name}" for name in (*package.files, *package.cgo_files))


def read_source(file: str) -> bytes:
    """Return a file's content; nothing where it cannot be read."""
    try:
        return Path(file).read_bytes()
    except OSError:
        return b""
