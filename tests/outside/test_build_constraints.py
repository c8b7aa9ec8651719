from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.errors import ToolFailed
from proa.outside.build_constraints import constraint_lines, parse_context, read_folder
from proa.tune.constraints import of_file


def texts(head: bytes) -> list[str]:
    return [line.text for line in constraint_lines(head)]


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(b"//go:build a\n\npackage p\n", ["//go:build a"], id="first line"),
        pytest.param(b"// +build a\npackage p\n", [], id="a legacy line needs a blank line below"),
        pytest.param(b"// +build a\n\npackage p\n", ["// +build a"], id="legacy"),
        pytest.param(b"//go:build a\npackage p\n", ["//go:build a"], id="a modern line needs none"),
        pytest.param(b"package p\n//go:build a\n\n", [], id="below the package clause"),
        pytest.param(b"/* c */ package p\n//go:build a\n", [], id="the clause behind a comment"),
        pytest.param(b"/*\n//go:build a\n*/\npackage p\n", [], id="in a block comment"),
        pytest.param(b"/* x\n*/\n//go:build a\npackage p\n", ["//go:build a"], id="below a block comment"),
        pytest.param(b"/*x*/\n\n// +build a\n\npackage p\n", [], id="legacy below a block comment"),
        pytest.param(b"/* x */ //go:build a\npackage p\n", [], id="behind a block comment"),
        pytest.param(b"//go:buildx\npackage p\n", [], id="another directive"),
        pytest.param(b"\xef\xbb\xbf//go:build a\npackage p\n", ["//go:build a"], id="a byte order mark"),
        pytest.param(b"//go:build a\r\n\r\npackage p\r\n", ["//go:build a"], id="line ends of Windows"),
        pytest.param(b'//go:build a\n#include "x.h"\n//go:build b\n', ["//go:build a"], id="assembly"),
        pytest.param(b"//go:build \xff\xfe\n\npackage p\n", ["//go:build \ufffd\ufffd"], id="not UTF-8"),
        pytest.param(b"", [], id="nothing"),
    ],
)
def test_lines_are_found_where_the_go_command_looks(head, expected):
    assert texts(head) == expected


def test_the_line_is_named_with_its_number():
    assert [line.line for line in constraint_lines(b"// Copyright\n//\n\n//go:build a\n\npackage p\n")] == [4]


@given(st.binary(max_size=400))
def test_no_header_is_too_strange(head):
    for line in constraint_lines(b"/" + head):
        assert "build" in line.text


def test_a_folder_is_read_without_tests_and_hidden_files(tmp_path: Path):
    for name in ("a.go", "b_test.go", "_c.go", ".d.go", "e.s", "f.txt"):
        (tmp_path / name).write_text("//go:build x\n\npackage p\n")
    assert {name: len(lines) for name, lines in read_folder(str(tmp_path)).items()} == {"a.go": 1, "e.s": 1}


def test_a_long_header_is_read_to_its_end(tmp_path: Path):
    (tmp_path / "a.go").write_text("// licence\n" * 5000 + "\n//go:build x\n\npackage p\n")
    assert [line.text for line in read_folder(str(tmp_path))["a.go"]] == ["//go:build x"]


def test_what_is_no_readable_file_has_no_lines(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.go")
    (tmp_path / "folder.go").mkdir()
    (tmp_path / "gone.go").symlink_to(tmp_path / "nowhere")
    assert read_folder(str(tmp_path)) == {"folder.go": (), "gone.go": (), "pipe.go": ()}
    assert read_folder(str(tmp_path / "nowhere")) == {}


def test_thousands_of_files_take_seconds_at_most(tmp_path: Path):
    for number in range(2000):
        (tmp_path / f"f{number}.go").write_bytes(b"// Copyright\n\n//go:build x\n\npackage p\n" + b"var a = 1\n" * 2000)
    started = time.process_time()
    assert len(read_folder(str(tmp_path))) == 2000
    assert time.process_time() - started < 3


def test_an_answer_of_another_form_is_an_error():
    with pytest.raises(ToolFailed):
        parse_context("linux amd64 gc")


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("go") is None:
        pytest.skip("real: go is not on PATH")
    folder = tmp_path_factory.mktemp("module")
    (folder / "go.mod").write_text("module example.com/m\n\ngo 1.24\n")
    return folder


_WORD = st.sampled_from(["linux", "amd64", "windows", "x", "y", "unix", "go1.21", "go1.99", "cgo", "gc"])
_HEADER = st.lists(
    st.one_of(
        st.builds("//go:build {} || !{}".format, _WORD, _WORD),
        st.builds("//go:build !({} && {})".format, _WORD, _WORD),
        st.builds("// +build {} {},!{}".format, _WORD, _WORD, _WORD),
        st.builds("//+build !{}".format, _WORD),
        st.sampled_from(["", "// text", "/* a", "*/", "/* a */", "package p", "//go:build", "//go:build x y"]),
    ),
    max_size=6,
)


@pytest.mark.real
@settings(max_examples=1, deadline=None)
@given(st.lists(_HEADER, min_size=150, max_size=150))
def test_the_go_command_takes_the_same_files(module: Path, headers):
    """All files at once: one go list for 150 headers; each folder is a package of its own."""
    shutil.rmtree(module / "p", ignore_errors=True)
    for number, header in enumerate(headers):
        folder = module / "p" / f"p{number}"
        folder.mkdir(parents=True)
        (folder / "a.go").write_text("package p\n")
        (folder / "b.go").write_text("\n".join([*header, "package p\n"]))
    ran = subprocess.run(
        ["go", "list", "-e", "-tags=x", "-f={{.Dir}} {{.Error}} {{.GoFiles}}", "./..."],
        cwd=module,
        env={**os.environ, "CGO_ENABLED": "0", "GOOS": "linux", "GOARCH": "amd64", "GOFLAGS": "", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=True,
    )
    words = {"linux", "amd64", "unix", "gc", "x", "go1.21"}
    checked = 0
    for line in ran.stdout.splitlines():
        directory, _, rest = line.partition(" ")
        if not rest.startswith("<nil>"):
            continue
        lines = read_folder(directory)["b.go"]
        read = of_file("b.go", [one.text for one in lines])
        assert read is not None, (directory, lines)
        assert read.holds(words) is ("b.go" in rest), (Path(directory, "b.go").read_text(), rest)
        checked += 1
    assert checked > 30
