"""What compilers and build systems complain of, as they really wrote it."""

from __future__ import annotations

import pytest

from proa import errors
from proa.build.faults import fault_of, shown_lines


@pytest.mark.parametrize(
    ("output", "kind", "what"),
    [
        pytest.param("main.c:1:10: fatal error: 'zlib.h' file not found", errors.LibraryMissing, "zlib.h", id="clang"),
        pytest.param(
            "main.c:1:10: fatal error: zlib.h: No such file or directory", errors.LibraryMissing, "zlib.h", id="gcc"
        ),
        pytest.param(
            'error: unable to find static system library "none-such" using strategy no_fallback. searched paths: none',
            errors.LibraryMissing,
            "none-such",
            id="zig",
        ),
        pytest.param("/usr/bin/ld: cannot find -lnone-such", errors.LibraryMissing, "none-such", id="GNU ld"),
        pytest.param(
            "rust-lld: error: unable to find library -lnone-such", errors.LibraryMissing, "none-such", id="LLD"
        ),
        pytest.param(
            'meson.build:2:0: ERROR: Dependency "none-such" not found, tried pkgconfig and cmake',
            errors.LibraryMissing,
            "none-such",
            id="meson",
        ),
        pytest.param(
            "  Could NOT find ZLIB (missing: ZLIB_LIBRARY ZLIB_INCLUDE_DIR)", errors.LibraryMissing, "ZLIB", id="CMake"
        ),
        pytest.param(
            "cp: cannot create regular file '/usr/local/bin/prog': Read-only file system",
            errors.BuildFailed,
            "write /usr/local/bin/prog,",
            id="outside, cp",
        ),
        pytest.param(
            "/bin/sh: 1: cannot create /opt/x: Read-only file system",
            errors.BuildFailed,
            "write /opt/x,",
            id="outside, sh",
        ),
        pytest.param(
            "touch: cannot touch '../escaped': Read-only file system",
            errors.BuildFailed,
            "../escaped",
            id="outside, touch",
        ),
        pytest.param(
            "cc1plus: fatal error: Killed signal terminated program cc1plus", errors.BuildFailed, "memory", id="gcc"
        ),
        pytest.param(
            "collect2: fatal error: ld terminated with signal 9 [Killed]", errors.BuildFailed, "memory", id="ld"
        ),
        pytest.param("LLVM ERROR: out of memory", errors.BuildFailed, "memory", id="LLVM"),
        pytest.param("/bin/sh: 1: bison: not found", errors.ToolMissing, "bison", id="a tool"),
        pytest.param("write error: No space left on device", errors.NoSpace, "space", id="disk"),
        pytest.param(
            "error: the lock file /w/Cargo.lock needs to be updated but --locked was passed to prevent this",
            errors.LockBroken,
            "Cargo.lock",
            id="cargo",
        ),
        pytest.param("main.c:3: error: expected ';'", errors.BuildFailed, "make failed", id="anything else"),
    ],
)
def test_a_complaint_becomes_the_error_that_says_what_to_do(output, kind, what):
    fault = fault_of("make", output)
    assert type(fault) is kind
    assert what in fault.what
    assert fault.hint


def test_a_library_that_is_there_as_a_shared_object_only_is_said_to_be(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libown.so.1").touch()
    output = 'error: unable to find static system library "own" using strategy no_fallback'
    assert "(lib/libown.so.1) exists only as a shared object" in fault_of("make", output, folders=[tmp_path]).what
    assert "was not found" in fault_of("make", output, folders=[tmp_path], is_static=False).what


def test_the_folder_of_the_build_is_not_shown_nor_are_credentials():
    fault = fault_of("make", "/media/source/a.c:1: error: x https://me:secret@example.com/", place="/media")
    assert fault.output == "a.c:1: error: x https://***@example.com/"


def test_the_first_error_is_shown_where_many_lines_follow():
    text = "a.c:1: error: first\n" + "note\n" * 100
    assert shown_lines(text).startswith("a.c:1: error: first\n…\nnote")
    assert len(shown_lines(text).splitlines()) < 25
