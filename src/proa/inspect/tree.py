"""Every name of an image's final view, as a flat list that can outlive the layers' entries."""

from __future__ import annotations

from collections.abc import Sequence

from proa.inspect.merge import Merged, Node
from proa.records.image_tree import ImageTree, TreeFile


def tree_of(merged: Merged, digests: Sequence[str]) -> ImageTree:
    """Return all files, links and devices an image shows; ``digests`` are the layers'."""
    files = [_file(path, node) for path, node in merged.walk() if node.below is None and node.entry is not None]
    return ImageTree(layers=tuple(digests), files=tuple(sorted(files, key=lambda file: file.path)))


def _file(path: str, node: Node) -> TreeFile:
    entry, stored = node.entry, node.stored
    assert entry is not None  # noqa: S101 - asked before
    # A hard link is another name for what is stored once, so one of the names has the bytes.
    has_bytes = stored is not None and stored.shown_at == path
    return TreeFile(
        path=f"/{path}",
        kind=entry.kind,
        bytes=stored.entry.size_bytes if stored is not None and has_bytes else 0,
        mode=stored.entry.mode if stored is not None else entry.mode,
        layer=node.layer,
        content=stored.entry.content if stored is not None else entry.target.encode(errors="surrogateescape"),
    )
