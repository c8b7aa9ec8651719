"""The local store: whole files only, several writers at once, hostile names, full and read-only disks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import real_neighbours
from proa.errors import ImageMissing, NoSpace, NotWritable
from proa.outside.manifests import digest_of
from proa.outside.store import Store, check_room
from proa.records.oci import MANIFEST, Descriptor

DIGEST = "sha256:" + "a" * 64


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def describe(content: bytes) -> Descriptor:
    return Descriptor(media_type=MANIFEST, digest=digest_of(content), size=len(content))


def test_a_blob_is_read_as_it_was_written(store: Store) -> None:
    digest = store.put_blob(b"content")
    assert digest == digest_of(b"content")
    assert store.read_blob(digest) == b"content"
    assert list(store.digests()) == [digest]


def test_a_blob_with_another_digest_does_not_appear(store: Store) -> None:
    with pytest.raises(ImageMissing, match="was expected"), store.write_blob(expected=DIGEST) as writer:
        writer.write(b"something else")
    assert list(store.digests()) == []
    assert list((store.root / "partial").iterdir()) == []


def test_a_writer_that_fails_leaves_nothing(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.write_blob() as writer:
        writer.write(b"half of it" * (1 // (writer.bytes + 0)))
    assert list(store.digests()) == []
    assert list((store.root / "partial").iterdir()) == []


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:../../../etc/passwd", "sha512:" + "a" * 128, DIGEST + "\n", DIGEST.upper()]
)
def test_what_is_no_digest_names_no_file(store: Store, digest: str) -> None:
    with pytest.raises(ImageMissing):
        store.blob_path(digest)


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@settings(max_examples=40, deadline=None)
@given(names=st.sets(_NAMES | st.sampled_from([".", "..", ".use", "/", "a/../b"]), max_size=5))
def test_any_name_comes_back_and_stays_inside(tmp_path_factory: pytest.TempPathFactory, names: set[str]) -> None:
    folder = tmp_path_factory.mktemp("names")
    store = Store(folder / "store")
    for name in names:
        store.set_reference(name, describe(name.encode()))
    assert {name: found.digest for name, found in store.references()} == {
        name: digest_of(name.encode()) for name in names
    }
    assert [path.name for path in folder.iterdir()] in ([], ["store"])


def test_a_name_longer_than_a_files_is_kept_apart_from_others(store: Store) -> None:
    for end in ("a", "b"):
        store.set_reference("r.example/" + "x" * 400 + end, describe(end.encode()))
    assert store.reference("r.example/" + "x" * 400 + "a") == describe(b"a")
    assert len(list(store.references())) == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"digest":7}', b"\xff"])
def test_a_reference_that_cannot_be_read_is_none(store: Store, content: bytes) -> None:
    store.set_reference("a", describe(b""))
    (store.root / "refs" / "a").write_bytes(content)
    assert store.reference("a") is None
    assert list(store.references()) == []


_WRITER = """
import sys
import time
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from proa.outside.manifests import digest_of
from proa.outside.store import Store
from proa.records.oci import MANIFEST, Descriptor
def describe(content):
    return Descriptor(media_type=MANIFEST, digest=digest_of(content), size=len(content))
store, number = Store(Path(sys.argv[1])), sys.argv[2]
for turn in range(60):
    content = f"{turn}".encode() * 5000
    store.put_blob(content)
    store.set_reference("shared", describe(content))
    store.set_reference(f"own-{number}-{turn}", describe(content))
    store.add_referrer("sha256:" + "a" * 64, describe(f"{number}-{turn}".encode()))
    assert store.reference("shared") is not None
"""


def test_two_processes_write_at_once_and_nothing_is_lost(store: Store) -> None:
    source = Path(__file__).parents[2] / "src"
    argv = [[sys.executable, "-c", _WRITER, str(store.root), str(number), str(source)] for number in range(2)]
    processes = [subprocess.Popen(each) for each in argv]
    assert [process.wait(60) for process in processes] == [0, 0]
    assert len(list(store.references())) == 121
    assert len(list(store.referrers(DIGEST))) == 120
    assert all(digest_of(store.read_blob(digest)) == digest for digest in store.digests())


def test_a_lock_is_waited_for(store: Store) -> None:
    with store.lock("a/b") as waited:
        assert not waited
    with store.using(), store.using(), store.alone() as is_alone:
        assert not is_alone
    with store.alone() as is_alone:
        assert is_alone


def test_more_than_the_disk_holds_is_refused_at_once(store: Store) -> None:
    check_room(store, 1)
    with pytest.raises(NoSpace):
        check_room(store, 1 << 62)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with real_neighbours.small_disk(tmp_path / "disk") as place:
        yield place


@pytest.mark.real
def test_a_full_disk_is_told_and_leaves_nothing_half_written(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    small = store.put_blob(b"small")
    with pytest.raises(NoSpace), store.write_blob() as writer:
        writer.write(bytes(1 << 20))
    assert list(store.digests()) == [small]
    assert list((store.root / "partial").iterdir()) == []
    store.put_blob(b"fits again")


@pytest.mark.real
def test_a_read_only_disk_is_told(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    kept = store.put_blob(b"kept")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert store.read_blob(kept) == b"kept"
    for attempt in (
        lambda: store.put_blob(b"more"),
        lambda: store.set_reference("a", describe(b"")),
        lambda: store.set_stage("a", "b", b""),
    ):
        with pytest.raises(NotWritable):
            attempt()


def test_a_place_that_cannot_be_made_is_told() -> None:
    for place in ("/proc/store", "/dev/null/store"):
        with pytest.raises(NotWritable):
            Store(Path(place)).put_blob(b"x")
        with pytest.raises(NotWritable), Store(Path(place)).using():
            pass


def test_a_scratch_folder_in_use_stays_whatever_this_process_thinks_the_time_is(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 4_000_000_000.0)
    with store.folder() as first:
        (first / "linked").write_bytes(b"x")
        with store.folder():
            assert (first / "linked").read_bytes() == b"x"


def test_what_was_left_half_written_long_ago_goes(store: Store) -> None:
    left = store.root / "partial" / "0123456789abcdef"
    left.mkdir(parents=True)
    os.utime(left, (1_000_000_000, 1_000_000_000))
    with store.folder():
        assert not left.exists()
