"""Run other programs: the one import of subprocess.

No shell, standard input closed, a session of its own, so that a timeout or an interruption ends the
whole family. Both outputs are read at once, so a program that writes much to either cannot block.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from proa.errors import ToolFailed, ToolMissing, ToolTimedOut
from proa.outside import interruption

_LOOK_S = 0.2
"""How often a thread that waits for a program looks whether the run was interrupted."""
LAST_LINES = 20
"""How many lines of a failed program are shown: a screen's worth, chosen, not measured."""


class Ran(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run of a program."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Return standard output as text, undecodable bytes replaced."""
        return self.stdout.decode(errors="replace")


class Run(Protocol):
    """How neighbours are started; tests pass a function that records and answers."""

    def __call__(  # noqa: D102 - the class says it
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        accept: Sequence[int] | None = (0,),
    ) -> Ran: ...


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    timeout_s: float | None = None,
    accept: Sequence[int] | None = (0,),
) -> Ran:
    """Run a program to its end and return what it said.

    ``env`` replaces the whole environment. ``accept`` lists the exit statuses that are no failure; None takes any.
    Raises ToolMissing, ToolFailed (with the program's last lines), ToolTimedOut, and KeyboardInterrupt in every thread
    once the run was interrupted.
    """
    started = time.monotonic()
    _stop_where_interrupted()
    process = start(argv, cwd=cwd, env=env, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
    try:
        stdout, stderr = _wait(process, stdin, timeout_s)
    except subprocess.TimeoutExpired as error:
        end(process)
        raise ToolTimedOut(f"{' '.join(argv[:3])} did not end within {timeout_s:g} s") from error
    except BaseException:
        end(process)
        raise
    ran = Ran(
        argv=tuple(argv),
        status=process.returncode,
        stdout=stdout,
        stderr=stderr,
        seconds=time.monotonic() - started,
    )
    if accept is not None and ran.status not in accept:
        raise ToolFailed(f"{' '.join(argv[:3])} exited with {ran.status}", output=last_lines(stderr or stdout))
    return ran


def _wait(process: subprocess.Popen[bytes], stdin: bytes | None, timeout_s: float | None) -> tuple[bytes, bytes]:
    """Return both outputs of a program at its end. Raises subprocess.TimeoutExpired, KeyboardInterrupt."""
    if threading.current_thread() is threading.main_thread():
        return process.communicate(stdin, timeout=timeout_s)
    latest_s = float("inf") if timeout_s is None else time.monotonic() + timeout_s
    while True:
        try:
            said = process.communicate(stdin, timeout=max(0.0, min(_LOOK_S, latest_s - time.monotonic())))
        except subprocess.TimeoutExpired:
            # What was read and what is still to be written stays with the process: asking again loses nothing.
            stdin = None
            _stop_where_interrupted()
            if time.monotonic() >= latest_s:
                raise
        else:
            # It may have been ended by the same signal: its status says nothing then.
            _stop_where_interrupted()
            return said


def _stop_where_interrupted() -> None:
    if interruption.is_over():
        raise KeyboardInterrupt


def start(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own and return it running. Raises ToolMissing.

    An interruption that comes while it is started ends it.
    """
    path = (env or os.environ).get("PATH")
    program = shutil.which(argv[0], path=path)
    if program is None:
        raise ToolMissing(f"{argv[0]} was not found on PATH", hint=f"install {argv[0]}, or put it on PATH")
    process = None
    try:
        with interruption.held():
            process = subprocess.Popen(
                [program, *argv[1:]],
                cwd=cwd,
                env=dict(env) if env is not None else None,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                # Its own session, so a timeout ends the compilers that go build started as well.
                start_new_session=True,
                pass_fds=pass_fds,
            )
    except OSError as error:
        raise ToolMissing(f"{argv[0]} could not be started: {error.strerror or error}") from error
    except KeyboardInterrupt:
        if process is not None:
            end(process)
        raise
    return process


def end(process: subprocess.Popen[bytes], *, patience_s: float = 2.0) -> None:
    """End a program and all it started: SIGINT, a moment, SIGTERM, a moment, SIGKILL."""
    # At SIGINT the go command removes the folder it builds in, at SIGTERM it does not.
    for signal_number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=patience_s)
            return


# scheme://name:secret@ and scheme://token@; git@ and the like are names that everybody may know.
_CREDENTIALS = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://)(?!(?:git|hg|ssh)@)[^\s/\"']+@")


def redact(text: str) -> str:
    """Return text without the credentials that addresses in it carry.

    >>> redact("GET https://me:secret@proxy.example/x: 404"), redact("ssh://git@github.com/a")
    ('GET https://***@proxy.example/x: 404', 'ssh://git@github.com/a')
    """
    return _CREDENTIALS.sub(r"\1***@", text)


def last_lines(output: bytes, most: int = LAST_LINES) -> str:
    r"""Return the last lines of a program's output as text, without credentials.

    >>> last_lines(b"a\nb\nc\n", 2)
    'b\nc'
    """
    return redact("\n".join(output.decode(errors="replace").rstrip().splitlines()[-most:]))
