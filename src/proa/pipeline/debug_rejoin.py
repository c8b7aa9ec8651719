"""A shipped program and its debug file put together again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from proa import build
from proa.errors import NotWritable, WrongUsage
from proa.outside import elf
from proa.pipeline.debug import Ask, debug_bench, fetch_program, find, wanted
from proa.pipeline.plan import Bench, Say


def rejoin(ask: Ask, debug: str, *, output: str, environ: Mapping[str, str], progress: Say) -> build.Rejoined:
    """Write the unstripped program of a shipped file, image, core or build-id to ``output``, mode 0755.

    ``debug`` is its debug file; empty: searched for as ``proa debug`` does. What appears is whole or not there.
    Raises DebugMismatch where the two are of different builds, BinaryDamaged, and what searching raises.
    """
    if debug and not Path(debug).is_file():
        raise WrongUsage(f"{debug} is no file", hint="leave it out, and it is searched for by the program's build-id")
    bench = debug_bench(ask, environ=environ, progress=progress)
    with bench.store.using():
        shipped, symbols = _both(ask, debug, bench)
        target = Path(output)
        if not target.absolute().parent.is_dir():
            raise NotWritable(f"{target.parent} is no folder", hint="make it first")
        if target.is_dir():
            raise WrongUsage(f"--output {output} is a folder", hint="name the file to write")
        progress(f"writing {output}")
        return build.rejoin(shipped, symbols, target)


def _both(ask: Ask, debug: str, bench: Bench) -> tuple[Path, Path]:
    """Return the files of the shipped program and of its debug file."""
    file = Path(ask.target)
    is_program = file.is_file() and elf.is_elf(file)
    if is_program and debug:
        return file, Path(debug)
    symbols, search = find(ask, bench)
    program = file
    if not is_program:
        program = bench.store.blob_path(fetch_program(symbols, search, wanted(ask.target, bench).image))
    return program, Path(debug) if debug else bench.store.blob_path(symbols.digest)
