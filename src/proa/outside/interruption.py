"""That the run is to end: signals reach the main thread alone, and other threads wait for programs.

One for the whole process, as signals are. Standard library only: it is imported before anything is known to be run.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_ASKED = threading.Event()
_HELD = threading.Event()
_LATE = threading.Event()


def interrupt() -> None:
    """Let every thread but the main one end what it waits for and start nothing more; for a signal's handler.

    Raises KeyboardInterrupt, in the main thread, at once or where what holds it ends.
    """
    _ASKED.set()
    if _HELD.is_set():
        _LATE.set()
    else:
        raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Let no interruption come between beginning something and knowing it; it is raised when the block ends.

    For a moment's work that must not be half done: a program that was started and is in no variable runs on.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _HELD.set()
    try:
        yield
    finally:
        _HELD.clear()
    if _LATE.is_set():
        _LATE.clear()
        raise KeyboardInterrupt


def begin() -> None:
    """Forget an earlier interruption."""
    _ASKED.clear()
    _LATE.clear()


def is_over() -> bool:
    """Say whether this thread is to end: the main one is told by an exception instead, and clears up."""
    return _ASKED.is_set() and threading.current_thread() is not threading.main_thread()
