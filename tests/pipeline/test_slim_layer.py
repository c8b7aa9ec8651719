"""The one layer of a slimmed image against the original's entries, read by Python's own tarfile."""

from __future__ import annotations

import gzip
import io
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.layers import archive, docker_archive
from proa.errors import HostileArchive
from proa.inspect.heads import look
from proa.inspect.merge import merge_layers
from proa.outside.access import Access
from proa.outside.image_stream import opened_image
from proa.outside.layer_stream import read_layers
from proa.outside.store import Store
from proa.pipeline.slim_layer import copy_entries, write_layer
from proa.pipeline.slim_view import displayed, with_ways
from proa.records.reference import Reference

CAPABILITY = b"\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00".decode("latin-1")


def member(name, content=None, *, kind=None, target="", mode=0o644, uid=0, gid=0, mtime=0, xattrs=None, device=(0, 0)):
    info = tarfile.TarInfo(name)
    info.type = kind or (tarfile.DIRTYPE if content is None else tarfile.REGTYPE)
    info.linkname, info.mode, info.uid, info.gid, info.mtime = target, mode, uid, gid, mtime
    info.size = len(content or b"")
    info.devmajor, info.devminor = device
    info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in (xattrs or {}).items()}
    return info, content or b""


def hard(name, target, **more):
    return member(name, kind=tarfile.LNKTYPE, target=target, **more)


def soft(name, target, **more):
    return member(name, kind=tarfile.SYMTYPE, target=target, **more)


