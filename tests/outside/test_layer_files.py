from __future__ import annotations

import gzip
import io
from contextlib import contextmanager

import pytest
import zstandard

from fakes.layers import archive, item
from proa.errors import HostileArchive
from proa.outside.layer_files import take_out
from proa.outside.layer_stream import StreamedLayer

CONTENT = archive(
    [
        item("./etc/", None),
        item("./etc/first", b"1" * 300_000),
        item("etc/twice", b"old"),
        item("/etc/twice", b"new"),
        item("etc/\xff", b"bytes"),
        item("etc/link", link="first"),
        item("etc/last", b"9"),
    ]
)


def layer(content: bytes) -> StreamedLayer:
    @contextmanager
    def opened():
        yield io.BytesIO(content)

    return StreamedLayer(digest="sha256:x", diff_id="sha256:y", media_type="", size=len(content), open=opened)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress], ids=["plain", "gzip", "zstd"])
def test_files_are_taken_out_and_the_last_of_a_name_holds(pack, tmp_path):
    wanted = {name: tmp_path / str(number) for number, name in enumerate(("etc/first", "etc/twice", "etc/\xff"))}
    take_out(layer(pack(CONTENT)), wanted, times={"etc/twice": 2}, most_bytes=1 << 20)
    assert [target.read_bytes()[:5] for target in wanted.values()] == [b"11111", b"new", b"bytes"]
    assert (tmp_path / "0").stat().st_size == 300_000


def test_a_file_that_is_too_large_is_refused(tmp_path):
    with pytest.raises(HostileArchive, match="limit: 1000"):
        take_out(layer(CONTENT), {"etc/first": tmp_path / "x"}, times={}, most_bytes=1000)


@pytest.mark.parametrize("cut", [100, 1500, 200_000])
def test_what_was_cut_meanwhile_is_said(cut, tmp_path):
    with pytest.raises(HostileArchive):
        take_out(layer(CONTENT[:cut]), {"etc/first": tmp_path / "x"}, times={}, most_bytes=1 << 20)
    with pytest.raises(HostileArchive):
        take_out(
            layer(gzip.compress(CONTENT)[: cut // 1000 + 20]),
            {"etc/first": tmp_path / "x"},
            times={},
            most_bytes=1 << 20,
        )
