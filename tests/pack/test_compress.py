"""Compression: one valid stream, the same bytes on every machine, both digests right."""

from __future__ import annotations

import functools
import gzip
import hashlib
import io
import random
import tracemalloc
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.errors import WrongConfiguration
from proa.outside.store import Store
from proa.pack.compress import MEMBER_BYTES, Blob, Method, choose_method, write_layer

GZIP = Method(compression="gzip", level=1)
ZSTD = Method(compression="zstd", level=1)


@functools.cache
def noise(count: int) -> bytes:
    """Return half compressible bytes, always the same."""
    return bytes(random.Random(1).choices(range(64), k=count))


def write(data: bytes, store: Store, method: Method, *, jobs: int = 2, piece: int = 1 << 20) -> Blob:
    pieces = (data[start : start + piece] for start in range(0, len(data), piece))
    return write_layer(pieces, method=method, size_bytes=len(data), store=store, jobs=jobs)


def expanded(blob: bytes, method: Method) -> bytes:
    if method.compression == "gzip":
        return gzip.decompress(blob)
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(blob)).read()


@pytest.mark.parametrize("method", [GZIP, ZSTD], ids=lambda method: method.compression)
@pytest.mark.parametrize("size", [0, 1, 10240, MEMBER_BYTES, MEMBER_BYTES + 1, 3 * MEMBER_BYTES - 1])
def test_what_went_in_comes_out_and_the_digests_name_it(size: int, method: Method, store: Store) -> None:
    data = noise(size)
    made = write(data, store, method)
    blob = store.read_blob(made.digest)
    assert expanded(blob, method) == data
    assert made.diff_id == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert made.digest == f"sha256:{hashlib.sha256(blob).hexdigest()}"
    assert (made.bytes, made.unpacked_bytes) == (len(blob), size)


@pytest.mark.parametrize("method", [GZIP, ZSTD], ids=lambda method: method.compression)
def test_neither_cores_nor_the_size_of_pieces_change_a_byte(method: Method, store: Store) -> None:
    data = noise(3 * MEMBER_BYTES + 17)
    digests = {
        write(data, store, method, jobs=jobs, piece=piece).digest
        for jobs, piece in [(1, 1 << 20), (2, 1 << 20), (7, 4097), (3, 16 << 20)]
    }
    assert len(digests) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000), piece=st.integers(1, 700), jobs=st.integers(1, 4))
def test_any_bytes_in_any_pieces_are_kept(data: bytes, piece: int, jobs: int, store: Store) -> None:
    for method in (GZIP, ZSTD):
        blob = write(data, store, method, jobs=jobs, piece=piece)
        assert expanded(store.read_blob(blob.digest), method) == data


def test_a_gzip_member_names_no_time_and_no_file(store: Store) -> None:
    blob = store.read_blob(write(noise(100), store, GZIP).digest)
    assert blob[:4] == b"\x1f\x8b\x08\x00"  # no FNAME, FCOMMENT or FEXTRA: RFC 1952, 2.3
    assert blob[4:8] == bytes(4)


def test_a_zstd_frame_says_how_long_its_content_is(store: Store) -> None:
    blob = store.read_blob(write(noise(100_000), store, ZSTD).digest)
    assert zstandard.frame_content_size(blob) == 100_000
    assert zstandard.get_frame_parameters(blob).has_checksum


def test_memory_stays_flat_however_long_the_layer(tmp_path: Path) -> None:
    piece = noise(1 << 20)
    tracemalloc.start()
    try:
        write_layer((piece for _ in range(64)), method=GZIP, size_bytes=64 << 20, store=Store(tmp_path), jobs=2)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize(
    ("compression", "size", "strip", "level"),
    [
        pytest.param("gzip", 100_000, "dwarf", 12, id="small layers cost nothing"),
        pytest.param("gzip", 60 << 20, "dwarf", 7, id="programs"),
        pytest.param("gzip", 60 << 20, "all", 10, id="smallest was asked for"),
        pytest.param("zstd", 10 << 20, "dwarf", 16, id="small program"),
        pytest.param("zstd", 60 << 20, "dwarf", 10, id="large program"),
    ],
)
def test_the_default_level_follows_size_and_purpose(compression, size, strip, level) -> None:
    assert choose_method(compression, 0, size_bytes=size, strip=strip).level == level


@pytest.mark.parametrize(("compression", "level"), [("gzip", 13), ("zstd", 23), ("gzip", -1)])
def test_a_level_that_does_not_exist_is_refused(compression, level) -> None:
    with pytest.raises(WrongConfiguration, match="levels 1 to"):
        choose_method(compression, level, size_bytes=1)
