"""Stream a layer from where it is: decompress, check both digests, keep within limits, list the entries.

Memory is a few MiB for layers of any size, beside the list of entries.
Source: OCI image-spec, layer.md and manifest.md; RFC 1952; RFC 8878.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from queue import Full, Queue
from threading import Event, Lock
from typing import TYPE_CHECKING, Protocol

import msgspec

from proa.errors import HostileArchive, ProaError
from proa.outside.decompression import Compression, Watched, decompress
from proa.outside.layer_tar import Look, read_entries
from proa.records.layer_entry import Entry, LayerEntries
from proa.records.oci import DOCKER_LAYER, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD

if TYPE_CHECKING:
    from concurrent.futures import Future

_RAW_PIECE_BYTES = 96 << 10
_PIECE_BYTES = 96 << 10
"""Below the size from which malloc asks the kernel each time: pieces of 1 MiB took twice the system time."""
_BATCH_PIECES = 16
"""Handed over together: every handing over may cost a switch between threads."""
_AHEAD_BATCHES = 4
_PATIENCE_S = 0.2
"""How long a thread that is ahead waits before it looks whether it is still wanted (arbitrary)."""
_RATIO_GRACE_BYTES = 64 << 20
_MAGIC: dict[Compression, bytes] = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_MEDIA_TYPES: dict[Compression, str] = {"none": LAYER_TAR, "gzip": LAYER_GZIP, "zstd": LAYER_ZSTD}
_COMPRESSIONS: dict[str, Compression] = {
    LAYER_TAR: "none",
    LAYER_GZIP: "gzip",
    LAYER_ZSTD: "zstd",
    DOCKER_LAYER: "gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "none",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": "gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar": "none",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": "gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": "zstd",
}


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What is read of an image before it counts as hostile; for all its layers together."""

    total_bytes: int = 64 << 30
    """Unpacked. Twice the largest images there are (machine learning, 30 GB)."""
    entries: int = 1_000_000
    """Fedora's largest images have about 200,000."""
    ratio: float = 300.0
    """Unpacked to compressed, judged after the first 64 MiB of a layer; a Go binary has 3, logs of zeros 1,000."""


class Source(Protocol):
    """An open file."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102 - the class says it


class StreamedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer that can be read from its place."""

    digest: str
    """As its manifest names it; empty where the place names none."""
    diff_id: str
    media_type: str
    """Empty where the place names none: the content tells."""
    size: int
    open: Callable[[], AbstractContextManager[Source]]


class _Meter:
    """What all layers have taken of the limits so far; threads share it."""

    def __init__(self, limits: StreamLimits) -> None:
        self.limits = limits
        self._bytes = 0
        self._entries = 0
        self._lock = Lock()

    def take(self, *, count: int = 0, entries: int = 0) -> None:
        """Count bytes and entries. Raises HostileArchive."""
        with self._lock:
            self._bytes += count
            self._entries += entries
        if self._bytes > self.limits.total_bytes:
            raise HostileArchive(f"the image unpacks to more than {self.limits.total_bytes} bytes (limit: total bytes)")
        if self._entries > self.limits.entries:
            raise HostileArchive(f"the image has more than {self.limits.entries} entries (limit: entries)")


def read_layers(
    layers: Sequence[StreamedLayer], look: Look, *, place: str, limits: StreamLimits | None = None, threads: int = 2
) -> tuple[LayerEntries, ...]:
    """Read all layers, each in one pass; the results are in the order of the layers.

    Threads read, decompress and hash the next layers ahead, up to a few MiB each, while this one lists entries;
    with ``threads`` 0 this one does all of it. Raises HostileArchive (which limit, or what is wrong with which layer),
    ImageMissing.
    """
    from concurrent.futures import ThreadPoolExecutor

    meter, stop = _Meter(limits or StreamLimits()), Event()
    if not threads:
        return tuple(_list_layer(_Stream(layer, meter, stop), None, look, meter, place=place) for layer in layers)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        # Begun in order, so the layer that is waited for is always among those being read.
        streams = [_Stream(layer, meter, stop) for layer in layers]
        ends = [pool.submit(stream.pump) for stream in streams]
        try:
            return tuple(
                _list_layer(stream, end, look, meter, place=place) for stream, end in zip(streams, ends, strict=True)
            )
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def check_sums(read: Sequence[LayerEntries], limits: StreamLimits) -> None:
    """Judge layers that were read apart against the limits for all of them. Raises HostileArchive."""
    meter = _Meter(limits)
    for layer in read:
        meter.take(count=layer.unpacked_bytes, entries=len(layer.entries))


def _list_layer(stream: _Stream, end: Future[None] | None, look: Look, meter: _Meter, *, place: str) -> LayerEntries:
    layer = stream.layer
    try:
        try:
            entries = _listed(stream.pieces() if end else stream.made(), look, meter)
        finally:
            # What was wrong with the stream is the cause of what is wrong with the list.
            if stream.trouble is not None:
                raise stream.trouble
        if end is not None:
            end.result()
        _check_digests(layer, stream.raw, stream.plain)
    except HostileArchive as error:
        raise HostileArchive(f"{place}: layer {layer.digest or layer.diff_id}: {error.what}") from error
    return LayerEntries(
        digest=stream.raw.digest,
        diff_id=stream.plain.digest,
        media_type=layer.media_type or _MEDIA_TYPES[stream.compression],
        compressed_bytes=stream.raw.bytes,
        unpacked_bytes=stream.plain.bytes,
        entries=entries,
    )


