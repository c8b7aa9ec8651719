"""What one pass over an image's layers keeps of every entry; contents are seen once and not kept."""

from __future__ import annotations

from typing import Literal

import msgspec

EntryKind = Literal["file", "folder", "symlink", "hardlink", "device"]
SecretKind = Literal["private-key", "env-file", "aws-key", "npm-token", "credentials", "token"]


class ProgramHead(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the first bytes say of a file that can be started."""

    format: Literal["elf", "script"]
    architecture: str = ""
    """In Go's words; ``machine N`` for those it has none for; empty for a script."""
    interpreter: str = ""
    """The loader (``PT_INTERP``) or the program after ``#!``; empty for a static program."""
    argument: str = ""
    """What follows the interpreter in a script's first line."""


class Seen(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a file's first bytes showed."""

    program: ProgramHead | None = None
    secrets: tuple[SecretKind, ...] = ()


class Entry(msgspec.Struct, kw_only=True, gc=False):
    """One entry of a layer; filled in while its content passes, and left alone from then on."""

    path: str
    """Relative to the root, without ``.`` and empty parts; bytes that are no UTF-8 written ``\\xff``."""
    kind: EntryKind
    mode: int = 0
    size_bytes: int = 0
    """Of a regular file's content, as stored; 0 for all others."""
    target: str = ""
    """Of a symbolic or hard link."""
    content: bytes = b""
    """Equal for equal contents; together with the size it tells others apart. Empty where there is none."""
    seen: Seen | None = None


class LayerEntries(msgspec.Struct, frozen=True, kw_only=True):
    """One layer, read to its end, its digests right."""

    digest: str
    diff_id: str
    media_type: str
    compressed_bytes: int
    unpacked_bytes: int
    entries: tuple[Entry, ...]
