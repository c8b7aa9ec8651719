"""Claim: nearly every byte has an owner, in at most half of gsa's time and memory, where gsa is on PATH.

Without arguments the program is caddy; others are given by their paths: ``inspect_binary.py ./prometheus``.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from measure import environment, go, run
from peers import cache, programs, wrapper

ROUNDS = 5
_NOT_LOADED = (".symtab", ".strtab", ".shstrtab", "")
"""gsa does not count them as debug data."""


_MEASURING = """
import os, subprocess, sys, time
start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=sys.stdout, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss / 1000, os.waitstatus_to_exitcode(status), file=sys.stderr)
"""
"""In a small process of its own: a child's peak is at least that of the one it was forked from."""


def measured(argv: list[str]) -> tuple[float, float, bytes]:
    """Return seconds, peak memory in MB, and standard output of one run."""
    ran = subprocess.run([sys.executable, "-c", _MEASURING, *argv], capture_output=True, check=True)
    seconds, peak, status = ran.stderr.split()[-3:]
    if int(status):
        raise SystemExit(f"{argv[0]} ended with {int(status)}")
    return float(seconds), float(peak), ran.stdout


def built() -> list[str]:
    """Return the path of caddy as ``go build`` links it."""
    (program,) = programs(["caddy"])
    target = cache() / f"{program.name}-{program.version}-linked"
    if not target.exists():
        words = [go(), "build", "-trimpath", "-buildvcs=false", "-o", str(target), program.package]
        run(words, cwd=wrapper(program), env=environment(CGO_ENABLED="0", GOFLAGS=""))
    return [str(target)]


def unknown(report: bytes) -> float:
    """Return the percentage of the bytes loaded from the file that gsa gives to no package."""
    sections = [
        section
        for section in json.loads(report)["sections"]
        if not section["debug"] and not section["only_in_memory"] and section["name"] not in _NOT_LOADED
    ]
    whole = sum(section["file_size"] for section in sections)
    return 100 * (1 - sum(section["known_size"] for section in sections) / whole)


def said(name: str, seconds: list[float], peak: float) -> str:
    spread = f"{min(seconds):.2f}-{max(seconds):.2f}, n={len(seconds)}"
    return f"{name} {statistics.median(seconds):.2f} s ({spread}), {peak:.0f} MB"


def main(paths: list[str]) -> None:
    gsa = shutil.which("gsa")
    for program in paths or built():
        ours = [sys.executable, "-m", "proa", "inspect", program, "--format", "json"]
        mine, theirs = [], []
        for _ in range(ROUNDS):
            mine.append(measured(ours))
            if gsa is not None:
                theirs.append(measured([gsa, "--format", "json", program]))
        record = json.loads(mine[0][2])
        parts = [one["bytes"] for one in (*record["packages"], *record["sections"])]
        unclaimed = {one["name"]: one["bytes"] for one in record["sections"]}
        code = sum(one["text"] + one["pclntab"] for one in record["packages"])
        rest = unclaimed.get(".text", 0) + unclaimed.get(".gopclntab", 0)
        print(
            f"{Path(program).name}: {record['total_bytes']:,} bytes, sum exact: {sum(parts) == record['total_bytes']}"
        )
        print(f"  code and line tables with a package {100 * code / (code + rest):.3f} %")
        print(f"  loaded bytes with a package {100 * record['attributed_bytes'] / record['loaded_bytes']:.2f} %")
        seconds, memory = [run[0] for run in mine], max(run[1] for run in mine)
        print("  " + said("proa", seconds, memory))
        if gsa is None:
            print("  gsa is not on PATH: not compared")
            continue
        peak = min(run[1] for run in theirs)
        print("  " + said("gsa ", [run[0] for run in theirs], peak))
        print(f"  unknown to gsa: {unknown(theirs[0][2]):.2f} % of loaded bytes")
        ratios = [own[0] / other[0] for own, other in zip(mine, theirs, strict=True)]
        print(
            f"  proa takes {statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f}) of its time,"
            f" {memory / peak:.2f} of its memory"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
