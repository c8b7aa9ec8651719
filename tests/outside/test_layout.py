"""OCI layouts: what is written, what is kept, what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import real_neighbours
from fakes.images import make_image, make_index, tar
from proa.errors import BaseUnfit, ImageMissing, NotWritable
from proa.outside.access import Access
from proa.outside.images import fetch_image, write_image
from proa.outside.layout import REF_NAME, entry_for, merge, tag_of, write_layout
from proa.outside.manifests import read_document
from proa.outside.store import Store
from proa.publish import attach_shipment
from proa.records.oci import MANIFEST, Descriptor
from proa.records.platform import Platform
from proa.records.reference import parse_reference

AMD64 = Platform("linux", "amd64")
ACCESS = Access()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def write(store: Store, image: Descriptor, text: str, **more: object) -> str:
    return write_image(image, parse_reference(text), store=store, access=ACCESS, **more)


def blobs(folder: Path) -> set[str]:
    return {path.name for path in (folder / "blobs" / "sha256").iterdir()}


def tags(folder: Path) -> dict[str, str]:
    document = msgspec.json.decode((folder / "index.json").read_bytes())
    return {(entry.get("annotations") or {}).get(REF_NAME, ""): entry["digest"] for entry in document["manifests"]}


@pytest.mark.parametrize("tail", ["", ":1.0"])
def test_what_is_written_is_read_again(store: Store, tmp_path: Path, tail: str) -> None:
    image = make_image(store)
    printed = write(store, image, f"oci:{tmp_path}/out{tail}")
    assert printed == f"oci:{tmp_path}/out{tail}@{image.digest}"
    for reference in (f"oci:{tmp_path}/out{tail}", printed):
        other = Store(tmp_path / "other")
        assert fetch_image(parse_reference(reference), AMD64, store=other, access=ACCESS) == image


def test_the_same_tag_is_replaced_with_its_blobs_and_others_stay(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first, second, other = (make_image(store, tar(x=text), tar(same=b"")) for text in (b"1", b"2", b"3"))
    for image, tag in ((first, "a"), (other, "b"), (second, "a")):
        write(store, image, f"oci:{out}:{tag}")
    assert tags(out) == {"a": second.digest, "b": other.digest}
    expected = Store(tmp_path / "expected")
    for tag in ("a", "b"):
        fetch_image(parse_reference(f"oci:{out}:{tag}"), AMD64, store=expected, access=ACCESS)
    assert blobs(out) == {digest.removeprefix("sha256:") for digest in expected.digests()}


def test_an_untagged_image_replaces_the_untagged_one(store: Store, tmp_path: Path) -> None:
    for text in (b"1", b"2"):
        image = make_image(store, tar(x=text))
        write(store, image, f"oci:{tmp_path}/out")
        assert tags(tmp_path / "out") == {"": image.digest}


def test_only_the_image_is_there_unless_referrers_are_asked_for(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    record = attach_shipment(b'{"schema":"x"}', image, store=store)
    write(store, image, f"oci:{tmp_path}/bare")
    write(store, image, f"oci:{tmp_path}/full", referrers=[record])
    write(store, image, f"oci:{tmp_path}/full", referrers=[record])
    assert len(blobs(tmp_path / "bare")) == 3
    assert len(blobs(tmp_path / "full")) == 6
    assert fetch_image(parse_reference(f"oci:{tmp_path}/full"), AMD64, store=store, access=ACCESS) == image


def test_an_index_is_one_entry(store: Store, tmp_path: Path) -> None:
    index = make_index(store, amd64=make_image(store), arm64=make_image(store, architecture="arm64"))
    write(store, index, f"oci:{tmp_path}/out:1")
    assert tags(tmp_path / "out") == {"1": index.digest}
    with pytest.raises(BaseUnfit, match="no linux/s390x") as refused:
        fetch_image(parse_reference(f"oci:{tmp_path}/out:1"), Platform("linux", "s390x"), store=store, access=ACCESS)
    assert refused.value.hint == "it has linux/amd64, linux/arm64"


def test_several_images_want_a_tag(store: Store, tmp_path: Path) -> None:
    for tag in ("a", "b"):
        write(store, make_image(store, tar(x=tag.encode())), f"oci:{tmp_path}/out:{tag}")
    with pytest.raises(ImageMissing, match="2 images") as missing:
        fetch_image(parse_reference(f"oci:{tmp_path}/out"), AMD64, store=store, access=ACCESS)
    assert "a, b" in missing.value.hint


def test_a_damaged_blob_is_refused(store: Store, tmp_path: Path) -> None:
    image = make_image(store, tar(x=b"x"))
    write(store, image, f"oci:{tmp_path}/out")
    layer = max((tmp_path / "out/blobs/sha256").iterdir(), key=lambda path: path.read_bytes()[:2] == b"\x1f\x8b")
    layer.write_bytes(layer.read_bytes()[:-1] + b"\xff")
    with pytest.raises(BaseUnfit, match="damaged"):
        fetch_image(parse_reference(f"oci:{tmp_path}/out"), AMD64, store=Store(tmp_path / "o"), access=ACCESS)


def test_a_file_in_the_way_is_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(ImageMissing, match="not a folder"):
        write(store, make_image(store), f"oci:{tmp_path}/out")


def test_a_folder_that_is_no_layout_is_missing(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ImageMissing, match="no OCI layout"):
        fetch_image(parse_reference(f"oci:{tmp_path}"), AMD64, store=store, access=ACCESS)


def test_a_read_only_place_is_told(store: Store) -> None:
    with pytest.raises(NotWritable):
        write(store, make_image(store), "oci:/proc/out")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schemaVersion":2,"manifests":[{}]}', b"[" * 100_000])
def test_a_broken_index_is_not_written_over(store: Store, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.json").write_bytes(content)
    with pytest.raises(BaseUnfit):
        write(store, make_image(store), f"oci:{tmp_path}/out")
    assert (tmp_path / "out" / "index.json").read_bytes() == content


_TAGS = st.sampled_from(["", "a", "b"])
_DIGESTS = st.integers(0, 4).map(lambda number: f"sha256:{number:064x}")


@given(st.lists(st.tuples(_TAGS, _DIGESTS), max_size=6))
def test_after_any_writes_each_tag_is_there_once_with_its_last_image(writes: list[tuple[str, str]]) -> None:
    entries: tuple[Descriptor, ...] = ()
    for tag, digest in writes:
        entries = merge(entries, tag, [entry_for(Descriptor(media_type=MANIFEST, digest=digest, size=1), tag)])
    assert sorted((tag_of(entry), entry.digest) for entry in entries) == sorted(dict(writes).items())


@pytest.mark.real
@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_skopeo_copies_a_layout_and_its_copy_is_read(store: Store, tmp_path: Path, compression: str) -> None:
    real_neighbours.need("skopeo")
    image = make_image(store, compression=compression)
    write(store, image, f"oci:{tmp_path}/out")
    copy = ["skopeo", "copy", "--insecure-policy", f"oci:{tmp_path}/out", f"oci:{tmp_path}/copy:x"]
    subprocess.run(copy, check=True, capture_output=True)
    other = Store(tmp_path / "other")
    assert (
        fetch_image(parse_reference(f"oci:{tmp_path}/copy:x"), AMD64, store=other, access=ACCESS).digest == image.digest
    )


def test_a_new_folder_that_could_not_be_filled_is_removed(store: Store, tmp_path: Path) -> None:
    image = make_image(store)
    layer = read_document(store.read_blob(image.digest), image.media_type).layers[-1]
    store.blob_path(layer.digest).unlink()
    folder = tmp_path / "new"
    with pytest.raises(ImageMissing):
        write_layout(image, folder, tag="", store=store)
    assert not folder.exists()
