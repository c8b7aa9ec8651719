"""ARCHITECTURE.md is true of the code: what it names exists, and what exists it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
SOURCE = ROOT / "src" / "proa"
FOLDERS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists())
RECORDS = sorted(path.name for path in (SOURCE / "records").glob("*.py") if path.name != "__init__.py")


def names() -> list[str]:
    """Every path in backticks: with a slash, or a Python file."""
    quoted = set(re.findall(r"`([\w./-]+)`", TEXT))
    return sorted(name for name in quoted if not name.startswith("/") and ("/" in name or name.endswith(".py")))


@pytest.mark.parametrize("name", [name for name in names() if name != "linux/arm/v7"])
def test_every_path_it_names_exists(name: str) -> None:
    places = [ROOT / name, SOURCE / name, *(SOURCE / folder / name for folder in FOLDERS)]
    assert any(place.exists() for place in places), f"{name} is named in ARCHITECTURE.md and is nowhere"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_has_its_paragraph(folder: str) -> None:
    assert f"**`src/proa/{folder}/`**" in TEXT


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_says_what_is_in_it(folder: str) -> None:
    first = (SOURCE / folder / "__init__.py").read_text(encoding="utf-8")
    assert first.startswith('"""')


def test_it_stays_short() -> None:
    assert len(TEXT.splitlines()) <= 300
