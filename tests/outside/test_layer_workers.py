"""Layers read in several processes: the same answers, the same complaints, and nothing left running."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from proa.errors import HostileArchive
from proa.inspect.heads import look
from proa.outside.layer_stream import StreamedLayer, StreamLimits, read_layers
from proa.outside.layer_workers import read_apart
from proa.records.layer_entry import Seen


def tar_of(*names: str, size: int = 9 << 20, head: bytes = b"#!/bin/sh\n") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(head + bytes(size - len(head))))
    return out.getvalue()


def on_disk(folder: Path, *contents: bytes) -> list[StreamedLayer]:
    layers = []
    for number, content in enumerate(contents):
        file = folder / f"{number}.tar"
        file.write_bytes(content)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        layers.append(
            StreamedLayer(
                digest=digest, diff_id=digest, media_type="", size=len(content), open=lambda f=file: f.open("rb")
            )
        )
    return layers


@pytest.fixture
def layers(tmp_path):
    return on_disk(tmp_path, tar_of("a", "b"), tar_of("c", "usr/é"), tar_of("bin/run"), tar_of("d", "e"))


def test_two_processes_find_what_one_finds(layers):
    apart = read_apart(layers, look, place="image", processes=2)
    assert apart == read_layers(layers, look, place="image")
    assert apart[2].entries[0].seen.program.interpreter == "/bin/sh"


def test_what_lies_inside_an_archive_is_read_up_to_its_end(tmp_path, layers):
    from proa.outside.image_stream import _Opened

    whole = tmp_path / "whole"
    contents = [(tmp_path / f"{number}.tar").read_bytes() for number in range(4)]
    whole.write_bytes(b"before" + b"".join(contents) + b"after")
    at = 6
    inside = []
    for layer, content in zip(layers, contents, strict=True):
        size = len(content)
        inside.append(msgspec.structs.replace(layer, open=lambda at=at, size=size: _Opened(whole, at, size)))
        at += size
    assert read_apart(inside, look, place="image", processes=2) == read_layers(layers, look, place="image")


def test_layers_in_memory_are_read_here(tmp_path, layers):
    in_memory = [
        msgspec.structs.replace(layer, open=lambda number=number: io.BytesIO((tmp_path / f"{number}.tar").read_bytes()))
        for number, layer in enumerate(layers)
    ]
    assert read_apart(in_memory, look, place="image", processes=2) == read_layers(layers, look, place="image")


@pytest.mark.parametrize("number", range(4))
def test_a_wrong_digest_is_told_whoever_reads_the_layer(layers, number):
    wrong = f"sha256:{'0' * 64}"
    layers[number] = msgspec.structs.replace(layers[number], diff_id=wrong)
    with pytest.raises(HostileArchive, match=f"image: layer {layers[number].digest}: it unpacks to"):
        read_apart(layers, look, place="image", processes=2)


def test_limits_hold_for_all_layers_together(layers):
    most = sum(layer.size for layer in layers)
    assert read_apart(layers, look, place="image", processes=2, limits=StreamLimits(total_bytes=most))
    with pytest.raises(HostileArchive, match="limit: total bytes"):
        read_apart(layers, look, place="image", processes=2, limits=StreamLimits(total_bytes=most - 1))
    with pytest.raises(HostileArchive, match="limit: entries"):
        read_apart(layers, look, place="image", processes=2, limits=StreamLimits(entries=6))


def test_a_worker_that_cannot_do_it_leaves_the_work_to_this_process(layers):
    def look_here(*_: object) -> Seen | None:
        return None

    # No other process can import a function of a test.
    found = read_apart(layers, look_here, place="image", processes=2)
    assert [entry.path for layer in found for entry in layer.entries] == ["a", "b", "c", "usr/é", "bin/run", "d", "e"]
