from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.tune.constraints import (
    Expression,
    is_custom,
    is_settable,
    of_file,
    of_name,
    parse_go_build,
    parse_plus_build,
)

WORDS = ("a", "b", "linux", "go1.22", "remove_all_sd")

_trees = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: st.one_of(
        st.tuples(st.just("!"), inner), st.tuples(inner, st.just("&&"), inner), st.tuples(inner, st.just("||"), inner)
    ),
    max_leaves=12,
)


def written(tree) -> str:
    """Write a tree with all its parentheses, so that no rule of precedence is needed to read it."""
    if isinstance(tree, str):
        return tree
    if len(tree) == 2:
        return f"!({written(tree[1])})"
    return f"({written(tree[0])}) {tree[1]} ({written(tree[2])})"


def holds(tree, satisfied: set[str]) -> bool:
    if isinstance(tree, str):
        return tree in satisfied
    if len(tree) == 2:
        return not holds(tree[1], satisfied)
    left, right = holds(tree[0], satisfied), holds(tree[2], satisfied)
    return (left and right) if tree[1] == "&&" else (left or right)


@given(_trees, st.sets(st.sampled_from(WORDS)))
def test_a_constraint_means_what_its_tree_means(tree, satisfied):
    read = parse_go_build(f"//go:build {written(tree)}")
    assert read is not None
    assert read.holds(satisfied) is holds(tree, satisfied)


@pytest.mark.parametrize(
    ("line", "satisfied", "expected"),
    [
        pytest.param("//go:build !nofoo || bar", {"nofoo"}, False, id="left out by the tag"),
        pytest.param("//go:build !nofoo || bar", {"nofoo", "bar"}, True, id="brought back by another"),
        pytest.param("//go:build a || b && c", {"a"}, True, id="and binds tighter than or"),
        pytest.param("//go:build (a || b) && c", {"a"}, False, id="parentheses bind tightest"),
        pytest.param("//go:build !a && b", {"b"}, True, id="not binds tightest of the operators"),
        pytest.param("//go:build a&&!b||c", {"a"}, True, id="without blanks"),
        pytest.param("//go:build a && !a", {"a"}, False, id="a contradiction never holds"),
        pytest.param("//go:build größe", {"größe"}, True, id="letters of any language"),
    ],
)
def test_a_go_build_line_is_evaluated(line, satisfied, expected):
    read = parse_go_build(line)
    assert read is not None
    assert read.holds(satisfied) is expected


@pytest.mark.parametrize(
    "line",
    [
        "//go:build",
        "//go:build ",
        "//go:buildx",
        "// go:build a",
        "//go:build a b",
        "//go:build a &&",
        "//go:build && a",
        "//go:build a & b",
        "//go:build (a",
        "//go:build a)",
        "//go:build ()",
        "//go:build !!a",
        "//go:build a !b",
        "//go:build a-b",
        "//go:build 'a'",
    ],
)
def test_what_the_go_command_refuses_is_no_constraint(line):
    assert parse_go_build(line) is None


def test_a_hostile_line_costs_little():
    started = time.process_time()
    assert parse_go_build("//go:build " + " && ".join(["x"] * 1001)) is None
    assert parse_go_build("//go:build " + "(" * 100_000) is None
    assert parse_go_build("//go:build " + "!(" * 20_000 + "a" + ")" * 20_000).words == {"a"}
    assert parse_plus_build("// +build " + ",".join(["x"] * 5000)) is None
    nested = parse_go_build("//go:build " + "(" * 900 + "a" + " && b)" * 900)
    assert nested is not None
    assert nested.holds({"a", "b"})
    assert time.process_time() - started < 2


@given(st.text())
def test_no_line_is_too_strange(text):
    for line in (text, f"//go:build {text}", f"// +build {text}"):
        for read in (parse_go_build(line), parse_plus_build(line)):
            assert read is None or read.holds(set()) in (True, False)


@pytest.mark.parametrize(
    ("line", "satisfied", "expected"),
    [
        pytest.param("// +build a b", {"b"}, True, id="blanks are or"),
        pytest.param("// +build a,b", {"b"}, False, id="commas are and"),
        pytest.param("// +build !a,b c", {"b"}, True, id="not"),
        pytest.param("//+build a", {"a"}, True, id="no blank before the plus"),
        pytest.param("// +build !!a", {"a"}, False, id="what is no word is never set"),
        pytest.param("// +build !-x", set(), True, id="nor is its opposite ever not"),
    ],
)
def test_a_legacy_line_is_evaluated(line, satisfied, expected):
    read = parse_plus_build(line)
    assert read is not None
    assert read.holds(satisfied) is expected


@pytest.mark.parametrize("line", ["+build a", "// build a", "// +building a", "// +build", "// see +build a"])
def test_what_only_looks_like_a_legacy_line_is_none(line):
    assert parse_plus_build(line) is None


def test_a_modern_line_wins_over_legacy_ones():
    both = of_file("x.go", ["//go:build a", "// +build b"])
    assert both is not None
    assert both.words == {"a"}


def test_several_legacy_lines_must_all_hold():
    read = of_file("x.go", ["// +build a", "// +build b c"])
    assert read is not None
    assert read.holds({"a", "c"})
    assert not read.holds({"b", "c"})


def test_two_modern_lines_or_a_wrong_one_are_refused():
    assert of_file("x.go", ["//go:build a", "//go:build b"]) is None
    assert of_file("x.go", ["//go:build a &&"]) is None


def test_a_file_name_is_a_constraint_too():
    read = of_file("poll_linux_arm64.go", ["//go:build !noasm"])
    assert read is not None
    assert read.holds({"linux", "arm64"})
    assert not read.holds({"linux", "arm64", "noasm"})
    assert not read.holds({"linux"})


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("linux.go", ()),
        ("a_linux.go", ("linux",)),
        ("a_linux_test.go", ("linux",)),
        ("a_arm64_linux.go", ("linux",)),
        ("a_linux_x.go", ()),
        ("a_unix.go", ()),
        ("a_linux.pb.go", ("linux",)),
        ("_linux.go", ("linux",)),
    ],
)
def test_which_file_names_are_constraints(name, steps):
    assert of_name(name) == Expression(steps)


@pytest.mark.parametrize(
    "word",
    [
        *("linux", "arm64", "unix", "cgo", "gc", "gccgo", "tinygo", "go1", "go1.22", "race", "msan", "asan"),
        *("boringcrypto", "goexperiment.jsonv2", "amd64.v3", "ignore", "tools", "fips140v1.0"),
    ],
)
def test_words_that_are_nobodys_tag(word):
    assert not is_custom(word)


@pytest.mark.parametrize(
    "word", ["nomysql", "grpcnotrace", "purego", "go2", "goexperimental", "antlr.nomutex", "noasm"]
)
def test_words_that_are_tags(word):
    assert is_custom(word)
    assert is_settable(word)
