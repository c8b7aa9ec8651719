"""OCI and docker archives: written the same every time, read with suspicion."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import real_neighbours
from fakes.images import make_image, make_index, tar
from proa.errors import BaseUnfit, HostileArchive, ImageMissing, NotWritable, ProaError
from proa.outside.access import Access
from proa.outside.archive import Part, tar_stream
from proa.outside.images import fetch_image, takes_one_platform, write_image
from proa.outside.store import Store
from proa.records.oci import Config, Descriptor, Manifest
from proa.records.platform import Platform
from proa.records.reference import parse_reference

AMD64 = Platform("linux", "amd64")
ACCESS = Access()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def write(store: Store, image: Descriptor, text: str) -> str:
    return write_image(image, parse_reference(text), store=store, access=ACCESS, platform=AMD64)


def fetch(text: str, store: Store) -> Descriptor:
    return fetch_image(parse_reference(text), AMD64, store=store, access=ACCESS)


def files(store: Store, image: Descriptor) -> list[bytes]:
    """Return the layers' digests unpacked, which an archive may not change."""
    manifest = msgspec.json.decode(store.read_blob(image.digest), type=Manifest)
    return [gzip.decompress(store.read_blob(layer.digest)) for layer in manifest.layers]


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_what_is_written_is_read_again(store: Store, tmp_path: Path, kind: str, compression: str) -> None:
    layers = (tar(a=b"a" * 100_000), tar(b=b"b"))
    image = make_image(store, *layers, compression=compression)
    printed = write(store, image, f"{kind}:{tmp_path}/out.tar:api:1")
    assert printed == f"{kind}:{tmp_path}/out.tar:api:1@{image.digest}"
    other = Store(tmp_path / "other")
    fetched = fetch(f"{kind}:{tmp_path}/out.tar", other)
    if kind == "docker-archive":
        assert files(other, fetched) == list(layers)
    if compression == "gzip" or kind == "oci-archive":
        assert fetched == image


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_the_same_image_is_the_same_file(store: Store, tmp_path: Path, kind: str) -> None:
    image = make_image(store, tar(a=b"a"), tar(b=b"b"))
    for name in ("one", "two"):
        write(store, image, f"{kind}:{tmp_path}/{name}:api:1")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "store", "two"]


def test_a_docker_archive_takes_the_platform_of_this_machine(store: Store, tmp_path: Path) -> None:
    amd64 = make_image(store)
    index = make_index(store, arm64=make_image(store, architecture="arm64"), amd64=amd64)
    reference = f"docker-archive:{tmp_path}/out.tar:api:1"
    assert takes_one_platform(parse_reference(reference))
    assert write(store, index, reference).endswith(amd64.digest)
    with pytest.raises(BaseUnfit, match="no linux/s390x"):
        fetch_image(parse_reference(reference), Platform("linux", "s390x"), store=store, access=ACCESS)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_missing_folder_or_a_folder_in_the_way_is_told(store: Store, tmp_path: Path, kind: str) -> None:
    image = make_image(store)
    for place in (tmp_path / "no" / "out.tar", tmp_path / "store"):
        with pytest.raises(NotWritable):
            write(store, image, f"{kind}:{place}:api:1")
    with pytest.raises(ImageMissing):
        fetch(f"{kind}:{tmp_path}/no.tar", store)


@given(st.lists(st.tuples(st.text("abc/", min_size=1, max_size=90), st.binary(max_size=2000)), max_size=4))
def test_the_tar_writer_agrees_with_pythons_reader(members: list[tuple[str, bytes]]) -> None:
    named = {f"x{number}{name.rstrip('/')}": content for number, (name, content) in enumerate(members)}
    parts = [Part(name=name, size=len(content), content=content) for name, content in named.items()]
    with tarfile.open(fileobj=io.BytesIO(b"".join(tar_stream(parts))), mode="r:") as archive:
        read = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    assert read == named


# Archives of others


