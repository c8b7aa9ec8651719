"""Changed Go files laid over a build without touching anybody's: ``-overlay``, and copies of cached modules.

The go command refuses an overlay below its module cache. There the module is copied whole, and a copy of go.mod
(``-modfile``) or go.work (``GOWORK``) makes it stand for the module. A tool chain that was fetched lies there as well:
it is called by way of a link from outside. Source: `go help build`, cmd/go/internal/work/init.go.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import WrongConfiguration
from proa.outside.go import OLDEST, Go, module_cache, workspace_file
from proa.outside.gomod import read_mod
from proa.outside.store import disk_errors

_TOOLCHAIN = "toolchain@v"
"""Source: https://go.dev/ref/mod#resolve-toolchain: golang.org/toolchain@v0.0.1-goVERSION.GOOS-GOARCH."""


class Laid(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a build use the changed files."""

    flags: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    program: str = ""
    """The go command to call, where it must be another than usual."""


def lay_over(
    changed: Mapping[str, bytes | None],
    *,
    modules: Mapping[str, str],
    folder: Path,
    go: Go,
    directory: Path,
    environment: Mapping[str, str],
    flags: Sequence[str] = (),
) -> Laid:
    """Write changed files (by the path they stand for) to an empty folder; return what a build needs to use them.

    A file without content is gone from the build. ``modules`` are folders of modules and their paths; ``directory``,
    ``environment`` and ``flags`` are the build's own. Raises WrongConfiguration, NoSpace, NotWritable, ToolFailed.
    """
    cache = module_cache(go)
    copied: dict[str, Path] = {}
    replaced = dict(_given_overlay(flags, directory))
    linked: Path | None = None
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, (name, content) in enumerate(sorted(changed.items())):
            # The compiler's complaints name this file: it has the name of the one it stands for.
            place = folder / str(number) / Path(name).name
            if cache is not None and Path(name).is_relative_to(cache):
                root = next((root for root in modules if Path(name).is_relative_to(root)), "")
                if root:
                    place = _copy(root, modules[root], folder, copied) / Path(name).relative_to(root)
                elif (toolchain := _toolchain(Path(name))) is not None:
                    linked = linked or _linked(toolchain, folder)
                    replaced[str(linked / Path(name).relative_to(toolchain))] = "" if content is None else str(place)
            else:
                replaced[name] = "" if content is None else str(place)
            if content is None:
                place.unlink(missing_ok=True)
                continue
            place.parent.mkdir(exist_ok=True)
            place.write_bytes(content)
        overlay = folder / "overlay.json"
        overlay.write_text(json.dumps({"Replace": replaced}), encoding="utf-8")
    laid = Laid(flags=(f"-overlay={overlay}",))
    if linked is not None:
        local = {"GOROOT": str(linked), "GOTOOLCHAIN": "local"}
        laid = msgspec.structs.replace(laid, environment=local, program=str(linked / "bin" / "go"))
    if not copied:
        return laid
    replacements = {modules[root]: place for root, place in copied.items()}
    work = workspace_file(directory, {**go.environment, **environment})
    more = (
        _workspace(replacements, work, folder)
        if work is not None
        else _modfile(replacements, directory, folder, go, environment)
    )
    return Laid(
        flags=(*laid.flags, *more.flags), environment={**laid.environment, **more.environment}, program=laid.program
    )


def _toolchain(file: Path) -> Path | None:
    """Return the tool chain in the module cache that a file is part of."""
    return next((one for one in file.parents if one.name.startswith(_TOOLCHAIN)), None)


def _linked(toolchain: Path, folder: Path) -> Path:
    link = folder / "goroot"
    link.symlink_to(toolchain, target_is_directory=True)
    return link


def _given_overlay(flags: Sequence[str], directory: Path) -> dict[str, str]:
    """Return the user's own overlay: only one is read, so both are written into it."""
    words = [word.lstrip("-").removeprefix("overlay=") for word in flags if word.lstrip("-").startswith("overlay=")]
    if not words:
        return {}
    try:
        said = json.loads((directory / words[-1]).read_text(encoding="utf-8"))
        return {str(directory / name): str(directory / to) if to else "" for name, to in said["Replace"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongConfiguration(f"the overlay {words[-1]} cannot be read: {error}") from error


def _copy(root: str, path: str, folder: Path, copied: dict[str, Path]) -> Path:
    if root not in copied:
        place = folder / f"module{len(copied)}"
        # The module cache is read-only, and so would be a copy with its modes.
        shutil.copytree(root, place, copy_function=shutil.copyfile)
        for one in (place, *place.rglob("*")):
            if one.is_dir():
                one.chmod(0o755)
        # Modules older than go.mod have none in the cache, and a folder without one stands for nothing.
        if not (place / "go.mod").exists():
            (place / "go.mod").write_text(f"module {path}\n", encoding="utf-8")
        copied[root] = place
    return copied[root]


def _modfile(
    replacements: Mapping[str, Path], directory: Path, folder: Path, go: Go, environment: Mapping[str, str]
) -> Laid:
    # Beside its name the go command looks for the same name with .sum.
    target = folder / "laid.mod"
    with disk_errors(folder):
        shutil.copyfile(directory / "go.mod", target)
        if (directory / "go.sum").is_file():
            shutil.copyfile(directory / "go.sum", target.with_suffix(".sum"))
    words = [
        f"-dropreplace={one.path}" + (f"@{one.version}" if one.version else "")
        for one in read_mod(target).replaces
        if one.path in replacements
    ]
    words += [f"-replace={path}={place}" for path, place in replacements.items()]
    go.call(["mod", "edit", *words, str(target)], directory=folder, environment={**environment, "GOFLAGS": ""})
    return Laid(flags=(f"-modfile={target}",))


def _workspace(replacements: Mapping[str, Path], work: Path, folder: Path) -> Laid:
    said = read_mod(work)
    lines = [f"go {said.go or OLDEST}", *([f"toolchain {said.toolchain}"] if said.toolchain else [])]
    lines += [f"use {_absolute(one, work)}" for one in said.uses]
    for one in said.replaces:
        if one.path not in replacements:
            target = _absolute(one.target, work) if one.is_folder else one.target
            lines.append(f"replace {one.path} {one.version} => {target} {one.target_version}")
    lines += [f"replace {path} => {json.dumps(str(place))}" for path, place in replacements.items()]
    file = folder / "go.work"
    with disk_errors(folder):
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        if work.with_name("go.work.sum").is_file():
            shutil.copyfile(work.with_name("go.work.sum"), folder / "go.work.sum")
    return Laid(environment={"GOWORK": str(file)})


def _absolute(folder: str, work: Path) -> str:
    # A JSON string is one of Go's as well, and a path with spaces needs one.
    return json.dumps(str((work.parent / folder).resolve()))
