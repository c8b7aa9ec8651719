"""What is kept of a linked program: its files in the store, and what is worth telling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fakes import elf_files
from fakes.elf_files import Form
from proa.build import finish, rejoin
from proa.errors import BuildFailed
from proa.outside import elf
from proa.outside.store import Store
from proa.records.binary import Binary
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def _finish(store: Store, content: bytes, settings: BuildSettings, *, name: str = "api", **more: Any) -> Binary:
    with store.folder() as folder:
        (folder / "linked").write_bytes(content)
        return finish(folder / "linked", name=name, platform=AMD64, settings=settings, store=store, **more)


def test_three_files_are_in_the_store_and_belong_together(store: Store, tmp_path: Path) -> None:
    linked = elf_files.program(Form())
    binary = _finish(store, linked, BuildSettings(strip="all"), language="c", libc="musl", compiler="zig 0.17.1")
    assert binary.debug is not None
    assert (binary.debug.name, binary.debug.build_id) == ("api.debug", elf_files.BUILD_ID.hex())
    assert binary.build_id == binary.debug.build_id
    assert (binary.language, binary.libc, binary.compiler) == ("c", "musl", "zig 0.17.1")
    sizes = ((binary.digest, binary.bytes), (binary.debug.digest, binary.debug.bytes))
    for digest, size in (*sizes, (binary.unstripped_digest, binary.unstripped_bytes)):
        assert store.blob_path(digest).stat().st_size == size
    shipped, debug = store.blob_path(binary.digest), store.blob_path(binary.debug.digest)
    assert [file.stat().st_mode & 0o777 for file in (shipped, debug)] == [0o755, 0o644]
    assert rejoin(shipped, debug, tmp_path / "joined").digest == binary.unstripped_digest
    assert store.read_blob(binary.unstripped_digest) == linked
    assert not list((store.root / "partial").iterdir())
    assert not binary.findings


@pytest.mark.parametrize(
    ("form", "settings"),
    [
        pytest.param(Form(), BuildSettings(debug=False), id="not asked for"),
        pytest.param(Form(), BuildSettings(strip="none"), id="nothing is left out"),
        pytest.param(Form(debug=False), BuildSettings(strip="dwarf"), id="there is nothing to leave out"),
        pytest.param(Form(trailing=b"more"), BuildSettings(strip="all"), id="not understood"),
    ],
)
def test_there_is_no_debug_file_where_nothing_is_in_it(store: Store, form: Form, settings: BuildSettings) -> None:
    binary = _finish(store, elf_files.program(form), settings)
    assert binary.debug is None
    assert elf.open_elf(store.blob_path(binary.digest)).section(".gnu_debuglink") is None


def test_what_is_not_elf_is_kept_as_it_is(store: Store) -> None:
    binary = _finish(store, b"MZ" + bytes(100), BuildSettings())
    assert binary.digest == binary.unstripped_digest
    assert binary.debug is None
    assert [finding.id for finding in binary.findings] == ["build.not-stripped"]


def test_a_program_without_build_id_is_told(store: Store) -> None:
    binary = _finish(store, elf_files.program(Form(build_id=b"")), BuildSettings())
    assert binary.debug is not None
    assert binary.debug.build_id == ""
    assert [finding.id for finding in binary.findings] == ["build.no-build-id"]


def test_a_symbol_that_is_not_there_is_told(store: Store) -> None:
    settings = BuildSettings(strip="all", keep_symbols=("main", "crash*"))
    binary = _finish(store, elf_files.program(Form()), settings)
    assert [(finding.id, finding.message) for finding in binary.findings] == [
        ("build.symbol-missing", "api has no symbol crash*")
    ]


def test_the_longest_name_still_has_a_debug_file(store: Store) -> None:
    binary = _finish(store, elf_files.program(Form()), BuildSettings(), name="ä" * 127)
    assert binary.debug is not None
    assert len(binary.debug.name.encode()) <= 255
    assert binary.debug.name.endswith("ä.debug")


def test_a_program_for_another_machine_leaves_nothing_behind(store: Store) -> None:
    with pytest.raises(BuildFailed, match="arm64"):
        _finish(store, elf_files.program(Form(machine=183)), BuildSettings())
    assert not list(store.digests())
    assert not list((store.root / "partial").iterdir())
