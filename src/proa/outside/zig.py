"""C and C++ compilers: the one that the ziglang wheel brings, for every platform, and those found on PATH.

zig is asked through tiny scripts of one word each, because make, CMake, meson, cargo and the go command all take a
compiler as a path. They lie in the store, beside zig's own caches:

    ROOT/zig/VERSION/TARGET/bin/      zig-0-17-1-3f2a-x86_64-linux-musl-cc, …-c++, …-ar, …-ranlib
    ROOT/zig/cache/                   musl, compiler-rt and libc++ as zig built them, once per target
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.errors import ToolFailed, ToolMissing, UnknownPlatform
from proa.outside.command import Run, run
from proa.outside.machine import write_file
from proa.outside.store import disk_errors
from proa.records.binary import Libc
from proa.records.platform import Platform

WHEEL_HINT = "pip install 'proa[c]' brings a C compiler for every platform"


class Zig(msgspec.Struct, frozen=True, kw_only=True):
    """One zig: where it is, and which version."""

    program: str
    version: str


class Compilers(msgspec.Struct, frozen=True, kw_only=True):
    """A C and a C++ compiler for one platform, and what they are called with."""

    cc: str
    """Absolute path; one word."""
    cxx: str
    """Empty where only a C compiler was found."""
    ar: str
    ranlib: str
    environment: dict[str, str]
    """Laid over the environment of whatever calls them."""
    name: str
    """With the version: ``zig 0.17.1``, ``gcc 12.2.0``."""
    libc: Libc
    machine: str = ""
    """What they compile for, as they call it: ``x86_64-linux-musl``; empty where they do not say."""
    is_zig: bool = False


def find_zig(environ: Mapping[str, str], *, search: Sequence[str] | None = None, run: Run = run) -> Zig | None:
    """Return the zig of the ziglang wheel beside proa, else the one on PATH, else None.

    The wheel's version is read from its metadata; only one on PATH is asked. ``search`` stands for ``sys.path``.
    """
    for folder in sys.path if search is None else search:
        program = Path(folder) / "ziglang" / "zig"
        if folder and os.access(program, os.X_OK) and (version := _wheel_version(Path(folder))):
            return Zig(program=str(program), version=version)
    if (found := shutil.which("zig", path=environ.get("PATH", ""))) is None:
        return None
    with suppress(ToolFailed, ToolMissing):
        text = run([found, "version"], env=dict(environ), timeout_s=20).text.strip()
        if _PLAIN_VERSION.match(text):
            return Zig(program=str(Path(found).resolve()), version=text)
    return None


_PLAIN_VERSION = re.compile(r"\d{1,4}\.\d{1,4}\.\d{1,4}[0-9A-Za-z.+-]*\Z")


def _wheel_version(folder: Path) -> str:
    for place in sorted(folder.glob("ziglang-*.dist-info")):
        version = place.name.removeprefix("ziglang-").removesuffix(".dist-info")
        if _PLAIN_VERSION.match(version):
            return version
    return ""


_TARGETS = {
    "386": "x86-linux",
    "amd64": "x86_64-linux",
    "arm64": "aarch64-linux",
    "loong64": "loongarch64-linux",
    "ppc64le": "powerpc64le-linux",
    "riscv64": "riscv64-linux",
    "s390x": "s390x-linux",
}
_ARM = {
    "v5": ("eabi", "arm926ej_s"),
    "v6": ("eabihf", "arm1176jzf_s"),
    "v7": ("eabihf", "generic+v7a+vfp3d16"),
}
"""Floating point and processor, as GOARM means them. Source: `go help environment`, https://go.dev/wiki/GoArm."""


