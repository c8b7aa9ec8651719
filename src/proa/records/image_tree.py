"""Every name that an image shows, with its size and the layer it comes from."""

from __future__ import annotations

import msgspec

from proa.records.layer_entry import EntryKind

Content = bytes


class TreeFile(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One name of the final view."""

    path: str
    """Absolute in the image."""
    kind: EntryKind
    bytes: int = 0
    """Of a regular file's content, under the first of its names; 0 for its other names, and for all else."""
    mode: int = 0
    layer: int = 0
    """Which layer shows it, the lowest is 0."""
    content: Content = b""
    """Equal for equal contents of one size; of a symbolic link, its target."""


class ImageTree(msgspec.Struct, frozen=True, kw_only=True):
    """One image: the bytes of ``files`` add up to what the image shows, exactly."""

    layers: tuple[str, ...]
    """Digests, the lowest first."""
    files: tuple[TreeFile, ...]
    """By path; folders are left out."""
