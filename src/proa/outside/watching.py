"""What is seen of a program while it runs: its output, its memory, its readiness, its end.

Standard library only, like all that the prober imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from proa.outside import cgroups, processes
from proa.outside.launching import Launched
from proa.outside.readiness import wait_until_ready
from proa.outside.stopping import poll, stop

_HEAD_BYTES, _TAIL_BYTES = 16 << 10, 48 << 10
_MOST_TIMES = 5000


class Output:
    """What a program writes: its beginning and its end, in bounded memory."""

    def __init__(self, descriptor: int) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self.bytes = 0
        self._thread = threading.Thread(target=self._drain, args=(descriptor,), daemon=True)
        self._thread.start()

    def _drain(self, descriptor: int) -> None:
        with contextlib.suppress(OSError):
            while chunk := os.read(descriptor, 1 << 16):
                self.bytes += len(chunk)
                room = max(0, _HEAD_BYTES - len(self._head))
                self._head += chunk[:room]
                self._tail += chunk[room:]
                del self._tail[: max(0, len(self._tail) - _TAIL_BYTES)]
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def text(self) -> str:
        """Return what was kept, once the writers are gone."""
        self._thread.join(0.5)
        whole = len(self._head) + len(self._tail) == self.bytes
        return (bytes(self._head) + (b"" if whole else b"\n[...]\n") + bytes(self._tail)).decode(errors="replace")


class Memory:
    """Watches a family's memory and ends it above the limit, where the kernel does not."""

    def __init__(self, program: int, *, limit_bytes: int, should_end: bool, counts_time: bool = False) -> None:
        self._peaks: dict[int, int] = {}
        self._program = program
        self._limit_bytes = limit_bytes if should_end else 0
        self.was_exceeded = False
        self.most_processes = 1
        self._began_s = time.monotonic()
        self._counts_time = counts_time
        self._seconds: dict[int, float] = {}
        self.times: list[tuple[float, float]] = []
        self.now_bytes = 0
        """What all of them had at the last look."""
        self._stopped = threading.Event()
        self.look()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        # A traced start has its moments from the trace, and a watcher that looks seldom takes less from it.
        step_s = 0.01 if self._counts_time else 0.002
        while not self._stopped.wait(step_s):
            self.look()
            step_s = min(step_s * 1.1, 0.01)

    def look(self) -> None:
        """Note every member's peak now."""
        family = processes.family(self._program)
        total = 0
        for pid in family:
            now, peak = processes.memory(pid)
            if self._counts_time:
                self._seconds[pid] = processes.processor_seconds(pid) or self._seconds.get(pid, 0.0)
            total += now
            if peak:
                self._peaks[pid] = max(peak, self._peaks.get(pid, 0))
        self.now_bytes = total
        self.most_processes = max(self.most_processes, len(family))
        self._note_time()
        if self._limit_bytes and total > self._limit_bytes:
            self.was_exceeded = True
            for pid in family:
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _note_time(self) -> None:
        used_s = round(sum(self._seconds.values()), 3)
        if self._counts_time and (not self.times or self.times[-1][1] != used_s) and len(self.times) < _MOST_TIMES:
            self.times.append((round(time.monotonic() - self._began_s, 4), used_s))

    def stop(self) -> int:
        """Stop watching and return the sum of all peaks in bytes."""
        self._stopped.set()
        return sum(self._peaks.values())


def observe(
    job: dict[str, Any],
    launched: Launched,
    group: cgroups.Group | None,
    *,
    errand: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Watch a started program until it was ready, stop it, and return what was seen.

    ``errand`` is given what was seen when it was ready, and returns more.
    """
    watch = Memory(
        launched.program,
        limit_bytes=job["memory_bytes"],
        should_end=group is None,
        counts_time=job["counts_time"],
    )
    report, status = wait_until_ready(job, launched)
    if status is None and errand:
        report |= errand(report)
        status = poll(launched.waiter)
        if status is not None:
            report |= {"exit_status": status, "ended_s": time.monotonic() - launched.started_s}
    if status is None:
        watch.look()
        report["steady_bytes"] = watch.now_bytes
        report["ran_s"] = time.monotonic() - launched.started_s
        report |= stop(job, launched)
    report["rss_bytes"] = watch.stop()
    # Killed from outside, close to the limit: the kernel's doing, in a group that is gone already.
    was_killed = status == 128 + signal.SIGKILL and report["rss_bytes"] > 0.8 * job["memory_bytes"]
    report["most_processes"] = watch.most_processes
    report["times"] = watch.times
    report["is_over_memory"] = watch.was_exceeded or was_killed or bool(group and group.was_exceeded())
    return report
