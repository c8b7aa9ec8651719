"""Everything beside the source that decides a build: settings, variables, and files that flags name."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from proa.outside.go import settings_files
from proa.records.configuration import BuildSettings

_MATTER = (
    "GOFLAGS", "GOEXPERIMENT", "GO386", "GOAMD64", "GOARM", "GOARM64", "GOMIPS", "GOMIPS64", "GOPPC64", "GORISCV64",
    "GOWASM", "GOFIPS140", "GOTOOLCHAIN", "GOWORK", "GO_EXTLINK_ENABLED", "GO_LDSO", "CC", "CXX", "FC", "AR",
    "CGO_CFLAGS", "CGO_CPPFLAGS", "CGO_CXXFLAGS", "CGO_FFLAGS", "CGO_LDFLAGS", "PKG_CONFIG", "PKG_CONFIG_PATH",
)  # fmt: skip
"""Variables that change what is built. Source: `go help environment`."""


_NAMING = ("-overlay=", "-modfile=", "-pgo=")
"""Flags whose value is a file that is read in the build. Source: `go help build`."""


def what_decides(
    environ: Mapping[str, str], laid_over: Mapping[str, str], settings: BuildSettings, directory: Path
) -> tuple[str, ...]:
    """Return it as texts for the cache key; ``directory`` is where the go command runs."""
    whole = {**environ, **laid_over}
    said = [f"{name}={whole[name]}" for name in (*_MATTER, "GOOS", "GOARCH", "CGO_ENABLED") if whole.get(name)]
    said += [_digest(file) for file in settings_files(environ)]
    words = _joined([*whole.get("GOFLAGS", "").split(), *settings.flags])
    said += [_digest(file) for word in words for file in _named(word, directory)]
    return (*said, msgspec.json.encode(settings, order="deterministic").decode())


def _joined(words: list[str]) -> Iterator[str]:
    """Yield flags as ``-name=value``, however they were written."""
    for at, word in enumerate(words):
        plain = "-" + word.lstrip("-") if word.startswith("-") else word
        is_apart = f"{plain}=" in _NAMING and at + 1 < len(words)
        yield f"{plain}={words[at + 1]}" if is_apart else plain


def _named(word: str, directory: Path) -> Iterator[Path]:
    flag = next((flag for flag in _NAMING if word.startswith(flag)), "")
    if not flag or word in ("-pgo=auto", "-pgo=off"):
        return
    file = directory / word.removeprefix(flag)
    yield file
    if flag == "-modfile=":
        yield file.with_suffix(".sum")
    if flag == "-overlay=":
        yield from (directory / replaced for replaced in _replacements(file))


class _Overlay(msgspec.Struct, frozen=True):
    Replace: dict[str, str] = {}


def _replacements(file: Path) -> list[str]:
    try:
        return sorted(msgspec.json.decode(file.read_bytes(), type=_Overlay).Replace.values())
    except (OSError, msgspec.MsgspecError):
        return []


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
