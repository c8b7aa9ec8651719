"""One door to every place: the store, the tools' own places, and what is printed."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import real_neighbours
from fakes.images import make_image, make_index, tar
from proa.errors import BaseUnfit, ImageMissing, NoSpace, NotWritable, ToolMissing
from proa.outside.access import Access
from proa.outside.command import Ran
from proa.outside.images import fetch_image, located, write_image
from proa.outside.manifests import choose, stored_document
from proa.outside.store import Store
from proa.records.oci import INDEX, MANIFEST, Descriptor, Index, PlatformDocument
from proa.records.platform import Platform
from proa.records.reference import parse_reference

AMD64 = Platform("linux", "amd64")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


class Recorder:
    """A runner that keeps what it was asked, and whether the archive was there then."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, argv: Sequence[str], **_: Any) -> Ran:
        self.asked.append(tuple(argv))
        assert any(Path(word).is_file() for word in argv)
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"", seconds=0)


@pytest.mark.parametrize("text", ["api:1", "r.example/team/api:1", "api"])
def test_the_store_prints_the_digest_and_knows_it_again(store: Store, text: str) -> None:
    image = make_image(store)
    printed = write_image(image, parse_reference(text), store=store, access=Access())
    assert printed == f"{text.removesuffix(':1')}@{image.digest}"
    for reference in (text, printed):
        assert fetch_image(parse_reference(reference), AMD64, store=store, access=Access()) == image


def test_an_unknown_name_says_how_others_are_written(store: Store) -> None:
    with pytest.raises(ImageMissing) as missing:
        fetch_image(parse_reference("debian:12"), AMD64, store=store, access=Access())
    assert "docker://debian:12" in missing.value.hint


def test_another_platform_is_unfit(store: Store) -> None:
    write_image(make_image(store, architecture="arm64"), parse_reference("api"), store=store, access=Access())
    with pytest.raises(BaseUnfit, match="no linux/amd64") as unfit:
        fetch_image(parse_reference("api"), AMD64, store=store, access=Access())
    assert unfit.value.hint == "it has linux/arm64"


def test_an_image_whose_blobs_were_lost_is_missing(store: Store) -> None:
    image = make_image(store, tar(a=b"a"))
    write_image(image, parse_reference("api"), store=store, access=Access())
    document = stored_document(image, store)
    store.blob_path(document.layers[0].digest).unlink()  # type: ignore[union-attr]
    with pytest.raises(ImageMissing, match="lacks blob"):
        fetch_image(parse_reference("api"), AMD64, store=store, access=Access())


def test_kind_and_containerd_get_an_archive(store: Store) -> None:
    recorder = Recorder()
    access = Access(environ={"KIND_CLUSTER_NAME": "dev"}, run=recorder)
    index = make_index(store, amd64=make_image(store), arm64=make_image(store, architecture="arm64"))
    assert write_image(index, parse_reference("kind:api:1"), store=store, access=access, platform=AMD64) == "api:1"
    printed = write_image(index, parse_reference("containerd:api:1"), store=store, access=access)
    assert printed == f"docker.io/library/api:1@{index.digest}"
    kind, containerd = recorder.asked
    assert (kind[:3], kind[4:]) == (("kind", "load", "image-archive"), ("--name", "dev"))
    assert containerd[:5] == ("ctr", "-n", "k8s.io", "images", "import")


@pytest.mark.parametrize("text", ["kind:api:1", "containerd:api:1"])
def test_a_missing_tool_is_named(store: Store, text: str) -> None:
    with pytest.raises(ToolMissing):
        write_image(
            make_image(store, architecture="amd64"),
            parse_reference(text),
            store=store,
            access=Access(environ={"PATH": "/nonexistent"}),
            platform=AMD64,
        )


def offer(*platforms: str) -> Index:
    entries = []
    for number, text in enumerate(platforms):
        system, architecture, *variant = text.split("/")
        platform = PlatformDocument(os=system, architecture=architecture, variant=variant[0] if variant else None)
        entries.append(Descriptor(media_type=MANIFEST, digest=f"sha256:{number:064x}", size=1, platform=platform))
    return Index(schema_version=2, media_type=INDEX, manifests=tuple(entries))


@pytest.mark.parametrize(
    ("offered", "wanted", "chosen"),
    [
        (["linux/amd64", "linux/arm64"], "linux/arm64", 1),
        (["linux/arm64/v8"], "linux/arm64", 0),
        (["linux/arm64"], "linux/arm64/v8", 0),
        (["linux/arm/v5", "linux/arm/v7"], "linux/arm/v7", 1),
        (["linux/arm/v5", "linux/arm/v6"], "linux/arm/v7", 1),
        (["linux/arm/v6", "linux/arm/v7"], "linux/arm", 1),
        (["linux/amd64/v3", "linux/amd64"], "linux/amd64", 1),
        (["linux/amd64", "linux/amd64/v2"], "linux/amd64/v3", 1),
        (["unknown/unknown", "linux/amd64"], "linux/amd64", 1),
        (["linux/arm/v7"], "linux/arm/v6", None),
        (["windows/amd64"], "linux/amd64", None),
        (["unknown/unknown"], "linux/amd64", None),
        ([], "linux/amd64", None),
    ],
)
def test_the_platform_that_runs_is_chosen(offered: list[str], wanted: str, chosen: int | None) -> None:
    index = offer(*offered)
    if chosen is None:
        with pytest.raises(BaseUnfit, match=f"no {wanted}"):
            choose(index, Platform.parse(wanted))
    else:
        assert choose(index, Platform.parse(wanted)) == index.manifests[chosen]


@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_a_path_that_exists_wins_over_a_name(store: Store, tmp_path: Path, kind: str) -> None:
    write_image(
        make_image(store), parse_reference(f"{kind}:{tmp_path}/out"), store=store, access=Access(), platform=AMD64
    )
    assert located(f"{tmp_path}/out") == parse_reference(f"{kind}:{tmp_path}/out")
    assert located("out").transport == "store"


@pytest.mark.real
@pytest.mark.parametrize("kind", ["oci", "oci-archive", "docker-archive"])
def test_a_full_disk_is_told_and_what_was_there_stays(store: Store, tmp_path: Path, kind: str) -> None:
    small = make_image(store)
    large = make_image(store, tar(x=random.Random(1).randbytes(1 << 20)))
    with real_neighbours.small_disk(tmp_path / "disk") as disk:
        target = parse_reference(f"{kind}:{disk}/out")
        write_image(small, target, store=store, access=Access(), platform=AMD64)
        before = sorted(path for path in disk.rglob("*"))
        with pytest.raises(NoSpace):
            write_image(large, target, store=store, access=Access(), platform=AMD64)
        assert located(f"{disk}/out").transport == kind
        assert fetch_image(target, AMD64, store=Store(tmp_path / "o"), access=Access()).size > 0
        assert {path.name for path in disk.rglob(".*")} == set()
        assert set(before) <= set(disk.rglob("*"))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(NotWritable):
            write_image(large, target, store=store, access=Access(), platform=AMD64)
