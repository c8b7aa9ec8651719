"""A start as rows: which steps are worth one, where each begins and ends. Text, Mermaid and the page share this."""

from __future__ import annotations

import msgspec

from proa.records.startup import Startup, Step, StepKind

_SHORT_INIT_RATIO = 0.01
_MOST_INITS = 12
WORDS: dict[StepKind, str] = {
    "start": "start",
    "initialise": "packages",
    "environment": "environment",
    "load": "code",
    "configuration": "configuration",
    "resolve": "names",
    "connect": "services",
    "migrate": "migrations",
    "listen": "ready",
    "ready": "ready",
    "exit": "end",
}
"""What steps of a kind are called together."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the picture."""

    step: Step
    from_ratio: float
    """Where it begins and ends, between 0 and 1 of the whole."""
    to_ratio: float


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A start to be drawn."""

    rows: tuple[Row, ...]
    whole_s: float
    left_out: int
    """Steps that are too short for a row; all are in the JSON."""


def picture(start: Startup, *, most: int = 60) -> Picture:
    """Return the rows of a start, in the order the steps began."""
    whole_s = max((one.at_s + (one.duration_s or 0.0) for one in start.steps), default=0.0) or 1e-9
    steps = [one for one in start.steps if _is_shown(one, start, whole_s)][:most]
    rows = [
        Row(
            step=one,
            from_ratio=min(1.0, one.at_s / whole_s),
            to_ratio=min(1.0, (one.at_s + (one.duration_s or 0.0)) / whole_s),
        )
        for one in steps
    ]
    return Picture(rows=tuple(rows), whole_s=whole_s, left_out=len(start.steps) - len(steps))


def _is_shown(step: Step, start: Startup, whole_s: float) -> bool:
    if step.kind != "initialise":
        return True
    longest = sorted((one.duration_s or 0.0 for one in start.steps if one.kind == "initialise"), reverse=True)
    least_s = longest[_MOST_INITS - 1] if len(longest) > _MOST_INITS else 0.0
    return not step.what or (step.duration_s or 0.0) >= max(least_s, _SHORT_INIT_RATIO * whole_s)


def summary(start: Startup) -> str:
    """Return a start in one line: until when, how much tracing stretched it, what it could reach.

    >>> summary(Startup(command=("app",), ready_s=0.2, traced_ready_s=0.3, engine="bubblewrap"))
    'first good answer after 200 ms (300 ms traced: 1.50 times) · without network'
    """
    parts = []
    pairs = (("first good answer", start.ready_s, start.traced_ready_s),
             ("listening", start.listening_s, start.traced_listening_s))  # fmt: skip
    for what, seconds, traced_s in pairs:
        if seconds is None and traced_s is None:
            continue
        if seconds is None or traced_s is None:
            parts.append(f"{what} after {said(seconds or traced_s or 0.0)}" + ("" if seconds else " (traced)"))
        else:
            stretch = f": {traced_s / seconds:.2f} times" if seconds > 0 else ""
            parts.append(f"{what} after {said(seconds)} ({said(traced_s)} traced{stretch})")
        break
    if start.problem:
        parts.append(start.problem)
    elif start.exit_status is not None:
        parts.append(f"ended by itself with {start.exit_status}")
    if start.engine:
        parts.append("with this machine's network" if start.has_network else "without network")
    return " · ".join(parts)


def said(seconds: float) -> str:
    """Return a time as people read it.

    >>> said(0.0000123), said(0.0123), said(1.234)
    ('0.01 ms', '12.3 ms', '1.23 s')
    """
    if seconds >= 1:
        return f"{seconds:.2f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.2f} ms" if milliseconds < 1 else f"{milliseconds:.3g} ms"


def sentence(step: Step) -> str:
    """Return what a step was, with its length and how it failed.

    >>> sentence(Step(step="connect", kind="connect", at_s=0, duration_s=0.02, has_failed=True, message="refused"))
    'connect, 20 ms: refused'
    """
    length = f", {said(step.duration_s)}" if step.duration_s else ""
    allocated = f", {step.allocated_bytes / 1000:.1f} kB allocated" if step.allocated_bytes else ""
    message = f": {step.message}" if step.message and step.has_failed else ""
    return f"{step.step}{length}{allocated}{message}"
