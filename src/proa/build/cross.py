"""How the C in a Go program is built for a platform: which compiler, and its flags, tags and environment.

A compiler that proa chooses links statically. Where none is chosen, the go command's own ``CC`` does as it always did.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import msgspec

from proa.build.flags import quote, split, tags_of, without
from proa.errors import UnknownPlatform
from proa.outside.zig import WHEEL_HINT, Compilers, compilers, find_zig, found_compilers
from proa.records.binary import Libc
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

_DEFAULT_CFLAGS = "-O2 -g"
"""What the go command takes where CGO_CFLAGS is not set. Source: cmd/go/internal/work/exec.go, DefaultCFlags."""


def c_compilers(
    settings: BuildSettings, platform: Platform, *, environ: Mapping[str, str], root: Path
) -> Compilers | None:
    """Return the compilers for the C in a program: those asked for, else zig's, else None.

    ``root`` is the store's. With ``cgo: auto``, None also for a platform that zig is not asked for.
    Raises ToolMissing, UnknownPlatform, NoSpace, NotWritable.
    """
    if settings.cgo == "off":
        return None
    whole = {**environ, **settings.env}
    if asked := settings.cc or settings.env.get("CC", ""):
        found = found_compilers(asked, settings.cxx or settings.env.get("CXX", ""), whole)
        _check_machine(found, platform)
        return found
    zig = find_zig(environ) if platform.os == "linux" else None
    if zig is None:
        return None
    try:
        return compilers(zig, platform, root=root)
    except UnknownPlatform:
        if settings.cgo == "auto":
            return None
        raise


_MACHINES = {
    "386": r"i[3-6]86|x86-",
    "amd64": "x86_64",
    "arm": r"arm(?!64)",
    "arm64": "aarch64|arm64",
    "loong64": "loongarch64",
    "mips64le": "mips64el",
    "mipsle": "mipsel",
    "ppc64le": "powerpc64le|ppc64le",
    "riscv64": "riscv64",
    "s390x": "s390x",
}


def _check_machine(found: Compilers, platform: Platform) -> None:
    """Raise UnknownPlatform where a compiler says that it compiles for another machine."""
    expected = _MACHINES.get(platform.architecture)
    if found.machine and expected and not re.match(expected, found.machine):
        raise UnknownPlatform(
            f"{found.name} compiles for {found.machine}, not for {platform}",
            hint=f"name a compiler for it in build.cc, or leave build.cc out: {WHEEL_HINT}",
        )


def with_c(settings: BuildSettings, *, import_paths: Iterable[str], libc: Libc, goflags: str = "") -> BuildSettings:
    """Return the settings with cgo on and every tag that the packages ask for when they are linked statically.

    The user's own tags come first, wherever they stand: in ``tags``, in ``flags`` or in GOFLAGS.
    Raises WrongConfiguration.
    """
    # The last -tags counts: GOFLAGS, then proa's own, then the user's flags.
    theirs = tags_of(settings.flags) or settings.tags or tags_of(split(goflags, where="GOFLAGS"))
    ours = _tags_for(import_paths, libc)
    return msgspec.structs.replace(
        settings,
        cgo="on",
        tags=tuple(dict.fromkeys((*theirs, *ours))),
        flags=tuple(without(settings.flags, "tags")),
    )


def _tags_for(import_paths: Iterable[str], libc: Libc) -> tuple[str, ...]:
    table = _table()
    modules = {**table.modules, **(table.musl if libc == "musl" else {})}
    found = list(table.always)
    for path in import_paths:
        plain = re.sub(r"(?:/v|\.v)\d+(?=/|$)", "", path)
        for module, tags in modules.items():
            if plain == module or plain.startswith(f"{module}/"):
                found += tags
    return tuple(dict.fromkeys(found))


class _Tags(msgspec.Struct, frozen=True):
    always: tuple[str, ...]
    modules: dict[str, tuple[str, ...]]
    musl: dict[str, tuple[str, ...]]


@lru_cache
def _table_text() -> str:
    from importlib.resources import files

    return (files("proa.build") / "data" / "with_c.toml").read_text(encoding="utf-8")


@lru_cache
def _table() -> _Tags:
    import tomllib

    return msgspec.convert(tomllib.loads(_table_text())["tags"], _Tags)


def environment(found: Compilers, settings: BuildSettings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return what is laid over the environment of ``go build`` so that it uses these compilers.

    They are called by their names on PATH: the go command makes the build-id from what it calls them, and the place
    of the store would be part of it.
    """
    whole = {**environ, **settings.env}
    laid = {**found.environment, **_names(found, settings)}
    if found.is_zig:
        laid["PATH"] = os.pathsep.join([str(Path(found.cc).parent), whole.get("PATH", os.defpath)])
    if settings.cflags:
        more = " ".join(quote(flag) for flag in settings.cflags)
        for name in ("CGO_CFLAGS", "CGO_CXXFLAGS"):
            laid[name] = f"{whole.get(name) or _DEFAULT_CFLAGS} {more}"
    return laid


def _names(found: Compilers, settings: BuildSettings) -> dict[str, str]:
    if found.is_zig:
        return {"CC": Path(found.cc).name, "CXX": Path(found.cxx).name, "AR": Path(found.ar).name}
    cc = settings.cc or settings.env["CC"]
    names = {"CC": cc}
    if found.cxx:
        names["CXX"] = settings.cxx or settings.env.get("CXX") or (found.cxx if "/" in cc else Path(found.cxx).name)
    return names


def compiler_identity(found: Compilers | None) -> tuple[str, ...]:
    """Return what decides a program beside its source and settings, for a key: never a place."""
    return (found.name, found.machine, found.libc, _table_text()) if found else ()
