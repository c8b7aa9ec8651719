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
from proa.outside.visiting import Server, visit
from proa.outside.watching import Output

_MOST_SERVERS = 3
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
    servers = _servers(report)
    done: dict[str, Any] = {}
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
            lambda output: _start_command(errand, servers, report, place, output), timeout_s=errand["timeout_s"]
        )
    return done


def _servers(report: dict[str, Any]) -> list[Server]:
    """Return the ports that answered HTTP, the first that answered well first."""
    speaks = {answer[0]: answer[2] for answer in report["answers"] if answer[2] in ("http", "https")}
    good = report["answers"][-1][0] if report["answers"] and report["ready_s"] is not None else 0
    found = []
    for port in sorted(speaks, key=lambda port: port != good):
        address = next((one[0] for one in report["listeners"] if one[1] == port), "127.0.0.1")
        found.append(Server(_reachable(address), port, is_secure=speaks[port] == "https"))
    return found[:_MOST_SERVERS]


def _reachable(address: str) -> str:
    return "127.0.0.1" if address in ("0.0.0.0", "::") else address.removeprefix("::ffff:")  # noqa: S104


def _start_command(
    errand: dict[str, Any], servers: list[Server], report: dict[str, Any], place: str, output: int
) -> Waiter:
    """Start the user's own command on this machine's files, but within the program's network."""
    environment = dict(errand["command_environment"])
    server = next(iter(servers), None)
    streams = [one for one in report["listeners"] if one[2] == "tcp"]
    if server is None and streams:
        server = Server(_reachable(streams[0][0]), streams[0][1])
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
