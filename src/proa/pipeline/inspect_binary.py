"""What is in a program: opened, its debug file found, every byte attributed."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from proa.errors import BinaryDamaged, DebugMismatch, ProaError, WrongUsage
from proa.inspect.anatomy import dissect, summed
from proa.inspect.compression import block_sizes
from proa.outside import elf, executables
from proa.outside.dwarfunits import Units, read_units
from proa.outside.executables import Executable, SymbolTable, elf_symbols, open_executable
from proa.outside.machine import cores, store_root
from proa.outside.store import Store
from proa.pipeline.debug_search import stored
from proa.records.binary_anatomy import BinaryAnatomy


class _Found(NamedTuple):
    """A debug file and what it goes by."""

    file: Path
    name: str


_NOTHING = _Found(Path(), "")


def inspect_binary(
    path: Path,
    *,
    debug: Path | None,
    environ: Mapping[str, str],
    most_symbols: int = 100,
    jobs: int = 0,
    finds_debug: bool = True,
) -> BinaryAnatomy:
    """Return what is in a program. ``most_symbols`` 0 is all of them; ``jobs`` 0 is one per core.

    Without ``debug``, a stripped program's debug file is looked for in the store, by the build-id, unless
    ``finds_debug`` is False: what is compared is read in one way, whatever the store has.
    Raises BinaryDamaged, DebugMismatch, ImageMissing, WrongUsage.
    """
    program = open_executable(path)
    try:
        build_id = elf.build_id(program.elf) if program.format == "elf" else ""
        symbols, found = None, _NOTHING
        if debug is not None or finds_debug:
            symbols, found = debug_symbols(program, build_id, debug=debug, environ=environ)
        with_dwarf = found.file if symbols is not None else path
        units = partial(read_units, with_dwarf) if program.format == "elf" else Units
        jobs = jobs or cores()
        with block_sizes(program.elf.data, jobs=jobs) as blocks:
            parts = dissect(program, debug=symbols, units=units, most_symbols=most_symbols)
            return summed(
                program,
                parts,
                file=str(path),
                build_id=build_id,
                debug_file=found.name,
                blocks=blocks(),
                jobs=jobs,
            )
    except BinaryDamaged as error:
        raise BinaryDamaged(f"{path.name}: {error.what}", output=error.output, hint=error.hint) from error
    except (IndexError, ValueError, OverflowError, MemoryError, struct.error) as error:
        # The tables of a hostile file can still disagree with each other where no single offset is wrong.
        raise BinaryDamaged(f"{path.name}: its tables contradict each other ({error})") from error


def debug_symbols(
    program: Executable, build_id: str, *, debug: Path | None, environ: Mapping[str, str]
) -> tuple[SymbolTable | None, _Found]:
    """Return the symbols of the debug file, and where that is; nothing where there is none or no need of one."""
    if debug is not None:
        if program.format != "elf":
            raise WrongUsage(f"--debug is for ELF programs, and this is {program.format}")
        return _symbols_of(debug, build_id), _Found(debug, str(debug))
    if program.format != "elf" or not build_id or program.elf.section(".symtab") is not None:
        return None, _NOTHING
    with suppress(ProaError, OSError):
        store = Store(store_root(environ))
        for symbols in stored(store, build_id):
            file = store.blob_path(symbols.digest)
            return _symbols_of(file, build_id), _Found(file, symbols.name)
    return None, _NOTHING


def _symbols_of(file: Path, build_id: str) -> SymbolTable | None:
    read = elf.open_elf(file)
    found = elf.build_id(read)
    if build_id != found:
        raise DebugMismatch(f"{file.name} has the build-id {found or '(none)'}, the program {build_id or '(none)'}")
    return elf_symbols(read)


def is_other_program(target: str) -> bool:
    """Say whether a target is a file with a program in it that proa cannot read."""
    return executables.is_other_program(Path(target))
