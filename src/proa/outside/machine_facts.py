"""What this machine is, and how busy it is: read from /proc, so that a figure can say where it comes from."""

from __future__ import annotations

import os
import platform as _platform
import resource
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.errors import ProaError
from proa.outside.command import Run, run
from proa.outside.machine import cores
from proa.outside.sandbox import find_program
from proa.records.comparison import Machine

_TURNS = 20_000
"""Of the little work that is timed: about 1 ms."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """Processor time since the machine started, in seconds, at one moment."""

    at_s: float
    used_s: float
    """By everybody."""
    stolen_s: float
    own_s: float
    """By this process and all it waited for."""


def describe(environ: Mapping[str, str], *, tools: Sequence[str] = (), run: Run = run) -> Machine:
    """Return processor, cores, memory, kernel and system, and the versions of what starts programs here."""
    engine = find_program("bwrap", environ)
    found = list(tools)
    with suppress(ProaError):
        found += [run([engine, "--version"], timeout_s=10).text.strip()] if engine else []
    return Machine(
        processor=parse_processor(_text("/proc/cpuinfo")) or _platform.machine(),
        cores=cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"Linux {_platform.release()}",
        system=parse_system(_text("/etc/os-release")),
        tools=tuple(found),
    )


def parse_processor(text: str) -> str:
    r"""Return the model name in the text of /proc/cpuinfo.

    >>> parse_processor("processor\t: 0\nmodel name\t: A B\n")
    'A B'
    """
    lines = (line.partition(":") for line in text.splitlines() if line.startswith(("model name", "Model")))
    return next((value.strip() for _, _, value in lines), "")


def parse_system(text: str) -> str:
    r"""Return the name in the text of /etc/os-release.

    >>> parse_system('ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
    'Debian GNU/Linux 12 (bookworm)'
    """
    lines = (line.partition("=") for line in text.splitlines())
    return next((value.strip().strip("\"'") for name, _, value in lines if name == "PRETTY_NAME"), "")


def levels(text: str = "") -> tuple[str, ...]:
    """Return the levels of amd64 that this processor runs; ``text`` stands for /proc/cpuinfo.

    Source: x86-64 psABI, section 3.1.1; names as the kernel writes them (lzcnt is abm there).
    """
    lines = (line.partition(":")[2].split() for line in (text or _text("/proc/cpuinfo")).splitlines()
             if line.startswith("flags"))  # fmt: skip
    flags = set(next(lines, []))
    wanted = (
        ("v2", {"cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"}),
        ("v3", {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"}),
    )
    found: list[str] = []
    for level, needs in wanted:
        if not needs <= flags:
            break
        found.append(level)
    return tuple(found)


def busy() -> Busy:
    """Return how much processor time was used until now."""
    used_s, stolen_s = parse_busy(_text("/proc/stat"), ticks=os.sysconf("SC_CLK_TCK"))
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    own_s = sum(one.ru_utime + one.ru_stime for one in usage)
    return Busy(at_s=time.monotonic(), used_s=used_s, stolen_s=stolen_s, own_s=own_s)


def parse_busy(text: str, *, ticks: int) -> tuple[float, float]:
    """Return the seconds used and stolen from the text of /proc/stat. Source: proc_stat(5).

    >>> parse_busy("cpu  100 0 50 9000 7 0 1 20 0 0", ticks=100)
    (1.51, 0.2)
    """
    fields = [int(word) for word in (text.splitlines() or [""])[0].split()[1:] if word.isdigit()]
    if len(fields) < 8:
        return 0.0, 0.0
    user, nice, system, _, _, irq, softirq, steal = fields[:8]
    return (user + nice + system + irq + softirq) / ticks, steal / ticks


def has_swap() -> bool:
    """Say whether this machine swaps."""
    return len(_text("/proc/swaps").splitlines()) > 1


def little_work_s() -> float:
    """Return how long the same little work takes now."""
    began_s = time.perf_counter()
    total = 0
    for number in range(_TURNS):
        total += number & 7
    return time.perf_counter() - began_s


def _text(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace")
    return ""
