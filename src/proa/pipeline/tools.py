"""Which neighbours are here, and what is possible without the others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from proa.errors import ProaError
from proa.outside.access import Access
from proa.outside.command import run
from proa.outside.docker import daemon_version
from proa.outside.go import find_go
from proa.outside.sandbox import find_program
from proa.outside.zig import find_zig
from proa.records.tool import Tool

_PROGRAMS = (
    ("bwrap", ("--version",), "confines the trial run", "runc, crun or user namespaces are used instead"),
    ("runc", ("--version",), "confines the trial run where bubblewrap is not", "not needed beside bubblewrap"),
    ("crun", ("--version",), "confines the trial run where bubblewrap is not", "not needed beside bubblewrap"),
    ("unshare", ("--version",), "confines the trial run where nothing else is", "a trial needs one of these four"),
    (
        "strace",
        ("--version",),
        "sees the files a program misses",
        "missed files are read from the program's own output",
    ),
    ("git", ("--version",), "gives versions, dates and labels", "images have no revision and are dated 1970"),
    ("qemu-aarch64-static", ("--version",), "tries arm64 images here", "arm64 images are not tried on this machine"),
    ("gcc", ("--version",), "compiles C where build.cc asks for it", "the C compiler of proa[c] is used"),
    ("cargo", ("--version",), "builds Rust projects", "Rust projects are not built: see rustup.rs"),
    ("make", ("--version",), "builds projects with a Makefile", "they are not built"),
    ("cmake", ("--version",), "builds CMake projects", "they are not built"),
    ("meson", ("--version",), "builds meson projects", "they are not built"),
    ("gdb", ("--version",), "reads a crash with the files of proa debug", "delve and addr2line read them as well"),
    ("upx", ("--version",), "is measured by proa tune size", "it is left out of the table; proa never uses it itself"),
    ("kind", ("version",), "takes images by kind:NAME:TAG", "kind: destinations are refused"),
    ("ctr", ("--version",), "takes images by containerd:NAME:TAG", "containerd: destinations are refused"),
)
"""Program, how it is asked for its version, what it gives, what happens without it."""


def examine(*, environ: Mapping[str, str]) -> tuple[Tool, ...]:
    """Return every neighbour proa can use, found here or not."""
    return (_go(environ), _zig(environ), *(_program(*row, environ=environ) for row in _PROGRAMS), _daemon(environ))


def _go(environ: Mapping[str, str]) -> Tool:
    gives, without = "builds the program", "nothing can be built: pip install 'proa[go]' brings it"
    try:
        go = find_go(environ)
    except ProaError:
        return Tool(name="go", is_found=False, gives=gives, without=without)
    return Tool(name="go", is_found=True, version=go.version, path=go.program, gives=gives, without=without)


def _zig(environ: Mapping[str, str]) -> Tool:
    gives, without = "compiles C and C++ for every platform, static", "pip install 'proa[c]' brings it"
    zig = find_zig(environ)
    if zig is None:
        return Tool(name="zig", is_found=False, gives=gives, without=without)
    return Tool(name="zig", is_found=True, version=zig.version, path=zig.program, gives=gives, without=without)


def _program(name: str, question: tuple[str, ...], gives: str, without: str, *, environ: Mapping[str, str]) -> Tool:
    path = find_program(name, environ)
    if not path:
        return Tool(name=name, is_found=False, gives=gives, without=without)
    try:
        said = run([path, *question], env=environ, timeout_s=5.0, accept=None).text
    except ProaError:
        said = ""
    match = re.search(r"\d+(?:\.\d+)+", said)
    return Tool(name=name, is_found=True, version=match[0] if match else "", path=path, gives=gives, without=without)


def _daemon(environ: Mapping[str, str]) -> Tool:
    version = daemon_version(Access(environ=environ))
    return Tool(
        name="docker daemon",
        is_found=bool(version),
        version=version,
        gives="takes images by docker-daemon:NAME:TAG",
        without="docker-daemon: destinations are refused; nothing else needs it",
    )
