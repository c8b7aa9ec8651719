from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import LockBroken
from proa.outside.gomod import ModFile, parse_mod, read_mod

WHOLE = """\
// Deprecated: use v3
module "example.com/quoted" // comment

go 1.24.2
toolchain go1.26.8

require github.com/a/b v1.2.3 // indirect
require (
	github.com/c/d v0.0.0-20200101000000-abcdefabcdef
	`github.com/e/f` v2.0.0+incompatible // indirect
)
exclude github.com/x/y v1.0.0
replace (
	github.com/c/d => ../d
	github.com/a/b v1.2.3 => github.com/fork/b v1.2.4
)
retract [v1.0.0, v1.1.0]
unknown words here
"""


def test_every_directive_that_matters_is_read():
    said = parse_mod(WHOLE)
    assert (said.module, said.go, said.toolchain) == ("example.com/quoted", "1.24.2", "go1.26.8")
    assert [path for path, _ in said.requires] == ["github.com/a/b", "github.com/c/d", "github.com/e/f"]
    assert said.excludes == (("github.com/x/y", "v1.0.0"),)
    assert [(r.path, r.version, r.target, r.target_version, r.is_folder) for r in said.replaces] == [
        ("github.com/c/d", "", "../d", "", True),
        ("github.com/a/b", "v1.2.3", "github.com/fork/b", "v1.2.4", False),
    ]


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        pytest.param("go 1.24\nuse ./a\nuse ./b", ("./a", "./b"), id="lines"),
        pytest.param("go 1.24\nuse (\n\t./a // why\n\n\t../b\n)\n", ("./a", "../b"), id="block"),
        pytest.param('use "./with space"', ("./with space",), id="quoted"),
        pytest.param("use (", (), id="never closed"),
        pytest.param("\r\nuse ./a\r\n", ("./a",), id="windows line ends"),
    ],
)
def test_folders_of_a_workspace_are_read(text, uses):
    assert parse_mod(text).uses == uses


@given(st.text())
def test_no_text_makes_the_parser_fail(text):
    assert isinstance(parse_mod(text), ModFile)


@given(st.lists(st.sampled_from(WHOLE.split()), max_size=30), st.sampled_from([" ", "\n", "\n\t"]))
def test_no_order_of_known_words_makes_the_parser_fail(words, between):
    assert isinstance(parse_mod(between.join(words)), ModFile)


def test_a_missing_file_says_nothing(tmp_path: Path):
    assert read_mod(tmp_path / "go.mod") == ModFile()
    assert read_mod(tmp_path / "file" / "go.mod") == ModFile()


def test_a_file_of_17_mib_is_refused(tmp_path: Path):
    with (tmp_path / "go.mod").open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(LockBroken, match="16 MiB"):
        read_mod(tmp_path / "go.mod")
