"""Images in every place and compression give one anatomy; damaged and hostile ones give one plain error."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zstandard
from click.testing import CliRunner

from fakes.images import make_image, make_index
from fakes.layers import archive, docker_archive, item
from proa.cli import anatomy_table
from proa.cli.inspect import inspect
from proa.errors import BaseUnfit, HostileArchive, ImageMissing, ProaError, WrongUsage
from proa.outside.access import Access
from proa.outside.image_stream import opened_image
from proa.outside.images import located, write_image
from proa.outside.layer_stream import StreamedLayer, StreamLimits, read_layers
from proa.outside.layer_tar import read_entries
from proa.outside.store import Store
from proa.pipeline.inspect import dissect, is_program
from proa.records.image_anatomy import ImageAnatomy, encode_anatomy
from proa.records.oci import DOCKER_LAYER, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD
from proa.records.platform import Platform
from proa.records.reference import parse_reference

LAYERS = [
    archive([item("big/a", b"a" * 70_000), item("big/b", b"b" * 2_500_000), item("app", b"x" * 10)]),
    archive([item(".wh.big", b""), item("app", b"y" * 20)]),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def anatomy_at(text: str, store: Store, platform: Platform | None = None, access: Access | None = None) -> ImageAnatomy:
    reference = located(text)
    with opened_image(reference, platform, store=store, access=access or Access()) as opened:
        return dissect(opened, place=text)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
@pytest.mark.parametrize("place", ["api:1", "oci:{}/layout:1", "oci-archive:{}/a.tar", "docker-archive:{}/d.tar"])
def test_every_place_gives_the_same_account(place: str, compression: str, store: Store, tmp_path: Path) -> None:
    target = place.format(tmp_path)
    write_image(
        make_image(store, *LAYERS, compression=compression), parse_reference(target), store=store, access=Access()
    )
    anatomy = anatomy_at(target, store)
    assert (anatomy.stored_bytes, anatomy.wasted_bytes) == (2_570_030, 2_570_010)
    assert [layer.diff_id for layer in anatomy.layers] == [
        f"sha256:{hashlib.sha256(one).hexdigest()}" for one in LAYERS
    ]


def test_an_archive_that_gzip_wrapped_whole_is_read(store: Store, tmp_path: Path) -> None:
    plain = docker_archive(tmp_path / "i.tar", LAYERS)
    (tmp_path / "i.tgz").write_bytes(gzip.compress(plain.read_bytes()))
    assert anatomy_at(str(tmp_path / "i.tgz"), store).wasted_bytes == 2_570_010


def test_nothing_is_written_to_the_store_for_an_archive(store: Store, tmp_path: Path) -> None:
    anatomy_at(str(docker_archive(tmp_path / "i.tar", LAYERS, compress=True)), store)
    assert list(store.digests()) == []


def test_a_single_image_for_another_platform_is_read_as_it_is(store: Store, tmp_path: Path) -> None:
    for target in ("api:1", f"oci:{tmp_path}/layout"):
        write_image(make_image(store, architecture="s390x"), parse_reference(target), store=store, access=Access())
        assert anatomy_at(target, store).platform == Platform("linux", "s390x")
        with pytest.raises(BaseUnfit, match="has no linux/arm64"):
            anatomy_at(target, store, Platform("linux", "arm64"))


def test_an_index_without_the_platform_lists_what_it_has(store: Store, tmp_path: Path) -> None:
    index = make_index(store, amd64=make_image(store), arm64=make_image(store, architecture="arm64"))
    for target in ("api:1", f"oci:{tmp_path}/layout", f"oci-archive:{tmp_path}/a.tar"):
        write_image(index, parse_reference(target), store=store, access=Access())
        assert anatomy_at(target, store, Platform("linux", "arm64")).platform.architecture == "arm64"
        with pytest.raises(BaseUnfit, match="no linux/s390x") as unfit:
            anatomy_at(target, store, Platform("linux", "s390x"))
        assert "linux/arm64" in unfit.value.hint


# Single layers


def layer(content: bytes, *, media_type: str = LAYER_TAR, plain: bytes | None = None, **changes: Any) -> StreamedLayer:
    def digest(data: bytes) -> str:
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    made = StreamedLayer(
        digest=digest(content),
        diff_id=digest(content if plain is None else plain),
        media_type=media_type,
        size=len(content),
        open=lambda: io.BytesIO(content),
    )
    return msgspec.structs.replace(made, **changes)


def read(*layers: StreamedLayer, limits: StreamLimits | None = None) -> list[str]:
    found = read_layers(layers, lambda *_: None, place="image", limits=limits)
    return [entry.path for one in found for entry in one.entries]


TAR = LAYERS[0]
PAX = archive([item("d/" * 60 + "é" * 60, b"long"), item("n" * 99, b"x")])
WRONG = f"sha256:{'0' * 64}"


def raw_header(name: bytes, size: bytes, kind: bytes = b"0") -> bytes:
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108] = b"0000644\0"
    block[124 : 124 + len(size)] = size
    block[156:157] = kind
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


@pytest.mark.parametrize(
    ("media_type", "pack"),
    [
        (LAYER_TAR, bytes),
        (LAYER_GZIP, gzip.compress),
        (DOCKER_LAYER, gzip.compress),
        (LAYER_ZSTD, zstandard.compress),
        ("", gzip.compress),
        (LAYER_GZIP, lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:])),
    ],
)
def test_each_media_type_and_several_members_are_read(media_type: str, pack: Callable[[bytes], bytes]) -> None:
    assert read(layer(pack(TAR), media_type=media_type, plain=TAR)) == ["big/a", "big/b", "app"]


@pytest.mark.parametrize("size", [1, 7, 511, 513, 1000, 98_303])
def test_pieces_of_any_size_give_the_same_entries(size: int) -> None:
    content = archive([item("a", b"x" * 700), item("b", b"y"), item("n" * 150, b"z" * 513), item("c", b"1" * 1025)])
    pieces = (content[at : at + size] for at in range(0, len(content), size))
    whole = list(read_entries(iter([content]), lambda *_: None))
    assert list(read_entries(pieces, lambda *_: None)) == whole
    large = (TAR[at : at + size * 1000] for at in range(0, len(TAR), size * 1000))
    assert list(read_entries(large, lambda *_: None)) == list(read_entries(iter([TAR]), lambda *_: None))


def test_long_names_and_an_archive_without_its_end_are_read() -> None:
    assert read(layer(PAX)) == [("d/" * 60 + "é" * 60), "n" * 99]
    assert read(layer(archive([item("a", b"x" * 512)])[:1024])) == ["a"]


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: layer(TAR, digest=WRONG), "its content has the digest"),
        (lambda: layer(TAR, diff_id=WRONG), "as the configuration says"),
        (lambda: layer(TAR, size=7), "not 7 as its manifest says"),
        (lambda: layer(TAR, media_type="text/plain"), "media type 'text/plain' is no layer's"),
        (lambda: layer(TAR, media_type=LAYER_GZIP), "but its content is not compressed"),
        (lambda: layer(gzip.compress(TAR), media_type=LAYER_ZSTD, plain=TAR), "but its content is gzip"),
        (lambda: layer(gzip.compress(TAR)[:-9], media_type=LAYER_GZIP, plain=TAR), "cut short"),
        (lambda: layer(gzip.compress(TAR)[:30] + b"\xff" * 500, media_type=LAYER_GZIP), "gzip stream is corrupt"),
        (lambda: layer(zstandard.compress(TAR)[:4] + b"\xff" * 50, media_type=LAYER_ZSTD), "zstd stream is corrupt"),
        (lambda: layer(TAR[:700]), "ends in the middle of 'big/a'"),
        (lambda: layer(TAR[:100_000]), "ends in the middle of 'big/b'"),
        (lambda: layer(TAR[:200]), "in the middle of a header"),
        (lambda: layer(b"hello" * 400), "header at byte 0 has a wrong checksum"),
        (lambda: layer(archive([item("../../etc/passwd", b"x")])), "leads out of the image"),
        (lambda: layer(archive([item("a", hard="../../etc/passwd")])), "leads out of the image"),
        (lambda: layer(archive([item("d/" * 300 + "a", b"x")])), "301 parts"),
        (lambda: layer(archive([item("n" * 5000, b"x")])), "5000 characters"),
        (lambda: layer(raw_header(b"a", b"-0000001")), "is no number"),
        (lambda: layer(raw_header(b"a", b"99999999")), "is no number"),
        (lambda: layer(raw_header(b"a", b"00000000", b"S")), "unknown type"),
        (lambda: layer(raw_header(b"a", b"77777777777", b"x")), "extended tar header claims"),
        (lambda: layer(raw_header(b"a", b"\x80" + b"\xff" * 11)), "ends in the middle"),
    ],
)
def test_a_bad_layer_is_refused_by_name(made: Callable[[], StreamedLayer], message: str) -> None:
    bad = made()
    with pytest.raises(HostileArchive) as refused:
        read(layer(TAR), bad)
    assert message in refused.value.what
    assert bad.digest in refused.value.what


def test_bombs_end_at_the_limit_they_break() -> None:
    zeros = archive([item("zeros", bytes(80 << 20))])
    with pytest.raises(HostileArchive, match=r"more than 300 times its size.*limit: ratio"):
        read(layer(gzip.compress(zeros), media_type=LAYER_GZIP, plain=zeros))
    with pytest.raises(HostileArchive, match=r"more than 300 times its size.*limit: ratio"):
        read(layer(zstandard.compress(zeros), media_type=LAYER_ZSTD, plain=zeros))
    with pytest.raises(HostileArchive, match="limit: total bytes"):
        read(layer(TAR), limits=StreamLimits(total_bytes=100_000))
    with pytest.raises(HostileArchive, match="limit: entries"):
        read(layer(TAR), limits=StreamLimits(entries=2))


def test_a_cut_archive_and_a_missing_layer_are_errors(store: Store, tmp_path: Path) -> None:
    whole = docker_archive(tmp_path / "i.tar", LAYERS).read_bytes()
    for size in (100, 3000, 100_000, len(whole) - 60_000):
        (tmp_path / "cut.tar").write_bytes(whole[:size])
        with pytest.raises((HostileArchive, ImageMissing, BaseUnfit)):
            anatomy_at(str(tmp_path / "cut.tar"), store)


def test_every_flipped_byte_of_a_header_gives_an_account_or_an_error() -> None:
    small = archive([item("d"), item("d/a", b"1234"), item("l", link="d/a"), item("h", hard="d/a")])
    for position in range(0, len(small), 7):
        damaged = bytearray(small)
        damaged[position] ^= 0x55
        try:
            read(layer(bytes(damaged)))
        except ProaError:
            continue


# The command


def run(*words: str) -> Any:
    return CliRunner().invoke(inspect, list(words), catch_exceptions=False)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PROA_CACHE", str(tmp_path / "cache"))
    hostile = archive([item("evil\x1b[2J|name", b"x" * 3000)])
    return str(docker_archive(tmp_path / "i.tar", [hostile, archive([item(".wh.evil\x1b[2J|name", b"")])]))


def test_the_table_fits_and_steers_no_terminal(saved: str) -> None:
    result = run(saved)
    assert result.exit_code == 0
    assert "3.00 kB wasted" in result.stdout
    assert "\x1b" not in result.stdout
    anatomy = anatomy_at(saved, Store(Path(os.environ["PROA_CACHE"])))
    for width in (40, 60, 100):
        assert all(len(line) <= width for line in anatomy_table.lines(anatomy, top=10, width=width))


def test_what_to_do_stands_once_below_the_findings_that_it_is_for(tmp_path: Path, store: Store) -> None:
    programs = [item(f"usr/bin/{name}", b"x", mode=0o4755) for name in ("one", "two", "three")]
    anatomy = anatomy_at(str(docker_archive(tmp_path / "i.tar", [archive(programs)])), store)
    said = list(anatomy_table.lines(anatomy, top=10, width=100))
    found = [number for number, line in enumerate(said) if "setuid: " in line]
    hints = [number for number, line in enumerate(said) if "chmod u-s" in line]
    assert len(found) == 3
    assert hints == [found[-1] + 1]


def test_json_and_markdown_say_the_same(saved: str) -> None:
    document = json.loads(run(saved, "--format", "json").stdout)
    assert document["schema"] == "proa/image-anatomy/v1"
    assert (document["wasted_bytes"], document["efficiency"]) == (3000, 0.0)
    assert {"digest", "stored_bytes", "wasted_bytes", "instruction"} <= document["layers"][0].keys()
    marked = run(saved, "--format", "markdown").stdout
    assert "3.00 kB wasted" in marked
    assert "\\|name" in marked


def test_top_limits_the_files_shown(saved: str) -> None:
    assert "name" not in run(saved, "--top", "0").stdout


def test_a_name_that_is_no_utf_8_is_written_all_the_same(store: Store, tmp_path: Path) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as file:
        member = tarfile.TarInfo("a\udcff")
        member.size = 1
        file.addfile(member, io.BytesIO(b"x"))
    anatomy = anatomy_at(str(docker_archive(tmp_path / "i.tar", [out.getvalue()])), store)
    assert b"/a\\\\xff" in encode_anatomy(anatomy)


@pytest.mark.parametrize(
    ("head", "expected"),
    [(b"\x7fELF", True), (b"MZ\x90\0", True), (b"\xcf\xfa\xed\xfe", True), (b"\x1f\x8b", False), (b"", False)],
)
def test_programs_are_told_from_images(head: bytes, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(head)
    assert is_program(str(tmp_path / "file")) is expected


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("notes.txt", "is no tar archive"),
        ("empty", "is no tar archive"),
        ("folder", "is no image"),
        ("not-there", "there is no "),
    ],
)
def test_what_is_neither_a_program_nor_an_image_is_said_with_what_would_be(
    name: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("no binary at all\n" * 100)
    (tmp_path / "empty").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises((WrongUsage, HostileArchive), match=said) as told:
        located(str(tmp_path / name))
    assert "archive" in told.value.hint


# Real neighbours


@pytest.mark.real
def test_a_registry_gives_the_same_account(docker_registry: str, store: Store, tmp_path: Path) -> None:
    target = f"docker://{docker_registry}/inspect/api:1"
    image = make_image(store, *LAYERS, architecture="s390x")
    write_image(image, parse_reference(target), store=store, access=Access())
    anatomy = anatomy_at(target, Store(tmp_path / "other"))
    assert (anatomy.digest, anatomy.wasted_bytes) == (image.digest, 2_570_010)


@pytest.mark.real
def test_the_docker_daemon_gives_the_same_account(dockerd: str, store: Store) -> None:
    access = Access(environ={"DOCKER_HOST": dockerd})
    write_image(make_image(store, *LAYERS), parse_reference("docker-daemon:inspect:1"), store=store, access=access)
    assert anatomy_at("docker-daemon:inspect:1", store, access=access).wasted_bytes == 2_570_010
