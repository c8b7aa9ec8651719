"""Synthetic images whose waste is known: proa must be exact on each, whole and per layer."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.layers import archive, docker_archive, item
from fakes.waste_images import CASES, KEPT, K, bulk
from proa.outside.access import Access
from proa.outside.image_stream import opened_image
from proa.outside.images import located
from proa.outside.store import Store
from proa.pipeline.inspect import dissect
from proa.records.image_anatomy import ImageAnatomy


def dissected(file: Path, tmp_path: Path) -> ImageAnatomy:
    store = Store(tmp_path / "store")
    with opened_image(located(str(file)), None, store=store, access=Access()) as opened:
        return dissect(opened, place=str(file))


@pytest.mark.parametrize("compress", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", CASES)
def test_waste_is_exact(name: str, compress: bool, tmp_path: Path) -> None:
    truth = CASES[name]
    file = docker_archive(tmp_path / "i.tar", [archive(layer) for layer in truth.layers], compress=compress)
    anatomy = dissected(file, tmp_path)
    assert anatomy.stored_bytes == truth.stored
    assert tuple(layer.wasted_bytes for layer in anatomy.layers) == truth.wasted
    assert anatomy.wasted_bytes == sum(truth.wasted)
    assert anatomy.visible_bytes + anatomy.wasted_bytes == anatomy.stored_bytes
    assert anatomy.duplicate_bytes == truth.double
    assert anatomy.efficiency == pytest.approx(1 - sum(truth.wasted) / truth.stored if truth.stored else 1)
    assert tuple(file.reason for file in anatomy.files) == truth.reasons


def test_layers_say_what_they_add_change_and_remove(tmp_path: Path) -> None:
    layers = [
        [item("a", bulk(1, 1)), item("b", bulk(2, 2)), item("d/c", bulk(3, 3))],
        [
            item("a", bulk(4, 4)),
            item(".wh.b", b""),
            item("new", bulk(5, 5)),
            item(".wh.d", b""),
            item("d/c", bulk(6, 6)),
        ],
    ]
    anatomy = dissected(docker_archive(tmp_path / "i.tar", [archive(each) for each in layers]), tmp_path)
    first, second = anatomy.layers
    assert (first.added.files, first.added.bytes, first.changed.files, first.removed.files) == (3, 6 * K, 0, 0)
    assert (second.added.files, second.added.bytes) == (1, 5 * K)
    assert (second.changed.files, second.changed.bytes) == (2, 10 * K)
    assert (second.removed.files, second.removed.bytes) == (1, 2 * K)
    assert [file.path for file in second.largest] == ["/d/c", "/new", "/a"]


def test_the_step_to_blame_skips_steps_without_a_layer(tmp_path: Path) -> None:
    history = [
        {"created_by": "/bin/sh -c #(nop) ENV A=1", "empty_layer": True},
        {"created_by": "/bin/sh -c make install"},
        {"created_by": "USER app", "empty_layer": True},
        {"created_by": "RUN /bin/sh -c rm /big # buildkit"},
    ]
    layers = [archive([item("big", bulk(9))]), archive([item(".wh.big", b"")])]
    anatomy = dissected(docker_archive(tmp_path / "i.tar", layers, history=history), tmp_path)
    assert [layer.instruction for layer in anatomy.layers] == ["RUN make install", "RUN rm /big"]
    (file,) = anatomy.files
    assert (file.instruction, file.layer, file.hidden_by) == (
        "RUN rm /big",
        anatomy.layers[0].digest,
        anatomy.layers[1].digest,
    )


def test_a_history_of_another_length_blames_nobody(tmp_path: Path) -> None:
    anatomy = dissected(docker_archive(tmp_path / "i.tar", [archive([KEPT])], history=[]), tmp_path)
    assert anatomy.layers[0].instruction == ""
