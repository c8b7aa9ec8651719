"""What compilers and linkers complain of; the texts are theirs, from zig 0.17.1, gcc 12 and Go 1.26."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.build.complaints import error_of
from proa.errors import BuildFailed, LibraryMissing, NeedsC, NoSpace, ProaError, ToolMissing

_LINK = "# example.com/app\n/go/pkg/tool/linux_amd64/link: running cc failed: exit status 1\n/usr/bin/cc -m64 -o a.out -static"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("fatal error: 'pcap.h' file not found", id="clang"),
        pytest.param("fatal error: pcap.h: No such file or directory", id="gcc"),
    ],
)
def test_a_missing_header_is_named_with_the_package(said):
    error = error_of(f"# github.com/google/gopacket/pcap\n/mod/pcap/pcap_unix.go:34:10: {said}\n".encode())
    assert isinstance(error, LibraryMissing)
    assert error.what == "the header pcap.h is missing"
    assert error.package == "github.com/google/gopacket/pcap"
    assert error.exit_status == 4


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            'error: unable to find static system library "nothere" using strategy no_fallback. searched paths: none',
            id="zig",
        ),
        pytest.param("ld.lld: error: unable to find library -lnothere", id="lld"),
        pytest.param("/usr/bin/ld: cannot find -lnothere: No such file or directory", id="GNU ld"),
    ],
)
def test_a_missing_library_is_named(said):
    error = error_of(f"{_LINK} -lnothere\n{said}\n".encode())
    assert isinstance(error, LibraryMissing)
    assert (error.library, error.what) == ("nothere", "the library nothere is missing: there is no libnothere.a")


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            'error: unable to find static system library "foo" using strategy no_fallback. searched paths:\n  {folder}/libfoo.a',
            id="zig",
        ),
        pytest.param("-L{folder} -lfoo\n/usr/bin/ld: cannot find -lfoo: No such file or directory", id="GNU ld"),
        pytest.param("/usr/bin/ld: attempted static link of dynamic object `{folder}/libfoo.so'", id="named"),
    ],
)
def test_a_library_that_is_only_a_shared_object_is_said_to_be_one(said, tmp_path):
    (tmp_path / "libfoo.so").write_bytes(b"")
    error = error_of(f"{_LINK} {said.format(folder=tmp_path)}\n".encode())
    assert isinstance(error, LibraryMissing)
    assert "only as a shared object" in error.what
    assert str(tmp_path / "libfoo.so") in error.what


def test_what_pkg_config_does_not_know_is_named():
    error = error_of(
        b"# example.com/app\n# [pkg-config --cflags  -- frob]\nPackage frob was not found in the search path.\n"
    )
    assert isinstance(error, LibraryMissing)
    assert (error.what, error.package, error.library) == ("pkg-config does not find frob", "example.com/app", "frob")


def test_a_missing_pkg_config_is_a_missing_tool():
    text = b'# example.com/app\n# [pkg-config --cflags  -- frob]\npkg-config: exec: "pkg-config": executable file not found in $PATH\n'
    error = error_of(text)
    assert isinstance(error, ToolMissing)
    assert "example.com/app asks for frob" in error.what


@pytest.mark.parametrize(
    ("said", "who"),
    [
        pytest.param("collect2: fatal error: ld terminated with signal 9 [Killed]", "the linker", id="GNU ld killed"),
        pytest.param("LLVM ERROR: out of memory", "the linker", id="lld"),
        pytest.param("signal: killed", "the linker", id="go"),
    ],
)
def test_a_linker_without_memory_is_said_to_be_one(said, who):
    error = error_of(f"{_LINK}\n{said}\n".encode())
    assert isinstance(error, BuildFailed)
    assert who in error.what
    assert "memory" in error.what


def test_a_compiler_that_is_killed_is_no_linker():
    assert "a compiler" in error_of(b"# example.com/big\ngo: /go/pkg/tool/compile: signal: killed\n").what


def test_a_library_for_glibc_is_told_from_other_missing_symbols():
    glibc = error_of(f"{_LINK}\nld.lld: error: undefined symbol: __sprintf_chk\n".encode())
    assert "compiled for glibc" in glibc.what
    other = error_of(f"{_LINK}\nld.lld: error: undefined symbol: frobnicate\n".encode())
    assert other.what == "go build failed"


def test_without_a_compiler_the_wheel_is_named():
    error = error_of(
        b'# runtime/cgo\ncgo: C compiler "gcc" not found: exec: "gcc": executable file not found in $PATH\n'
    )
    assert isinstance(error, NeedsC)
    assert "proa[c]" in error.hint


def test_a_full_disk_goes_before_all():
    assert isinstance(error_of(b"# a\nfatal error: 'x.h' file not found\nwrite: no space left on device"), NoSpace)


@given(st.text(max_size=300))
def test_any_text_is_some_error(text):
    assert isinstance(error_of(text.encode(errors="replace")), ProaError)


def test_a_header_of_this_machine_is_pointed_out(tmp_path: Path):
    from proa.build.complaints import missing_library

    (tmp_path / "x86_64-linux-gnu").mkdir()
    (tmp_path / "x86_64-linux-gnu" / "zlib.h").touch()
    error = missing_library("# a.org/z\nz.go:3:10: fatal error: 'zlib.h' file not found", "", places=[str(tmp_path)])
    assert "cc: gcc" in error.hint
    assert "zlib.h" in error.hint
