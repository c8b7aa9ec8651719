"""Take single files out of a layer that was read before, so that its digests are known to be right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from proa.errors import HostileArchive
from proa.outside.decompression import Compression, decompress
from proa.outside.layer_stream import Source, StreamedLayer
from proa.outside.layer_tar import plain_path
from proa.outside.store import disk_errors

if TYPE_CHECKING:
    import tarfile

_PIECE_BYTES = 256 << 10
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5": "zstd"}


def take_out(layer: StreamedLayer, wanted: Mapping[str, Path], *, times: Mapping[str, int], most_bytes: int) -> None:
    """Write the contents of files to ``wanted``'s targets; paths are as entries have them.

    ``times`` is how often each stands in the layer: the last one holds, and nothing is read beyond it.
    Raises HostileArchive for a file of more than ``most_bytes``, ImageMissing, NoSpace.
    """
    import tarfile

    left = {path: times.get(path, 1) for path in wanted}
    try:
        with layer.open() as file:
            pieces: Any = _Pieces(_plain(file))
            tar = tarfile.open(fileobj=pieces, mode="r|", bufsize=_PIECE_BYTES)  # noqa: SIM115 - a stream has no end to write
            for member in tar:
                # The list of all members is for going back, which nobody does here.
                tar.members = []  # type: ignore[attr-defined]
                path = _path(member)
                if member.isreg() and left.get(path):
                    _write(tar.extractfile(member), member, wanted[path], most_bytes)
                    left[path] -= 1
                    if not any(left.values()):
                        return
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise HostileArchive(f"layer {layer.digest or layer.diff_id} cannot be read again: {error}") from error


def _path(member: tarfile.TarInfo) -> str:
    return plain_path(member.name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _write(content: IO[bytes] | None, member: tarfile.TarInfo, target: Path, most_bytes: int) -> None:
    import shutil

    if member.size > most_bytes:
        raise HostileArchive(f"{member.name[:200]!r} has {member.size} bytes (limit: {most_bytes})")
    assert content is not None  # noqa: S101 - regular files have a content
    with disk_errors(target), target.open("wb") as out:
        shutil.copyfileobj(content, out, _PIECE_BYTES)


def _plain(file: Source) -> Iterator[bytes]:
    first = file.read(_PIECE_BYTES)
    pieces = _file_pieces(file, first)
    return decompress(pieces, _MAGIC.get(first[:2], "none"), piece_bytes=_PIECE_BYTES, what="a layer")


def _file_pieces(file: Source, first: bytes) -> Iterator[bytes]:
    data = first
    while data:
        yield data
        data = file.read(_PIECE_BYTES)


class _Pieces:
    """A file's ``read`` over pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int, /) -> bytes:
        """Return ``size`` bytes, fewer at the end only."""
        parts, have = [self._held], len(self._held)
        while have < size and (piece := next(self._pieces, b"")):
            parts.append(piece)
            have += len(piece)
        whole = b"".join(parts)
        self._held = whole[size:]
        return whole[:size]
