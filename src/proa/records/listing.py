"""What the local store holds, as ``proa store ls`` says it."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How much the store holds."""

    references: int
    blobs: int
    blob_bytes: int
    stages: int
    stage_bytes: int
    leftover_bytes: int
    """Of files that are being written, or whose writer is gone."""
    compiled_bytes: int = 0
    """Of what compilers keep for the next build: cargo's folders, C libraries that zig compiled."""


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """One name in the store."""

    name: str
    digest: str
    platforms: tuple[str, ...]
    bytes: int
    """Of all blobs the name leads to."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """The whole store."""

    root: str
    images: tuple[StoredImage, ...]
    usage: Usage
