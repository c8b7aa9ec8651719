"""UPX, which packs a program so that it unpacks itself at every start. Only ever measured, never chosen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from proa.errors import ToolFailed
from proa.outside.command import Run, run

_TIMEOUT_S = 600.0
"""For one program at UPX's default level (arbitrary: 80 MB take less than a minute)."""


def find_upx(environ: Mapping[str, str]) -> str:
    """Return the path of upx; empty where it is not on PATH."""
    return shutil.which("upx", path=environ.get("PATH", "")) or ""


def compress(upx: str, program: Path, target: Path, *, environ: Mapping[str, str], run: Run = run) -> None:
    """Write a packed copy of a program to ``target``. Raises ToolMissing, ToolFailed, ToolTimedOut.

    UPX has settings in a variable of its own; they are left out, so that everybody measures the same.
    """
    given = {name: value for name, value in environ.items() if name != "UPX"}
    run([upx, "-q", "-o", str(target), "--", str(program)], env=given, timeout_s=_TIMEOUT_S)
    if not target.is_file():
        raise ToolFailed("upx wrote no program")
    target.chmod(0o755)
