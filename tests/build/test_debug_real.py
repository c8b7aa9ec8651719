"""Real debuggers on real programs: shipped without symbols or DWARF, with the debug file where a debugger looks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from proa.build import rejoin
from proa.build.split import split
from proa.outside import elf
from proa.outside.gobinary import open_go
from proa.records.binary import Strip
from real_neighbours import delve, need

pytestmark = pytest.mark.real

LEVELS: list[Strip] = ["dwarf", "all"]
GO = """package main

import (
	"fmt"
	"os"
)

//go:noinline
func deepest(p *int) int {
	return *p + 1
}

//go:noinline
func middle(n int) int {
	if n > 1 {
		return deepest(nil)
	}
	return deepest(&n)
}

func main() {
	fmt.Println("hello", middle(len(os.Args)))
}
"""
CGO = GO.replace("import (", '// static int twice(int n) { return 2 * n; }\nimport "C"\n\nimport (').replace(
    "*p + 1", "*p + int(C.twice(1)) - 1"
)
C = """#include <stdio.h>
#include <stdlib.h>
static int __attribute__((noinline)) deepest(int *p) { return *p + 1; }
int __attribute__((noinline)) middle(int n) { return n > 1 ? deepest(NULL) : deepest(&n); }
int main(int argc, char **argv) { (void)argv; printf("hello %d\\n", middle(argc)); return 0; }
"""
RUST = """#[inline(never)]
fn deepest(p: *const usize) -> usize {
    unsafe { std::ptr::read_volatile(p) + 1 }
}

#[inline(never)]
fn middle(n: usize) -> usize {
    if n > 1 { deepest(std::ptr::null()) } else { deepest(&n) }
}

fn main() {
    println!("hello {}", middle(std::env::args().count()));
}
"""


@dataclass(frozen=True)
class Kind:
    """One way a program is made."""

    source: str
    text: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    function: str
    """As the debugger knows it."""

    @property
    def line(self) -> int:
        """Return the line that reads through the pointer."""
        return 1 + next(at for at, line in enumerate(self.text.splitlines()) if "p + " in line or "(p) + " in line)


_GO_BUILD = ("go", "build", "-trimpath", "-o", "linked")
_NO_C = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"}
_STATIC = "-ldflags=-linkmode=external -extldflags=-static"
KINDS = {
    "go": Kind("main.go", GO, (*_GO_BUILD, "."), _NO_C, "main.deepest"),
    "go-pie": Kind("main.go", GO, (*_GO_BUILD, "-buildmode=pie", "."), _NO_C, "main.deepest"),
    "cgo": Kind("main.go", CGO, (*_GO_BUILD, _STATIC, "."), {**_NO_C, "CGO_ENABLED": "1", "CC": "gcc"}, "main.deepest"),
    "c": Kind("main.c", C, ("gcc", "-g", "-O1", "-o", "linked", "main.c"), {}, "deepest"),
    "c-static": Kind("main.c", C, ("gcc", "-g", "-O1", "-static", "-o", "linked", "main.c"), {}, "deepest"),
    "rust": Kind(
        "main.rs",
        RUST,
        ("rustc", "-g", "-O", "--target=x86_64-unknown-linux-musl", "-o", "linked", "main.rs"),
        {},
        "main::deepest",
    ),
}


@dataclass(frozen=True)
class Made:
    """A program as it was linked, and its two halves."""

    kind: Kind
    linked: Path
    shipped: Path
    debug: Path


class Workshop:
    """Build each kind once, and split it once for each level."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, name: str, level: Strip) -> Made:
        """Return the program of a kind; the shipped file and the debug file are alone in a folder."""
        kind, place = KINDS[name], self.folder / name
        if not (place / "linked").exists():
            need(kind.argv[0], *(["gcc"] if name == "cgo" else []))
            place.mkdir(exist_ok=True)
            (place / kind.source).write_text(kind.text)
            (place / "go.mod").write_text("module example.com/hello\n\ngo 1.21\n")
            built = _run(*kind.argv, cwd=place, env={**os.environ, **kind.environment})
            if "target may not be installed" in built.stderr:
                pytest.skip("real: rustc has no target x86_64-unknown-linux-musl")
            assert built.returncode == 0, built.stderr
        made = Made(kind, place / "linked", place / level / "hello", place / level / "hello.debug")
        if not made.debug.exists():
            (place / level).mkdir()
            assert split(made.linked, made.shipped, level, debug=made.debug, link="hello.debug").reason == ""
            made.shipped.chmod(0o755)
        return made


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    return Workshop(tmp_path_factory.mktemp("workshop"))


def _run(
    *argv: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in argv]
    return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=240)


