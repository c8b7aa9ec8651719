"""Programs that go builds here, taken apart: stripped or not, with a debug file, for other systems."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from proa.cli.commands import proa
from proa.cli.inspect_binary import lines
from proa.outside.command import run
from proa.outside.elf import read_elf
from proa.pipeline.inspect_binary import inspect_binary
from real_neighbours import need

pytestmark = pytest.mark.real
SOURCE = """package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type Order struct {
	Name  string
	Items map[string][]int
}

func describe[T any](value T) string { text, _ := json.Marshal(value); return string(text) }

func main() { fmt.Println(describe(Order{Name: os.Args[0]}), "a constant of the main package") }
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    need("go")
    folder = tmp_path_factory.mktemp("program")
    (folder / "go.mod").write_text("module example.com/orders\n\ngo 1.24\n")
    (folder / "main.go").write_text(SOURCE)
    return folder


def build(folder: Path, name: str, *flags: str, **environ: str) -> Path:
    target = folder / name
    if not target.exists():
        env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off", **environ}
        run(["go", "build", "-trimpath", *flags, "-o", str(target), "."], cwd=folder, env=env, timeout_s=300)
    return target


def anatomy_of(file: Path, debug: Path | None = None):
    anatomy = inspect_binary(file, debug=debug, environ={"PROA_CACHE": str(file.parent / "store")}, jobs=1)
    owned, rest = sum(one.bytes for one in anatomy.packages), sum(one.bytes for one in anatomy.sections)
    assert owned + rest == anatomy.total_bytes == file.stat().st_size
    assert owned == anatomy.attributed_bytes
    return anatomy


def bytes_of(anatomy) -> dict[str, int]:
    return {one.name: one.bytes for one in anatomy.packages}


def test_nearly_all_loaded_bytes_have_a_package_also_in_a_stripped_program(folder):
    for file in (build(folder, "whole"), build(folder, "bare", "-ldflags=-s -w")):
        anatomy = anatomy_of(file)
        rest = {one.name: one.bytes for one in anatomy.sections}
        assert anatomy.attributed_bytes / anatomy.loaded_bytes >= 0.97
        assert rest.get(".text", 0) + rest.get(".gopclntab", 0) <= 0.005 * sum(
            one.text + one.pclntab for one in anatomy.packages
        )
        assert {one.module for one in anatomy.packages if one.name == "main"} == {"example.com/orders"}
        assert next(one for one in anatomy.packages if one.name == "runtime").version == anatomy.go_version


def test_code_and_tables_are_the_same_stripped_or_not(folder):
    """These are known by the function table, which stripping leaves; data may go to another package."""
    whole, bare = anatomy_of(build(folder, "whole")), anatomy_of(build(folder, "bare", "-ldflags=-s -w"))
    assert {p.name: (p.text, p.pclntab) for p in whole.packages if p.text} == {
        p.name: (p.text, p.pclntab) for p in bare.packages if p.text
    }


def test_a_stripped_program_with_its_debug_file_has_the_totals_of_the_whole_one(folder):
    need("objcopy")
    whole = build(folder, "whole")
    debug, bare = folder / "split.debug", folder / "split"
    run(["objcopy", "--only-keep-debug", str(whole), str(debug)])
    run(["objcopy", "--strip-all", str(whole), str(bare)])
    expected, found = bytes_of(anatomy_of(whole)), bytes_of(anatomy_of(bare, debug))
    assert set(expected) == set(found)
    for name, size in expected.items():
        assert abs(found[name] - size) <= max(64, 0.001 * size), name


def test_a_program_that_garble_disguised_says_so_and_is_told_by_section(folder):
    """garble writes another magic before the function table, so that readers of it give up."""
    whole = build(folder, "whole")
    content, table = bytearray(whole.read_bytes()), read_elf(memoryview(whole.read_bytes())).section(".gopclntab")
    content[table.offset : table.offset + 4] = b"\x0e\x7e\x7f\x4e"
    disguised = folder / "disguised"
    disguised.write_bytes(content)
    anatomy = anatomy_of(disguised)
    assert [one.id for one in anatomy.findings] == ["inspect.obfuscated"]
    assert "0x4e7f7e0e, as garble writes it" in anatomy.findings[0].message
    assert not anatomy.packages
    assert {".text", ".gopclntab", ".rodata"} <= {one.name for one in anatomy.sections}


def test_what_is_known_of_code_agrees_with_the_tool_chain(folder):
    """``go tool nm`` lists the same functions; alignment behind a function counts as its own here."""
    whole = build(folder, "whole")
    rows = [line.split(None, 3) for line in run(["go", "tool", "nm", "-size", str(whole)]).text.splitlines()]
    listed = sum(int(row[1]) for row in rows if len(row) == 4 and row[2] in "Tt" and row[3].startswith("runtime."))
    ours = next(one for one in anatomy_of(whole).packages if one.name == "runtime").text
    assert 1.0 <= ours / listed <= 1.08


