"""go.mod and go.work as text: what they ask for, without starting the go command.

Only what proa acts on is read. A line that is not understood is passed over, because the go command itself
will say what is wrong with it, in its own words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from proa.errors import LockBroken, NotWritable

_MOST_BYTES = 16 << 20
"""The go command refuses a go.mod above 16 MiB. Source: https://go.dev/ref/mod#go-mod-file."""


class Replacement(msgspec.Struct, frozen=True, kw_only=True):
    """One replace directive."""

    path: str
    version: str = ""
    """Empty: every version is replaced."""
    target: str
    """A folder (starts with ``./``, ``../`` or ``/``), or a module path."""
    target_version: str = ""

    @property
    def is_folder(self) -> bool:
        """Say whether the target is a folder and not another module."""
        return self.target.startswith(("./", "../", "/")) or self.target in (".", "..")


class ModFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a go.mod or go.work says."""

    module: str = ""
    go: str = ""
    """The version after ``go``, e.g. ``1.24`` or ``1.24.3``."""
    toolchain: str = ""
    """The name after ``toolchain``, e.g. ``go1.26.8``."""
    requires: tuple[tuple[str, str], ...] = ()
    replaces: tuple[Replacement, ...] = ()
    excludes: tuple[tuple[str, str], ...] = ()
    uses: tuple[str, ...] = ()
    """Folders of go.work."""


def parse_mod(text: str) -> ModFile:
    r"""Return what the text of a go.mod or go.work says.

    Source: https://go.dev/ref/mod#go-mod-file-grammar.

    >>> parse_mod("module example.com/a\n\ngo 1.24 // why\nrequire (\n\tb.org/c v1.2.3\n)").requires
    (('b.org/c', 'v1.2.3'),)
    """
    first: dict[str, str] = {}
    requires: list[tuple[str, str]] = []
    excludes: list[tuple[str, str]] = []
    replaces: list[Replacement] = []
    uses: list[str] = []
    for words in _directives(text):
        match words:
            case ["module" | "go" | "toolchain" as verb, value, *_]:
                first.setdefault(verb, value)
            case ["require", path, version]:
                requires.append((path, version))
            case ["exclude", path, version]:
                excludes.append((path, version))
            case ["use", folder]:
                uses.append(folder)
            case ["replace", path, *rest] if "=>" in rest:
                arrow = rest.index("=>")
                source, target = rest[:arrow], rest[arrow + 1 :]
                if len(source) <= 1 and len(target) in (1, 2):
                    replaces.append(
                        Replacement(
                            path=path,
                            version="".join(source),
                            target=target[0],
                            target_version="".join(target[1:]),
                        )
                    )
            case _:
                pass
    return ModFile(
        module=first.get("module", ""),
        go=first.get("go", ""),
        toolchain=first.get("toolchain", ""),
        requires=tuple(requires),
        replaces=tuple(replaces),
        excludes=tuple(excludes),
        uses=tuple(uses),
    )


def read_mod(file: Path) -> ModFile:
    """Return what a go.mod or go.work file says; an empty one where there is no such file.

    Raises LockBroken for what cannot be a go.mod, NotWritable for one that cannot be read.
    """
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise LockBroken(f"{file} is larger than 16 MiB, which the go command does not accept")
        return parse_mod(file.read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        return ModFile()
    except OSError as error:
        raise NotWritable(f"{file} cannot be read: {error.strerror}") from error


# A quoted string, an interpreted string, a comment to the end of the line, or a bare word.
_WORD = re.compile(r"`([^`]*)`|\"((?:[^\"\\]|\\.)*)\"|(//.*)|([()])|([^\s()\"`]+)")


def _directives(text: str) -> Iterator[list[str]]:
    verb = ""
    for line in text.splitlines():
        words = _words(line)
        if verb:
            if words == [")"]:
                verb = ""
            elif words:
                yield [verb, *words]
        elif len(words) == 2 and words[1] == "(":
            verb = words[0]
        elif words:
            yield words


def _words(line: str) -> list[str]:
    words = []
    for raw, quoted, comment, bracket, bare in _WORD.findall(line):
        if comment or bare.startswith("//"):
            break
        # A comment may follow a word without a space.
        word, cut, _ = bare.partition("//") if bare.count("//") and "://" not in bare else (bare, "", "")
        words.append(raw or quoted or bracket or word)
        if cut:
            break
    return words
