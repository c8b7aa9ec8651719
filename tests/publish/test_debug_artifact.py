"""Debug files as artifacts beside images."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fakes.debugging import build_id, make_binary, make_shipped
from fakes.images import make_image
from proa.outside.store import Store
from proa.publish import DEBUG, attach_debug, has_build_id, is_debug, read_debug
from proa.records.oci import EMPTY, Manifest


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_the_artifact_names_image_file_and_build_id(store: Store) -> None:
    image, descriptor, binary = make_shipped(store)
    artifact = msgspec.json.decode(store.read_blob(descriptor.digest), type=Manifest)
    assert artifact.artifact_type == descriptor.artifact_type == DEBUG == "application/vnd.proa.debug.v1"
    assert (artifact.subject, artifact.config.media_type) == (image, EMPTY)
    assert binary.debug is not None
    assert [(layer.digest, layer.size) for layer in artifact.layers] == [(binary.debug.digest, binary.debug.bytes)]
    assert artifact.layers[0].annotations == {"org.opencontainers.image.title": "hello.debug"}
    said = artifact.annotations or {}
    assert said["vnd.proa.debug.build-id"] == build_id()
    assert said["vnd.proa.debug.platform"] == "linux/amd64"
    assert list(store.referrers(image.digest)) == [descriptor]


def test_the_same_program_gives_the_same_artifact(store: Store) -> None:
    assert make_shipped(store)[1] == make_shipped(store)[1]


def test_a_program_without_debug_file_has_no_artifact(store: Store) -> None:
    binary = msgspec.structs.replace(make_binary(store), debug=None)
    assert attach_debug(binary, make_image(store), program="/hello", store=store) is None


def test_what_is_written_is_read_again_and_a_list_tells_the_build(store: Store) -> None:
    image, descriptor, binary = make_shipped(store, 7)
    assert is_debug(descriptor)
    assert has_build_id(descriptor, build_id(7)[:8])
    assert not has_build_id(descriptor, build_id(8)[:8])
    read = read_debug(msgspec.json.decode(store.read_blob(descriptor.digest), type=Manifest), place="here")
    assert read is not None
    symbols = read[0]
    assert (symbols.build_id, symbols.image, symbols.program) == (build_id(7), image.digest, "/hello")
    assert (symbols.file_name, symbols.program_digest) == ("hello.debug", binary.digest)


@pytest.mark.parametrize("name", ["../../.ssh/authorized_keys", "/etc/passwd", "..", "", "a\nb", ".bashrc", "x" * 300])
@pytest.mark.parametrize("wrong", ["../..", "AB", "abc", "zz" * 20])
def test_hostile_annotations_become_no_paths(store: Store, name: str, wrong: str) -> None:
    _, descriptor, _ = make_shipped(store)
    artifact = msgspec.json.decode(store.read_blob(descriptor.digest), type=Manifest)
    said = {**(artifact.annotations or {}), "vnd.proa.debug.link": name, "vnd.proa.debug.build-id": wrong}
    read = read_debug(msgspec.structs.replace(artifact, annotations=said), place="here")
    assert read is not None
    assert read[0].build_id == ""
    file = read[0].file_name
    assert file.endswith(".debug")
    assert not file.startswith(".")
    assert "/" not in file
    assert "\n" not in file
    assert len(file) < 200
