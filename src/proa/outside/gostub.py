"""Stubs of Go packages, written by a small Go program that the project's own tool chain compiles and runs.

Only a type checker knows what a variable without a written type is, which imports its type needs, and what a constant
of another package comes to; go/types of the same version also reads the export data that the build has left in the
go command's cache. Source: ``data/gostub/main.go``; https://pkg.go.dev/go/importer#ForCompiler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from proa.errors import BuildFailed, ToolFailed
from proa.outside.command import last_lines
from proa.outside.go import Go
from proa.outside.store import disk_errors


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """A package to be stubbed."""

    path: str
    files: tuple[str, ...]
    """The Go files that are compiled, absolute."""
    importers: tuple[tuple[str, ...], ...] = ()
    """The files of each package that imports it: what they name of it is kept."""
    callers: tuple[str, ...] = ()
    """The files of all that import it, by whatever way: the methods they name are kept."""
    methods: tuple[str, ...] = ()
    """Methods that are kept, whoever names them."""
    import_map: dict[str, str] = {}
    """Import paths as they are written, and the packages they mean, where those differ (vendored)."""
    version: str = ""
    """Of the language: ``go1.24``."""
    keeps_all: bool = False
    """Keep every declaration, where something refers to one past the language."""


class Stubs(msgspec.Struct, frozen=True, kw_only=True):
    """The changed files, and what could not be stubbed."""

    files: dict[str, str] = {}
    """By the path they stand for."""
    imports: dict[str, tuple[str, ...]] = {}
    """What each stub still imports, sorted, by import path."""
    problems: dict[str, str] = {}
    """By import path."""


class Exports(msgspec.Struct, frozen=True, kw_only=True):
    """What the build knows of the packages that some others import."""

    files: dict[str, str] = {}
    """Export data, by import path."""
    maps: dict[str, dict[str, str]] = {}
    """``Unit.import_map``, by import path."""


class _Listed(msgspec.Struct, frozen=True, rename="pascal"):
    import_path: str = ""
    export: str = ""
    import_map: dict[str, str] = {}


class _Question(msgspec.Struct, frozen=True, kw_only=True):
    units: Sequence[Unit]
    exports: Mapping[str, str]
    arch: str


def list_exports(
    packages: Sequence[str], *, go: Go, directory: Path, environment: Mapping[str, str], flags: Sequence[str]
) -> Exports:
    """Return the export data of all that packages import; ``flags`` and ``environment`` are those of the build.

    With others everything would be compiled once more. Raises BuildFailed, ToolFailed.
    """
    fields = "-json=ImportPath,Export,ImportMap"
    ran = go.call(
        ["list", "-e", "-deps", "-export", fields, *flags, "--", *packages],
        directory=directory,
        environment=environment,
        accept=None,
    )
    if ran.status:
        raise BuildFailed("the packages to be stubbed do not compile", output=last_lines(ran.stderr))
    joined = b"[" + ran.stdout.strip().replace(b"\n}\n{", b"\n},{") + b"]"
    try:
        listed = msgspec.json.decode(joined, type=list[_Listed])
    except msgspec.MsgspecError as error:
        raise ToolFailed(f"go list wrote what is not its JSON: {error}") from error
    return Exports(
        files={one.import_path: one.export for one in listed if one.export},
        maps={one.import_path: one.import_map for one in listed if one.import_map},
    )


def write_stubs(
    units: Sequence[Unit], *, exports: Mapping[str, str], architecture: str, folder: Path, go: Go, toolchain: str = ""
) -> Stubs:
    """Return stubbed files; ``units`` come before the packages they import, ``architecture`` is Go's name of it.

    ``toolchain`` is the one that wrote the export data, ``go1.26.8``; ``folder`` is where the program is compiled.
    Raises ToolFailed.
    """
    source = resources.files("proa.outside") / "data" / "gostub" / "main.go"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "gostub.go"
        file.write_bytes(source.read_bytes())
    # It runs here, whatever the project is built for, and belongs to no module.
    host = go.call(["env", "GOHOSTOS", "GOHOSTARCH"], directory=folder).text.split()
    # Empty GOFLAGS would let those of `go env -w` through.
    own = {"GOFLAGS": "-trimpath", "GOWORK": "off", "CGO_ENABLED": "0", "GOTMPDIR": str(folder)}
    own |= dict(zip(("GOOS", "GOARCH"), host, strict=False))
    own |= {"GOTOOLCHAIN": toolchain} if toolchain and toolchain != go.version else {}
    question = _Question(units=units, exports=exports, arch=architecture)
    ran = go.run(
        [go.program, "run", str(file)],
        cwd=folder,
        env={**go.environment, **own},
        stdin=msgspec.json.encode(question),
    )
    try:
        return msgspec.json.decode(ran.stdout, type=Stubs)
    except msgspec.MsgspecError as error:
        raise ToolFailed(f"the program that writes stubs wrote what is not its JSON: {error}") from error
