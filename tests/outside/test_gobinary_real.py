"""Function tables and calls read from real programs, against what the tool chain itself says of them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import needs_projects
from proa.errors import BinaryDamaged
from proa.outside.command import run
from proa.outside.gobinary import GoBinary, open_go
from proa.outside.gocode import function_values, read_code

pytestmark = pytest.mark.real
PROJECT = needs_projects.FOLDER / "certificates-interface"


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> needs_projects.Built:
    return needs_projects.build(PROJECT, tmp_path_factory.mktemp("go"), go=needs_projects.go_or_skip())


@pytest.fixture(scope="module")
def binary(built) -> GoBinary:
    return open_go(built.binary)


def test_calls_are_those_the_linker_knows(binary, tmp_path):
    go = needs_projects.go_or_skip()
    ran = go.call(["build", "-trimpath", "-ldflags=-c", "-o", str(tmp_path / "x"), "."], directory=PROJECT)
    names = set(binary.names)
    pairs = (line.split(" calls ", 1) for line in (ran.text + ran.stderr.decode()).splitlines() if " calls " in line)
    linked = {
        (caller, callee)
        for caller, callee in pairs
        if caller in names and callee in names and caller != callee and not callee.startswith("runtime.duff")
    }
    code = read_code(binary, np.empty(0, "i8"))
    ours = {(binary.names[a], binary.names[b]) for a, b in zip(code.callers, code.callees, strict=True)}
    assert len(linked) > 10_000
    assert len(linked & ours) / len(linked) >= 0.999
    assert len(ours - linked) / len(ours) <= 0.02


def test_lines_are_those_of_the_tool_chain(binary, built):
    """``go tool addr2line`` reads the same table with the runtime's own code."""
    rng = np.random.default_rng(1)
    numbers = rng.choice(binary.count, 400, replace=False)
    addresses = [int(binary.entries[number]) for number in numbers]
    asked = "".join(f"{address:#x}\n" for address in addresses).encode()
    said = run(["go", "tool", "addr2line", str(built.binary)], stdin=asked).text.splitlines()
    for address, function, place in zip(addresses, said[0::2], said[1::2], strict=True):
        stack = binary.stack(address)
        assert stack[-1].function == function
        # addr2line leaves inlined calls out of sight: its line is that of the innermost.
        assert f"{stack[0].file}:{stack[0].line}" == place


def test_inlined_calls_stand_where_the_source_says(binary):
    assert binary.holds("main.newClient")
    ((_, address),) = binary.inlined_calls(["main.newClient"])
    (frame,) = binary.stack(address)
    assert (frame.function, Path(frame.file).name, frame.line) == ("main.main", "main.go", 32)


def test_function_values_lead_to_functions(binary):
    addresses, functions = function_values(binary)
    assert len(addresses) == len(functions) > 1000
    assert {"main.main"} <= {binary.names[number] for number in functions}


def test_address_outside_the_program_has_no_stack(binary):
    assert binary.stack(0) == ()
    assert binary.stack(2**62) == ()


@pytest.mark.parametrize("seed", range(40))
def test_damaged_tables_are_refused_or_read_but_never_crash(built, tmp_path, seed):
    rng = np.random.default_rng(seed)
    data = bytearray(built.binary.read_bytes())
    section = open_go(built.binary).elf.section(".gopclntab")
    spread = 80 if seed % 2 else section.size
    for _ in range(30):
        data[section.offset + int(rng.integers(spread))] = int(rng.integers(256))
    (tmp_path / "x").write_bytes(data)
    with suppress(BinaryDamaged):
        broken = open_go(tmp_path / "x")
        for number in rng.integers(0, broken.count, 30):
            broken.stack(int(broken.entries[number]) + 8)
        broken.inlined_calls(["main.newClient", "os.Open"])
        assert len(broken.names) == broken.count
        read_code(broken, np.empty(0, "i8"))
