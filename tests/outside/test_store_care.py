"""Usage, check and prune; and a writer that is killed again and again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from fakes.images import make_image, make_index, tar
from proa.outside import store_care
from proa.outside.manifests import stored_blobs
from proa.outside.store import Store
from proa.outside.store_care import check, prune, usage
from proa.publish import attach_shipment

NOW_S = 2_000_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def used(path: Path, at_s: float) -> None:
    os.utime(path, (at_s, at_s))


def test_an_honest_store_has_nothing_wrong(store: Store) -> None:
    image = make_image(store)
    index = make_index(store, amd64=image, arm64=make_image(store, architecture="arm64"))
    store.set_reference("app:1", index)
    attach_shipment(b'{"a":1}', index, store=store)
    store.set_stage("pack", "k", msgspec.json.encode({"manifest": image, "diff_id": "sha256:" + "0" * 64}))
    assert check(store) == ()
    counted = usage(store)
    assert (counted.references, counted.stages, counted.blobs) == (1, 1, len(list(store.digests())))
    assert counted.blob_bytes == sum(len(store.read_blob(digest)) for digest in store.digests())


def test_an_index_with_platforms_that_were_never_fetched_is_whole(store: Store) -> None:
    other = make_image(store, architecture="arm64")
    index = make_index(store, amd64=make_image(store), arm64=other)
    store.set_reference("base", index)
    store.blob_path(other.digest).unlink()
    assert check(store) == ()


def test_damage_is_found_named_and_removed(store: Store) -> None:
    image = make_image(store)
    store.set_reference("app:1", image)
    attach_shipment(b'{"a":1}', image, store=store)
    store.set_stage("build", "k", msgspec.json.encode({"digest": image.digest, "bytes": image.size}))
    config = next(stored_blobs(image, store))
    store.blob_path(config.digest).write_bytes(b"something else")
    assert [finding.id for finding in check(store)] == ["store.blob"]
    repaired = check(store, repair=True)
    assert [finding.id for finding in repaired] == ["store.blob", "store.reference", "store.stage"]
    assert check(store) == ()


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 10_000])
def test_a_broken_name_is_found(store: Store, content: bytes) -> None:
    store.set_reference("app:1", make_image(store))
    (store.root / "refs" / "app%3A1").write_bytes(content)
    assert [finding.id for finding in check(store, repair=True)] == ["store.reference"]
    assert check(store) == ()


def test_the_least_recently_used_goes_first(store: Store) -> None:
    digests = [store.put_blob(bytes([number]) * 1000) for number in range(5)]
    for number, digest in enumerate(digests):
        used(store.blob_path(digest), number)
    store.set_stage("build", "old", msgspec.json.encode({"digest": digests[0], "bytes": 1000}))
    used(store.root / "stages" / "build" / "old", 100.0)
    pruned = prune(store, limit_bytes=2100, now_s=NOW_S)
    assert set(store.digests()) == {digests[0], digests[4]}
    assert (pruned.blobs, pruned.freed_bytes) == (3, 3000)
    assert check(store) == ()


def test_a_stage_goes_with_what_it_names(store: Store) -> None:
    image = make_image(store)
    store.set_stage("pack", "k", msgspec.json.encode({"manifest": image}))
    prune(store, limit_bytes=300, now_s=NOW_S)
    assert store.stage("pack", "k") is None
    assert check(store) == ()


def test_what_a_reference_names_stays_with_its_records(store: Store) -> None:
    image, other = make_image(store), make_image(store, tar(x=b"x"))
    store.set_reference("app:1", image)
    record = attach_shipment(b'{"a":1}', image, store=store)
    prune(store, limit_bytes=0, now_s=NOW_S)
    assert not store.has_blob(other.digest)
    assert [each.digest for each in store.referrers(image.digest)] == [record.digest]
    assert check(store) == ()
    pruned = prune(store, limit_bytes=0, now_s=NOW_S, everything=True)
    assert pruned.references == 1
    assert list(store.digests()) == []
    assert list(store.referrers(image.digest)) == []


def test_the_c_libraries_go_with_everything_and_no_sooner(store: Store) -> None:
    compiled = store.root / "zig" / "cache" / "o" / "libc.a"
    compiled.parent.mkdir(parents=True)
    compiled.write_bytes(b"x" * 100)
    prune(store, limit_bytes=0, now_s=NOW_S)
    assert compiled.is_file()
    assert prune(store, limit_bytes=0, now_s=NOW_S, everything=True).freed_bytes == 100
    assert not compiled.exists()


def test_what_cargo_compiled_is_counted_and_goes_first_the_oldest_of_it_before_the_rest(store: Store) -> None:
    blob = store.put_blob(b"b" * 50)
    for at, name in enumerate(("old", "new")):
        folder = store.root / "cargo" / name / "release"
        folder.mkdir(parents=True)
        (folder / "program").write_bytes(b"x" * 100)
        (folder / "again").hardlink_to(folder / "program")
        used(folder.parent, NOW_S - 10_000 + at)
    assert usage(store).compiled_bytes == 200
    pruned = prune(store, limit_bytes=160, now_s=NOW_S)
    assert (pruned.freed_bytes, pruned.kept_bytes) == (100, 150)
    assert [folder.name for folder in (store.root / "cargo").iterdir()] == ["new"]
    assert store.has_blob(blob)
    assert prune(store, limit_bytes=60, now_s=NOW_S).freed_bytes == 100
    assert store.has_blob(blob)
    assert usage(store).compiled_bytes == usage(store).leftover_bytes == 0


def test_a_process_at_work_keeps_what_is_young(store: Store) -> None:
    young, old = store.put_blob(b"young"), store.put_blob(b"old")
    used(store.blob_path(young), NOW_S - 60)
    used(store.blob_path(old), NOW_S - 7200)
    with store.using():
        prune(store, limit_bytes=0, now_s=NOW_S)
        assert list(store.digests()) == [young]
    prune(store, limit_bytes=0, now_s=NOW_S)
    assert list(store.digests()) == []


def test_leftovers_of_killed_writers_are_swept_when_nobody_is_at_work(store: Store) -> None:
    (store.root / "partial" / "folder").mkdir(parents=True)
    (store.root / "partial" / "file").write_bytes(b"half")
    assert usage(store).leftover_bytes == 4
    with store.using():
        check(store)
        assert usage(store).leftover_bytes == 4
    check(store)
    assert list((store.root / "partial").iterdir()) == []


_WRITER = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import msgspec
from fakes.images import make_image, tar
from proa.outside.store import Store
from proa.outside.store_care import prune
from proa.publish import attach_shipment
store = Store(Path(sys.argv[1]))
print("ready", flush=True)
for number in range(10**6):
    with store.using(), store.folder() as folder:
        (folder / "binary").write_bytes(str(number).encode() * 1000)
        store.adopt_file(folder / "binary")
        image = make_image(store, tar(x=str(number % 50).encode() * 300_000))
        store.set_stage("pack", str(number % 50), msgspec.json.encode({"manifest": image}))
        attach_shipment(b'{"n":%d}' % number, image, store=store)
        store.set_reference("app:1", image)
    if number % 7 == 6:
        prune(store, limit_bytes=100_000, now_s=0.0)
"""


