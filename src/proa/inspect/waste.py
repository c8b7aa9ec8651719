"""What of an image's stored bytes nobody can see, and what is stored twice.

Wasted are the stored bytes of regular files that the final view does not show from their layer. Equal contents at
different paths are no waste of that kind, and told apart.
"""

from __future__ import annotations

from collections.abc import Sequence

from proa.inspect.merge import Merged, Stored
from proa.records.image_anatomy import Duplicate, LayerAnatomy, StoredFile, WastedFile
from proa.records.layer_entry import LayerEntries

_MOST_FILES = 200
_MOST_DUPLICATES = 100
_MOST_PATHS = 20
_LARGEST = 10


def describe_layers(
    layers: Sequence[LayerEntries], merged: Merged, instructions: Sequence[str]
) -> tuple[LayerAnatomy, ...]:
    """Return what each layer stores, wastes and does."""
    of_layer: list[list[Stored]] = [[] for _ in layers]
    for stored in merged.stored:
        of_layer[stored.layer].append(stored)
    return tuple(
        LayerAnatomy(
            digest=layer.digest,
            diff_id=layer.diff_id,
            media_type=layer.media_type,
            stored_bytes=sum(stored.entry.size_bytes for stored in of_layer[number]),
            compressed_bytes=layer.compressed_bytes,
            unpacked_bytes=layer.unpacked_bytes,
            wasted_bytes=sum(stored.entry.size_bytes for stored in of_layer[number] if not stored.shown_at),
            instruction=instructions[number],
            added=merged.changes[number].added,
            changed=merged.changes[number].changed,
            removed=merged.changes[number].removed,
            largest=_largest(of_layer[number]),
        )
        for number, layer in enumerate(layers)
    )


def _largest(files: Sequence[Stored]) -> tuple[StoredFile, ...]:
    ranked = sorted(files, key=lambda stored: (-stored.entry.size_bytes, stored.entry.path))[:_LARGEST]
    return tuple(
        StoredFile(path=f"/{stored.entry.path}", bytes=stored.entry.size_bytes)
        for stored in ranked
        if stored.entry.size_bytes
    )


def wasted_files(merged: Merged, layers: Sequence[LayerAnatomy]) -> tuple[tuple[WastedFile, ...], int]:
    """Return the worst files that nobody can see, and how many there are in all."""
    found = [stored for stored in merged.stored if not stored.shown_at and stored.entry.size_bytes]
    ranked = sorted(found, key=lambda stored: (-stored.entry.size_bytes, stored.entry.path, stored.layer))
    return tuple(_wasted(stored, layers) for stored in ranked[:_MOST_FILES]), len(found)


def _wasted(stored: Stored, layers: Sequence[LayerAnatomy]) -> WastedFile:
    by = layers[stored.hidden_by] if stored.hidden_by >= 0 else layers[stored.layer]
    return WastedFile(
        path=f"/{stored.entry.path}",
        bytes=stored.entry.size_bytes,
        layer=layers[stored.layer].digest,
        reason=stored.reason,
        hidden_by=by.digest,
        instruction=by.instruction,
    )


def duplicates(merged: Merged) -> tuple[tuple[Duplicate, ...], int]:
    """Return the worst equal contents at different paths of the final view, and the bytes of all copies but one.

    Links to one content are no copies.
    """
    same: dict[tuple[int, bytes], list[Stored]] = {}
    for stored in merged.stored:
        if stored.shown_at and stored.entry.size_bytes:
            same.setdefault((stored.entry.size_bytes, stored.entry.content), []).append(stored)
    found = [
        Duplicate(
            bytes=size,
            copies=len(copies),
            wasted_bytes=size * (len(copies) - 1),
            paths=tuple(sorted(f"/{stored.shown_at}" for stored in copies)[:_MOST_PATHS]),
        )
        for (size, _), copies in same.items()
        if len(copies) > 1
    ]
    found.sort(key=lambda one: (-one.wasted_bytes, one.paths))
    return tuple(found[:_MOST_DUPLICATES]), sum(one.wasted_bytes for one in found)
