"""Variants measured side by side: what ``proa compare`` prints and ``proa report`` shows."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding

VariantVerdict = Literal["measured", "does-not-build", "does-not-start", "not-ready", "left-out"]
"""``left-out``: this machine, project or platform has no such variant; ``reason`` says why."""
Shown = Literal["none_shown", "slower", "faster", "larger", "smaller"]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one variant: the median of its runs and a 95 % interval of that median."""

    median: float
    low: float
    high: float
    samples: tuple[float, ...] = ()
    """Every counted run, in the order they were made; the unit is in the field's name."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to build, pack or start a program, or one image or command as it was given."""

    name: str
    """``static``, ``stripped``, ``docker://registry.example/api:1``."""
    description: str = ""
    """One line: ``CGO off, symbols and DWARF stripped, on scratch, gzip``."""
    verdict: VariantVerdict
    reason: str = ""
    """Why it was not measured, with the tool's or the program's own last line."""
    settings: dict[str, str] = {}
    """What makes it differ: ``{"strip": "all", "cgo": "off", "base": "scratch"}``."""
    digest: str = ""
    """Of the image's manifest."""
    binary_bytes: int | None = None
    unpacked_bytes: int | None = None
    compressed_bytes: int | None = None
    layers: int | None = None
    needs_libc: bool | None = None
    ready_s: Interval | None = None
    """Cold start: exec to the first good answer, each run a new process."""
    warm_ready_s: Interval | None = None
    """The same where its files were read just before."""
    rss_bytes: Interval | None = None
    """Peak (VmHWM), summed over its processes."""
    steady_bytes: Interval | None = None
    """After the load, at rest."""
    page_faults: Interval | None = None
    """Minor and major, until it was ready."""
    requests_per_s: Interval | None = None
    p50_s: Interval | None = None
    p99_s: Interval | None = None
    packages_seen: int | None = None
    """How many packages a scanner can name in the image; less than another's is precision lost."""
    route: str = ""
    engine: str = ""


class Contrast(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of one variant against the baseline's."""

    name: str
    """The variant."""
    figure: str
    """A field of ``Variant``: ``ready_s``, ``rss_bytes``, ``compressed_bytes``."""
    ratio: Interval
    """To the baseline; paired by round. Of sizes, which do not vary, all three are the same."""
    difference: Shown
    """``none_shown`` where the interval of the ratio has 1 in it."""


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """Where figures come from."""

    processor: str = ""
    cores: int = 0
    memory_bytes: int = 0
    kernel: str = ""
    system: str = ""
    tools: tuple[str, ...] = ()
    """``go1.26.8``, ``bubblewrap 0.8.0``."""
    notes: tuple[str, ...] = ()
    """What a reader must know: noise, swap, one core, no right to make cgroups, page cache not dropped."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A set of variants, measured in the same run."""

    schema: Literal["proa/comparison/v1"] = "proa/comparison/v1"
    subject: str = ""
    """The program, where all are variants of one."""
    baseline: str
    variants: tuple[Variant, ...]
    """In the order they were asked for."""
    comparisons: tuple[Contrast, ...] = ()
    machine: Machine = Machine()
    started_at: str = ""
    """RFC 3339, UTC."""
    took_s: float = 0.0
    rounds: int = 0
    command: str = ""
    """The words that repeat it."""
    findings: tuple[Finding, ...] = ()


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one variant; sample N of every variant was made in round N."""

    verdict: VariantVerdict
    reason: str = ""
    ready_s: float | None = None
    warm_ready_s: float | None = None
    rss_bytes: int | None = None
    steady_bytes: int | None = None
    page_faults: int | None = None
    requests_per_s: float | None = None
    p50_s: float | None = None
    p99_s: float | None = None
    route: str = ""
    engine: str = ""
    notes: tuple[str, ...] = ()
    """What holds for the whole machine: a limit that could not be set."""
