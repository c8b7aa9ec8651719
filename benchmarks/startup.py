"""Claim: ``proa --version`` takes at most 3 times, ``proa --help`` at most 6 times as long as ``python -c pass``."""

from __future__ import annotations

import sys

from measure import Spent, finish, header, proa, run, verdict, walls

ROUNDS = 21

header("start-up: --version <= 3, --help <= 6 times `python -c pass` (wall, medians, in turn)")
commands = ([sys.executable, "-c", "pass"], [proa(), "--version"], [proa(), "--help"])
for command in commands:
    run(command)  # compiles and caches what is imported
rounds: list[tuple[Spent, ...]] = [tuple(run(command) for command in commands) for _ in range(ROUNDS)]
bare, version, helped = (walls(column) for column in zip(*rounds, strict=True))
print(f"python -c pass   {bare} s\nproa --version   {version} s\nproa --help      {helped} s")
finish(
    [
        verdict("--version / python -c pass", version.median / bare.median, 3),
        verdict("--help / python -c pass", helped.median / bare.median, 6),
    ]
)
