"""One layer of what is kept of an image: every entry as the original's layers have it, contents read from there.

Nothing comes from an unpacked copy: owners, modes, times, extended attributes and devices are the archive's own. What
is sorted, and what a hard link points to, is decided here; so the same image gives the same bytes from any place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from proa.inspect.merge import Merged, Node
from proa.outside.image_stream import StreamedImage
from proa.outside.layer_stream import layer_pieces
from proa.outside.store import Store, disk_errors
from proa.pack import compress
from proa.pack.entries import Entry
from proa.pack.tar import tar, tar_bytes
from proa.pack.untar import Layered, Member
from proa.pipeline.slim_view import displayed
from proa.records.configuration import Compression
from proa.records.layer_entry import LayerEntries

_PIECE_BYTES = 256 << 10
_Place = tuple[int, int]
"""Number of the layer, and of the entry in it."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the original, and where its content is."""

    member: Member
    offset: int = 0


def copy_entries(
    opened: StreamedImage,
    read: Sequence[LayerEntries],
    merged: Merged,
    kept: Collection[str],
    *,
    replaced: Mapping[str, bytes],
    spool: Path,
    place: str,
) -> tuple[Entry, ...]:
    """Return the entries of the new layer, sorted; contents are in the file ``spool``, or ``replaced`` by path.

    ``kept`` are paths of the final view, as ``with_ways`` returns them. Raises HostileArchive, ImageMissing, NoSpace.
    """
    nodes = {path: node for path, node in merged.walk() if path in kept}
    order = sorted(nodes, key=lambda path: path.split("/"))
    places = _places(read, [node for node in nodes.values() if node.entry is not None])
    names: dict[str, str] = {}
    wanted = set(places.values())
    numbers = {number for number, _ in wanted} | {node.layer for node in nodes.values()}
    copied: dict[_Place, Copied] = {}
    with disk_errors(spool), spool.open("wb") as out:
        for number in sorted(numbers - {-1}):
            pieces = layer_pieces(opened.layers[number], place=place)
            for at, (member, archive) in enumerate(_members(pieces, names)):
                if (number, at) in wanted:
                    offset = _spooled(archive, out) if member.kind == "file" else 0
                    copied[number, at] = Copied(member=member, offset=offset)
    return tuple(_entries(order, nodes, places, copied, names, replaced=replaced, spool=spool))


def _members(pieces: Iterator[bytes], names: dict[str, str]) -> Iterator[tuple[Member, Layered]]:
    """Yield a layer's members; names that are no UTF-8 are noted under the way they are displayed."""
    archive = Layered(pieces)
    for member in archive.members():
        if not member.path.isascii():
            names.update((displayed(part), part) for part in member.path.split("/") if part)
        yield member, archive


def _spooled(archive: Layered, out: BinaryIO) -> int:
    offset = out.tell()
    while data := archive.read(_PIECE_BYTES):
        out.write(data)
    return offset


def _places(read: Sequence[LayerEntries], nodes: Sequence[Node]) -> dict[int, _Place]:
    """Return where entries stand, by their identity."""
    wanted = {id(node.entry) for node in nodes}
    return {
        id(entry): (number, at)
        for number, layer in enumerate(read)
        for at, entry in enumerate(layer.entries)
        if id(entry) in wanted
    }


def _entries(
    order: Sequence[str],
    nodes: Mapping[str, Node],
    places: Mapping[int, _Place],
    copied: Mapping[_Place, Copied],
    names: Mapping[str, str],
    *,
    replaced: Mapping[str, bytes],
    spool: Path,
) -> Iterator[Entry]:
    first: dict[_Place, str] = {}
    """The name that carries a content; the others are hard links to it."""
    for path in order:
        node = nodes[path]
        raw = "/".join(names.get(part, part) for part in path.split("/")) if "\\" in path else path
        if node.entry is None:
            yield Entry(path=raw, kind="folder", mode=0o755)
            continue
        place = places[id(node.entry)]
        one = copied[place]
        entry = _entry(raw, one.member)
        if entry.kind == "file" and path in replaced:
            data = replaced[path]
            yield msgspec.structs.replace(entry, data=data, size_bytes=len(data))
        elif entry.kind == "file" and place in first:
            yield msgspec.structs.replace(entry, kind="hardlink", target=first[place], size_bytes=0)
        else:
            if entry.kind == "file":
                first[place] = raw
                entry = msgspec.structs.replace(entry, source=spool, offset=one.offset)
            yield entry


def _entry(path: str, member: Member) -> Entry:
    kind = member.device.kind if member.device else member.kind
    assert kind not in ("device", "hardlink")  # noqa: S101 - a device says which; links show what they point to
    return Entry(
        path=path,
        kind=kind,  # type: ignore[arg-type]
        mode=member.mode,
        uid=member.uid,
        gid=member.gid,
        size_bytes=member.size_bytes,
        target=member.target if kind == "symlink" else "",
        mtime=member.mtime,
        attributes=member.attributes,
        device=(member.device.major, member.device.minor) if member.device else (0, 0),
    )


def write_layer(
    entries: Sequence[Entry], *, compression: Compression, level: int, store: Store, jobs: int
) -> tuple[compress.Blob, str]:
    """Store entries as one compressed layer; return it and its media type. Raises NoSpace, WrongConfiguration."""
    size_bytes = tar_bytes(entries)
    method = compress.choose_method(compression, level, size_bytes=size_bytes)
    pieces = tar(entries, store=store, mtime_s=0)
    blob = compress.write_layer(pieces, method=method, size_bytes=size_bytes, store=store, jobs=jobs)
    return blob, method.media_type
