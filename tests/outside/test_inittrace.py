"""What the Go runtime says of packages: lines as go1.24 wrote them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proa.outside.inittrace import PackageInit, parse_inittrace

WRITTEN = """\
init internal/bytealg @0 ms, 0 ms clock, 0 bytes, 0 allocs
init runtime @0.064 ms, 0.17 ms clock, 0 bytes, 0 allocs
starting the shop
init internal/godebug @1.1 ms, 0.11 ms clock, 2016 bytes, 43 allocs
init main @1.9 ms, 50 ms clock, 128 bytes, 2 allocs
2026/01/01 listening on :8080
"""


def test_packages_come_in_their_order_with_time_and_allocations():
    found = parse_inittrace(WRITTEN)
    assert [one.package for one in found] == ["internal/bytealg", "runtime", "internal/godebug", "main"]
    assert found[3] == PackageInit(package="main", at_s=0.0019, duration_s=0.05, allocated_bytes=128, allocations=2)


def test_words_of_the_program_before_a_line_do_not_hide_it():
    assert parse_inittrace("loading…init time @1.3 ms, 0.007 ms clock, 16 bytes, 1 allocs")[0].package == "time"


def test_a_program_without_go_says_nothing():
    assert parse_inittrace("init is my name\ninit x @1..2 ms, 1 ms clock, 1 bytes, 1 allocs") == ()


@given(st.text(max_size=300))
def test_any_output_is_read(text):
    assert isinstance(parse_inittrace(text), tuple)
