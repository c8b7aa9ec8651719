"""Claim: the shipped program and its debug file together take at most 1.02 of the program as it was linked.

With ``strip: all`` the shipped one is at most 1.01 of what the linker's own ``-s -w`` makes of the same source. Sizes
do not vary from run to run, so each is taken once. The time that the debug file adds to ``proa ship`` is taken with
one file of examples/shop changed each time, with and without it in turn.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

from measure import Figures, alternate, copy_shop, environment, finish, go, header, run, ship, verdict, walls
from peers import Program, programs, wrapper

ROUNDS = 9
_LEVELS = {"dwarf": "-w", "all": "-s -w"}


def linkers_own(program: Program, flags: str, target: Path) -> int:
    """Return the bytes of the program as ``go build`` links it with these flags and otherwise proa's."""
    words = [go(), "build", "-trimpath", "-buildvcs=false", f"-ldflags={flags}", "-o", str(target), program.package]
    run(words, cwd=wrapper(program), env=environment(CGO_ENABLED="0", GOFLAGS=""))
    return target.stat().st_size


def sizes(program: Program, level: str, scratch: Path) -> list[bool]:
    """Print one program's sizes at one level."""
    arguments = [program.source, "--no-trial", "--strip", level]
    binary = ship(arguments, cwd=scratch, store=scratch / "store").record["images"][0]["binary"]
    linked, shipped, debug = binary["unstripped_bytes"], binary["bytes"], binary["debug"]["bytes"]
    own = linkers_own(program, _LEVELS[level], scratch / f"{program.name}-{level}")
    print(f"\n{program.name} {program.version}, strip {level}: bytes")
    print(f"  linked {linked:>12,}\n  shipped {shipped:>11,}   the linker's own {_LEVELS[level]}: {own:,}")
    print(f"  debug file {debug:>8,}   together {shipped + debug:,}")
    return [
        verdict(f"{program.name}: shipped / linker's {_LEVELS[level]}", shipped / own, 1.01),
        verdict(f"{program.name}: (shipped + debug file) / linked", (shipped + debug) / linked, 1.02),
    ]


def added_time(scratch: Path) -> None:
    """Print what the debug file adds to a ship with one file changed: wall times, in turn."""
    shop = copy_shop(scratch)
    source = shop / "shop.go"
    original, edits = source.read_text(encoding="utf-8"), itertools.count(1)

    def shipped(flag: str):
        changed = original.replace('[]byte("ok\\n")', f'[]byte("ok, edit {next(edits)} of {scratch}\\n")')
        if changed == original:
            raise SystemExit("the health route's answer was not found in shop.go")
        source.write_text(changed, encoding="utf-8")
        target = f"oci:{scratch / 'layout'}"
        return ship(["--no-trial", flag, "--to", target], cwd=shop, store=scratch / "store").spent

    shipped("--debug")
    with_file, without = (
        walls(spent) for spent in alternate(lambda: shipped("--debug"), lambda: shipped("--no-debug"), rounds=ROUNDS)
    )
    print(f"\nproa ship, one file changed: {with_file} s\nthe same with --no-debug:    {without} s")
    added = Figures(values=tuple(a - b for a, b in zip(with_file.values, without.values, strict=True)))
    print(f"info     added by the debug file: {added} s")


header("shipped + debug file <= 1.02 of the linked program; strip all <= 1.01 of the linker's own -s -w")
with tempfile.TemporaryDirectory() as folder:
    results = [result for program in programs() for level in _LEVELS for result in sizes(program, level, Path(folder))]
    added_time(Path(folder))
finish(results)
