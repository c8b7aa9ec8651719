"""What is done with a program that is ready, before it is stopped: requests, its health check, a test command.

Standard library only, like all that the prober imports.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any

from proa.outside import namespaces, processes
from proa.outside.asking import ask
from proa.outside.visiting import Server, visit
from proa.outside.watching import Output

_MOST_SERVERS, _MOST_PORTS = 4, 16
_ASK_S = 5.0
_MORE_PORTS_S = 0.3
"""How long to wait for further ports once one answered (arbitrary; nginx opened three within 5 ms)."""
_REST_S = 0.02
OUT_OF_TIME = 124
"""As timeout(1) exits."""
Waiter = int
StartBeside = Callable[[list[str], int], Waiter]
"""Starts a command beside the program, its output to a descriptor; returns the child to wait for."""


def run_errand(
    errand: dict[str, Any], report: dict[str, Any], *, place: str, start_beside: StartBeside
) -> dict[str, Any]:
    """Do everything asked for, and return what came of it."""
    # Ports open one after the other; the first that answered need not be the last.
    time.sleep(_MORE_PORTS_S)
    streams = _listening()
    servers = _servers(streams, errand["ports"])
    done: dict[str, Any] = {"listeners": _with_later(report["listeners"], streams)}
    if errand["requests"] or errand["most_links"]:
        done["visits"] = visit(
            servers, errand["requests"], most_links=errand["most_links"], timeout_s=errand["timeout_s"]
        )
    if errand["health"]:
        done["health_status"], _ = _wait(
            lambda output: start_beside(errand["health"], output), timeout_s=errand["timeout_s"]
        )
    if errand["command"]:
        done["command_status"], done["command_output"] = _wait(
            lambda output: _start_command(errand, servers, streams, place, output), timeout_s=errand["timeout_s"]
        )
    return done


def _listening() -> list[processes.Listener]:
    """Return the TCP ports that can be reached from outside, one entry each, by number."""
    streams = {one.port: one for one in processes.listeners() if one.protocol == "tcp"}
    return [
        streams[port]
        for port in sorted(streams)
        if not streams[port].address.startswith(("127.", "::1", "::ffff:127."))
    ]


def _with_later(listeners: list[list[Any]], streams: list[processes.Listener]) -> list[list[Any]]:
    known = {(one[0], one[1], one[2]) for one in listeners}
    later = max((one[3] for one in listeners), default=0.0)
    new = [[one.address, one.port, one.protocol, later] for one in streams]
    return listeners + [one for one in new if (one[0], one[1], one[2]) not in known]


def _servers(streams: list[processes.Listener], ports: list[int]) -> list[Server]:
    """Return the ports that speak HTTP: ``ports`` first, plain before TLS, then by number."""
    found = []
    for one in streams[:_MOST_PORTS]:
        address = _reachable(one.address)
        answer = ask(address, one.port, "/", timeout_s=_ASK_S)
        if answer.speaks == "tls":
            answer = ask(address, one.port, "/", timeout_s=_ASK_S, secure=True)
        if answer.speaks in ("http", "https"):
            found.append(Server(address, one.port, is_secure=answer.speaks == "https"))
    wanted = {port: place for place, port in enumerate(ports)}
    found.sort(key=lambda server: (wanted.get(server.port, len(wanted)), server.is_secure, server.port))
    return found[:_MOST_SERVERS]


def _reachable(address: str) -> str:
    return "127.0.0.1" if address in ("0.0.0.0", "::") else address.removeprefix("::ffff:")  # noqa: S104


def _start_command(
    errand: dict[str, Any], servers: list[Server], streams: list[processes.Listener], place: str, output: int
) -> Waiter:
    """Start the user's own command on this machine's files, but within the program's network."""
    environment = dict(errand["command_environment"])
    others = [Server(_reachable(one.address), one.port) for one in streams]
    server = next(iter([*servers, *others]), None)
    if server:
        environment |= {"PROA_URL": server.url, "PROA_PORT": str(server.port)}
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            namespaces.take_output(output)
            namespaces.leave_place(place)
            os.chdir(errand["command_directory"])
            os.execve("/bin/sh", ["sh", "-c", errand["command"]], environment)  # noqa: S606 - the user's own words
        except OSError as error:
            os.write(2, f"proa: {error}\n".encode())
        finally:
            os._exit(126)
    return child


def _wait(start: Callable[[int], Waiter], *, timeout_s: float) -> tuple[int, str]:
    """Run a command to its end, or to the end of its time, with all it started; return its status and output."""
    read_end, write_end = os.pipe()
    before = set(processes.family(os.getpid()))
    child = start(write_end)
    try:
        os.close(write_end)
        output = Output(read_end)
        until_s = time.monotonic() + timeout_s
        status = OUT_OF_TIME
        while time.monotonic() < until_s:
            pid, wait_status = os.waitpid(child, os.WNOHANG)
            if pid:
                child = 0
                code = os.waitstatus_to_exitcode(wait_status)
                status = 128 - code if code < 0 else code
                break
            time.sleep(_REST_S)
    finally:
        # What it left behind has come to this process, which adopts orphans.
        for pid in set(processes.family(os.getpid())) - before:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if child:
            with contextlib.suppress(OSError):
                os.waitpid(child, 0)
    return status, output.text()
