"""Projects that the go command does not build: which build system, which programs, what their own files say."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from proa.errors import NoProgram, NoProject, SeveralMains, WrongUsage
from proa.outside.cargo import Crate
from proa.outside.go import find_upward
from proa.records.binary import Language
from proa.records.configuration import BuildSettings, BuildSystem
from proa.records.evidence import Finding
from proa.records.project import Main, Native, System

MARKS: dict[System, tuple[str, ...]] = {
    "cargo": ("Cargo.toml",),
    "meson": ("meson.build",),
    "cmake": ("CMakeLists.txt",),
    "make": ("GNUmakefile", "makefile", "Makefile"),
}
"""By what each is recognised, in the order in which they are looked for; make's own order within its names."""
LOOKED_FOR = "go.mod, Cargo.toml, meson.build, CMakeLists.txt, Makefile"
_MOST_HEAD_BYTES = 256 << 10
_CXX = (".cc", ".cpp", ".cxx", ".c++", ".C")
_LANGUAGES: dict[System, Language] = {"cargo": "rust", "binary": "unknown"}


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What a build system's own file says of the project."""

    name: str = ""
    version: str = ""


def find_system(sources: Sequence[str], *, directory: Path, wanted: BuildSystem) -> System | None:
    """Return what builds the sources; None where the go command does, or where they are none of this machine's folders.

    A folder is Go's where it has a go.mod, or where one is above it and it has Go files itself: Go projects have
    Makefiles. Raises WrongUsage, NoProject.
    """
    if wanted == "go":
        return None
    found = {_system(folder_of(source, directory), wanted) for source in sources or (".",)}
    if len(found) > 1:
        raise WrongUsage(
            "the programs asked for are built by different tools",
            hint="ship those of each project by a call of its own",
        )
    return found.pop()


def folder_of(source: str, directory: Path) -> Path | None:
    """Return the folder a source names, ``./...`` included; None where it is no folder.

    >>> folder_of("example.com/a@v1", Path("/"))
    """
    stem = source.strip().removesuffix("...").rstrip("/") or ("/" if source.startswith("/") else ".")
    try:
        folder = (directory / stem).resolve()
        return folder if "\0" not in stem and folder.is_dir() else None
    except (OSError, ValueError):
        return None


def _system(folder: Path | None, wanted: BuildSystem) -> System | None:
    if folder is None or not os.access(folder, os.R_OK | os.X_OK):
        return None
    chosen = next((system for system in MARKS if system == wanted), None)
    if chosen is not None:
        if not any((place / mark).is_file() for mark in MARKS[chosen] for place in _places(folder, chosen)):
            raise NoProject(
                f"build.system is {wanted}, and there is no {MARKS[chosen][-1]} in {folder}",
                hint="name the folder that has it, or leave build.system out",
            )
        return chosen
    if (folder / "go.mod").is_file() or (folder / "go.work").is_file():
        return None
    marked = next((system for system, marks in MARKS.items() if any((folder / mark).is_file() for mark in marks)), None)
    is_in_module = find_upward("go.mod", folder) is not None or find_upward("go.work", folder) is not None
    if is_in_module and (marked is None or _has_go_files(folder)):
        return None
    return marked


def _places(folder: Path, system: System) -> tuple[Path, ...]:
    """Return where a mark may be: cargo takes a manifest above."""
    return (folder, *folder.parents) if system == "cargo" else (folder,)


def _has_go_files(folder: Path) -> bool:
    return any(path.suffix == ".go" for path in folder.iterdir())


def describe(folder: Path, system: System) -> Described:
    """Return name and version as the project's own file has them; empty for a Makefile.

    The commands' words are taken as they stand: what is computed has no name here.
    """
    patterns = {"cmake": _CMAKE, "meson": _MESON}
    if system not in patterns:
        return Described()
    try:
        with (folder / MARKS[system][0]).open("rb") as file:
            text = file.read(_MOST_HEAD_BYTES).decode(errors="replace")
    except OSError:
        return Described()
    text = re.sub(r"#.*", "", text)
    match = patterns[system].search(text)
    if match is None:
        return Described()
    version = _VERSIONS[system].search(match["rest"])
    return Described(name=match["name"], version=version["version"] if version else "")


_CMAKE = re.compile(r"\bproject\s*\(\s*\"?(?P<name>[A-Za-z0-9_.+-]{1,200})\"?(?P<rest>[^)]{0,4000})\)", re.IGNORECASE)
_MESON = re.compile(r"\bproject\s*\(\s*'(?P<name>[^'\n]{1,200})'(?P<rest>[^)]{0,4000})\)")
_VERSIONS: dict[System, re.Pattern[str]] = {
    "cmake": re.compile(r"\bVERSION\s+\"?(?P<version>[0-9][0-9.]{0,60})"),
    "meson": re.compile(r"\bversion\s*:\s*'(?P<version>[^'\n]{1,60})'"),
}
"""The first command that names the project. Source: cmake-commands(7), project(); mesonbuild.com, project()."""


