"""What ``go list`` reads of a file, and nothing below it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.header import header

HEADS = [
    b"package a\n",
    b'//go:build linux\n\npackage a\n\nimport "b"\n',
    b'\xef\xbb\xbfpackage a; import "b"; import (\n\tc "d" // why\n\t. "e"\n\t_ `f`\n)\n',
    b'/* package x\nfunc no() */ package a\nimport("b";"c")\n',
    b'package a\n// #include <x.h>\nimport "C"\n/* func f() */\nimport "b"\n',
    b'package a\nimport ()\nimport n"b"\n',
]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize(
    "body", [b"", b"func f() {}\n", b'type T struct{}\nvar x = `import "z"`\n', b'const c = 1 // import "y"\n']
)
def test_what_is_below_the_imports_does_not_count(head, body):
    assert header(head + body) == header(head)
    assert b'"z"' not in header(head + body)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'package a\nimport "b"\n', b'package a\nimport "c"\n'),
        (b"package a\n", b"package b\n"),
        (b"package a\n", b'package a\nimport "b"\n'),
        (b"package a\n", b"//go:build linux\n\npackage a\n"),
        (b"package a\nvar x int\n", b"package a\n//go:embed f\nvar x int\n"),
        (b"package a\nimport (\n)\n", b'package a\nimport (\n"b"\n)\n'),
        (b'package a\n/* */ import "b"\n', b'package a\n/* import "b" */\n'),
    ],
)
def test_what_the_list_is_made_from_counts(before, after):
    assert header(before) != header(after)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"func f() {}",
        b"package",
        b"package a\nimport b\n",
        b'package a\nimport (\n"b"\n',
        b"/* package a",
        b"\xff\xfe",
    ],
)
def test_what_is_not_understood_counts_whole(source):
    assert header(source) == source


@given(st.binary(max_size=300), st.sampled_from(HEADS))
def test_any_bytes_have_a_header_that_keeps_the_imports(body, head):
    assert header(body) is not None
    assert header(head + b"\nvar _ = 0\n" + body).startswith(header(head).rstrip())
