"""From exceptions to words and exit statuses: the only place where the two meet."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from proa.errors import NoSpace, ProaError
from proa.outside import interruption

_BUG = 70
_INTERRUPTED = 130
_USAGE = 2
_ISSUES = "https://github.com/proa-dev/proa/issues"


def run_guarded(words: Sequence[str]) -> int:
    """Run a command; print what went wrong; return the exit status."""
    from proa.cli.commands import proa

    interruption.begin()
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what runs in the background with SIGINT ignored; it stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        proa.main(args=list(words), prog_name="proa", standalone_mode=False)
    except ProaError as error:
        say_error(error)
        return error.exit_status
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return _USAGE
    except click.UsageError as error:
        _say(f"proa: {error.format_message().rstrip('.')} [PROA201]")
        if error.ctx is not None:
            _say(f"hint: {error.ctx.command_path} --help lists the flags")
        return _USAGE
    except click.ClickException as error:
        _say(f"proa: {error.format_message()} [PROA201]")
        return _USAGE
    except (KeyboardInterrupt, click.Abort):
        _say("proa: interrupted; nothing half-written was left behind")
        return _INTERRUPTED
    except BrokenPipeError:
        close_output()
        return 0
    except MemoryError:
        _say("proa: out of memory [PROA302]")
        return 3
    except OSError as error:
        if error.errno == errno.ENOENT and not _has_folder():
            _say("proa: the current folder is gone; change to another one [PROA201]")
            return _USAGE
        if error.errno != errno.ENOSPC:
            return _say_bug(error)
        close_output()
        say_error(NoSpace("no space left while writing standard output"))
        return NoSpace.exit_status
    except Exception as error:  # noqa: BLE001 - whatever it is, people get a sentence and a place to report it
        return _say_bug(error)
    return 0


def _has_folder() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def close_output() -> None:
    """Say nothing more to a reader that is gone, or a disk that is full; not at the interpreter's end either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def ignore_signals() -> None:
    """Let nothing that comes while the interpreter clears up (50 ms) change a result that stands."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def say_error(error: ProaError) -> None:
    """Print what happened, the neighbour's own last lines and what to do, on standard error."""
    _say(f"proa: {error}")
    for line in error.output.splitlines():
        _say(f"  {line}")
    if error.hint:
        _say(f"hint: {error.hint}")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _say_bug(error: Exception) -> int:
    import traceback

    _say(f"proa: a bug in proa: {type(error).__name__}: {error} [PROA000]")
    if os.environ.get("PROA_DEBUG"):
        _say("".join(traceback.format_exception(error)))
        _say(f"hint: please report this with the lines above: {_ISSUES}")
    else:
        _say(f"hint: run it again with PROA_DEBUG=1 and report what it prints: {_ISSUES}")
    return _BUG


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    interruption.interrupt()
