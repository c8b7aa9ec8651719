"""Compress a layer while it is written: several cores, flat memory, the same bytes whatever their number.

gzip is cut into independent members of a fixed size, which RFC 1952 (section 2.2) makes one valid stream; zstd is
one frame whose jobs have a fixed size. See docs/decisions/0006-compression-and-members.md for the figures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec

from proa.errors import WrongConfiguration
from proa.outside.decompression import Watched
from proa.outside.store import Store
from proa.records.binary import Strip
from proa.records.configuration import Compression
from proa.records.oci import LAYER_GZIP, LAYER_ZSTD

MEMBER_BYTES = 2 << 20
"""Of tar in one gzip member. Measured: 0.07 % larger than members of 16 MiB for podinfo; 1 MiB 0.13 %, 4 MiB 0.03 %."""
_MOST_JOBS = 8
"""More threads than this only hold more memory: two members in flight each."""
_TINY_BYTES = 1 << 20
"""The system files: the best level costs less than a tenth of a second, once."""
_SMALL_BYTES = 16 << 20
"""zstd's short search leaves small programs above 0.47 of ko's layer; a binary-tree search of 2 s does not."""
_MOST_ZSTD_JOBS = 2
"""Each zstd worker holds its own window and tables: measured 86 MiB peak with one, 156 MiB with three."""
_ZSTD_JOB_BYTES = 8 << 20


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """How a layer is compressed: all of it that decides the bytes."""

    compression: Compression
    level: int
    search_log: int = 0
    """zstd only: how hard the match finder tries; 0 is the level's own."""

    @property
    def media_type(self) -> str:
        """Return the layer's media type."""
        return LAYER_GZIP if self.compression == "gzip" else LAYER_ZSTD


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A compressed layer in the store."""

    digest: str
    diff_id: str
    bytes: int
    unpacked_bytes: int


def choose_method(compression: Compression, level: int, *, size_bytes: int, strip: Strip = "dwarf") -> Method:
    """Return how to compress; level 0 asks for the default, which depends on size and purpose.

    Raises WrongConfiguration for a level the compression does not have.

    >>> choose_method("gzip", 0, size_bytes=1 << 30).level
    7
    """
    most = 12 if compression == "gzip" else 22
    if not 0 <= level <= most:
        raise WrongConfiguration(
            f"image.compression_level: {compression} has levels 1 to {most}, not {level}",
            hint="leave it out for the default",
        )
    if level:
        return Method(compression=compression, level=level)
    if compression == "gzip" and size_bytes <= _TINY_BYTES:
        return Method(compression="gzip", level=12)
    if compression == "gzip":
        # Whoever strips by "all" asked for the smallest image; the default keeps the way from edit to image short.
        return Method(compression="gzip", level=10 if strip == "all" else 7)
    if size_bytes <= _SMALL_BYTES:
        return Method(compression="zstd", level=16, search_log=3)
    return Method(compression="zstd", level=10)


def library_version(compression: Compression) -> str:
    """Return the name and version of what compresses: another one may write other bytes."""
    if compression == "gzip":
        import deflate

        return f"deflate {deflate.__version__}"
    import zstandard

    return f"zstandard {zstandard.__version__}"


def write_layer(pieces: Iterable[bytes], *, method: Method, size_bytes: int, store: Store, jobs: int) -> Blob:
    """Compress a tar of ``size_bytes`` into the store; both digests are taken on the way. Raises NoSpace."""
    seen = Watched()
    jobs = max(1, min(jobs, _MOST_JOBS))
    stream = seen.watch(pieces)
    if method.compression == "gzip":
        compressed = _gzip(stream, level=method.level, jobs=jobs)
    else:
        compressed = _zstd(stream, method=method, size_bytes=size_bytes, jobs=jobs)
    with store.write_blob() as writer:
        for data in compressed:
            writer.write(data)
    return Blob(digest=writer.digest, diff_id=seen.digest, bytes=writer.bytes, unpacked_bytes=seen.bytes)


def _gzip(pieces: Iterable[bytes], *, level: int, jobs: int) -> Iterator[bytes]:
    """Yield gzip members in order; at most two per thread are held at once."""
    import deflate

    # libdeflate writes neither time nor name into the header, and lets go of the interpreter while it works.
    waiting: deque[Future[bytearray]] = deque()
    with ThreadPoolExecutor(jobs, thread_name_prefix="gzip") as pool:
        for member in _members(pieces):
            waiting.append(pool.submit(deflate.gzip_compress, member, level))
            if len(waiting) > 2 * jobs:
                yield bytes(waiting.popleft().result())
        while waiting:
            yield bytes(waiting.popleft().result())


def _members(pieces: Iterable[bytes]) -> Iterator[bytearray]:
    gathered = bytearray()
    for piece in pieces:
        start = 0
        while start < len(piece):
            taken = piece[start : start + MEMBER_BYTES - len(gathered)]
            gathered += taken
            start += len(taken)
            if len(gathered) == MEMBER_BYTES:
                yield gathered
                gathered = bytearray()
    if gathered:
        yield gathered


def _zstd(pieces: Iterable[bytes], *, method: Method, size_bytes: int, jobs: int) -> Iterator[bytes]:
    """Yield one zstd frame with its content size. At least one worker thread: without any, zstd cuts otherwise."""
    import zstandard

    given = {"search_log": method.search_log} if method.search_log else {}
    parameters = zstandard.ZstdCompressionParameters.from_level(
        method.level,
        source_size=size_bytes,
        threads=min(jobs, _MOST_ZSTD_JOBS),
        job_size=_ZSTD_JOB_BYTES,
        write_content_size=True,
        write_checksum=True,
        **given,
    )
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size_bytes)
    for piece in pieces:
        if data := compressor.compress(piece):
            yield data
    yield compressor.flush()
