"""What was left out in groups, and what the user's words bring back."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import WrongUsage
from proa.slim.groups import left_out
from proa.slim.wanted import wanted


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {
        "usr/bin/perl": 7,
        "usr/lib/perl/a.pm": 3,
        "usr/share/doc/perl-base/x": 1,
        "opt/big/deep/er/file": 9,
        "srv/a": 1,
        "core": 2,
    }
    for path, size in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"x" * size)
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (info / "perl-base.list").write_text("/.\n/usr/bin/perl\n/usr/lib/perl/a.pm\n/usr/share/doc/perl-base/x\n")
    (tmp_path / "var/lib/dpkg/status").write_text("Package: perl-base\nStatus: install ok installed\nVersion: 5\n")
    return tmp_path


def test_groups_are_packages_and_folders_and_the_largest_comes_first(root: Path) -> None:
    groups = {one.name: one for one in left_out(root, {"/srv/a", "/usr/lib/perl/a.pm"})}
    assert groups["debian:perl-base"].bytes == 8
    assert groups["debian:perl-base"].paths == ("/usr/bin/perl", "/usr/share/doc/perl-base/x")
    assert groups["/opt/big/deep/"].files == 1
    assert "/srv/" not in groups
    assert min(groups, key=lambda name: -groups[name].bytes) == next(iter(groups))


def test_a_group_brings_back_what_it_names(root: Path) -> None:
    for group in left_out(root, set()):
        if group.name != "/":
            assert {seed.path for seed in wanted(root, [group.name])} & set(group.paths)


@pytest.mark.parametrize(
    ("word", "path"),
    [
        pytest.param("/srv/a", "/srv/a", id="a path"),
        pytest.param("/opt/", "/opt/big/deep/er/file", id="a folder"),
        pytest.param("/usr/*/perl", "/usr/bin/perl", id="a pattern"),
        pytest.param("debian:perl-base", "/usr/lib/perl/a.pm", id="a package"),
        pytest.param("perl-base", "/usr/bin/perl", id="a package without its manager"),
    ],
)
def test_words_stand_for_paths(root: Path, word: str, path: str) -> None:
    found = {seed.path: seed for seed in wanted(root, [word])}
    assert found[path].because == f"--keep {word}"
    assert "/usr/share/doc/perl-base/x" not in found


@pytest.mark.parametrize(
    ("word", "close"),
    [
        pytest.param("debian:perl-bsae", "debian:perl-base", id="a package misspelt"),
        pytest.param("/opt/bgi/deep", "/opt/big", id="a folder misspelt"),
        pytest.param("/nowhere/*", "pattern", id="a pattern that fits nothing"),
        pytest.param("/", "path", id="all of it"),
        pytest.param("", "path", id="an empty word"),
        pytest.param("[", "path", id="no pattern at all"),
    ],
)
def test_a_word_for_nothing_is_refused_with_close_names(root: Path, word: str, close: str) -> None:
    with pytest.raises(WrongUsage) as refused:
        wanted(root, [word])
    assert close in refused.value.hint
