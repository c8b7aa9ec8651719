"""A program that is built already: what it is, taken from the file alone, and finished like any other.

Nothing is run. The language, the C library and the compiler are what the file says of itself; what it does not say
stays unknown.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from proa.build.closure import runtime_files_of
from proa.build.finish import finish
from proa.build.proof import go_version, platform_of
from proa.errors import BinaryDamaged, NotWritable, WrongUsage
from proa.outside.dynamic import Dynamic, defined_names, holds_text, imported_names, read_dynamic
from proa.outside.elf import ET_DYN, ET_EXEC, MAGIC, SHT_NOTE, Elf, open_elf
from proa.outside.loader import kind_of
from proa.outside.store import Store, disk_errors
from proa.records.binary import Binary, Language, Libc, RuntimeFile
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform

_OTHERS = {
    b"MZ": "a Windows program",
    b"\xcf\xfa\xed\xfe": "a macOS program",
    b"\xca\xfe\xba\xbe": "a macOS program",
    b"!<ar": "an archive of object files",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "compressed",
}
_SYSTEMS = {1: "HP-UX", 2: "NetBSD", 6: "Solaris", 9: "FreeBSD", 12: "OpenBSD"}
"""EI_OSABI. Source: gabi, ELF header; 0 and 3 are Linux."""
_MOST_COMMENT_BYTES = 64 << 10
_GCC = re.compile(r"GCC: \([^)\0]{0,200}\) ([0-9][0-9.]{0,30})")
_CLANG = re.compile(r"clang version ([0-9][0-9.]{0,30})")
_RUSTC = re.compile(r"rustc version ([0-9][0-9.]{0,30}[a-z0-9-]{0,20})")
_CXX_LIBRARIES = ("libstdc++.so", "libc++.so")
_RUST_PATH = b"/rustc/"
"""Panic messages carry the standard library's own path, in stripped programs too."""


class Prebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What a program's file says of itself."""

    platform: Platform
    language: Language
    libc: Libc = ""
    compiler: str = ""
    go_version: str = ""
    is_static: bool
    interpreter: str = ""


def inspect_program(file: Path) -> Prebuilt:
    """Read what a program is. Raises WrongUsage, BinaryDamaged, NotWritable."""
    _refuse(file)
    with _named(file):
        return _inspected(file)


def _inspected(file: Path) -> Prebuilt:
    elf = open_elf(file)
    dynamic = read_dynamic(elf)
    _refuse_others(file, elf, dynamic)
    comment = _comment(elf)
    language = _language(elf, dynamic, comment)
    return Prebuilt(
        platform=platform_of(elf),
        language=language,
        libc=_libc(elf, dynamic, language),
        compiler=_compiler(comment, language),
        go_version=go_version(elf),
        is_static=not dynamic.interpreter and not dynamic.needed,
        interpreter=dynamic.interpreter,
    )


def _refuse(file: Path) -> None:
    try:
        if not file.is_file():
            raise WrongUsage(f"--binary {file} is not a file", hint="name the finished program itself")
        with disk_errors(file), file.open("rb") as stream:
            head = stream.read(128)
    except (OSError, ValueError) as error:
        raise NotWritable(f"{file} cannot be read: {error}") from error
    if head.startswith(MAGIC):
        return
    if head.startswith(b"#!"):
        words = head[2:].partition(b"\n")[0].decode(errors="replace").strip()
        raise WrongUsage(
            f"{file.name} is a script for {words}, not a program",
            hint="proa ships compiled programs; a script needs an image that has its interpreter",
        )
    what = next((name for magic, name in _OTHERS.items() if head.startswith(magic)), "")
    if what:
        raise BinaryDamaged(f"{file.name} is {what}, not an ELF program for Linux")
    if not head:
        raise BinaryDamaged(f"{file.name} is empty")
    raise BinaryDamaged(f"{file.name} is not an ELF file: it does not start with \\x7fELF at offset 0x0")


def _refuse_others(file: Path, elf: Elf, dynamic: Dynamic) -> None:
    if elf.kind not in (ET_EXEC, ET_DYN):
        kind = {1: "an object file", 4: "a core file"}.get(elf.kind, f"of ELF type {elf.kind}")
        raise WrongUsage(f"{file.name} is {kind}, not a program (offset 0x10)", hint="name the linked program")
    system = _SYSTEMS.get(elf.data[7])
    if system:
        raise WrongUsage(f"{file.name} is a program for {system}, not for Linux (offset 0x7)")
    is_library = elf.kind == ET_DYN and not dynamic.interpreter and not dynamic.is_pie
    if is_library and (elf.entry == 0 or dynamic.soname):
        raise WrongUsage(
            f"{file.name} is a shared library, not a program", hint="name the program that uses it: it comes along"
        )
    if not elf.segments:
        raise BinaryDamaged("it has no program headers (offset 0x20): nothing of it can be loaded")


