"""The part of a Go file that decides the import graph: all up to its last import, and what it embeds.

``go list`` reads no further, so an edit below cannot change what it says.
Source: https://go.dev/ref/spec#Source_file_organization, go/build (readGoFiles stops after the imports).
"""

from __future__ import annotations

import re

_BLANK = re.compile(rb"(?:[\s;]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_WORD = re.compile(rb"[^\W\d]\w*", re.ASCII)
_NAME = re.compile(rb"(?:[^\s\"`()/;]+)?")
_PATH = re.compile(rb'"[^"\n\\]*"|`[^`]*`')
_EMBED = re.compile(rb"^[ \t]*//go:embed[^\n]*", re.MULTILINE)


def header(source: bytes) -> bytes:
    r"""Return what ``go list`` reads of a Go file; the whole file where its beginning is not understood.

    >>> header(b'package a\nimport "b"\nfunc f() {}\n//go:embed c\nvar d string\n')
    b'package a\nimport "b"\n//go:embed c'
    """
    end = _end_of_imports(source)
    if end < 0:
        return source
    return source[:end] + b"\n".join(_EMBED.findall(source, end))


def _end_of_imports(source: bytes) -> int:
    """Return where the first declaration that is no import begins; -1 for what is not understood."""
    at = _skip(source, len(_BYTE_ORDER_MARK) if source.startswith(_BYTE_ORDER_MARK) else 0)
    word = _WORD.match(source, at)
    if word is None or word[0] != b"package":
        return -1
    name = _WORD.match(source, _skip(source, word.end()))
    if name is None:
        return -1
    at = _skip(source, name.end())
    while (word := _WORD.match(source, at)) is not None and word[0] == b"import":
        at = _after_import(source, _skip(source, word.end()))
        if at < 0:
            return -1
        at = _skip(source, at)
    return at


def _after_import(source: bytes, at: int) -> int:
    if source[at : at + 1] != b"(":
        return _after_spec(source, at)
    at = _skip(source, at + 1)
    while at >= 0 and source[at : at + 1] != b")":
        at = _after_spec(source, at)
        at = _skip(source, at) if at >= 0 else at
    return at + 1 if at >= 0 else at


def _after_spec(source: bytes, at: int) -> int:
    name = _NAME.match(source, at)
    path = _PATH.match(source, _skip(source, name.end() if name else at))
    return path.end() if path else -1


def _skip(source: bytes, at: int) -> int:
    match = _BLANK.match(source, at)
    return match.end() if match else at
