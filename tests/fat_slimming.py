"""One fat image made small by the command line, and what both said to the same 200 requests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fat_images
import fat_requests
import fat_running
from fat_requests import Ask
from fat_running import Answer

LESS = {"go": 0.95, "nginx": 0.80, "node": 0.50, "python": 0.50, "java": 0.50}
"""How much smaller the compressed layers must be at least."""


@dataclass(frozen=True)
class Compared:
    """An image before and after."""

    name: str
    layout: Path
    slimmed: Path
    record: dict[str, Any]
    """What ``proa slim --format json`` printed."""
    seconds: float
    asks: tuple[Ask, ...]
    before: tuple[Answer, ...]
    after: tuple[Answer, ...]
    packages: tuple[str, ...]
    """What dpkg-query reads in the slimmed image."""

    @property
    def less(self) -> float:
        """Return by how much the compressed layers are smaller, 0-1."""
        return 1 - fat_running.stored_bytes(self.slimmed) / fat_running.stored_bytes(self.layout)

    @property
    def less_unpacked(self) -> float:
        return 1 - float(self.record["after_unpacked_bytes"]) / float(self.record["before_unpacked_bytes"])

    def differences(self) -> list[str]:
        """Return a line for each request that is answered otherwise."""
        return [
            f"{ask.method} {ask.path} {dict(ask.headers)}: {old} became {new}"
            for ask, old, new in zip(self.asks, self.before, self.after, strict=True)
            if old != new
        ]


def proa(*words: str, environ: dict[str, str], timeout_s: float = 560) -> str:
    """Run proa; raise RuntimeError with what it said where it fails."""
    ran = subprocess.run(
        [sys.executable, "-m", "proa", *words], env={**os.environ, **environ}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip
    if ran.returncode:
        raise RuntimeError(f"proa {' '.join(words)}: exit {ran.returncode}\n{ran.stderr[-4000:]}")
    return ran.stdout


def compare(name: str, scratch: Path, *options: str, cache: Path | None = None) -> Compared:
    """Build the image, make it small, run both, and ask both the same."""
    cache = cache or fat_images.cache_folder(os.environ)
    layout = fat_images.build(name, cache=cache, into=cache / "layouts")
    slimmed = scratch / f"{name}-slim"
    environ = {"PROA_CACHE": str(scratch / "store")}
    began = time.monotonic()
    said = proa(
        "slim", f"oci:{layout}:latest", "--to", f"oci:{slimmed}:latest", "--format", "json", *options, environ=environ
    )
    seconds = time.monotonic() - began
    asks, port = fat_requests.requests_of(name), fat_requests.PORTS[name]
    before = fat_running.answers(layout, asks, port=port, scratch=scratch)
    with fat_running.unpacked(slimmed, scratch) as folder:
        packages = _packages(folder / "rootfs")
        after = fat_running.ask_unpacked(folder, slimmed, asks, port=port)
    return Compared(
        name=name, layout=layout, slimmed=slimmed, record=json.loads(said), seconds=seconds, asks=tuple(asks),
        before=tuple(before), after=tuple(after), packages=packages,
    )  # fmt: skip


def _packages(root: Path) -> tuple[str, ...]:
    listed = subprocess.run(
        ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show", "--showformat=${Package} ${Version} ${db:Status-Status}\n"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return tuple(listed.stdout.splitlines())
