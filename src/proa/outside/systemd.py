"""systemd: what it says of a unit that is not installed, and a unit that is there for one run.

Source: systemd-analyze(1), systemctl(1), systemd.unit(5) (``/run/systemd/system``).
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from proa.errors import ProaError, ToolMissing
from proa.outside import processes
from proa.outside.command import Run, run
from proa.outside.machine import copy_file, make_folder, write_file
from proa.records.ways import Hardening

_UNITS = Path("/run/systemd/system")
"""Units that are gone when the machine starts anew; also what says that systemd runs it, see sd_booted(3)."""

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


def check_manager() -> None:
    """Raise ToolMissing where no unit can be started: another first process, or no rights."""
    if not _UNITS.is_dir():
        raise ToolMissing("systemd does not run this machine", hint="without --systemd a bare process is started")
    if os.geteuid() != 0:
        raise ToolMissing("only root may start a unit", hint="without --systemd a bare process is started")


@contextmanager
def installed(name: str, *, unit: str, settings: str, program: Path, run: Run = run) -> Iterator[Service]:
    """Lend a unit: its file, more ``settings`` for it and its program at /opt/NAME/bin/NAME, all removed afterwards.

    Raises ToolMissing, ToolFailed, ToolTimedOut, NoSpace.
    """
    file, more, home = _UNITS / f"{name}.service", _UNITS / f"{name}.service.d", Path("/opt", name)
    try:
        make_folder(home / "bin")
        copy_file(program, home / "bin" / name, mode=0o755)
        make_folder(more)
        write_file(file, unit.encode())
        write_file(more / "settings.conf", settings.encode())
        run(["systemctl", "daemon-reload"], timeout_s=_PATIENCE_S)
        yield Service(name=name, run=run)
    finally:
        with suppress(ProaError):
            run(["systemctl", "stop", name], timeout_s=_PATIENCE_S, accept=None)
        file.unlink(missing_ok=True)
        for folder in (more, home):
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(ProaError):
            run(["systemctl", "daemon-reload"], timeout_s=_PATIENCE_S, accept=None)
            run(["systemctl", "reset-failed", name], timeout_s=_PATIENCE_S, accept=None)


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """A unit that systemd knows."""

    name: str
    run: Run

    def start(self) -> None:
        """Start it and return once its program is executed. Raises ToolFailed, ToolTimedOut."""
        self.run(["systemctl", "start", self.name], timeout_s=_PATIENCE_S)

    def stop(self) -> None:
        """Stop it and forget its failures. Raises ToolFailed, ToolTimedOut."""
        self.run(["systemctl", "stop", self.name], timeout_s=_PATIENCE_S)
        self.run(["systemctl", "reset-failed", self.name], timeout_s=_PATIENCE_S, accept=None)

    def shown(self, name: str) -> str:
        """Return a property. Raises ToolFailed, ToolTimedOut."""
        argv = ["systemctl", "show", self.name, f"--property={name}", "--value"]
        return self.run(argv, timeout_s=_PATIENCE_S).text.strip()

    def peak_bytes(self) -> int | None:
        """Return the peak memory (VmHWM), summed over its processes; None where they have ended."""
        pid = int(self.shown("MainPID"))
        return sum(processes.memory(one)[1] for one in processes.family(pid)) or None if pid else None
