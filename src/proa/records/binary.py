"""A program as the tool chain left it."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding
from proa.records.platform import Platform

Strip = Literal["none", "dwarf", "all"]
"""What is left out of the shipped binary: nothing, DWARF (``-w``), or symbols as well (``-s -w``)."""


class DebugFile(msgspec.Struct, frozen=True, kw_only=True):
    """What stripping took out of a program: an ELF file of its own that debuggers read beside the shipped one."""

    digest: str
    """Its bytes are in the store under this digest."""
    bytes: int
    name: str
    """The name ``.gnu_debuglink`` gives it: ``api.debug``."""
    build_id: str = ""
    """The GNU build-id in hexadecimal, the same as the program's; empty where the linker wrote none."""


Holds = Literal["libraries", "run time", "dependencies", "program"]
"""The layer a file goes into, by how often it changes: C libraries, a run-time system, jars of others, its own."""


class RuntimeFile(msgspec.Struct, frozen=True, kw_only=True):
    """A loader, a shared library or a link to one, that a dynamic program needs beside itself in the image."""

    path: str
    """Absolute in the image: where the loader looks for it."""
    digest: str = ""
    """Its bytes are in the store under this digest; empty for a link."""
    bytes: int = 0
    target: str = ""
    """What a symbolic link points to, as it is written in the link."""
    reason: str
    """``libm.so.6 is needed by app (DT_NEEDED)``."""
    mode: int = 0o555
    """The kernel starts a loader itself, so libraries are executable."""
    holds: Holds = "libraries"


Language = Literal["go", "c", "c++", "rust", "java", "unknown"]
Libc = Literal["", "musl", "glibc"]


class Binary(msgspec.Struct, frozen=True, kw_only=True):
    """One program for one platform, built and proved."""

    name: str
    platform: Platform
    digest: str
    """Of the shipped (stripped) file; its bytes are in the store under this digest."""
    bytes: int
    unstripped_digest: str
    """Of the file as it was linked; kept in the store for later stages."""
    unstripped_bytes: int
    strip: Strip
    is_static: bool
    """Proved from the ELF headers: no PT_INTERP, no DT_NEEDED."""
    interpreter: str = ""
    libraries: tuple[str, ...] = ()
    build_id: str = ""
    """The GNU build-id in hexadecimal, where the linker wrote one."""
    go_version: str = ""
    uses_cgo: bool = False
    language: Language = "go"
    libc: Libc = ""
    """The C library it was linked with; empty for Go without C."""
    compiler: str = ""
    """The C, C++ or Rust compiler and its version, ``zig 0.17.1``; empty for Go without C; for a jar the JDK."""
    debug: DebugFile | None = None
    """None where nothing was left out of the shipped file."""
    runtime_files: tuple[RuntimeFile, ...] = ()
    """What a dynamic program needs on an empty base, in loading order; the loader first."""
    command: tuple[str, ...] = ()
    """How it is started where the file itself cannot be: ``/app/jre/bin/java -jar /app/api.jar``."""
    findings: tuple[Finding, ...] = ()
    """What is worth telling about the build: not stripped, not stamped."""
