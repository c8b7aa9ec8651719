"""The shipment record beside its image."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fakes.images import make_image
from proa.outside.store import Store
from proa.publish import SHIPMENT, attach_shipment, attached
from proa.records.oci import EMPTY, Manifest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_artifact_is_what_the_specification_asks_for(store: Store) -> None:
    image = make_image(store)
    descriptor = attach_shipment(b'{"schema":"proa/shipment/v1"}', image, store=store)
    artifact = msgspec.json.decode(store.read_blob(descriptor.digest), type=Manifest)
    assert artifact.artifact_type == descriptor.artifact_type == SHIPMENT
    assert artifact.subject == image
    assert (artifact.config.media_type, store.read_blob(artifact.config.digest)) == (EMPTY, b"{}")
    assert [layer.media_type for layer in artifact.layers] == [SHIPMENT]
    assert list(store.referrers(image.digest)) == [descriptor]


def test_other_times_alone_make_no_new_record(store: Store) -> None:
    image = make_image(store)
    first = attach_shipment(b'{"digest":"a","timings_s":{"build":1},"cache":{"build":"miss"}}', image, store=store)
    same = attach_shipment(b'{"digest":"a","timings_s":{"build":2},"cache":{"build":"hit"}}', image, store=store)
    other = attach_shipment(b'{"digest":"b","timings_s":{"build":1}}', image, store=store)
    assert first == same != other
    assert len(attached(image, SHIPMENT, store=store)) == 2