def language_of(system: System, names: Iterable[str]) -> Language:
    """Return the language of a project from its files' names.

    >>> language_of("make", ["main.c", "shape.cpp"]), language_of("make", ["main.c"])
    ('c++', 'c')
    """
    return _LANGUAGES.get(system) or ("c++" if any(name.endswith(_CXX) for name in names) else "c")


_FOR_GO = {
    "flags": "use build.arguments, build.cflags or build.ldflags",
    "tags": "use build.arguments",
    "cgo": "leave it out",
}
_FOR_OTHERS = {"program": "name the package: `proa ship ./cmd/NAME`", "arguments": "use build.flags"}


def unused_settings(build: BuildSettings, system: System | Literal["go"]) -> tuple[Finding, ...]:
    """Return a finding for each setting that does nothing where this system builds the project.

    >>> unused_settings(BuildSettings(tags=("x",)), "make")[0].message
    'build.tags is not used: make builds this project'
    """
    default = BuildSettings()
    return tuple(
        Finding(id="build.unused-setting", message=f"build.{name} is not used: {system} builds this project", hint=hint)
        for name, hint in (_FOR_OTHERS if system == "go" else _FOR_GO).items()
        if getattr(build, name) != getattr(default, name)
    )


def native_main(folder: Path, system: System, *, program: str, names: Iterable[str]) -> tuple[Main, Native]:
    """Return the one program of a Makefile, CMake or meson project as far as it is known before it is built.

    It goes by the name that was chosen (``program``), else by the project's.
    """
    said = describe(folder, system)
    name = program.rstrip("/").rpartition("/")[2] or said.name or folder.name or "program"
    main = Main(
        name=name,
        import_path=f"{folder.name or name}/{name}",
        directory=str(folder),
        module="",
        module_directory=str(folder),
        language=language_of(system, names),
    )
    return main, Native(system=system, directory=str(folder), version=said.version)


def cargo_mains(
    crates: Sequence[Crate], *, root: Path, folder: Path, takes_all: bool, program: str
) -> tuple[tuple[Main, Native], ...]:
    """Return the programs of a Cargo workspace that a folder means.

    ``takes_all`` (``./...``): every one below the folder. Otherwise one: that of the package in the folder, or the
    only one below it; of several the one that ``program`` names, the package's default-run, or the one called as its
    package or the workspace's folder is. Raises NoProgram, SeveralMains.
    """
    found = [crate for crate in crates if Path(crate.directory).is_relative_to(folder)]
    if not found:
        raise NoProgram(
            f"no package in {folder} has a program: Cargo knows no binary target there",
            hint="a program is src/main.rs, src/bin/NAME.rs or a [[bin]] in Cargo.toml",
        )
    if not takes_all:
        found = [_chosen(found, folder, program, root)]
    return tuple(_cargo_main(crate, root) for crate in found)


def _chosen(crates: Sequence[Crate], folder: Path, program: str, root: Path) -> Crate:
    if program:
        named = [one for one in crates if program in (one.name, f"{one.package}/{one.name}")]
        if len(named) == 1:
            return named[0]
        raise NoProgram(
            f"build.program names {program}, and {len(named) or 'no'} programs of {folder} are called so",
            output=_listed(crates, root),
            hint="name one of these, as PACKAGE/NAME where several have the same name",
        )
    for group in _by_preference(crates, folder):
        if len(group) == 1:
            return group[0]
    raise SeveralMains(
        f"{len(crates)} programs were found and none was chosen",
        output=_listed(crates, root),
        hint=f"choose, e.g. `proa ship {_place(crates[0], folder)}`, set build.program, or take all: `proa ship ./...`",
    )


def _by_preference(crates: Sequence[Crate], folder: Path) -> Iterator[list[Crate]]:
    here = [one for one in crates if Path(one.directory) == folder]
    yield here
    yield [one for one in here if one.is_default]
    yield [one for one in here if one.name == one.package]
    if not here:
        yield [one for one in crates if one.is_default_member]
        yield list(crates)
        yield [one for one in crates if one.name == folder.name]


def _listed(crates: Sequence[Crate], root: Path) -> str:
    return "\n".join(f"{_place(one, root)}  {one.name}" for one in crates)


def _place(crate: Crate, folder: Path) -> str:
    directory = Path(crate.directory)
    inside = directory.relative_to(folder).as_posix() if directory.is_relative_to(folder) else str(directory)
    return inside if inside.startswith(("/", ".")) else f"./{inside}"


def _cargo_main(crate: Crate, root: Path) -> tuple[Main, Native]:
    main = Main(
        name=crate.name,
        import_path=f"{root.name or crate.package}/{crate.name}",
        directory=crate.directory,
        module=crate.package,
        module_directory=str(root),
        language="rust",
    )
    return main, Native(system="cargo", directory=str(root), package=crate.package, version=crate.version)
