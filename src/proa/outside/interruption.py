"""That the run is to end: signals reach the main thread alone, and other threads wait for programs.

One for the whole process, as signals are. Standard library only: it is imported before anything is known to be run.
"""

from __future__ import annotations

import threading

_ASKED = threading.Event()


def interrupt() -> None:
    """Let every thread but the main one end what it waits for and start nothing more; for a signal's handler."""
    _ASKED.set()


def begin() -> None:
    """Forget an earlier interruption."""
    _ASKED.clear()


def is_over() -> bool:
    """Say whether this thread is to end: the main one is told by an exception instead, and clears up."""
    return _ASKED.is_set() and threading.current_thread() is not threading.main_thread()
