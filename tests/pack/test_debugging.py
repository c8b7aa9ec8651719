"""The debug image: the same layers, one more, and nothing of the image hidden."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import msgspec
import pytest

from fakes.debugging import build_id, make_shipped
from fakes.images import make_image, tar
from proa import pack
from proa.outside.store import Store
from proa.publish import built
from proa.records.debugging import Symbols
from proa.records.oci import Config, Descriptor, Manifest

NAMES = ("ls", "sh", "ps")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def symbols_of(store: Store) -> tuple[Descriptor, Symbols]:
    image, _, binary = make_shipped(store)
    symbols = built(binary)
    assert symbols is not None
    return image, msgspec.structs.replace(symbols, program="/hello", image=image.digest)


def make(store: Store, image: Descriptor, symbols: Symbols) -> tuple[Manifest, Config, dict[str, tarfile.TarInfo]]:
    shell = store.put_blob(b"the shell")
    made, layer = pack.debug_image(
        image, symbols, shell_digest=shell, shell_bytes=9, shell_names=NAMES, store=store, jobs=1
    )
    manifest = msgspec.json.decode(store.read_blob(made.digest), type=Manifest)
    config = msgspec.json.decode(store.read_blob(manifest.config.digest), type=Config)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(store.read_blob(layer.digest)))) as archive:
        return manifest, config, {member.name: member for member in archive}


def test_all_layers_and_the_way_it_starts_stay(store: Store) -> None:
    image, symbols = symbols_of(store)
    before = msgspec.json.decode(store.read_blob(image.digest), type=Manifest)
    started = msgspec.json.decode(store.read_blob(before.config.digest), type=Config)
    manifest, config, _ = make(store, image, symbols)
    assert manifest.layers[:-1] == before.layers
    assert config.config == started.config
    assert config.rootfs.diff_ids[:-1] == started.rootfs.diff_ids
    assert len(manifest.layers) == len(config.rootfs.diff_ids) == 2


def test_the_layer_has_the_shell_and_the_symbols_where_they_are_looked_for(store: Store, tmp_path: Path) -> None:
    image, symbols = symbols_of(store)
    _, _, members = make(store, image, symbols)
    place = f"usr/lib/debug/.build-id/{build_id()[:2]}/{build_id()[2:]}.debug"
    assert members[place].size == symbols.bytes
    assert (members["hello.debug"].islnk(), members["hello.debug"].linkname) == (True, place)
    assert (members["bin/sh"].mode, members["bin/ls"].linkname, members["bin/ps"].issym()) == (0o555, "sh", True)
    assert all((member.uid, member.gid, member.mtime) == (0, 0, 0) for member in members.values())


def test_tools_the_image_has_stay_its_own(store: Store) -> None:
    _, symbols = symbols_of(store)
    image = make_image(store, tar(**{"bin/ls": b"its own", "hello": b"x"}))
    _, _, members = make(store, image, symbols)
    assert "bin/ls" not in members
    assert "bin/ps" in members
    assert not pack.has_shell(image, store)
    assert pack.has_shell(make_image(store, tar(**{"bin/sh": b"its own"})), store)


def test_the_same_image_gives_the_same_debug_image(store: Store) -> None:
    image, symbols = symbols_of(store)
    assert make(store, image, symbols)[0] == make(store, image, symbols)[0]


def test_fields_that_proa_does_not_know_are_kept(store: Store) -> None:
    image, symbols = symbols_of(store)
    document = msgspec.json.decode(store.read_blob(image.digest))
    config = msgspec.json.decode(store.read_blob(document["config"]["digest"])) | {"os.version": "7"}
    config["config"]["Healthcheck"] = {"Test": ["NONE"]}
    content = msgspec.json.encode(config)
    document["config"] |= {"digest": store.put_blob(content), "size": len(content)}
    written = msgspec.json.encode(document)
    other = msgspec.structs.replace(image, digest=store.put_blob(written), size=len(written))
    manifest, _, _ = make(store, other, symbols)
    kept = msgspec.json.decode(store.read_blob(manifest.config.digest))
    assert (kept["config"]["Healthcheck"], kept["os.version"]) == ({"Test": ["NONE"]}, "7")