class _Stream:
    """One layer on its way from its place to the list of its entries."""

    def __init__(self, layer: StreamedLayer, meter: _Meter, stop: Event) -> None:
        self.layer = layer
        self.raw = Watched()
        self.plain = Watched()
        self.compression: Compression = "none"
        self.trouble: ProaError | None = None
        """What ended the stream before its time."""
        self._meter = meter
        self._stop = stop
        self._queue: Queue[list[bytes]] = Queue(maxsize=_AHEAD_BATCHES)

    def pump(self) -> None:
        """Read, decompress and hash the whole layer; an empty batch is the end, however it came."""
        batch: list[bytes] = []
        try:
            for piece in self.made():
                batch.append(piece)
                if len(batch) == _BATCH_PIECES:
                    self._put(batch)
                    batch = []
        except ProaError as error:
            self.trouble = error
        finally:
            if batch:
                self._put(batch)
            self._put([])

    def pieces(self) -> Iterator[bytes]:
        """Yield what the pump has made."""
        while batch := self._queue.get():
            yield from batch

    def _put(self, batch: list[bytes]) -> None:
        while not self._stop.is_set():
            try:
                self._queue.put(batch, timeout=_PATIENCE_S)
            except Full:
                continue
            return

    def made(self) -> Iterator[bytes]:
        """Yield the layer's content as it is read, decompressed and hashed. Raises HostileArchive, ImageMissing."""
        named = _COMPRESSIONS.get(self.layer.media_type)
        if self.layer.media_type and named is None:
            raise HostileArchive(f"its media type {self.layer.media_type[:100]!r} is no layer's")
        with self.layer.open() as file:
            first = file.read(_RAW_PIECE_BYTES)
            self.compression = _compression(first, self.layer.media_type, named)
            pieces = self.raw.watch(_file_pieces(file, first, self._stop))
            if self.compression == "none":
                self.plain = self.raw
                yield from _bounded(pieces, self.raw, self._meter)
                return
            unpacked = decompress(
                pieces, self.compression, piece_bytes=_PIECE_BYTES, what=f"its {self.compression} stream"
            )
            yield from self.plain.watch(_bounded(unpacked, self.raw, self._meter))
            for _ in pieces:
                pass


def layer_pieces(layer: StreamedLayer, *, place: str, limits: StreamLimits | None = None) -> Iterator[bytes]:
    """Yield a layer's tar in pieces; when it ends well, its digests were right. Raises HostileArchive, ImageMissing."""
    stream = _Stream(layer, _Meter(limits or StreamLimits()), Event())
    try:
        yield from stream.made()
        _check_digests(layer, stream.raw, stream.plain)
    except HostileArchive as error:
        raise HostileArchive(f"{place}: layer {layer.digest or layer.diff_id}: {error.what}") from error


def _listed(pieces: Iterator[bytes], look: Look, meter: _Meter) -> tuple[Entry, ...]:
    found = []
    for entry in read_entries(pieces, look):
        found.append(entry)
        if not len(found) % 1000:
            meter.take(entries=1000)
    meter.take(entries=len(found) % 1000)
    return tuple(found)


def _compression(first: bytes, media_type: str, named: Compression | None) -> Compression:
    """Return how a layer is compressed. Raises HostileArchive where its media type says something else."""
    seen: Compression = "none"
    for kind, magic in _MAGIC.items():
        if first.startswith(magic):
            seen = kind
    if named is not None and first and seen != named:
        content = "not compressed" if seen == "none" else seen
        raise HostileArchive(f"its media type is {media_type}, but its content is {content}")
    return named or seen


def _check_digests(layer: StreamedLayer, raw: Watched, plain: Watched) -> None:
    if layer.digest and raw.digest != layer.digest:
        raise HostileArchive(f"its content has the digest {raw.digest}")
    if raw.bytes != layer.size:
        raise HostileArchive(f"it is {raw.bytes} bytes long, not {layer.size} as its manifest says")
    if plain.digest != layer.diff_id:
        raise HostileArchive(f"it unpacks to {plain.digest}, not to {layer.diff_id} as the configuration says")


def _file_pieces(file: Source, first: bytes, stop: Event) -> Iterator[bytes]:
    data = first
    while data:
        if stop.is_set():
            raise HostileArchive("reading was given up")
        yield data
        data = file.read(_RAW_PIECE_BYTES)


def _bounded(pieces: Iterator[bytes], raw: Watched, meter: _Meter) -> Iterator[bytes]:
    unpacked = 0
    ratio = meter.limits.ratio
    for piece in pieces:
        unpacked += len(piece)
        meter.take(count=len(piece))
        if unpacked > _RATIO_GRACE_BYTES and unpacked > ratio * raw.bytes:
            raise HostileArchive(
                f"it unpacks to more than {ratio:g} times its size: {unpacked} bytes of {raw.bytes} (limit: ratio)"
            )
        yield piece
