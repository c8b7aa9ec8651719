"""The corpus of small ELF files and changed copies of it, through every reader: only proa's own errors, and soon."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

from elf_readers import read_all
from fuzz_elf import CORPUS, MOST_S, mutated

FILES = sorted(CORPUS.iterdir())
SOUND = [file for file in FILES if not file.name.startswith("found-")]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


def _read(data: bytes, scratch: Path) -> int:
    file = scratch / "program"
    file.unlink(missing_ok=True)
    file.write_bytes(data)
    started = time.process_time()
    taken = read_all(file, scratch)
    assert time.process_time() - started < MOST_S
    return taken


@pytest.mark.parametrize("file", SOUND, ids=lambda file: file.name)
def test_what_is_sound_is_read_by_most_readers(file: Path, scratch: Path) -> None:
    assert _read(file.read_bytes(), scratch) >= 9


@pytest.mark.parametrize("file", [file for file in FILES if file not in SOUND], ids=lambda file: file.name)
def test_what_once_did_harm_is_refused_or_read(file: Path, scratch: Path) -> None:
    _read(file.read_bytes(), scratch)


def test_the_corpus_is_small() -> None:
    sizes = [file.stat().st_size for file in FILES]
    assert max(sizes) <= 20_000
    assert sum(sizes) <= 300_000


@settings(max_examples=60, deadline=None)
@given(number=st.integers(0, len(FILES) - 1), seed=st.integers(0, 2**32))
def test_what_is_damaged_is_refused_or_read(number: int, seed: int, scratch: Path) -> None:
    _read(mutated(FILES[number].read_bytes(), random.Random(seed)), scratch)


@settings(max_examples=40, deadline=None)
@given(number=st.integers(0, len(FILES) - 1), data=st.data())
def test_what_is_cut_short_is_refused_or_read(number: int, data: st.DataObject, scratch: Path) -> None:
    whole = FILES[number].read_bytes()
    _read(whole[: data.draw(st.integers(0, len(whole)))], scratch)
