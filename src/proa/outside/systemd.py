"""What systemd-analyze says of a unit that is not installed. Source: systemd-analyze(1)."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from proa.errors import ProaError, ToolMissing
from proa.outside.command import Run, run
from proa.records.ways import Hardening

_PATIENCE_S = 30.0
_MOST_POINTS = 5


def score(unit: Path, *, run: Run = run) -> Hardening | None:
    """Return how exposed a unit leaves its program; None where systemd-analyze is not here or too old (before 250)."""
    # Exit status 1 says that the exposure is above a threshold; it is read all the same.
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager", "--json=short", str(unit)]
    plain = [word for word in argv if not word.startswith("--json")]
    try:
        points = run(argv, timeout_s=_PATIENCE_S, accept=None)
        whole = run(plain, timeout_s=_PATIENCE_S, accept=None)
    except (ToolMissing, ProaError):
        return None
    return read_score(whole.text, points.stdout)


def read_score(text: str, points: bytes) -> Hardening | None:
    """Return the last line's figure, and what weighs most of what is open.

    >>> read_score("→ Overall exposure level for a.service: 1.3 OK 🙂", b"[]")
    Hardening(exposure=1.3, rating='OK', open_points=())
    """
    match = re.search(r"Overall exposure level for .*: ([0-9]+\.[0-9]+) ([A-Z]+)", text)
    if match is None:
        return None
    try:
        rows = msgspec.json.decode(points, type=list[_Point])
    except msgspec.MsgspecError:
        rows = []
    weighed = sorted(((_weight(row.exposure), row.name) for row in rows if _weight(row.exposure) > 0), reverse=True)
    return Hardening(
        exposure=float(match[1]), rating=match[2], open_points=tuple(name for _, name in weighed[:_MOST_POINTS])
    )


class _Point(msgspec.Struct):
    name: str = ""
    exposure: str | None = None


def _weight(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
