"""The end of a program: its status, asking it to stop, killing what is left, removing its group.

Standard library only, like all that the prober imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

from proa.outside import cgroups, processes
from proa.outside.launching import Launched

FIRST_STEP_S, LAST_STEP_S = 0.001, 0.02
"""How long to rest between two looks at a process: soon after something was asked, and later."""


def poll(waiter: int) -> int | None:
    """Return the exit status of a child that ended, None while it runs; of another's process (-pid) always 0."""
    if waiter < 0:
        return None if processes.is_alive(-waiter) else 0
    pid, status = os.waitpid(waiter, os.WNOHANG)
    if pid == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def stop(job: dict[str, Any], launched: Launched) -> dict[str, Any]:
    """Ask the program to end, wait, and end it."""
    asked_s = time.monotonic()
    for number in (job["stop_signal"], signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(launched.program, number)
        deadline = asked_s + job["stop_timeout_s"] + (1.0 if number == signal.SIGKILL else 0.0)
        while time.monotonic() < deadline:
            status = poll(launched.waiter)
            if status is not None:
                took_s = None if number == signal.SIGKILL else time.monotonic() - asked_s
                return {"exit_status": status, "stop_s": took_s, "was_killed": took_s is None}
            time.sleep(FIRST_STEP_S if time.monotonic() - asked_s < 0.2 else LAST_STEP_S)
    return {"exit_status": None, "stop_s": None, "was_killed": True}


def kill(launched: Launched) -> None:
    """End whatever still runs. Killing process 1 of a namespace ends all of it."""
    if not launched.waiter:
        return
    with contextlib.suppress(ChildProcessError):
        if poll(launched.waiter) is not None:
            return
        for pid in [*processes.family(launched.waiter), launched.waiter]:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        reap(launched.waiter, patience_s=2.0)


def reap(waiter: int, *, patience_s: float) -> None:
    """Wait for a child to end, so that no zombie stays."""
    deadline = time.monotonic() + patience_s
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < deadline and poll(waiter) is None:
            time.sleep(FIRST_STEP_S)


def remove(group: cgroups.Group) -> None:
    """Remove the group, which may take the kernel a moment after its last process."""
    for _ in attempts(0.5):
        group.remove()
        if not os.path.exists(group.folder):  # noqa: PTH110
            return


def attempts(seconds: float) -> Iterator[None]:
    """Yield until the time is up, with a moment's rest between."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield
        time.sleep(FIRST_STEP_S)