def docker_save(
    layers: list[tuple[str, bytes]], *, extra: list[tarfile.TarInfo] | None = None, diff_ids: list[str] | None = None
) -> bytes:
    """Return an archive as ``docker save`` writes it: plain tars as layers."""
    ids = diff_ids or [f"sha256:{hashlib.sha256(content).hexdigest()}" for _, content in layers]
    config = json.dumps(
        {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": ids}}
    ).encode()
    listing = json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": [name for name, _ in layers]}]).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member in extra or ():
            archive.addfile(member)
        for name, content in [("manifest.json", listing), ("c.json", config), *layers]:
            if content is not None and name not in {member.name for member in extra or ()}:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def test_plain_layers_become_gzip_the_same_every_time(store: Store, tmp_path: Path) -> None:
    layer = tar(a=b"a" * 50_000)
    (tmp_path / "a.tar").write_bytes(docker_save([("1/layer.tar", layer)]))
    (tmp_path / "a.tgz").write_bytes(gzip.compress(docker_save([("1/layer.tar", layer)])))
    first, second = (fetch(f"docker-archive:{tmp_path}/{name}", store) for name in ("a.tar", "a.tgz"))
    assert first == second
    assert files(store, first) == [layer]


def test_a_repeated_layer_that_is_a_link_is_followed(store: Store, tmp_path: Path) -> None:
    layer = tar(a=b"a")
    link = tarfile.TarInfo("2/layer.tar")
    link.type, link.linkname = tarfile.SYMTYPE, "../1/layer.tar"
    (tmp_path / "a.tar").write_bytes(docker_save([("1/layer.tar", layer), ("2/layer.tar", layer)], extra=[link]))
    assert files(store, fetch(f"docker-archive:{tmp_path}/a.tar", store)) == [layer, layer]


def test_links_in_a_circle_are_missing(store: Store, tmp_path: Path) -> None:
    link = tarfile.TarInfo("1/layer.tar")
    link.type, link.linkname = tarfile.SYMTYPE, "layer.tar"
    (tmp_path / "a.tar").write_bytes(docker_save([("1/layer.tar", b"")], extra=[link]))
    with pytest.raises(ImageMissing):
        fetch(f"docker-archive:{tmp_path}/a.tar", store)


def test_a_layer_that_is_not_the_configured_one_is_refused(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(docker_save([("1/layer.tar", tar(a=b"a"))], diff_ids=["sha256:" + "0" * 64]))
    with pytest.raises(HostileArchive, match="not the one"):
        fetch(f"docker-archive:{tmp_path}/a.tar", store)


def test_a_header_that_claims_to_be_huge_is_refused(store: Store, tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 1 << 40
    with gzip.open(tmp_path / "a.tar", "wb") as out:
        out.write(header.tobuf(tarfile.GNU_FORMAT))
        out.write(bytes(1 << 20))
    with pytest.raises(HostileArchive):
        fetch(f"docker-archive:{tmp_path}/a.tar", store)


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
@settings(max_examples=60, deadline=None)
@given(content=st.one_of(st.binary(max_size=2000), st.integers(0, 3000)), at=st.integers(0, 10_000))
def test_whatever_the_bytes_only_our_own_errors_come_out(
    tmp_path_factory: pytest.TempPathFactory, kind: str, content: bytes | int, at: int
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    store = Store(folder / "store")
    write(store, make_image(store), f"{kind}:{folder}/a.tar:api:1")
    good = bytearray((folder / "a.tar").read_bytes())
    if isinstance(content, bytes):
        good[at : at + len(content)] = content
    else:
        del good[content:]
    (folder / "a.tar").write_bytes(good)
    # Anything but our own errors fails the test; an archive that is still whole is read.
    with suppress(ProaError):
        fetched = fetch(f"{kind}:{folder}/a.tar", Store(folder / "other"))
        assert fetched.size > 0


@pytest.mark.real
@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_skopeo_copies_an_archive_and_its_copy_is_read(
    store: Store, tmp_path: Path, kind: str, compression: str
) -> None:
    real_neighbours.need("skopeo")
    layer = tar(a=b"a")
    write(store, make_image(store, layer, compression=compression), f"{kind}:{tmp_path}/out.tar")
    copy = [
        "skopeo",
        "copy",
        "--insecure-policy",
        f"{kind}:{tmp_path}/out.tar",
        f"{kind}:{tmp_path}/copy.tar:api:1",
    ]
    subprocess.run(copy, check=True, capture_output=True)
    other = Store(tmp_path / "other")
    fetched = fetch(f"{kind}:{tmp_path}/copy.tar", other)
    manifest = msgspec.json.decode(other.read_blob(fetched.digest), type=Manifest)
    config = msgspec.json.decode(other.read_blob(manifest.config.digest), type=Config)
    assert config.rootfs.diff_ids == (f"sha256:{hashlib.sha256(layer).hexdigest()}",)


def test_a_pipe_is_written_into_and_never_replaced(store: Store, tmp_path: Path) -> None:
    pipe = tmp_path / "out.tar"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write(store, make_image(store), f"oci-archive:{pipe}")
        with tarfile.open(fileobj=io.BytesIO(read.result(timeout=10))) as archive:
            assert "index.json" in archive.getnames()
    assert pipe.is_fifo()