@pytest.mark.real
def test_after_kill_9_at_any_moment_the_store_is_whole(store: Store) -> None:
    tests, source = Path(__file__).parents[1], Path(__file__).parents[2] / "src"
    moments = random.Random(7)
    for _ in range(12):
        argv = [sys.executable, "-c", _WRITER, str(store.root), str(tests), str(source)]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(moments.uniform(0.005, 0.25))
            writer.send_signal(signal.SIGKILL)
        assert check(store) == ()
    assert store.reference("app:1") is not None
    assert usage(store).leftover_bytes == 0


def test_a_prune_that_ends_after_any_removal_leaves_no_name_without_what_it_names(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        image = make_image(store, tar(x=str(number).encode() * 9_000))
        store.set_stage("pack", str(number), msgspec.json.encode({"manifest": image}))
        attach_shipment(b'{"n":%d}' % number, image, store=store)
        store.set_reference("app:1", image)
    remove, left = store_care._remove, [0]

    def killed(path: Path) -> int:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return remove(path)

    monkeypatch.setattr(store_care, "_remove", killed)
    for removals in range(100):
        copy = Store(tmp_path / f"copy{removals}")
        shutil.copytree(store.root, copy.root)
        left[0] = removals
        try:
            prune(copy, limit_bytes=0, now_s=0.0)
        except KeyboardInterrupt:
            assert check(copy) == ()
        else:
            assert check(copy) == ()
            assert removals > 12
            return
    raise AssertionError("it never came to its end")


def test_counting_while_others_write_never_fails(store: Store) -> None:
    start = (
        "import sys; from pathlib import Path; from proa.outside.store import Store\nstore = Store(Path(sys.argv[1]))\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", start + "while True:\n with store.folder() as f: (f / 'a').write_bytes(b'x'); (f / 'b').write_bytes(b'x')",
         str(store.root)]
    )  # fmt: skip
    try:
        ends_s = time.monotonic() + 1.0
        while time.monotonic() < ends_s:
            assert usage(store).blobs == 0
    finally:
        writer.kill()
        writer.wait()
