"""What build systems and the compilers behind them complain of, turned into the error that says what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from proa.errors import BuildFailed, LibraryMissing, LockBroken, NoSpace, ProaError, ToolMissing
from proa.outside.command import LAST_LINES, redact

_HEADERS = (
    r"fatal error: '(?P<name>[^'\n]{1,300})' file not found",
    r"fatal error: (?P<name>[^:\n]{1,300}): No such file or directory",
)
_LIBRARIES = (
    r"unable to find (?:dynamic |static )?(?:system )?library ['\"]?(?:-l)?(?P<name>[\w.+-]{1,200})",
    r"cannot find -l(?P<name>[\w.+-]{1,200})",
    r"could not find native static library `(?P<name>[\w.+-]{1,200})`",
    r"(?:C|C\+\+) (?:shared or static |shared |static )?library '(?P<name>[^'\n]{1,200})' not found",
    r"Dependency \"(?P<name>[^\"\n]{1,200})\" not found",
    r"Dependency lookup for (?P<name>[\w.+-]{1,200}) .{0,200}failed",
    r"Could NOT find (?P<name>[\w.+-]{1,200})",
    r"package configuration file provided by \"(?P<name>[^\"\n]{1,200})\"",
    r"No package '(?P<name>[^'\n]{1,200})' found",
)
_SHARED_ONLY = (
    r"attempted static link of dynamic object [`'](?P<name>[^`'\n]{1,300})'",
    r"(?:dynamic library|shared object) (?P<name>\S{1,300}) .{0,100}static",
)
_MEMORY = re.compile(
    r"signal: killed|signal: 9|\bsignal 9\b|Killed\b|out of memory|OutOfMemory|bad_alloc|[Cc]annot allocate memory"
    r"|virtual memory exhausted|memory allocation of \d+ bytes failed"
)
_SPACE = re.compile(r"[Nn]o space left on device|[Dd]isk quota exceeded")
_OUTSIDE = (
    r"['\u2018`\"](?P<path>[^'\u2019\n\"]{1,500})['\u2019\"]?[^\n]{0,120}[Rr]ead-only file system",
    r"(?P<path>[^\s:'\"\u2019]{1,500})['\u2019\"]?: [Rr]ead-only file system",
    r"[Rr]ead-only file system[^\n]{0,40}?['\u2018`\"](?P<path>/[^'\u2019\n\"]{1,500})",
)
_READ_ONLY = re.compile(r"[Rr]ead-only file system|\(os error 30\)|EROFS")
_LOCK = re.compile(
    r"(?:the )?lock file .{0,400}needs to be updated but --locked was passed|cannot (?:create|update) the lock file"
    r"|failed to parse lock file|lock file version .{0,100}(?:not understand|requires)",
    re.DOTALL,
)
_NO_TOOL = re.compile(
    r"(?:(?:/bin/)?sh: (?:\d+: )?|make(?:\[\d+\])?: )(?P<name>[\w.+-]{1,100}): "
    r"(?:command )?(?:not found|No such file or directory)"
)
_TOLD = re.compile(r"error|fatal|undefined|not found|cannot |No rule|FAILED", re.IGNORECASE)


def fault_of(
    tool: str, output: str, *, place: str = "", is_static: bool = True, folders: Iterable[Path] = ()
) -> ProaError:
    r"""Return the error that fits what a build wrote; ``place`` is the folder it was told to build in.

    ``folders`` are looked through for a shared object where a static library is missing.

    >>> fault_of("make", "main.c:1:10: fatal error: 'zlib.h' file not found").what
    'the C header zlib.h was not found'
    """
    text = redact(output.replace(f"{place}/source/", "").replace(f"{place}/", "")) if place else redact(output)
    shown = shown_lines(text)
    if _SPACE.search(text):
        return NoSpace(f"no space left while {tool} was building", output=shown)
    if _READ_ONLY.search(text):
        return _outside(tool, text, shown)
    if _LOCK.search(text):
        return LockBroken(
            "Cargo.lock does not fit Cargo.toml or this cargo: the build would change it",
            output=shown,
            hint="run `cargo update --workspace` (or `cargo generate-lockfile`) and commit Cargo.lock",
        )
    if _MEMORY.search(text):
        return BuildFailed(
            f"{tool} failed: a compiler or linker was killed, most likely out of memory",
            output=shown,
            hint="pass --jobs 1, or give the build more memory",
        )
    for patterns, what in ((_HEADERS, "the C header {} was not found"), (_SHARED_ONLY, _ONLY_SHARED)):
        if (name := _first(patterns, text)) is not None:
            return LibraryMissing(what.format(name), output=shown, hint=_hint(is_static=is_static))
    if (name := _first(_LIBRARIES, text)) is not None:
        if is_static and (shared := _shared_object(name, folders)):
            return LibraryMissing(_ONLY_SHARED.format(f"{name} ({shared})"), output=shown, hint=_hint(is_static=True))
        return LibraryMissing(f"the library {name} was not found", output=shown, hint=_hint(is_static=is_static))
    if (match := _NO_TOOL.search(text)) is not None:
        return ToolMissing(
            f"the build needs {match['name']}, which is not here", output=shown, hint=f"install {match['name']}"
        )
    return BuildFailed(f"{tool} failed", output=shown)


_ONLY_SHARED = "the library {} exists only as a shared object, and the program is linked statically"


def _first(patterns: tuple[str, ...], text: str) -> str | None:
    found = [match for pattern in patterns if (match := re.search(pattern, text)) is not None]
    return min(found, key=lambda match: match.start())["name"].strip() if found else None


def _shared_object(name: str, folders: Iterable[Path]) -> str:
    """Return the file of a library that is there as a shared object, searching folders and this machine's own."""
    for folder in folders:
        for place, _, files in os.walk(folder):
            for file in files:
                if file == f"lib{name}.so" or file.startswith(f"lib{name}.so."):
                    return (Path(place) / file).relative_to(folder).as_posix()
    for pattern in (f"usr/lib/lib{name}.so*", f"usr/lib64/lib{name}.so*", f"usr/lib/*-linux-gnu*/lib{name}.so*"):
        if (found := next(Path("/").glob(pattern), None)) is not None:
            return str(found)
    return ""


def _hint(*, is_static: bool) -> str:
    if not is_static:
        return "install its development package"
    return (
        "a static program needs its source in the project, or a static library for musl (build.cflags: [-I…], "
        "build.ldflags: [-L…]); with build.cc: gcc this machine's own libraries are used, and come into the image"
    )


def _outside(tool: str, text: str, shown: str) -> BuildFailed:
    match = next((found for pattern in _OUTSIDE if (found := re.search(pattern, text)) is not None), None)
    where = match["path"] if match else "a place outside its folder"
    return BuildFailed(
        f"{tool} tried to write {where}, outside the folder it builds in",
        output=shown,
        hint="nothing outside was changed: let `install` respect DESTDIR and PREFIX, or set build.program to a program "
        "that the default target leaves in the source tree",
    )


def shown_lines(text: str, most: int = LAST_LINES) -> str:
    r"""Return the lines worth showing: the last ones, and before them the first that tells of an error.

    >>> shown_lines("a\nx: error: b\n" + "note\n" * 30, 3).splitlines()
    ['x: error: b', '…', 'note', 'note']
    """
    lines = text.rstrip().splitlines()
    first = next((at for at, line in enumerate(lines) if _TOLD.search(line)), None)
    if first is None or first >= len(lines) - most:
        return "\n".join(lines[-most:])
    return "\n".join([lines[first], "…", *lines[-(most - 1) :]])
