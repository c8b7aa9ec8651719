"""Unpacking: honest layers come out as they went in, hostile ones touch nothing outside and say why."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.errors import BaseUnfit, HostileArchive, ImageMissing, ProaError, StoreDamaged
from proa.pack import Limits, list_files, unpack
from proa.pack.compress import Method, write_layer
from proa.pack.entries import file_entry, with_parents
from proa.pack.tar import tar
from proa.records.oci import LAYER_TAR, LAYER_ZSTD

FOLDER, SYMLINK, HARDLINK = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "outer" / "root"


def test_files_folders_and_links_come_out_as_they_went_in(image, archive, member, store, out) -> None:
    layer = archive(
        member("etc/", kind=FOLDER, mode=0o755),
        member("etc/app.yaml", b"a: 1\n", mode=0o640),
        member("etc/same", kind=HARDLINK, link="etc/app.yaml"),
        member("etc/other", kind=SYMLINK, link="app.yaml"),
        member("tmp", kind=FOLDER, mode=0o1777),
    )
    unpack(image(layer).digest, out, store=store)
    assert (out / "etc/app.yaml").read_bytes() == b"a: 1\n"
    assert stat.S_IMODE((out / "etc/app.yaml").stat().st_mode) == 0o640
    assert (out / "etc/same").samefile(out / "etc/app.yaml")
    assert (out / "etc/other").readlink() == Path("app.yaml")
    assert stat.S_IMODE((out / "tmp").stat().st_mode) == 0o1777


def test_the_root_is_open_to_the_image_s_user_whatever_the_umask(image, archive, member, store, out) -> None:
    before = os.umask(0o077)
    try:
        unpack(image(archive(member("etc/", kind=FOLDER, mode=0o755), member("usr/a", b"x"))).digest, out, store=store)
    finally:
        os.umask(before)
    assert stat.S_IMODE(out.stat().st_mode) == 0o755
    assert stat.S_IMODE((out / "usr").stat().st_mode) == 0o755


def test_a_read_only_folder_is_filled_before_it_is_closed(image, archive, member, store, out) -> None:
    layer = archive(member("data", kind=FOLDER, mode=0o555), member("data/a", b"x"))
    above = archive(member("data/b", b"y"))
    unpack(image(layer, above).digest, out, store=store)
    assert sorted(path.name for path in (out / "data").iterdir()) == ["a", "b"]
    assert stat.S_IMODE((out / "data").stat().st_mode) & 0o555 == 0o555


def test_whiteouts_hide_what_lower_layers_have(image, archive, member, store, out) -> None:
    lower = archive(member("a/keep", b"1"), member("a/gone", b"2"), member("b/old", b"3"), member("b/in/deep", b"4"))
    upper = archive(member("a/.wh.gone"), member("b/new", b"5"), member("b/.wh..wh..opq"), member("c/.wh.never"))
    digest = image(lower, upper).digest
    unpack(digest, out, store=store)
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    assert names == ["a", "a/keep", "b", "b/new", "c"]
    assert list_files(digest, store=store).paths() == names


def test_a_file_replaces_a_folder_and_a_folder_a_file(image, archive, member, store, out) -> None:
    lower = archive(member("a/x", b"1"), member("b", b"2"))
    upper = archive(member("a", b"3"), member("b/y", b"4", kind=tarfile.REGTYPE))
    with pytest.raises(HostileArchive, match="no folder"):
        unpack(image(lower, upper).digest, out, store=store)
    mended = archive(member("a", b"3"), member("b", kind=FOLDER), member("b/y", b"4"))
    unpack(image(lower, mended).digest, out.with_name("other"), store=store)
    assert (out.with_name("other") / "a").read_bytes() == b"3"
    assert (out.with_name("other") / "b/y").read_bytes() == b"4"


def test_links_on_the_way_are_followed_inside_the_root(image, archive, member, store, out) -> None:
    layer = archive(
        member("usr/lib/", kind=FOLDER, mode=0o755),
        member("lib", kind=SYMLINK, link="usr/lib"),
        member("var/run", kind=SYMLINK, link="/run"),
        member("lib/libc.so", b"1"),
        member("var/run/pid", b"2"),
    )
    digest = image(layer).digest
    unpack(digest, out, store=store)
    assert (out / "usr/lib/libc.so").read_bytes() == b"1"
    assert (out / "run/pid").read_bytes() == b"2"
    assert list_files(digest, store=store).has("/lib/libc.so")
    assert list_files(digest, store=store).has("/run/pid")


HOSTILE = {
    "absolute name": [("/etc/cron.d/evil", {}, b"x")],
    "dots": [("../evil", {}, b"x")],
    "dots in the middle": [("a/../../evil", {}, b"x")],
    "dots written through a link": [("a", {"kind": SYMLINK, "link": "../../.."}, b""), ("a/evil", {}, b"x")],
    "hard link by dots": [("a", {"kind": HARDLINK, "link": "../../secret"}, b"")],
    "absolute hard link": [("a", {"kind": HARDLINK, "link": "/etc/passwd"}, b"")],
    "hard link to nothing": [("a", {"kind": HARDLINK, "link": "b"}, b"")],
    "hard link to a folder": [("b", {"kind": FOLDER}, b""), ("a", {"kind": HARDLINK, "link": "b"}, b"")],
    "character device": [("dev/mem", {"kind": tarfile.CHRTYPE}, b"")],
    "block device": [("dev/sda", {"kind": tarfile.BLKTYPE}, b"")],
    "pipe": [("p", {"kind": tarfile.FIFOTYPE}, b"")],
    "loop of links": [
        ("a", {"kind": SYMLINK, "link": "b"}, b""),
        ("b", {"kind": SYMLINK, "link": "a"}, b""),
        ("a/x", {}, b"x"),
    ],
    "whiteout of the folder above": [("a/.wh...", {}, b"")],
    "very deep": [("d/" * 400 + "x", {}, b"")],
    "very long name": [("n" * 300, {}, b"x")],
}

HARMLESS_IN_A_LIST = {"loop of links", "very long name", "dots written through a link", "hard link to a folder"}
"""Nothing is opened there, so nothing can be led astray."""


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_entry_is_refused_and_nothing_outside_changes(case, image, archive, member, store, out) -> None:
    out.mkdir(parents=True)
    (out.parent.parent / "secret").write_text("secret")
    layer = archive(*(member(name, content, **how) for name, how, content in HOSTILE[case]))
    before = {str(path) for path in out.parent.parent.rglob("*") if "store" not in path.parts}
    digest = image(layer).digest
    with pytest.raises(HostileArchive):
        unpack(digest, out, store=store)
    after = {str(path) for path in out.parent.parent.rglob("*") if "store" not in path.parts}
    assert {path for path in after - before if not path.startswith(str(out))} == set()
    assert not any((out.parent / name).exists() for name in ("evil", "x"))


@pytest.mark.parametrize("case", [case for case in HOSTILE if case not in HARMLESS_IN_A_LIST])
def test_a_base_with_a_hostile_entry_is_refused_when_it_is_listed(case, image, archive, member, store) -> None:
    layer = archive(*(member(name, content, **how) for name, how, content in HOSTILE[case]))
    with pytest.raises(HostileArchive):
        list_files(image(layer).digest, store=store)


def test_a_link_to_outside_is_kept_but_never_followed_there(image, archive, member, store, out, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    layer = archive(member("a", kind=SYMLINK, link=str(victim)), member("a/evil", b"x"))
    unpack(image(layer).digest, out, store=store)
    assert list(victim.iterdir()) == []
    assert (out / str(victim).lstrip("/") / "evil").read_bytes() == b"x"


def test_a_file_never_lands_behind_a_link_of_its_own_name(image, archive, member, store, out, tmp_path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("before")
    layer = archive(member("a", kind=SYMLINK, link=str(victim)), member("a", b"after"))
    unpack(image(layer).digest, out, store=store)
    assert victim.read_text() == "before"
    assert (out / "a").read_bytes() == b"after"


def test_set_user_id_bits_are_dropped(image, archive, member, store, out) -> None:
    unpack(image(archive(member("su", b"x", mode=0o6755))).digest, out, store=store)
    assert stat.S_IMODE((out / "su").stat().st_mode) == 0o755


def test_absolute_names_and_devices_pass_where_the_caller_says_so(image, archive, member, store, out) -> None:
    layer = archive(member("/ko-app/app", b"x"), member("dev/null", kind=tarfile.CHRTYPE))
    unpack(image(layer).digest, out, store=store, limits=Limits(allows_absolute=True, skips_devices=True))
    assert (out / "ko-app/app").read_bytes() == b"x"
    assert not (out / "dev").exists()


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (Limits(total_bytes=50 << 20), "total bytes"),
        (Limits(ratio=300), "ratio"),
        (Limits(entries=1), "entries"),
    ],
)
def test_a_bomb_is_stopped_and_the_limit_named(limits, says, image, archive, member, store, out) -> None:
    layer = archive(member("a"), member("zeros", bytes(80 << 20)))
    with pytest.raises(HostileArchive, match=says):
        unpack(image(layer).digest, out, store=store, limits=limits)


def test_an_extended_header_that_claims_gigabytes_is_refused(image, archive, member, store, out) -> None:
    info, _ = member("x", kind=tarfile.XHDTYPE)
    info.size = 8 << 30
    with pytest.raises(HostileArchive, match="extended tar header"):
        unpack(image(info.tobuf(tarfile.GNU_FORMAT) + bytes(10240)).digest, out, store=store)


@pytest.mark.parametrize("media_type", [LAYER_ZSTD, LAYER_TAR, "application/vnd.oci.image.layer.v1.tar+gzip"])
def test_a_cut_or_corrupt_layer_is_refused(media_type, image, archive, member, store, out) -> None:
    def broken(data: bytes) -> bytes:
        if media_type == LAYER_TAR:
            return data[:700]
        packed = zstandard.compress(data) if media_type == LAYER_ZSTD else gzip.compress(data, mtime=0)
        return packed[: len(packed) // 2]

    layer = archive(member("a", os.urandom(5000)))
    with pytest.raises(HostileArchive):
        unpack(image(layer, media_type=media_type, compress=broken).digest, out, store=store)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_an_archive_is_more_than_an_error(data, image, archive, member, store, tmp_path_factory) -> None:
    layer = bytearray(
        archive(member("etc/", kind=FOLDER), member("etc/a", b"x" * 700), member("l", kind=SYMLINK, link="etc"))
    )
    for _ in range(data.draw(st.integers(1, 4))):
        layer[data.draw(st.integers(0, len(layer) - 1))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    digest = image(bytes(layer), compress=bytes, media_type=LAYER_TAR).digest
    for read in (lambda: unpack(digest, folder / "root", store=store), lambda: list_files(digest, store=store)):
        try:
            read()
        except ProaError as error:
            assert error.exit_status in (2, 3)  # noqa: PT017 - not failing is right, too


def test_a_layer_that_is_no_archive_is_refused(image, store, out) -> None:
    with pytest.raises(HostileArchive, match="no tar archive"):
        unpack(image(b"<html>" * 200).digest, out, store=store)


def test_a_layer_of_another_media_type_is_refused(image, archive, member, store, out) -> None:
    with pytest.raises(HostileArchive, match="text/plain"):
        unpack(image(archive(member("a")), media_type="text/plain").digest, out, store=store)


def test_a_layer_that_is_not_what_its_config_says_is_refused(image, archive, member, store, out) -> None:
    with pytest.raises(HostileArchive, match="as its config says"):
        unpack(image(archive(member("a")), diff_ids=["sha256:" + "0" * 64]).digest, out, store=store)


def test_a_damaged_blob_in_the_store_is_found(image, archive, member, store, out) -> None:
    descriptor = image(archive(member("a")), compress=bytes, media_type=LAYER_TAR)
    for digest in list(store.digests()):
        path = store.blob_path(digest)
        if path.stat().st_size >= 10240:
            path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(StoreDamaged):
        unpack(descriptor.digest, out, store=store)


def test_a_manifest_that_is_none_is_refused(store, out) -> None:
    with pytest.raises(BaseUnfit):
        unpack(store.put_blob(b"[]"), out, store=store)
    with pytest.raises(ImageMissing):
        unpack("sha256:" + "0" * 64, out, store=store)


def test_layers_and_diff_ids_must_be_as_many(image, archive, member, store, out) -> None:
    with pytest.raises(BaseUnfit, match="diff_ids"):
        unpack(image(archive(member("a")), diff_ids=["sha256:" + "0" * 64] * 2).digest, out, store=store)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_many_members_or_frames_are_one_layer(compression, image, archive, member, store, out) -> None:
    content = os.urandom(1 << 20) * 7

    def compress(data: bytes) -> bytes:
        if compression == "zstd":
            return zstandard.compress(data[:5000]) + zstandard.compress(data[5000:])
        method = Method(compression="gzip", level=1)
        return store.read_blob(write_layer([data], method=method, size_bytes=len(data), store=store, jobs=2).digest)

    kind = LAYER_ZSTD if compression == "zstd" else "application/vnd.oci.image.layer.v1.tar+gzip"
    unpack(image(archive(member("a", content)), compress=compress, media_type=kind).digest, out, store=store)
    assert (out / "a").read_bytes() == content


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_read_in_every_dialect(form, image, archive, member, store, out) -> None:
    name = "folder/" * 12 + "f" * 90
    unpack(image(archive(member(name, b"x"), form=form)).digest, out, store=store)
    assert (out / name).read_bytes() == b"x"


def test_an_ordinary_user_can_read_and_remove_all_of_it(image, archive, member, store, tmp_path) -> None:
    if os.geteuid() != 0:
        pytest.skip("becomes an ordinary user from root only")
    layer = archive(member("d", kind=FOLDER, mode=0o000), member("d/f", b"x", mode=0o000))
    digest = image(layer).digest
    read, write = os.pipe()
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 1000, 1000)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            for folder in (tmp_path.parent, tmp_path.parent.parent):
                folder.chmod(0o755)
            os.setgid(1000)
            os.setuid(1000)
            unpack(digest, tmp_path / "root", store=store)
            os.write(write, (tmp_path / "root/d/f").read_bytes())
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    with io.FileIO(read) as pipe:
        assert pipe.read() == b"x"
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


part = st.text("abcäß .-_", min_size=1, max_size=12).filter(lambda text: text not in (".", ".."))
trees = st.dictionaries(
    st.lists(part, min_size=1, max_size=4).map("/".join),
    st.tuples(st.binary(max_size=3000), st.sampled_from([0o400, 0o444, 0o555, 0o644, 0o755])),
    max_size=8,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=trees, compression=st.sampled_from(["gzip", "zstd"]))
def test_unpacking_undoes_packing(found, compression, image, store, tmp_path_factory) -> None:
    files = {
        name: content
        for name, content in found.items()
        if not any(other.startswith(f"{name}/") for other in found) and ".wh." not in name
    }
    entries = with_parents([file_entry(name, data, reason="r", mode=mode) for name, (data, mode) in files.items()])
    layer = b"".join(tar(entries, store=store, mtime_s=0))
    blob = write_layer(
        [layer], method=Method(compression=compression, level=1), size_bytes=len(layer), store=store, jobs=2
    )
    packed = store.read_blob(blob.digest)
    kind = LAYER_ZSTD if compression == "zstd" else "application/vnd.oci.image.layer.v1.tar+gzip"
    root = tmp_path_factory.mktemp("undone") / "root"
    digest = image(layer, compress=lambda _data: packed, media_type=kind).digest
    unpack(digest, root, store=store)
    out = {str(path.relative_to(root)): path for path in root.rglob("*")}
    assert {name for name, path in out.items() if path.is_file()} == set(files)
    for name, (data, mode) in files.items():
        assert out[name].read_bytes() == data
        assert stat.S_IMODE(out[name].stat().st_mode) == mode
    assert sorted(list_files(digest, store=store).paths()) == sorted(out)