def target_of(platform: Platform, libc: Libc = "musl") -> tuple[str, str]:
    """Return zig's target and processor for a platform; an empty processor is the oldest of the architecture.

    Raises UnknownPlatform.

    >>> target_of(Platform("linux", "arm", "v7"))
    ('arm-linux-musleabihf', 'generic+v7a+vfp3d16')
    """
    abi = "musl" if libc == "musl" else "gnu"
    if platform.os == "linux" and platform.architecture == "arm" and (platform.variant or "v7") in _ARM:
        suffix, processor = _ARM[platform.variant or "v7"]
        return f"arm-linux-{abi}{suffix}", processor
    if platform.os != "linux" or platform.architecture not in _TARGETS:
        raise UnknownPlatform(
            f"there is no C compiler here for {platform}",
            hint="C is built for linux on " + ", ".join(sorted([*_TARGETS, "arm"])) + "; or set build.cgo: off",
        )
    return f"{_TARGETS[platform.architecture]}-{abi}", ""


def compilers(zig: Zig, platform: Platform, *, root: Path, libc: Libc = "musl") -> Compilers:
    """Return zig's compilers for a platform, as scripts below the store's root, which are written if need be.

    Raises UnknownPlatform, NoSpace, NotWritable.
    """
    target, processor = target_of(platform, libc)
    label = f"{target}-{re.sub('[^0-9a-z]+', '-', processor)}" if processor else target
    folder = root / "zig" / zig.version / label / "bin"
    choice = [f"--target={target}", *([f"-mcpu={processor}"] if processor else [])]
    # Without -O zig would compile traps into everything that C leaves undefined; other compilers do not.
    flags = [*choice, "-fno-sanitize=undefined"]
    # The go command keeps what a compiler of this name compiled: another script is another compiler.
    kind = hashlib.sha256("\n".join([_SAME_PLACES, *flags]).encode()).hexdigest()[:4]
    # No dots: some build systems take what comes after one for a file's kind.
    prefix = f"zig-{re.sub('[^0-9A-Za-z]+', '-', zig.version)}-{kind}-{label}"
    cache = root / "zig" / "cache"
    with disk_errors(folder):
        for each in (folder, cache):
            each.mkdir(parents=True, exist_ok=True)
        for name, language in (("cc", "c"), ("c++", "c++")):
            ready = cache / f"ready-{zig.version}-{label}-{name}"
            text = _compiler_script(zig, [name, *flags], language, cache=cache, ready=ready)
            _write_script(folder / f"{prefix}-{name}", text)
        for name in ("ar", "ranlib"):
            _write_script(folder / f"{prefix}-{name}", f'exec {shlex.join([zig.program, name])} "$@"\n')
    return Compilers(
        cc=str(folder / f"{prefix}-cc"),
        cxx=str(folder / f"{prefix}-c++"),
        ar=str(folder / f"{prefix}-ar"),
        ranlib=str(folder / f"{prefix}-ranlib"),
        environment={"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)},
        name=f"zig {zig.version}",
        libc=libc,
        machine=target,
        is_zig=True,
    )


_SAME_PLACES = """\
# The places of zig and of its cache, and the folder where it first builds musl, would be in every program's debug
# information: here they are called the same on every machine.
exec 8<{library} 9<{cache}
export ZIG_LIB_DIR=/proc/self/fd/8 ZIG_GLOBAL_CACHE_DIR=/proc/self/fd/9 ZIG_LOCAL_CACHE_DIR=/proc/self/fd/9
if [ ! -e {ready} ]; then
  (cd / && echo 'int main(void){{return 0;}}' | {zig} -static -x {language} - -o {ready}.$$ && : >{ready}
   rm -f {ready}.$$) >/dev/null 2>&1
fi
"""


def _compiler_script(zig: Zig, words: Sequence[str], language: str, *, cache: Path, ready: Path) -> str:
    command = shlex.join([zig.program, *words])
    library = _library_of(Path(zig.program))
    before = ""
    if library is not None and os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - where a process's open files have names
        places = {"library": library, "cache": cache, "ready": ready}
        quoted = {name: shlex.quote(str(place)) for name, place in places.items()}
        before = _SAME_PLACES.format(zig=command, language=language, **quoted)
    return f'{before}exec {command} "$@"\n'


def _library_of(program: Path) -> Path | None:
    """Return where zig's own library is: beside it in the wheel, below ``lib`` where it was installed."""
    places = (program.parent / "lib", program.parent.parent / "lib" / "zig", program.parent.parent / "lib")
    return next((place for place in places if (place / "std" / "std.zig").is_file()), None)


def _write_script(file: Path, commands: str) -> None:
    """Write a script whole or not at all; one that says the same is left alone."""
    text = f"#!/bin/sh\n{commands}"
    with suppress(OSError, UnicodeDecodeError):
        if file.read_text(encoding="utf-8") == text and os.access(file, os.X_OK):
            return
    write_file(file, text.encode(), mode=0o755)


def found_compilers(cc: str, cxx: str, environ: Mapping[str, str], *, run: Run = run) -> Compilers:
    """Return the compilers on PATH that were asked for by name; without ``cxx``, the one that belongs to ``cc``.

    The C library is what the compiler's name or its ``-dumpmachine`` says. Raises ToolMissing.
    """
    path = environ.get("PATH", "")
    found = shutil.which(cc, path=path)
    if found is None:
        raise ToolMissing(
            f"build.cc names {cc}, which is not on PATH", hint=f"install {cc}, or leave build.cc out: {WHEEL_HINT}"
        )
    belonging = [cxx] if cxx else list(_cxx_of(cc))
    found_cxx = next((there for name in belonging if (there := shutil.which(name, path=path))), "")
    if cxx and not found_cxx:
        raise ToolMissing(f"build.cxx names {cxx}, which is not on PATH", hint=f"install {cxx}, or leave it out")
    machine = _said([found, "-dumpmachine"], environ, run)
    prefix = _prefix_of(Path(cc).name)
    return Compilers(
        cc=found,
        cxx=found_cxx,
        ar=_beside(f"{prefix}ar", path) or _beside("ar", path),
        ranlib=_beside(f"{prefix}ranlib", path) or _beside("ranlib", path),
        environment={},
        name=f"{Path(cc).name} {_version(_said([found, '--version'], environ, run))}".strip(),
        libc=_libc(Path(cc).name, machine),
        machine=machine,
    )


def _cxx_of(cc: str) -> Iterator[str]:
    """Yield what the C++ compiler of a C compiler may be called.

    >>> list(_cxx_of("aarch64-linux-gnu-gcc-12")), list(_cxx_of("cc"))
    (['aarch64-linux-gnu-g++-12'], ['c++'])
    """
    folder, name = os.path.split(cc)
    for old, new in (("gcc", "g++"), ("clang", "clang++"), ("cc", "c++")):
        changed = re.sub(rf"(?<![a-z]){old}(?=[-0-9.]*$)", new, name)
        if changed != name:
            yield f"{folder}/{changed}" if folder else changed
            return


def _prefix_of(name: str) -> str:
    """Return what a cross tool chain's programs begin with.

    >>> _prefix_of("aarch64-linux-gnu-gcc-12"), _prefix_of("gcc"), _prefix_of("musl-gcc")
    ('aarch64-linux-gnu-', '', '')
    """
    match = re.match(r"(\w+-\w+-\w+(?:-\w+)?-)(?:gcc|cc|clang)", name)
    return match.group(1) if match else ""


def _beside(name: str, path: str) -> str:
    return shutil.which(name, path=path) or ""


def _said(argv: Sequence[str], environ: Mapping[str, str], run: Run) -> str:
    try:
        ran = run(argv, cwd=Path("/"), env={**environ, "LC_ALL": "C"}, timeout_s=20, accept=None)
    except (ToolFailed, ToolMissing):
        return ""
    lines = ran.text.strip().splitlines() if ran.status == 0 else []
    return lines[0].strip() if lines else ""


def _version(line: str) -> str:
    numbers = re.findall(r"\d{1,5}\.\d{1,5}(?:\.\d{1,5})?", line)
    return numbers[-1] if numbers else ""


def _libc(name: str, machine: str) -> Libc:
    if "musl" in name or "musl" in machine:
        return "musl"
    return "glibc" if "gnu" in machine or "linux" in machine else ""
