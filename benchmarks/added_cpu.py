"""Claim: all that proa adds to ``go build`` for caddy, the first time, is at most 6 seconds of processor time.

Measured: user + system time of the whole process tree of ``proa ship`` (analysis, link, strip, pack, trial, store;
an empty store each time) less that of ``go build -trimpath`` of the same package. The packages are compiled
before both, so both link and neither compiles: compiling is the same work in both and would only add its noise.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measure import alternate, cpus, environment, finish, go, header, run, ship, verdict
from peers import programs, wrapper

ROUNDS = 5

header("proa ship of caddy, empty store, less go build alone <= 6 s of processor time (whole process trees)")
(caddy,) = programs(["caddy"])
with tempfile.TemporaryDirectory() as scratch:
    place = Path(scratch)
    numbers = iter(range(100))

    def go_build():
        argv = [go(), "build", "-trimpath", "-o", str(place / f"caddy-{next(numbers)}"), caddy.package]
        return run(argv, cwd=wrapper(caddy), env=environment(CGO_ENABLED="0"))

    def proa_ship():
        return ship([caddy.source], cwd=place, store=place / f"store-{next(numbers)}").spent

    go_build()
    proa_ship()
    own, alone = (cpus(spent) for spent in alternate(proa_ship, go_build, rounds=ROUNDS))
print(f"proa ship  {own} s\ngo build   {alone} s")
finish([verdict("added by proa", own.median - alone.median, 6, unit=" s")])
