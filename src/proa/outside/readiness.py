"""The moment a program is ready: which ports it listens on, and what it answers there.

Standard library only, like all that the prober imports.
"""

from __future__ import annotations

import time
from typing import Any

from proa.outside import asking, processes
from proa.outside.launching import Launched
from proa.outside.stopping import FIRST_STEP_S, LAST_STEP_S, poll

_ASK_S = 2.5
"""How long one answer may take (arbitrary; a health route that is slower is not healthy)."""
_NO_ROUTE_S = 0.7
"""How long a server may answer nothing but 404 until that is its answer (arbitrary)."""
_UNEXPECTED_PORT_S = 1.0
"""How long to wait for an expected port once another one listens (arbitrary)."""
_TRACED_STEP_S = 0.005
"""How long to rest at first where the moments are read from a trace (arbitrary)."""
_FAMILY_SETTLE_S = 0.3
"""How long a family of processes is watched after its first good answer (arbitrary)."""


def wait_until_ready(job: dict[str, Any], launched: Launched) -> tuple[dict[str, Any], int | None]:
    """Poll until a route answers well, the program ends or its time is up; the status is None where it still runs."""
    report: dict[str, Any] = {"listeners": [], "answers": [], "listening_s": None, "ready_s": None}
    deadline = launched.started_s + job["start_timeout_s"]
    seen: dict[tuple[str, int, str], float] = {}
    asked_since = None
    step_s = _TRACED_STEP_S if job["counts_time"] else FIRST_STEP_S
    while time.monotonic() < deadline:
        status = poll(launched.waiter)
        found = processes.listeners()
        now_s = time.monotonic() - launched.started_s
        mine = [one for one in found if not (one.protocol == "udp" and one.port == 53 and one.address == "127.0.0.1")]
        if "ignored" in job:
            mine = _own(mine, job["ignored"], launched.program, is_readable=job["engine"] == "command")
        mine = [one for one in mine if not (job.get("certificate") and one.port == 443)]
        for one in mine:
            seen.setdefault((one.address, one.port, one.protocol), now_s)
        report["listeners"] = [[*key, moment] for key, moment in seen.items()]
        if status is not None:
            report |= {"exit_status": status, "ended_s": now_s}
            return report, status
        wanted = _to_ask(mine, job["ports"], seen, now_s)
        if wanted:
            asked_since = asked_since or time.monotonic()
            if report["listening_s"] is None:
                report["listening_s"] = min(seen[one.address, one.port, one.protocol] for one in wanted)
            if _ask_all(
                job,
                wanted,
                report,
                started_s=launched.started_s,
                deadline=deadline,
                asked_s=time.monotonic() - asked_since,
            ):
                break
        time.sleep(step_s)
        step_s = min(step_s * (1.3 if wanted else 1.02), LAST_STEP_S)
    report["page_faults"] = processes.page_faults(processes.family(launched.program))
    # A program that goes to the background ends a moment after its child listens.
    settle_s = _FAMILY_SETTLE_S if len(processes.family(launched.program)) > 1 else job["settle_s"]
    settled = time.monotonic() + settle_s
    while (status := poll(launched.waiter)) is None and time.monotonic() < settled:
        time.sleep(FIRST_STEP_S)
    if status is not None:
        report |= {"exit_status": status, "ended_s": time.monotonic() - launched.started_s}
    return report, status


def _own(
    found: list[processes.Listener], ignored: list[int], program: int, *, is_readable: bool
) -> list[processes.Listener]:
    """Return the listeners of the program's family; all new ones where its descriptors may not be read."""
    inodes = processes.socket_inodes(processes.family(program))
    new = [one for one in found if one.inode not in ignored]
    return [one for one in new if one.inode in inodes] if inodes or is_readable else new


def _to_ask(
    mine: list[processes.Listener], ports: list[int], seen: dict[tuple[str, int, str], float], now_s: float
) -> list[processes.Listener]:
    """Return the expected listeners, or any after a while; UDP ones only where there is nothing else for a while."""
    streams = [one for one in mine if one.protocol == "tcp"]
    expected = [one for one in mine if one.port in ports]
    if expected or not mine:
        return sorted(expected, key=lambda one: ports.index(one.port))
    if streams and not ports:
        return streams
    return mine if now_s - min(seen.values()) > _UNEXPECTED_PORT_S else []


def _ask_all(
    job: dict[str, Any],
    wanted: list[processes.Listener],
    report: dict[str, Any],
    *,
    started_s: float,
    deadline: float,
    asked_s: float,
) -> bool:
    """Ask every route of every listener once; True where there is no point in asking again."""
    answers = []
    for one in wanted:
        if one.protocol == "udp":
            continue
        for route in job["routes"]:
            answer = _ask(one, route, max(0.05, min(_ASK_S, deadline - time.monotonic())))
            answers.append([one.port, route, answer.speaks, answer.status])
            if answer.is_good:
                report["ready_s"] = time.monotonic() - started_s
                report["answers"] = answers
                return True
            if answer.status is None:
                break
    report["answers"] = answers
    kinds = {answer[2] for answer in answers}
    if kinds <= {"http", "https"} and answers:
        return all(answer[3] == 404 for answer in answers) and asked_s > _NO_ROUTE_S
    return not kinds & {"http", "https", "refused"} and asked_s > _NO_ROUTE_S


def _ask(one: processes.Listener, route: str, timeout_s: float) -> asking.Answer:
    # All addresses: IPv4's loopback is there even where IPv6 is switched off, as in docker.
    address = "127.0.0.1" if one.address in ("0.0.0.0", "::") else one.address.removeprefix("::ffff:")  # noqa: S104
    answer = asking.ask(address, one.port, route, timeout_s=timeout_s)
    if answer.speaks in ("refused", "closed") and one.address == "::":
        # An IPv6-only socket, where it is meant to be one.
        address = "::1"
        answer = asking.ask(address, one.port, route, timeout_s=timeout_s)
    if answer.speaks == "tls":
        answer = asking.ask(address, one.port, route, timeout_s=timeout_s, secure=True)
    return answer
