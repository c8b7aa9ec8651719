"""The tar writer: what it writes is what was meant, for any reader, on any machine."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.errors import UnsafePath, WrongInput
from proa.outside.store import Store
from proa.pack.entries import Entry, file_entry, with_parents
from proa.pack.tar import header, tar, tar_bytes

NOWHERE = Store(Path("/nonexistent"))
part = st.text(st.characters(blacklist_characters="/\0", blacklist_categories=("Cs",)), min_size=1, max_size=60).filter(
    lambda text: text not in (".", "..")
)
path = st.lists(part, min_size=1, max_size=6).map("/".join)
files = st.dictionaries(path, st.tuples(st.binary(max_size=1500), st.integers(0, 0o7777)), max_size=8)


def written(entries: list[Entry] | tuple[Entry, ...], mtime_s: int = 0) -> bytes:
    return b"".join(tar(entries, store=NOWHERE, mtime_s=mtime_s))


def without_clashes(found: dict[str, tuple[bytes, int]]) -> list[Entry]:
    """Leave out files that would be folders of others."""
    return [
        file_entry(name, data, reason="", mode=mode)
        for name, (data, mode) in found.items()
        if not any(other.startswith(f"{name}/") for other in found)
    ]


@settings(max_examples=60, deadline=None)
@given(files)
def test_any_other_reader_finds_the_same(found: dict[str, tuple[bytes, int]]) -> None:
    entries = with_parents(without_clashes(found))
    with tarfile.open(fileobj=io.BytesIO(written(entries))) as archive:
        read = {member.name: member for member in archive}
        assert list(read) == [entry.path for entry in entries]
        for entry in entries:
            member = read[entry.path]
            assert (member.mode, member.uid, member.gid, member.mtime) == (entry.mode, 0, 0, 0)
            assert (member.uname, member.gname) == ("", "")
            if entry.kind == "file":
                file = archive.extractfile(member)
                assert file is not None
                assert file.read() == entry.data


@settings(max_examples=30, deadline=None)
@given(files, st.randoms())
def test_the_order_entries_were_found_in_changes_nothing(found: dict[str, tuple[bytes, int]], random) -> None:
    entries = without_clashes(found)
    shuffled = entries[:]
    random.shuffle(shuffled)
    assert written(with_parents(entries)) == written(with_parents(shuffled))


@settings(max_examples=30, deadline=None)
@given(files)
def test_the_length_is_known_before_anything_is_read(found: dict[str, tuple[bytes, int]]) -> None:
    entries = with_parents(without_clashes(found))
    assert tar_bytes(entries) == len(written(entries))


def test_the_bytes_are_these() -> None:
    """If this digest changes, every image changes with it: raise layers._FORMAT and say so in the changelog."""
    entries = with_parents(
        [
            file_entry("etc/passwd", b"root:x:0:0:root:/root:/sbin/nologin\n", reason=""),
            Entry(path="tmp", kind="folder", mode=0o1777),
            Entry(path="bin", kind="symlink", target="usr/bin", mode=0o777),
            Entry(path="etc/" + "long" * 40, data=b"x", size_bytes=1),
        ]
    )
    assert hashlib.sha256(written(entries)).hexdigest() == GOLDEN


GOLDEN = "e8a2e8d7131d934e1b7b0774ab8ff20b3f0a52db8afa00f7066880a26d74e06e"


@pytest.mark.parametrize("umask", [0, 0o077])
def test_neither_umask_nor_time_stamps_of_files_matter(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        file = tmp_path / "file"
        file.write_bytes(b"content")
        os.utime(file, (umask, umask))
    finally:
        os.umask(before)
    entry = Entry(path="file", source=file, size_bytes=7)
    assert written([entry]) == written([Entry(path="file", data=b"content", size_bytes=7)])


def test_the_given_time_is_in_every_header() -> None:
    with tarfile.open(fileobj=io.BytesIO(written([file_entry("a", b"", reason="")], mtime_s=1_700_000_000))) as archive:
        assert [member.mtime for member in archive] == [1_700_000_000]


def test_numbers_that_ustar_cannot_hold_go_into_an_extended_header() -> None:
    entry = Entry(path="a", size_bytes=9 << 30, uid=4_000_000_000, data=b"")
    member = tarfile.TarInfo.frombuf(header(entry, mtime_s=0)[-512:], "utf-8", "strict")
    assert member.size == 0
    assert b"size=9663676416\n" in header(entry, mtime_s=0)
    assert b"uid=4000000000\n" in header(entry, mtime_s=0)


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x", "a/../b", "a//b", "a/.", "a\0b"])
def test_a_path_that_leads_out_is_never_written(path: str) -> None:
    with pytest.raises(UnsafePath):
        header(Entry(path=path), mtime_s=0)


@pytest.mark.parametrize("content", [b"short", b"longer than said"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    with pytest.raises(WrongInput, match="changed while it was read"):
        written([Entry(path="a", source=file, size_bytes=8)])
