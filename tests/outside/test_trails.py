"""Paths followed in a folder that stands for a root."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.outside.trails import Trails


@pytest.fixture
def root(tmp_path):
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "usr/lib/libc.so").write_text("x")
    (tmp_path / "lib").symlink_to("usr/lib")
    (tmp_path / "usr/lib/libc.so.6").symlink_to("/lib/libc.so")
    (tmp_path / "out").symlink_to("../../../../etc")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "etc").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "links", "end", "is_whole"),
    [
        pytest.param("/usr/lib/libc.so", (), "/usr/lib/libc.so", True, id="plain"),
        pytest.param("/lib/libc.so.6", ("/lib", "/usr/lib/libc.so.6"), "/usr/lib/libc.so", True, id="two links, one absolute"),
        pytest.param("/lib/../x", ("/lib",), "/usr", False, id="up is taken behind the link"),
        pytest.param("/usr/lib/gone/deeper", (), "/usr/lib", False, id="the nearest folder"),
        pytest.param("/out/../..", ("/out",), "/", True, id="never out of the root"),
        pytest.param("/out", ("/out",), "/etc", True, id="a link that would lead out"),
        pytest.param("/loop", ("/loop",), "/", False, id="a circle"),
        pytest.param("/", (), "/", True, id="the root"),
        pytest.param("/usr/\0", (), "/usr", False, id="no path at all"),
    ],
)  # fmt: skip
def test_links_are_followed_as_inside(root, path, links, end, is_whole):
    trail = Trails(root).follow(path)

    assert (trail.links, trail.end, trail.is_whole) == (links, end, is_whole)


@given(st.lists(st.sampled_from(["usr", "lib", "..", ".", "libc.so.6", "out", "loop", "x", ""])).map("/".join))
def test_the_end_is_always_real_and_inside(tmp_path_factory, path):
    root = tmp_path_factory.getbasetemp() / "trails"
    if not root.exists():
        (root / "usr/lib").mkdir(parents=True)
        (root / "lib").symlink_to("usr/lib")
        (root / "out").symlink_to("/../..")

    trail = Trails(root).follow(f"/{path}")

    assert (root / trail.end.lstrip("/")).resolve() == root / trail.end.lstrip("/")
