"""The graph of a program that go builds here: what the linker kept is reached, and what is inlined is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.inspect.reachability import Reachability
from proa.inspect.references import read_references
from proa.outside.command import run
from proa.outside.executables import open_executable, symbol_table
from proa.outside.gobinary import GoBinary
from real_neighbours import need

pytestmark = pytest.mark.real
KINDS = "example.com/shelf/kinds"
FILES = {
    "go.mod": "module example.com/shelf\n\ngo 1.24\n",
    "kinds/kinds.go": """package kinds

import "strings"

type Row struct{ Cells []string }

func (r *Row) UnmarshalText(text []byte) error {
	r.Cells = strings.Split(string(text), ",")
	return nil
}

type Nothing struct{}

func Mixed(value uint64) uint64 {
	value ^= value >> 33
	value *= 0xff51afd7ed558ccd
	value ^= value >> 33
	value *= 0xc4ceb9fe1a85ec53
	return value ^ value>>33
}
""",
    "main.go": """package main

import (
	"fmt"
	"os"
	"reflect"

	"example.com/shelf/kinds"
)

//go:noinline
func hashed(value uint64) uint64 {
	return kinds.Mixed(value) + kinds.Mixed(value+1) + kinds.Mixed(value+2) + kinds.Mixed(value+3)
}

func main() {
	method := reflect.New(reflect.TypeOf(kinds.Row{})).MethodByName(os.Args[0])
	fmt.Println(hashed(7), method.IsValid(), kinds.Nothing{})
}
""",
}


@pytest.fixture(scope="module")
def reachability(tmp_path_factory) -> Reachability:
    need("go")
    folder: Path = tmp_path_factory.mktemp("shelf")
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}
    run(["go", "build", "-trimpath", "-ldflags=-w", "-o", f"{folder}/shelf"], cwd=folder, env=env)
    program = open_executable(folder / "shelf")
    names = symbol_table(program)
    return Reachability(read_references(GoBinary(program.elf), len(program.elf.data), names, is_counted=True))


def test_nearly_all_code_that_the_linker_kept_is_reached(reachability):
    graph = reachability.graph
    assert graph.own_bytes[reachability.strays].sum() < 0.01 * graph.own_bytes.sum()


def test_a_value_in_an_interface_brings_the_methods_of_its_pointers(reachability):
    assert reachability.reached[reachability.graph.names.index(f"{KINDS}.(*Row).UnmarshalText")]


def test_code_inlined_from_a_package_goes_with_it(reachability):
    loss = reachability.without([reachability.graph.packages[KINDS]], None)
    assert 100 < dict(loss.packages)["main"] < 1000