def _comment(elf: Elf) -> str:
    section = elf.section(".comment")
    return bytes(elf.content(section)[:_MOST_COMMENT_BYTES]).decode("utf-8", "replace") if section else ""


def _language(elf: Elf, dynamic: Dynamic, comment: str) -> Language:
    if go_version(elf) or elf.section(".gopclntab", ".data.rel.ro.gopclntab"):
        return "go"
    if "rustc version" in comment or (holds_text(elf, _RUST_PATH) and holds_text(elf, b"library/std/src")):
        return "rust"
    if any(name.startswith(_CXX_LIBRARIES) for name in dynamic.needed):
        return "c++"
    names = imported_names(elf) | defined_names(elf)
    if any(name.startswith(("_ZSt", "_ZNSt", "__cxa_throw", "__gxx_personality")) for name in names):
        return "c++"
    return "c" if comment or names else "unknown"


def _libc(elf: Elf, dynamic: Dynamic, language: Language) -> Libc:
    if dynamic.interpreter:
        if language == "go" and not dynamic.needed:
            return ""
        return kind_of(dynamic.interpreter)
    # Only glibc's start files have this note; Go's linker writes one of its own for another system.
    has_note = any(one.kind == SHT_NOTE and one.name == ".note.ABI-tag" for one in elf.sections)
    return "glibc" if has_note and language != "go" else ""


def _compiler(comment: str, language: Language) -> str:
    if language == "go":
        return ""
    for pattern, name in ((_RUSTC, "rustc"), (_CLANG, "clang"), (_GCC, "gcc")):
        if found := pattern.search(comment):
            return f"{name} {found[1]}"
    return ""


def finish_prebuilt(
    file: Path,
    *,
    name: str,
    platform: Platform,
    settings: BuildSettings,
    store: Store,
    library_path: Sequence[str] = (),
    has_own_libraries: bool = True,
) -> Binary:
    """Return a copy of a finished program, proved and split like one built here; all its files are in the store.

    Without ``has_own_libraries`` its loader and libraries are left to a base.
    Raises WrongUsage, BinaryDamaged, BuildFailed, LibraryMissing, NoSpace, NotWritable.
    """
    what = inspect_program(file)
    files: tuple[RuntimeFile, ...] = ()
    if has_own_libraries:
        sysroot = Path(settings.sysroot or "/").absolute()
        files = runtime_files_of(file, platform=platform, store=store, sysroot=sysroot, library_path=library_path)
    findings = (*_dropped(file), *_told(open_elf(file), what))
    with store.folder() as folder:
        copy = folder / "linked"
        with disk_errors(copy):
            shutil.copyfile(file, copy)
        with _named(file):
            return finish(
                copy,
                name=name,
                platform=platform,
                settings=settings,
                store=store,
                language=what.language,
                libc=what.libc,
                compiler=what.compiler,
                uses_cgo=what.language == "go" and bool(what.libc),
                runtime_files=files,
                findings=findings,
            )


@contextmanager
def _named(file: Path) -> Iterator[None]:
    """Say which file is damaged."""
    try:
        yield
    except BinaryDamaged as error:
        raise BinaryDamaged(f"{file.name}: {error.what}") from error


def _dropped(file: Path) -> Iterator[Finding]:
    mode = file.stat().st_mode
    names = [word for bit, word in ((stat.S_ISUID, "setuid"), (stat.S_ISGID, "setgid")) if mode & bit]
    with suppress(OSError):
        if os.getxattr(file, "security.capability"):
            names.append("its file capabilities")
    if names:
        yield Finding(
            id="build.privilege-dropped",
            message=f"{file.name} has {' and '.join(names)} set, which no image from here has",
            hint="give the container the right it needs instead; nothing in an image should raise its own",
        )


def _told(elf: Elf, what: Prebuilt) -> Iterator[Finding]:
    """Yield what a C library does differently on an empty base."""
    if what.language == "go" or what.is_static:
        return
    names = imported_names(elf)
    if "iconv_open" in names and what.libc == "glibc":
        yield Finding(
            id="build.iconv",
            severity="info",
            message="it converts between character sets (iconv_open), and only UTF-8, UTF-16, UTF-32 and ASCII are in "
            "libc itself",
            hint="put the others in with image.files: the gconv folder beside libc.so.6",
        )
    if "dlopen" in names or "dlmopen" in names:
        yield Finding(
            id="build.opens-libraries",
            severity="info",
            message="it can open further libraries while it runs (dlopen): those it asks for in the trial are added",
            hint="what it opens only later is put in with image.files",
        )
