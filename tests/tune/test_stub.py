"""Go files with a cause taken out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.tune import stub


def test_an_emptied_file_keeps_its_types_and_what_they_name() -> None:
    source = b"""package a

import (
	"fmt"
	"io"
	r "reflect"
	_ "embed"
)

type T struct{ w io.Writer }

func (t T) Show() { fmt.Fprint(t.w, r.TypeOf(t)) }

func asm(x int)
"""
    text = stub.emptied(source).decode()
    assert '\t_ "fmt"\n\t"io"\n\t_ "reflect"\n\t_ "embed"\n' in text
    assert '//go:noinline\nfunc (t T) Show() { panic("") }' in text
    assert "\nfunc asm(x int)\n" in text


def test_variables_that_nobody_else_can_name_may_go() -> None:
    source = b"""package a

import "regexp"

var pattern = regexp.MustCompile("x")

var (
	Public = regexp.MustCompile("y")
	table  = map[string]int{"a": 1}
)
"""
    text = stub.emptied(source, with_variables=False).decode()
    assert "pattern" not in text
    assert "table" not in text
    assert 'Public = regexp.MustCompile("y")' in text
    assert 'import "regexp"' in text
    assert stub.emptied(source) == source


def test_only_the_functions_named_are_emptied() -> None:
    text = stub.emptied(b"package a\nfunc F() { g() }\nfunc (v V) Methods() { g() }\n", {"Methods"}).decode()
    assert "func F() { g() }" in text
    assert 'func (v V) Methods() { panic("") }' in text


@pytest.mark.parametrize(
    ("statement", "first"),
    [
        pytest.param("m := v.MethodByName(n)", "ValueMethodByName", id="one result is a value's"),
        pytest.param("m, ok := t.MethodByName(n)", "TypeMethodByName", id="two results are a type's"),
        pytest.param("x := t.Method(i).Name", "TypeMethod", id="a method has a name"),
        pytest.param("v.Method(i).Call(nil)", "ValueMethod", id="a value is called"),
    ],
)
def test_what_a_call_is_of_is_guessed_from_its_surroundings(statement: str, first: str) -> None:
    (call,) = stub.calls_in(f"package a\nfunc F() {{ {statement} }}".encode())
    assert call.choices[0] == first
    assert len(call.choices) == 2


def test_names_the_compiler_knows_and_methods_of_other_shapes_are_left_alone() -> None:
    source = b'package a\nfunc F() { v.MethodByName("Name"); r.Method("GET", "/"); x.Method() }'
    assert stub.calls_in(source) == ()


def test_calls_in_a_row_are_cut_from_within() -> None:
    source = b"package a\nfunc F() { t.Method(i).Method(j) }"
    outer, inner = stub.calls_in(source)
    text = stub.cut(source, {outer.offset: "ValueMethod", inner.offset: "ValueMethod"})
    assert b"proaStubValueMethod(proaStubValueMethod(t, i), j)" in text
    assert text.count(b"\n") == source.count(b"\n")


def test_a_plugins_names_are_replaced_under_any_name_of_the_import() -> None:
    source = b'package a\nimport (\n\t"fmt"\n\tp "plugin"\n)\nvar one *p.Plugin\nfunc F() { p.Open("x"); fmt.Print() }'
    text = stub.unplugged(source)
    assert text is not None
    assert b'"plugin"' not in text
    assert b"var one *proaStubPlugin" in text
    assert b'proaStubOpen("x"); fmt.Print()' in text
    assert stub.unplugged(b'package a\nimport "fmt"') is None


def test_the_function_around_a_call_is_named() -> None:
    source = b"package a\nfunc (t T) Show() { v.MethodByName(n) }\nvar x = v.Method(i)"
    assert [stub.function_at(source, call.offset) for call in stub.calls_in(source)] == ["Show", ""]


@given(st.binary(max_size=200))
def test_what_is_no_go_does_not_end_in_an_exception(source: bytes) -> None:
    stub.emptied(source, with_variables=False)
    stub.cut(source, {call.offset: call.choices[0] for call in stub.calls_in(source)})
    stub.unplugged(source)
    assert isinstance(stub.package_name(source), str)
