"""The program started as a service of this machine's systemd, as often as the other ways; nothing of it stays."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from proa.compare.unit import Unit, quoted, unit_text
from proa.errors import ProaError
from proa.outside import systemd
from proa.outside.asking import ask, is_open
from proa.records.trial import Trial

ENGINE = "systemd"
_HERE = "127.0.0.1"
_LOOK_S = 0.001
_ANSWER_S = 1.0


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """When the service counts as ready."""

    port: int
    route: str = ""
    """Empty: an open port is enough."""
    timeout_s: float


@contextmanager
def service(
    unit: Unit, program: Path, *, environment: Sequence[tuple[str, str]], asking: Asking
) -> Iterator[Callable[[], Trial]]:
    """Lend a way to start the program under its unit once, until it is ready, and to stop it.

    Raises ToolMissing, ToolFailed, ToolTimedOut, NoSpace.
    """
    named = msgspec.structs.replace(unit, name=f"proa-ways-{secrets.token_hex(4)}")
    # Unlike a command, a variable's value has no variables in it.
    lines = [f"Environment={quoted(f'{name}={value}').replace('$$', '$')}" for name, value in environment]
    settings = "\n".join(["[Service]", "Restart=no", *lines, ""])
    with systemd.installed(named.name, unit=unit_text(named), settings=settings, program=program) as installed:
        yield lambda: _once(installed, asking)


def _once(service: systemd.Service, asking: Asking) -> Trial:
    if not asking.port:
        return _failed("it was not seen to listen, so nothing says when it is ready")
    if is_open(_HERE, asking.port, timeout_s=_ANSWER_S):
        return _failed(f"port {asking.port} is in use on this machine")
    began = time.monotonic()
    try:
        service.start()
        while not _is_ready(asking):
            if time.monotonic() - began > asking.timeout_s:
                return _failed(f"no good answer within {asking.timeout_s:g} s ({service.shown('Result')})")
            time.sleep(_LOOK_S)
        took_s = time.monotonic() - began
        peak = service.peak_bytes()
    except ProaError as error:
        return _failed(error.what)
    finally:
        with contextlib.suppress(ProaError):
            service.stop()
    return Trial(verdict="ready", reason="", engine=ENGINE, ready_s=took_s, rss_bytes=peak, ports=(asking.port,))


def _failed(reason: str) -> Trial:
    return Trial(verdict="failed", reason=reason, engine=ENGINE)


def _is_ready(asking: Asking) -> bool:
    """Say whether it answers as a trial wants it."""
    if not asking.route:
        return is_open(_HERE, asking.port, timeout_s=_ANSWER_S)
    return ask(_HERE, asking.port, asking.route, timeout_s=_ANSWER_S).is_good