@pytest.mark.parametrize("target", ["darwin/arm64", "windows/amd64"])
def test_other_systems_programs_are_read_too(folder, target):
    system, _, processor = target.partition("/")
    for name, flags in (("whole", ()), ("bare", ("-ldflags=-s -w",))):
        anatomy = anatomy_of(build(folder, f"{name}-{system}", *flags, GOOS=system, GOARCH=processor))
        assert (anatomy.format, anatomy.architecture) == ({"darwin": "macho", "windows": "pe"}[system], processor)
        assert anatomy.attributed_bytes / anatomy.loaded_bytes >= 0.9
        assert {"main", "runtime", "encoding/json"} <= set(bytes_of(anatomy))


def test_a_c_program_is_taken_apart_by_its_units(folder):
    need("gcc")
    (folder / "part.c").write_text(
        "static int hidden(int x) { return x * 3; }\nint part(int x) { return hidden(x) + 1; }\n"
    )
    (folder / "main.c").write_text(
        "int part(int);\nstatic int twice(int x) { return 2 * x; }\nint main(int c, char **v) { return part(twice(c)); }\n"
    )
    run(["gcc", "-O0", "-o", "cprogram", "main.c", "part.c"], cwd=folder)
    anatomy = anatomy_of(folder / "cprogram")
    assert anatomy.language == "c"
    assert {"main.c", "part.c"} <= set(bytes_of(anatomy))


def with_dwarf(folder: Path) -> Path:
    """A C program of three units, two of which have the same name."""
    need("gcc")
    (folder / "lib").mkdir(exist_ok=True)
    (folder / "tables.c").write_text("int first[4096] = {1};\nint twice(int x) { return x * first[1]; }\n")
    (folder / "lib/tables.c").write_text(
        'const char second[9000] = "x";\nint thrice(int x) { return x * second[2]; }\n'
    )
    (folder / "run.c").write_text(
        "int twice(int), thrice(int);\nlong third[2048] = {3};\n"
        "int main(int c, char **v) { return twice(thrice(c)) + third[3]; }\n"
    )
    sources = ["run.c", "tables.c", "lib/tables.c"]
    run(["gcc", "-g", "-O1", "-Wl,--build-id", "-o", "with-dwarf", *sources], cwd=folder)
    return folder / "with-dwarf"


def test_globals_of_c_are_of_the_unit_that_dwarf_names(folder):
    need("objcopy")
    whole = anatomy_of(with_dwarf(folder))
    found = {one.name: one for one in whole.packages}
    # Two units with one name are called by their paths.
    for unit, data in (("tables.c", 4 * 4096), ("lib/tables.c", 9000), ("run.c", 8 * 2048)):
        assert found[unit].known_by == "dwarf"
        assert data <= found[unit].bytes <= data + 200
    assert sum(one.bytes for one in (*whole.packages, *whole.sections)) == whole.total_bytes

    run(["objcopy", "--only-keep-debug", "with-dwarf", "with-dwarf.debug"], cwd=folder)
    run(["objcopy", "--strip-all", "with-dwarf", "bare-c"], cwd=folder)
    split = anatomy_of(folder / "bare-c", debug=folder / "with-dwarf.debug")
    assert {one.name: one.bytes for one in split.packages} == {one.name: one.bytes for one in whole.packages}


def test_dwarf_that_is_damaged_costs_only_what_it_told(folder):
    content = bytearray(with_dwarf(folder).read_bytes())
    at = content.find(b"tables.c\0")
    content[at - 300 : at + 300] = b"\xff" * 600
    (folder / "damaged").write_bytes(content)
    anatomy = anatomy_of(folder / "damaged")
    assert sum(one.bytes for one in (*anatomy.packages, *anatomy.sections)) == anatomy.total_bytes


def test_the_command_prints_what_fits_and_json_that_adds_up(folder):
    file = build(folder, "bare", "-ldflags=-s -w")
    printed = CliRunner().invoke(proa, ["inspect", str(file), "--format", "json", "--symbols"])
    assert printed.exit_code == 0, printed.output
    record = json.loads(printed.output)
    assert sum(one["bytes"] for one in (*record["packages"], *record["sections"])) == record["total_bytes"]
    assert len(record["symbols"]) > 1000
    for width in (40, 80, 140):
        shown = list(lines(anatomy_of(file), top=5, width=width))
        assert all(len(line) <= width for line in shown)
        assert any("runtime" in line for line in shown)
    assert "| package |" in CliRunner().invoke(proa, ["inspect", str(file), "--format", "markdown"]).output
    shutil.copy(file, folder / "cut")
    with (folder / "cut").open("r+b") as stream:
        stream.truncate(200_000)
    assert "PROA213" in str(CliRunner().invoke(proa, ["inspect", str(folder / "cut")]).exception)
