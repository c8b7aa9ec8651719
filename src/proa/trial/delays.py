"""What delays a start: findings from its steps and its trace. Judgement only; every limit is named and arbitrary."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from proa.outside.start_trace import Event
from proa.records.evidence import Finding
from proa.records.startup import Startup, Step
from proa.trial.timeline import View, named_address, ready_at, service_of

_LONG_S, _LONG_RATIO = 0.1, 0.1
"""What is shorter than both a tenth of a second and a tenth of the start is not worth a word."""
_INIT_S = 0.01
_NAME_S = 0.3
_BIG_BYTES = 16 << 20
_MOST_OF_A_KIND = 5
_BUSY = 0.6


def delays(
    start: Startup,
    events: Sequence[Event],
    view: View,
    *,
    times: Sequence[tuple[float, float]] = (),
    sizes: Mapping[str, int] | None = None,
) -> tuple[Finding, ...]:
    """Return what makes a start longer than it need be, the longest first within each kind.

    ``times`` are moments and the processor seconds used until then; ``sizes`` those of files that were opened.
    """
    ready_s = ready_at(events, view)
    whole_s = ready_s or view.until_s or max((one.at_s for one in events), default=0.0)
    within = [one for one in events if one.at_s <= whole_s]
    worth_s = max(_LONG_RATIO * whole_s, min(_LONG_S, whole_s))
    init_s = sum(one.duration_s or 0.0 for one in start.steps if one.kind == "initialise")
    found = [
        *_initialisation(start.steps, whole_s),
        *_serial(within, view, worth_s),
        *_names(start.steps),
        *_retries(within, view),
        *_files(within, view, sizes or {}),
        *_gaps(
            within,
            (whole_s, "its first good answer" if ready_s else "it was stopped"),
            worth_s + init_s if init_s >= _INIT_S else worth_s,
            times,
        ),
    ]
    return tuple(found)


def _said(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def _initialisation(steps: Iterable[Step], whole_s: float) -> Iterator[Finding]:
    slow = [
        one
        for one in steps
        if one.kind == "initialise" and (one.duration_s or 0) >= max(_INIT_S, _LONG_RATIO * whole_s) and one.what
    ]
    for one in sorted(slow, key=lambda step: -(step.duration_s or 0))[:_MOST_OF_A_KIND]:
        yield Finding(
            id="start.slow-init",
            message=f"package {one.what} takes {_said(one.duration_s or 0)} before main begins",
            hint="its init functions and package variables run on every start: make them when they are first used",
        )


def _serial(events: Iterable[Event], view: View, worth_s: float) -> Iterator[Finding]:
    """Tell of services that are connected to one after another."""
    first: dict[str, Event] = {}
    for one in events:
        if one.kind == "connect" and not one.error and one.ended_s is not None:
            first.setdefault(one.what, one)
    chain: list[Event] = []
    for one in sorted(first.values(), key=lambda event: event.at_s):
        if chain and one.at_s < (chain[-1].ended_s or 0):
            continue
        chain.append(one)
    if len(chain) < 2 or chain[-1].at_s - chain[0].at_s < worth_s:
        return
    names = [service_of(one.what, view) or named_address(one.what, view) for one in chain]
    length_s = chain[-1].at_s - chain[0].at_s
    yield Finding(
        id="start.serial-connections",
        severity="info",
        message=f"it connects to {', '.join(names)} one after another: the last {_said(length_s)} after the first",
        hint="where one does not need the other, connect to them at the same time",
    )


def _names(steps: Iterable[Step]) -> Iterator[Finding]:
    for one in steps:
        if one.kind == "resolve" and (one.duration_s or 0) >= _NAME_S:
            yield Finding(
                id="start.slow-name",
                message=f"looking up {one.what} took {_said(one.duration_s or 0)}",
                hint="a name server that does not answer is asked again after seconds: see resolv.conf, and give "
                "names their whole domain",
            )


def _retries(events: Iterable[Event], view: View) -> Iterator[Finding]:
    failed: dict[str, list[Event]] = {}
    for one in events:
        if one.kind == "connect" and one.error:
            failed.setdefault(one.what, []).append(one)
    for address, found in failed.items():
        if len(found) < 2:
            continue
        name = service_of(address, view) or named_address(address, view)
        took_s = (found[-1].ended_s or found[-1].at_s) - found[0].at_s
        yield Finding(
            id="start.retries",
            message=f"{name} was tried {len(found)} times in vain, for {_said(took_s)}",
            hint="start it after that service (`proa preflight --wait`), or let the program listen before it is there",
        )


def _files(events: Iterable[Event], view: View, sizes: Mapping[str, int]) -> Iterator[Finding]:
    opened = dict.fromkeys(one.what for one in events if one.kind == "open" and not one.error)
    big = [path for path in opened if sizes.get(path, 0) >= _BIG_BYTES and view.is_own(path)]
    for path in sorted(big, key=lambda one: -sizes[one])[:_MOST_OF_A_KIND]:
        yield Finding(
            id="start.big-file",
            severity="info",
            message=f"it opens {view.shown(path)}, {sizes[path] / 1e6:.0f} MB, before it is ready",
            hint="read what is needed of it, or read it after the first answer",
        )


def _gaps(
    events: Sequence[Event], end: tuple[float, str], worth_s: float, times: Sequence[tuple[float, float]]
) -> Iterator[Finding]:
    """Tell of the longest times in which it asked the system for nothing that is watched.

    ``worth_s`` has the initialisation of Go's packages in it already, which is told of by package.
    """
    moments = [(0.0, "its start"), *((one.at_s, _named(one)) for one in events if one.at_s < end[0]), end]
    asked = [one for one in events if one.kind in ("connect", "resolve") and one.ended_s is not None]
    gaps = [
        (after - before, before, what, then)
        for (before, what), (after, then) in pairwise(moments)
        # What waits for a name or a connection is told of as that.
        if after - before >= worth_s and _overlap(asked, before, after) < 0.5 * (after - before)
    ]
    asleep = [one for one in events if one.kind == "sleep"]
    for length_s, began_s, what, then in sorted(gaps, reverse=True)[:_MOST_OF_A_KIND]:
        did, hint = _what_it_did(began_s, length_s, asleep, times)
        yield Finding(
            id=f"start.{did}",
            severity="info",
            message=f"it {did} for {_said(length_s)} before {then}"
            if did == "slept"
            else f"it {did} for {_said(length_s)} between {what} and {then}",
            hint=hint,
        )


def _what_it_did(
    began_s: float, length_s: float, asleep: Iterable[Event], times: Sequence[tuple[float, float]]
) -> tuple[str, str]:
    ended_s = began_s + length_s
    if _overlap(asleep, began_s, ended_s) > 0.5 * length_s:
        return "slept", "a sleep in the start is paid by every restart and every new copy: wait for the event instead"
    used_s = _used(times, ended_s) - _used(times, began_s)
    if times and used_s >= _BUSY * length_s:
        return "computed", "profile the start: work that every start repeats can be done at build time or later"
    return "waited", "it waited for a timer, a lock or an answer"


def _overlap(events: Iterable[Event], began_s: float, ended_s: float) -> float:
    """Return the longest part of a span that one event takes."""
    parts = (min(one.ended_s or one.at_s, ended_s) - max(one.at_s, began_s) for one in events)
    return max(parts, default=0.0)


def _used(times: Sequence[tuple[float, float]], moment: float) -> float:
    """Return the processor seconds used until a moment."""
    return max((used for at, used in times if at <= moment), default=0.0)


def _named(one: Event) -> str:
    names = {
        "open": f"opening {one.what}",
        "resolve": f"looking up {one.what}",
        "connect": f"connecting to {one.what}",
        "query": f"sending {one.what}",
        "listen": f"listening on {one.what}",
        "answer": f"answering {one.what}",
        "sleep": "a sleep",
        "exec": f"starting {one.what}",
        "exit": "its end",
    }
    return names[one.kind]
