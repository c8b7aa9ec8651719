"""The constraint lines at the beginning of the files in a package's folder, and the words the go command sets.

Only the comments before the package clause are read, so that thousands of files take a second. What the lines mean
is not known here. Source: go/build (parseFileHeader) of Go 1.26.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import ToolFailed
from proa.outside.command import last_lines
from proa.outside.go import Go
from proa.outside.golist import read_complaint

_FIRST_BYTES = 4 << 10
_MOST_BYTES = 1 << 20
"""A header longer than this is not read to its end (arbitrary; licences are 12 KiB)."""
_SUFFIXES = (".go", ".s", ".S", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".m", ".syso")
_MODERN = re.compile(rb"//go:build(?:\s|$)")
_CONTEXT = (
    "{{context.GOOS}} {{context.GOARCH}} {{context.Compiler}} {{if context.CgoEnabled}}cgo{{end}}"
    '\n{{join context.BuildTags " "}}\n{{join context.ToolTags " "}} {{join context.ReleaseTags " "}}'
)
_NOT_UNIX = frozenset(["js", "nacl", "plan9", "wasip1", "windows", "zos"])
_STANDS_FOR = {"android": "linux", "illumos": "solaris", "ios": "darwin"}
"""Source: internal/syslist and go/build (matchTag) of Go 1.26."""


class ConstraintLine(msgspec.Struct, frozen=True):
    """One line that looks like a constraint."""

    line: int
    text: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """The words that hold in one build."""

    words: frozenset[str]
    tags: tuple[str, ...] = ()
    """Those among them that the user's settings set, in their order."""


def read_folder(directory: str) -> dict[str, tuple[ConstraintLine, ...]]:
    """Return the constraint lines of every file in a folder that could be compiled, tests left out, by name.

    Empty for a folder that cannot be read; a file that cannot be read has no lines.
    """
    try:
        names = sorted(os.listdir(directory))  # noqa: PTH208 - names alone, quickly
    except OSError:
        return {}
    return {
        name: _read(f"{directory}/{name}")
        for name in names
        if name.endswith(_SUFFIXES) and not name.endswith("_test.go") and name[0] not in "._"
    }


def _read(file: str) -> tuple[ConstraintLine, ...]:
    try:
        # A named pipe in the folder would never answer.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ()
    try:
        head = os.read(descriptor, _FIRST_BYTES)
        # A line cut in two says nothing yet.
        if len(head) == _FIRST_BYTES and is_open(head.rpartition(b"\n")[0]):
            head += os.read(descriptor, _MOST_BYTES)
    except OSError:
        return ()
    finally:
        os.close(descriptor)
    return constraint_lines(head) if b"build" in head else ()


def is_open(head: bytes) -> bool:
    r"""Say whether a header may go on below what was read of it.

    >>> is_open(b"// a\npackage b\n"), is_open(b"/* a"), is_open(b"// a\n")
    (False, True, True)
    """
    return not any(is_end for _, _, is_end in _lines(head))


def constraint_lines(head: bytes) -> tuple[ConstraintLine, ...]:
    r"""Return the lines of a file's header that the go command takes for constraints.

    ``// +build`` lines count only above the last blank line before what is no line comment.

    >>> constraint_lines(b"// Copyright\n\n//go:build a\n\npackage b\n//go:build c\n")
    (ConstraintLine(line=3, text='//go:build a'),)
    """
    found: list[ConstraintLine] = []
    blank = 0
    is_ended = False
    for number, line, is_end in _lines(head):
        if not line and not is_ended:
            blank = number
        is_ended = is_ended or bool(line and not line.startswith(b"//"))
        if is_end:
            break
        is_legacy = not is_ended and line.startswith(b"//") and b"+build" in line
        if is_legacy or _MODERN.match(line):
            found.append(ConstraintLine(number, line.decode("utf-8", "replace")))
    return tuple(one for one in found if _MODERN.match(one.text.encode()) or one.line < blank)


def _lines(head: bytes) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the number and content of each line outside block comments, and whether the header ends there."""
    is_in_block = False
    for number, raw in enumerate(head.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        line = raw.strip()
        if is_in_block:
            _, closed, rest = line.partition(b"*/")
            is_in_block = not closed
            line = rest.strip()
            if not closed or not line:
                continue
            # What follows a block comment on its line is no constraint, but may end the header.
            line = b"/**/" + line
        code = line
        while code.startswith(b"/*"):
            _, closed, rest = code[2:].partition(b"*/")
            is_in_block = not closed
            code = rest.strip() if closed else b""
        yield number, line, bool(code) and not code.startswith(b"//")


def read_context(
    package: str, *, go: Go, directory: Path, environment: Mapping[str, str], flags: Sequence[str]
) -> Context:
    """Return the words that hold where a package is built. Raises what ``read_complaint`` returns, ToolFailed."""
    arguments = ["list", "-e", "-buildvcs=false", f"-f={_CONTEXT}", *flags, "--", package]
    ran = go.call(arguments, directory=directory, environment=environment, accept=None)
    if ran.status != 0:
        raise read_complaint(ran.stderr.decode(errors="replace"), last_lines(ran.stderr))
    return parse_context(ran.text)


def parse_context(text: str) -> Context:
    r"""Return what the template above made go list write. Raises ToolFailed.

    >>> context = parse_context("android arm64 gc \nnetgo\ngoexperiment.x go1.1\n")
    >>> context.tags, sorted(context.words)
    (('netgo',), ['android', 'arm64', 'gc', 'go1.1', 'goexperiment.x', 'linux', 'netgo', 'unix'])
    """
    lines = text.split("\n")
    if len(lines) < 3:
        raise ToolFailed("go list did not say what it builds for")
    words = set(" ".join(lines[:3]).split())
    system = lines[0].partition(" ")[0]
    words |= {_STANDS_FOR[system]} if system in _STANDS_FOR else set()
    words |= set() if system in _NOT_UNIX else {"unix"}
    words |= {"boringcrypto"} if "goexperiment.boringcrypto" in words else set()
    return Context(words=frozenset(words), tags=tuple(lines[1].split()))