def copied(layers, kept, *, replaced=None, ways=True, compress=False, jobs=1):
    """Return the new layer: its digest, its members by name, and their contents."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "store")
        file = docker_archive(folder / "a.tar", layers, compress=compress)
        reference = Reference(transport="docker-archive", path=str(file))
        with opened_image(reference, None, store=store, access=Access(environ={})) as opened:
            read = read_layers(opened.layers, look, place="here")
            merged = merge_layers([layer.entries for layer in read])
            final = with_ways(merged, {displayed(path) for path in kept}) if ways else kept
            spool = folder / "contents"
            entries = copy_entries(opened, read, merged, final, replaced=replaced or {}, spool=spool, place="here")
            blob, _ = write_layer(entries, compression="gzip", level=1, store=store, jobs=jobs)
        content = gzip.decompress(store.read_blob(blob.digest))
    members = {}
    with tarfile.open(fileobj=io.BytesIO(content), errors="surrogateescape") as tar:
        for info in tar:
            stream = tar.extractfile(info) if info.isreg() else None
            members[info.name] = (info, stream.read() if stream else b"")
    return blob.digest, members


def facts(info):
    attributes = {key: value for key, value in info.pax_headers.items() if key.startswith("SCHILY")}
    return info.type, info.mode, info.uid, info.gid, float(info.mtime), info.linkname, attributes


def test_an_entry_comes_out_as_it_went_in():
    items = [
        member("usr/", mode=0o755, mtime=5, uid=7),
        member("usr/bin/", mode=0o2755, gid=12, mtime=1_700_000_000.25),
        member("usr/bin/ping", b"ping", mode=0o4755, uid=1, gid=2, mtime=1_600_000_000.5,
               xattrs={"security.capability": CAPABILITY, "user.a": "b"}),
        soft("usr/bin/link", "../bin/ping", mtime=9, uid=3_000_000),
        member("usr/fifo", kind=tarfile.FIFOTYPE, mode=0o600),
        member("usr/null", kind=tarfile.CHRTYPE, mode=0o666, device=(1, 3)),
        member("usr/é" + "x" * 120, b"long", mtime=2**34),
    ]  # fmt: skip
    _, found = copied([archive(items)], [info.name for info, _ in items])
    assert len(found) == len(items)
    for info, content in items:
        new, new_content = found[info.name.rstrip("/")]
        assert facts(new) == facts(info), info.name
        assert new_content == content
    assert (found["usr/null"][0].devmajor, found["usr/null"][0].devminor) == (1, 3)


def test_folders_above_keep_their_mode_and_owner_and_what_is_not_kept_is_gone():
    items = [member("a/", mode=0o700, uid=5), member("a/b", b"1"), member("a/c", b"2"), member("d/e/f", b"3")]
    _, found = copied([archive(items)], ["/a/b", "/d/e/f"])
    assert sorted(found) == ["a", "a/b", "d", "d/e", "d/e/f"]
    assert (found["a"][0].mode, found["a"][0].uid) == (0o700, 5)
    assert (found["d"][0].mode, found["d"][0].uid) == (0o755, 0)


def test_the_upper_layer_says_what_a_path_is():
    below = archive([member("a", b"old"), member("b", b"gone"), member("f/", mode=0o700), member("f/x", b"x")])
    above = archive([member("a", b"new", mode=0o600), member(".wh.b", b""), member("f/", mode=0o711)])
    _, found = copied([below, above], ["/a", "/b", "/f/x"])
    assert sorted(found) == ["a", "f", "f/x"]
    assert found["a"][1] == b"new"
    assert found["f"][0].mode == 0o711


def test_the_next_name_carries_the_content_when_the_first_is_left_out():
    items = [member("a", b"content", mode=0o640), hard("b", "a"), hard("c", "a")]
    _, found = copied([archive(items)], ["/b", "/c"])
    assert sorted(found) == ["b", "c"]
    assert found["b"][0].isreg()
    assert found["b"][1] == b"content"
    assert found["b"][0].mode == 0o640
    assert found["c"][0].islnk()
    assert found["c"][0].linkname == "b"


def test_a_hard_link_to_a_lower_layer_shows_what_was_there_then():
    layers = [archive([member("a", b"first")]), archive([hard("b", "a")]), archive([member("a", b"second")])]
    _, found = copied(layers, ["/a", "/b"])
    assert (found["a"][1], found["b"][1]) == (b"second", b"first")


def test_links_on_the_way_and_where_they_lead_are_kept():
    items = [soft("bin", "usr/bin"), soft("usr/bin/sh", "dash"), member("usr/bin/dash", b"dash"), member("x", b"")]
    _, found = copied([archive(items)], ["/bin/sh"])
    assert sorted(found) == ["bin", "usr", "usr/bin", "usr/bin/dash", "usr/bin/sh"]


def test_links_in_circles_and_to_nowhere_end():
    items = [soft("a", "b"), soft("b", "a"), soft("c", "/nowhere/x"), soft("d", "../../../e"), member("e", b"")]
    _, found = copied([archive(items)], ["/a", "/c", "/d", "/not/there"])
    assert sorted(found) == ["a", "b", "c", "d", "e"]


def test_names_that_are_no_utf_8_stay_as_they_are():
    name = b"caf\xe9 \\xff/\xff\xfe".decode("utf-8", "surrogateescape")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        tar.addfile(member(name, b"content")[0], io.BytesIO(b"content"))
    _, found = copied([out.getvalue()], [f"/{name}"])
    assert found[name][1] == b"content"


def test_a_replaced_content_keeps_the_rest_of_its_entry():
    items = [member("var/status", b"a long one", mode=0o640, uid=4, mtime=77), hard("var/other", "var/status")]
    _, found = copied([archive(items)], ["/var/status", "/var/other"], replaced={"var/status": b"short"})
    info, content = found["var/status"]
    assert (content, info.mode, info.uid, info.mtime) == (b"short", 0o640, 4, 77)
    assert found["var/other"][1] == b"a long one"


def test_order_compression_and_threads_of_the_source_do_not_matter():
    items = [member("a/x", b"1" * 3_000_000), member("b", b"2"), member("a/", mode=0o711)]
    first, _ = copied([archive(items)], ["/a/x", "/b"])
    again, _ = copied([archive(items[::-1])], ["/a/x", "/b"], compress=True, jobs=2)
    assert first == again


@pytest.mark.parametrize("compress", [False, True])
def test_a_layer_that_was_cut_is_said(compress):
    with pytest.raises(HostileArchive, match="here: layer sha256:"):
        copied([archive([member("a", b"x" * 2000)])[:700]], ["/a"], compress=compress)


NAMES = st.sampled_from(["a", "b", "c", "d/a", "d/b", "d/e/a", "f/g"])
ENTRIES = st.lists(
    st.one_of(
        st.tuples(st.just("file"), NAMES, st.binary(max_size=5), st.sampled_from([0o644, 0o4755, 0o600])),
        st.tuples(st.just("hard"), NAMES, NAMES, st.just(0)),
        st.tuples(st.just("whiteout"), NAMES, st.just(b""), st.just(0)),
    ),
    max_size=6,
)


def laid(layers):
    """Apply layers to a plain dictionary: an inode is a list, and hard links share it."""
    view, out = {}, []
    for entries in layers:
        items, written = [], set()
        for kind, name, what, mode in entries:
            if kind == "file" and name not in written:
                view[name] = [what, mode]
                items.append(member(name, what, mode=mode))
            elif kind == "hard" and what in view and name != what and name not in written:
                view[name] = view[what]
                items.append(hard(name, what))
            elif kind == "whiteout" and name in view and name not in written:
                del view[name]
                above, _, last = name.rpartition("/")
                items.append(member(f"{above}/.wh.{last}".lstrip("/"), b""))
            else:
                continue
            written.add(name)
        out.append(archive(items))
    return out, view


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, min_size=1, max_size=3), st.sets(NAMES))
def test_kept_files_have_their_content_and_mode_and_share_it_as_before(entries, kept):
    layers, view = laid(entries)
    _, found = copied(layers, [f"/{name}" for name in kept])
    files = {name: one for name, one in found.items() if not one[0].isdir()}
    assert files.keys() == kept & view.keys()
    inodes = {}
    for name, (info, content) in files.items():
        first = info.linkname if info.islnk() else name
        inodes.setdefault(first, []).append(name)
        shown = files[first][1] if info.islnk() else content
        assert [shown, files[first][0].mode] == view[name]
    for names in inodes.values():
        assert len({id(view[name]) for name in names}) == 1
    assert len(inodes) == len({id(view[name]) for name in files})
