"""Everything of proa that reads an ELF file, as one call: what hostile bytes may do to it is raise ProaError."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

from proa.analyze.elfneeds import find_elf_needs
from proa.build import debugfile, strip
from proa.build.closure import find_runtime_files
from proa.build.prebuilt import inspect_program
from proa.build.proof import go_version, platform_of
from proa.build.rejoin import check_pair, rejoin
from proa.build.split import split
from proa.errors import ProaError
from proa.outside import elf
from proa.outside.corefile import is_core, read_core
from proa.outside.dynamic import defined_names, imported_names, read_dynamic
from proa.outside.gobinary import GoBinary
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


def read_all(file: Path, scratch: Path) -> int:
    """Put one file through every reader; return how many took it for sound. Raises what is no ProaError."""
    steps: list[Callable[[], object]] = [
        lambda: _core(file),
        lambda: inspect_program(file),
        lambda: find_runtime_files(file, platform=AMD64, sysroot=scratch),
        lambda: find_elf_needs(file, "program", {"/lib/a.so": file}),
        lambda: _stripped(file, scratch),
    ]
    try:
        program = elf.open_elf(file)
    except ProaError:
        return sum(_is_taken(step) for step in steps)
    steps += [
        lambda: elf.interpreter(program),
        lambda: elf.build_id(program),
        lambda: [elf.symbols(program, one) for one in program.sections if one.kind == elf.SHT_SYMTAB],
        lambda: [bytes(program.content(one)[:16]) for one in program.sections],
        lambda: read_dynamic(program),
        lambda: imported_names(program),
        lambda: defined_names(program),
        lambda: (go_version(program), platform_of(program)),
        lambda: _planned(program),
        lambda: _go(program),
        lambda: check_pair(program, program, file),
    ]
    return sum(_is_taken(step) for step in steps)


def _is_taken(step: Callable[[], object]) -> bool:
    try:
        step()
    except ProaError:
        return False
    return True


def _core(file: Path) -> None:
    if is_core(file):
        read_core(file)


def _planned(program: elf.Elf) -> None:
    for level in ("dwarf", "all"):
        made = strip.plan(program, level, keep=["m*"], link="program.debug")  # type: ignore[arg-type]
        if isinstance(made, strip.Stripping):
            debugfile.plan(program, made, "0" * 64)


def _stripped(file: Path, scratch: Path) -> None:
    shipped, debug, joined = scratch / "shipped", scratch / "debug", scratch / "joined"
    for one in (shipped, debug, joined):
        one.unlink(missing_ok=True)
    split(file, shipped, "all", debug=debug, link="program.debug")
    if shipped.exists() and debug.exists():
        rejoin(shipped, debug, joined)


def _go(program: elf.Elf) -> None:
    go = GoBinary(program)
    for address in islice((int(one) for one in go.entries), 64):
        go.stack(address)
        go.stack(address + 1)
    go.inlined_calls(["main.f", "main.g"])
    go.data_symbols(rb"main\..*")
    go.holds("main.main")