def _gdb(program: Path, *commands: str) -> str:
    need("gdb")
    quiet = ["set pagination off", "set auto-load off", "set breakpoint pending off", "set debuginfod enabled off"]
    words = [word for command in (*quiet, f"file {program}", *commands) for word in ("-ex", command)]
    return _run("gdb", "-q", "-nx", "-batch", *words).stdout


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", KINDS)
def test_gdb_stops_by_function_and_by_line_on_the_shipped_program(workshop: Workshop, name: str, level: Strip) -> None:
    made = workshop.make(name, level)
    place = rf"{re.escape(made.kind.source)}:\d+"
    by_function = _gdb(made.shipped, f"break {made.kind.function}", "run", "backtrace", "info args")
    assert re.search(rf"#0 .*deepest.*{place}", by_function), by_function
    assert re.search(rf"#1 .*middle.*{place}", by_function), by_function
    assert re.search(r"^p = ", by_function, re.MULTILINE), "arguments are read by their DWARF"
    by_line = _gdb(made.shipped, f"break {made.kind.source}:{made.kind.line}", "run", "backtrace 1")
    assert re.search(rf"#0 .*deepest.*{re.escape(made.kind.source)}:{made.kind.line}\b", by_line), by_line


def test_gdb_finds_the_debug_file_by_build_id(workshop: Workshop, tmp_path: Path) -> None:
    for name in ("go", "c"):
        made = workshop.make(name, "all")
        alone = tmp_path / name
        shutil.copy(made.shipped, alone)
        build_id = elf.build_id(elf.open_elf(alone))
        target = tmp_path / "debug" / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made.debug, target)
        assert "main." not in _gdb(alone, f"info line {made.kind.source}:{made.kind.line}")
        said = _gdb(
            alone,
            f"set debug-file-directory {tmp_path / 'debug'}",
            f"file {alone}",
            f"info line {made.kind.source}:{made.kind.line}",
        )
        assert re.search(rf'Line {made.kind.line} of ".*{made.kind.source}" starts at address', said), said


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["go", "go-pie", "cgo"])
def test_delve_stops_by_function_and_by_line_on_the_shipped_program(
    workshop: Workshop, tmp_path: Path, name: str, level: Strip
) -> None:
    made = workshop.make(name, level)
    # cgo leaves a second main.go in the program: there the line is counted from the function.
    line = "main.deepest:1" if name == "cgo" else f"main.go:{made.kind.line}"
    (tmp_path / "init").write_text(
        f"break main.deepest\ncontinue\nstack\nargs\nclearall\nrestart\n"
        f"break {line}\ncontinue\nstack\ngoroutine\nexit\n"
    )
    said = _run(
        delve(os.environ),
        "exec",
        "--allow-non-terminal-interactive=true",
        f"--init={tmp_path / 'init'}",
        made.shipped,
        env={**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "NO_COLOR": "1", "TERM": "dumb"},
    )
    text = re.sub(r"\x1b\[[0-9;]*m", "", said.stdout + said.stderr)
    assert len(re.findall(r"in main\.deepest\s+at example\.com/hello/main\.go:\d+", text)) == 2, text
    assert re.search(rf"main\.deepest\(\) .*main\.go:{made.kind.line} ", text), text
    assert re.search(r"in main\.middle\s+at example\.com/hello/main\.go:\d+", text), text
    assert "p = (*int)(0x" in text
    assert re.search(r"Goroutine 1:", text), text


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["c", "c-static", "rust"])
def test_addr2line_names_function_and_line_from_the_debug_file_alone(
    workshop: Workshop, name: str, level: Strip
) -> None:
    need("addr2line", "nm")
    made = workshop.make(name, level)
    address = next(line.split()[0] for line in _run("nm", made.linked).stdout.splitlines() if "deepest" in line)
    said = _run("addr2line", "-f", "-i", "-e", made.debug, f"0x{address}").stdout
    assert said == _run("addr2line", "-f", "-i", "-e", made.linked, f"0x{address}").stdout
    assert re.search(rf"deepest.*\n.*{re.escape(made.kind.source)}:\d+", said), said


@pytest.mark.parametrize("level", LEVELS)
def test_an_address_of_a_go_program_becomes_a_line(workshop: Workshop, tmp_path: Path, level: Strip) -> None:
    need("go", "addr2line", "nm")
    made = workshop.make("go", level)
    address = next(line.split()[0] for line in _run("nm", made.linked).stdout.splitlines() if " main.deepest" in line)
    assert re.search(r'Line \d+ of ".*main\.go" starts at address', _gdb(made.shipped, f"info line *0x{address}"))
    # GNU addr2line 2.40 reads no lines of Go's DWARF 5, from the linked program either; those of DWARF 4 it does.
    environment = {**os.environ, **_NO_C, "GOEXPERIMENT": "nodwarf5"}
    _run(*_GO_BUILD[:-1], tmp_path / "linked", ".", cwd=made.linked.parent, env=environment)
    split(tmp_path / "linked", tmp_path / "hello", level, debug=tmp_path / "hello.debug", link="hello.debug")
    said = _run("addr2line", "-f", "-e", tmp_path / "hello.debug", f"0x{address}").stdout
    assert said == _run("addr2line", "-f", "-e", tmp_path / "linked", f"0x{address}").stdout
    assert re.search(r"main\.deepest\n.*main\.go:\d+", said), said


