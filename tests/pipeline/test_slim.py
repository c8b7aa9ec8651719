"""`proa slim` from image to image, by files alone: places, determinism, what it refuses."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import msgspec
import pytest

from fakes.layers import archive, docker_archive, item
from fakes.registry import FakeRegistry
from proa.errors import BaseUnfit, HostileArchive, NotWritable, WrongUsage
from proa.outside.access import Access
from proa.outside.images import fetch_image, write_image
from proa.outside.places import open_place
from proa.outside.store import Store
from proa.pipeline.inspect import inspect_image
from proa.pipeline.slim import Wish, slim
from proa.records.oci import Config, Descriptor, Manifest
from proa.records.platform import Platform
from proa.records.reference import parse_reference
from proa.records.request import Request
from proa.records.slimming import SLIMMING, unpack_slimming

AMD64 = Platform("linux", "amd64")
PROGRAM = (
    b"\x7fELF\x02\x01\x01" + bytes(9)
    + struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0x400078, 64, 0, 0, 64, 56, 1, 64, 0, 0)
    + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x400000, 0x400000, 120, 120, 4096)
)  # fmt: skip
"""A static ELF program of one segment."""
LAYERS = [
    archive([
        item("bin/"), item("bin/app", PROGRAM, mode=0o755), item("etc/"),
        item("etc/os-release", b"ID=debian\n"),
        item("usr/share/doc/junk/big", bytes(range(256)) * 2000),
    ]),
    archive([item("usr/share/man/man1/other.1", b"x" * 100_000), item("usr/share/doc/.wh.junk", b"")]),
]  # fmt: skip
EXECUTION = {"User": "65532", "Entrypoint": ["/bin/app"], "Healthcheck": {"Test": ["NONE"]}, "WorkingDir": "/etc"}


@pytest.fixture
def image(tmp_path):
    return docker_archive(tmp_path / "app.tar", LAYERS, execution=EXECUTION)


def slimmed(image, folder, *to, wish=None, **more):
    environ = {"PROA_CACHE": str(folder / "store"), "PATH": "/usr/bin:/bin"}
    request = Request(directory=str(folder), to=to, **more)
    return slim(str(image), request, wish or Wish(should_run=False), environ=environ, progress=lambda _what: None)


def documents(digest, folder):
    store = Store(folder / "store")
    manifest = msgspec.json.decode(store.read_blob(digest), type=Manifest)
    return manifest, json.loads(store.read_blob(manifest.config.digest))


def test_what_is_needed_becomes_one_layer(image, tmp_path):
    result = slimmed(image, tmp_path)
    assert result.after_bytes < 5000 < result.before_bytes
    assert [path for group in result.left_out for path in group.paths] == ["/usr/share/man/man1/other.1"]
    assert result.reference == f"app-slim@{result.digest}"
    manifest, config = documents(result.digest, tmp_path)
    assert len(manifest.layers) == 1
    assert config["config"] == EXECUTION
    assert len(config["history"]) == 1
    environ = {"PROA_CACHE": str(tmp_path / "store")}
    anatomy = inspect_image("app-slim", Request(), environ=environ, progress=lambda _what: None)
    assert anatomy.wasted_bytes == 0
    assert {"slim.not-tried"} == {one.id for one in result.findings}


def test_two_runs_and_two_stores_give_the_same_image(image, tmp_path):
    first = slimmed(image, tmp_path, "oci:" + str(tmp_path / "a"))
    again = slimmed(image, tmp_path, "oci:" + str(tmp_path / "b"), jobs=1)
    (tmp_path / "other").mkdir()
    elsewhere = slimmed(image, tmp_path / "other")
    assert first.digest == again.digest == elsewhere.digest


def test_every_place_of_one_image_gives_the_same_layer_and_configuration(image, tmp_path):
    store = Store(tmp_path / "store")
    there = fetch_image(parse_reference(f"docker-archive:{image}"), AMD64, store=store, access=Access())
    with FakeRegistry() as registry:
        places = [
            f"oci:{tmp_path / 'layout'}:1",
            f"oci-archive:{tmp_path / 'a.oci'}:1",
            f"docker://{registry.host}/app:1",
        ]
        for place in places:
            write_image(there, parse_reference(place), store=store, access=Access())
        results = [slimmed(place, tmp_path) for place in (image, *places)]
    found = [documents(result.digest, tmp_path)[0] for result in results]
    assert len({manifest.layers for manifest in found}) == 1
    assert len({manifest.config.digest for manifest in found}) == 1
    assert results[1].digest == results[2].digest
    base = "org.opencontainers.image.base"
    assert found[0].annotations is None
    assert found[1].annotations == {f"{base}.digest": there.digest}
    assert found[3].annotations == {f"{base}.digest": there.digest, f"{base}.name": f"{registry.host}/app:1"}


@pytest.mark.parametrize("kind", ["store", "layout", "archive", "registry"])
def test_the_whole_record_travels_with_the_image(image, tmp_path, kind):
    with FakeRegistry() as registry:
        to = {
            "store": "small:1",
            "layout": f"oci:{tmp_path / 'small'}:1",
            "archive": f"oci-archive:{tmp_path / 'small.tar'}:1",
            "registry": f"docker://{registry.host}/small:1",
        }[kind]
        result = slimmed(image, tmp_path, to)
        reader = Store(tmp_path / ("store" if kind == "store" else "reader"))
        with open_place(parse_reference(to), is_whole=False, store=reader, access=Access()) as place:
            (found,) = (one for one in place.referrers(result.digest) if one.artifact_type == SLIMMING)
            manifest = msgspec.json.decode(place.content(found), type=Manifest)
            place.take(manifest.layers[0])
            record = unpack_slimming(reader.read_blob(manifest.layers[0].digest))
    assert record.digest == result.digest
    assert {one.path for one in record.kept} >= {"/bin/app", "/etc/os-release"}
    assert [path for group in record.left_out for path in group.paths] == ["/usr/share/man/man1/other.1"]


def test_nothing_to_leave_out_is_the_original(tmp_path):
    image = docker_archive(tmp_path / "a.tar", [archive([item("app", PROGRAM, mode=0o755)])], compress=True)
    result = slimmed(image, tmp_path)
    assert (result.after_bytes, result.left_out_files) == (result.before_bytes, 0)
    assert "slim.nothing" in {one.id for one in result.findings}
    original = fetch_image(
        parse_reference(f"docker-archive:{image}"), AMD64, store=Store(tmp_path / "store"), access=Access()
    )
    assert result.digest == original.digest


def test_a_dry_run_writes_nothing_and_the_list_is_whole(image, tmp_path):
    wish = Wish(should_run=False, is_dry=True, left_out_file=str(tmp_path / "gone.txt"))
    result = slimmed(image, tmp_path, f"oci:{tmp_path / 'small'}", wish=wish)
    assert result.reference == ""
    assert not (tmp_path / "small").exists()
    assert (tmp_path / "gone.txt").read_text() == "/usr/share/man/man1/other.1\n"


def test_what_proa_yaml_keeps_and_what_flags_keep_add_up(image, tmp_path):
    (tmp_path / "proa.yaml").write_text("slim: {keep: [/usr/share/man/]}\n")
    assert slimmed(image, tmp_path).left_out_files == 0
    assert slimmed(image, tmp_path, overrides={"slim": {"keep": ["/etc/"]}}).left_out_files == 0


def test_a_word_that_stands_for_nothing_is_said(image, tmp_path):
    with pytest.raises(WrongUsage, match="nothing in the image is meant by 'debian:perl'"):
        slimmed(image, tmp_path, overrides={"slim": {"keep": ["debian:perl"]}})


def test_one_of_several_platforms_is_made_small_and_that_is_said(tmp_path):
    from fakes.images import make_image, make_index

    store = Store(tmp_path / "store")
    layers = (archive([item("hello", PROGRAM, mode=0o755), item("usr/share/man/x", b"x" * 50_000)]),)
    one, other = make_image(store, *layers), make_image(store, *layers, architecture="arm64")
    index = make_index(store, amd64=one, arm64=other)
    place = f"oci:{tmp_path / 'both'}:1"
    write_image(index, parse_reference(place), store=store, access=Access())
    result = slimmed(place, tmp_path, platforms=("linux/arm64",))
    assert result.platform == Platform("linux", "arm64")
    assert "slim.one-platform" in {finding.id for finding in result.findings}
    with pytest.raises(BaseUnfit, match="linux/riscv64"):
        slimmed(place, tmp_path, platforms=("linux/riscv64",))


def test_nothing_of_the_scratch_is_left_whatever_happens(image, tmp_path):
    def broken_off(what):
        if what.startswith("writing"):
            raise KeyboardInterrupt

    environ = {"PROA_CACHE": str(tmp_path / "store")}
    with pytest.raises(KeyboardInterrupt):
        slim(str(image), Request(directory=str(tmp_path)), Wish(should_run=False), environ=environ, progress=broken_off)
    slimmed(image, tmp_path)
    assert list((tmp_path / "store" / "partial").iterdir()) == []


@pytest.mark.parametrize(
    ("layers", "execution", "error", "what"),
    [
        ([LAYERS[0]], {}, WrongUsage, "names nothing to start"),
        ([LAYERS[0]], {"Entrypoint": ["/bin/none"]}, BaseUnfit, "the entrypoint /bin/none is not in the image"),
        ([LAYERS[0]], {"Cmd": ["/etc/os-release"]}, BaseUnfit, "is not executable"),
        ([archive([item("../../etc/passwd", b"x")])], EXECUTION, HostileArchive, "leads out"),
        ([archive([item("a", link="/"), item("a/../../x", b"")])], EXECUTION, HostileArchive, "leads out"),
        ([LAYERS[0][:2000]], EXECUTION, HostileArchive, "ends in the middle"),
        (
            [archive([item("bin/app", PROGRAM, mode=0o755), item("b", hard="a")])],
            EXECUTION,
            HostileArchive,
            "not there",
        ),
    ],
)
def test_what_is_refused_leaves_nothing(layers, execution, error, what, tmp_path):
    image = docker_archive(tmp_path / "a.tar", layers, execution=execution or {"User": "1"})
    with pytest.raises(error, match=what):
        slimmed(image, tmp_path, f"oci:{tmp_path / 'small'}")
    assert not (tmp_path / "small").exists()


def test_a_place_that_cannot_be_written_is_said(image, tmp_path):
    with pytest.raises(NotWritable):
        slimmed(image, tmp_path, "oci:/sys/nowhere")


def test_a_windows_image_is_refused(tmp_path):
    store = Store(tmp_path / "store")
    config = msgspec.json.encode(Config(architecture="amd64", os="windows"))
    from proa.outside.archive import put_manifest

    found: Descriptor = put_manifest(config, [], store)
    place = parse_reference(f"oci:{tmp_path / 'windows'}:1")
    write_image(found, place, store=store, access=Access())
    with pytest.raises(BaseUnfit, match="is for windows"):
        slimmed(f"oci:{tmp_path / 'windows'}:1", tmp_path)
    assert Path(tmp_path / "windows").exists()