@pytest.mark.parametrize("name", ["go", "go-pie", "cgo"])
def test_a_panic_of_the_shipped_program_has_the_same_stack(workshop: Workshop, name: str) -> None:
    said = {}
    for level in LEVELS:
        made = workshop.make(name, level)
        for file in (made.linked, made.shipped):
            text = _run(file, "more").stderr
            said[file] = re.sub(r"0x[0-9a-f]+|goroutine \d+|[{(].*[)}]", "", text)
    assert len(set(said.values())) == 1
    assert "main.go:" in next(iter(said.values()))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", KINDS)
def test_both_files_are_sound_and_are_the_linked_file_together(
    workshop: Workshop, tmp_path: Path, name: str, level: Strip
) -> None:
    need("readelf", "eu-elflint", "objcopy")
    made = workshop.make(name, level)
    assert _run(made.shipped).stdout == _run(made.linked).stdout == "hello 2\n"
    for file in (made.shipped, made.debug):
        said = _run("readelf", "-aW", file)
        assert "readelf:" not in said.stdout + said.stderr
        assert _run("objcopy", file, tmp_path / "copy").returncode == 0
    # What another tool makes of the same program is the measure: linkers leave things that elflint does not like.
    _run("objcopy", "--only-keep-debug", made.linked, tmp_path / "theirs.debug")
    _run("strip", "-g" if level == "dwarf" else "-s", "-o", tmp_path / "theirs", made.linked)
    assert _complaints(made.debug, "-d") <= _complaints(tmp_path / "theirs.debug", "-d") | _complaints(made.linked)
    assert _complaints(made.shipped) <= _complaints(tmp_path / "theirs") | _complaints(made.linked)
    joined = rejoin(made.shipped, made.debug, tmp_path / "joined")
    assert joined.is_exact
    assert (tmp_path / "joined").read_bytes() == made.linked.read_bytes()


def _complaints(file: Path, *options: str) -> set[str]:
    """Return what eu-elflint says, without the numbers of sections and symbols."""
    lines = _run("eu-elflint", "--gnu-ld", *options, file).stdout.splitlines()
    return {re.sub(r"\[ *\d+\]|symbol \d+|at offset \d+|relocation \d+", "", line) for line in lines} - {"No errors"}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["go", "go-pie", "cgo"])
def test_what_is_read_from_a_go_program_is_the_same(workshop: Workshop, name: str, level: Strip) -> None:
    need("go")
    made = workshop.make(name, level)
    told = [_run("go", "version", "-m", file).stdout.replace(str(file), "") for file in (made.linked, made.shipped)]
    assert told[0] == told[1]
    assert "\tpath\texample.com/hello" in told[0]
    ours = [open_go(file) for file in (made.linked, made.shipped)]
    assert ours[0].names == ours[1].names
    assert elf.notes(elf.open_elf(made.linked)) == elf.notes(elf.open_elf(made.shipped))


def test_kept_symbols_are_what_other_tools_see(workshop: Workshop, tmp_path: Path) -> None:
    need("nm", "readelf")
    for name in ("go", "cgo", "c-static", "rust"):
        linked = workshop.make(name, "all").linked
        shipped, debug = tmp_path / name, tmp_path / f"{name}.debug"
        split(linked, shipped, "all", debug=debug, link=debug.name, keep=("main*", "*deepest*"))
        shipped.chmod(0o755)
        kept = {
            line for line in _run("nm", linked).stdout.splitlines() if re.search(r" (main\S*|\S*deepest\S*)$", line)
        }
        assert set(_run("nm", shipped).stdout.splitlines()) == kept != set()
        said = _run("readelf", "-aW", shipped)
        assert "readelf:" not in said.stdout + said.stderr
        assert _run(shipped).stdout == "hello 2\n"
        assert rejoin(shipped, debug, tmp_path / "joined").is_exact


@pytest.mark.parametrize("name", KINDS)
def test_the_debug_file_of_objcopy_is_joined_as_well(workshop: Workshop, tmp_path: Path, name: str) -> None:
    need("objcopy", "nm", "readelf")
    made = workshop.make(name, "all")
    theirs = tmp_path / "theirs.debug"
    _run("objcopy", "--only-keep-debug", made.linked, theirs)
    joined = rejoin(made.shipped, theirs, tmp_path / "joined")
    assert not joined.is_exact
    assert _run(tmp_path / "joined").stdout == "hello 2\n"
    for argv in (["nm"], ["readelf", "--debug-dump=info,decodedline", "-W"]):
        ours, whole = (_run(*argv, file).stdout.replace(str(file), "") for file in (tmp_path / "joined", made.linked))
        assert ours == whole
