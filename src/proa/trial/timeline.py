"""The steps of a start, from what a trace shows. Judgement only.

Hundreds of files and connections become a few steps: what belongs together is one, with its first and last moment.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from proa.outside.inittrace import PackageInit
from proa.outside.start_trace import Event, Seen
from proa.records.startup import Step, StepKind

_MOST_STEPS = 400
_MOST_MISSES = 12
_SHOWN_INIT_S, _SHOWN_INIT_BYTES, _MOST_INITS = 20e-6, 64 << 10, 60
"""Packages that took or allocated less are told as one (arbitrary; most of several hundred take nothing)."""

_CODE = re.compile(r"\.(?:m?js|cjs|ts|node|pyc?|pyi|so(?:\.[0-9.]+)?|jar|jmod|class|rb|wasm)$")
_PACKAGES = re.compile(r"^(.*?/(?:node_modules|site-packages|dist-packages))/")
_CONFIGURATION = re.compile(r"\.(?:ya?ml|toml|ini|cfg|conf|properties|json|json5|xml|env|config|hcl)$")
_IN_CONFIGURATION = re.compile(r"(?:^|/)(?:config|conf|configs|configuration|settings)/[^/]+$")
_ENVIRONMENT_FILE = re.compile(r"(?:^|/)\.env(?:\.[\w.-]+)?$|(?:^|/)[\w-]+\.env$|^/proc/(?:self|\d+)/environ$")
_MIGRATIONS = re.compile(r"(?:^|/)(?:migrations?|migrate|alembic|flyway|liquibase|changelog)/")
_NOISE = re.compile(
    r"^/(?:proc|sys|dev)/|^/etc/(?:netsvc\.conf|svc\.conf|userdb/|ld\.so|nsswitch\.conf|host\.conf|hosts|resolv\.conf|gai\.conf|localtime|timezone"
    r"|passwd|group|services|protocols|mime\.types|ssl/|pki/|java|alternatives/|fonts/|os-release|debian_version)"
    r"|/(?:package(?:-lock)?\.json|tsconfig\.json|pyvenv\.cfg|openssl\.cnf|\.npmrc|jvm\.cfg|\.pnp\.c?js(?:on)?)$"
    r"|/locale(?:-archive|/|\.alias)|/gconv|/zoneinfo|/terminfo/|\.dist-info/|\._pth$|/python[\d.]*\.zip$"
)


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the trace."""

    command: str
    folder: str = "/"
    """The project's, or the image's root: paths below it are shown relative."""
    variables: tuple[str, ...] = ()
    """Names of what was handed over, without those every program gets."""
    services: Mapping[str, str] = {}
    """The variable that names a service, by ``host:port``."""
    hosts: Mapping[str, str] = {}
    """The host name that an address stood for."""
    route: str = ""
    until_s: float | None = None
    """When it was asked to stop; what it did later is not its start."""
    has_ended: bool = False
    """It ended by itself."""
    ready_s: float | None = None
    """As the asker saw it in the same run: for answers that are encrypted."""

    def is_own(self, path: str) -> bool:
        """Say whether a path belongs to the project, not to the system or a package it uses."""
        if self.folder == "/":
            return not path.startswith(("/usr/", "/lib", "/etc/ssl/", "/proc/", "/sys/", "/dev/"))
        return path.startswith(f"{self.folder}/")

    def shown(self, path: str) -> str:
        """Return a path as people know it."""
        return posixpath.relpath(path, self.folder) if self.folder != "/" and self.is_own(path) else path


def steps_of(seen: Seen, view: View, *, inits: tuple[PackageInit, ...] = ()) -> tuple[Step, ...]:
    """Return the steps up to the first good answer, in the order they began."""
    events = list(_within(seen.events, view))
    steps = [Step(step=f"start {view.command}", kind="start", at_s=0.0, what=view.command)]
    steps += _environment(view)
    steps += init_steps(inits)
    steps += _files(events, view)
    steps += _names(events)
    steps += _connections(events, view)
    steps += _changes(events, view)
    steps += _ports(events)
    steps += _answers(events, view)
    if view.has_ended:
        steps += [_ended(one) for one in events if one.kind == "exit"]
    order = {kind: place for place, kind in enumerate(_ORDER)}
    return tuple(sorted(steps, key=lambda step: (step.at_s, order[step.kind])))[:_MOST_STEPS]


_ORDER: tuple[StepKind, ...] = (
    "start", "environment", "initialise", "load", "configuration", "resolve", "connect", "migrate", "listen", "ready",
    "exit",
)  # fmt: skip


def ready_at(events: Iterable[Event], view: View) -> float | None:
    """Return when the first good answer was sent; where answers are encrypted, when the asker had it."""
    return next((one.at_s for one in events if one.kind == "answer" and is_good(one.what)), view.ready_s)


def is_good(status: str) -> bool:
    """Say whether an answer makes a program ready: as the trial judges it."""
    return status != "404" and int(status) < 500


def _within(events: Iterable[Event], view: View) -> Iterator[Event]:
    events = tuple(events)
    ends = [one for one in (ready_at(events, view), view.until_s) if one is not None]
    latest = min(ends, default=float("inf"))
    return (one for one in events if one.at_s <= latest)


def _environment(view: View) -> Iterator[Step]:
    if view.variables:
        count = f"{len(view.variables)} variable{'s' if len(view.variables) > 1 else ''}"
        yield Step(
            step=f"environment handed over: {count}",
            kind="environment",
            at_s=0.0,
            what=", ".join(view.variables[:40]),
            message="when the program looks at each is no system call, and cannot be seen",
        )


def init_steps(inits: tuple[PackageInit, ...]) -> list[Step]:
    """Return the packages of a Go program that took long or allocated much, and all others as one step."""
    shown = [one for one in inits if one.duration_s >= _SHOWN_INIT_S or one.allocated_bytes >= _SHOWN_INIT_BYTES]
    shown = sorted(shown, key=lambda one: (-one.duration_s, -one.allocated_bytes))[:_MOST_INITS]
    steps = [
        Step(
            step=f"initialise {one.package}",
            kind="initialise",
            at_s=one.at_s,
            duration_s=one.duration_s,
            what=one.package,
            allocated_bytes=one.allocated_bytes,
        )
        for one in shown
    ]
    others = [one for one in inits if one not in shown]
    if others:
        steps.append(
            Step(
                step=f"initialise {len(others)} {'other ' if shown else ''}packages",
                kind="initialise",
                at_s=others[0].at_s,
                duration_s=round(sum(one.duration_s for one in others), 9),
                allocated_bytes=sum(one.allocated_bytes for one in others),
            )
        )
    return steps


# Files


class _Group:
    def __init__(self, event: Event) -> None:
        self.first, self.last = event.at_s, event.ended_s or event.at_s
        self.count = 0

    def add(self, event: Event) -> None:
        self.count += 1
        self.last = max(self.last, event.ended_s or event.at_s)


def _files(events: Iterable[Event], view: View) -> Iterator[Step]:
    groups: dict[tuple[StepKind, str], _Group] = {}
    read: dict[str, Event] = {}
    missed: dict[str, Event] = {}
    for one in events:
        if one.kind != "open":
            continue
        kind = _kind_of(one.what, view)
        if kind in ("environment", "configuration"):
            (missed if one.error else read).setdefault(one.what, one)
        elif kind in ("load", "migrate") and not one.error:
            key = (kind, _group_of(one.what, view))
            groups.setdefault(key, _Group(one)).add(one)
    yield from (_read(path, one, view) for path, one in read.items())
    yield from _missing({path: one for path, one in missed.items() if path not in read}, view)
    for (kind, where), group in groups.items():
        yield _grouped(kind, where, group)


def _kind_of(path: str, view: View) -> StepKind | None:
    """Return what opening a file means; None where it is of no interest."""
    if _ENVIRONMENT_FILE.search(path):
        return "environment"
    if _NOISE.search(path):
        return None
    is_own = view.is_own(path) and not _PACKAGES.search(path)
    shown = view.shown(path)
    if is_own and _MIGRATIONS.search(shown):
        return "migrate"
    if is_own and (_IN_CONFIGURATION.search(shown) or (_CONFIGURATION.search(path) and not _CODE.search(path))):
        return "configuration"
    if path.startswith("/etc/"):
        return "configuration"
    return "load" if _CODE.search(path) or _PACKAGES.search(path) else None


def _group_of(path: str, view: View) -> str:
    if found := _PACKAGES.match(path):
        return view.shown(found[1])
    if view.is_own(path):
        where = posixpath.dirname(view.shown(path))
        return "/".join(where.split("/")[:3]) or "."
    return "the system's libraries"


def _read(path: str, one: Event, view: View) -> Step:
    kind: StepKind = "environment" if _ENVIRONMENT_FILE.search(path) else "configuration"
    return Step(step=f"read {view.shown(path)}", kind=kind, at_s=one.at_s, what=view.shown(path))


def _missing(missed: Mapping[str, Event], view: View) -> Iterator[Step]:
    for place, (path, one) in enumerate(missed.items()):
        if place == _MOST_MISSES:
            text = f"look for {len(missed) - place} further files"
            yield Step(step=text, kind="configuration", at_s=one.at_s, has_failed=True, message="not there")
            return
        kind: StepKind = "environment" if _ENVIRONMENT_FILE.search(path) else "configuration"
        yield Step(
            step=f"look for {view.shown(path)}",
            kind=kind,
            at_s=one.at_s,
            what=view.shown(path),
            has_failed=True,
            message=in_words(one.error),
        )


def _grouped(kind: StepKind, where: str, group: _Group) -> Step:
    files = f"{group.count} file{'s' if group.count > 1 else ''}"
    text = f"open migrations in {where} ({files})" if kind == "migrate" else f"load {where} ({files})"
    return Step(step=text, kind=kind, at_s=group.first, duration_s=round(group.last - group.first, 6), what=where)


# Names and neighbours


def _names(events: Iterable[Event]) -> Iterator[Step]:
    """Yield a step for each host name: both kinds of address and every repetition are one."""
    asked: dict[str, list[Event]] = {}
    for one in events:
        if one.kind == "resolve":
            asked.setdefault(one.what, []).append(one)
    for name, found in asked.items():
        ends = [one.ended_s for one in found if one.ended_s is not None]
        duration_s = round(max(ends) - found[0].at_s, 6) if ends else None
        error = next((one.error for one in found if one.error), "")
        yield Step(
            step=f"look up {name}",
            kind="resolve",
            at_s=found[0].at_s,
            duration_s=duration_s,
            what=name,
            has_failed=bool(error),
            message=in_words(error),
        )


def named_address(address: str, view: View) -> str:
    """Return an address with the host name the program asked for."""
    host, _, port = address.rpartition(":")
    name = view.hosts.get(host.strip("[]"))
    return f"{name}:{port}" if name else address


def service_of(address: str, view: View) -> str:
    """Return the variable that names the service at an address; empty where none does."""
    return view.services.get(address) or view.services.get(named_address(address, view), "")


def _connections(events: Iterable[Event], view: View) -> Iterator[Step]:
    """Yield the first connection to each service, and all further ones of the same outcome as one step."""
    runs: list[list[Event]] = []
    current: dict[str, list[Event]] = {}
    for one in events:
        if one.kind != "connect" or (one.error == "ENOENT" and one.what.startswith("unix:")):
            continue
        run = current.get(one.what)
        if run is None or bool(run[-1].error) != bool(one.error):
            current[one.what] = run = []
            runs.append(run)
        run.append(one)
    seen: set[str] = set()
    for run in runs:
        yield _connection(run[0], view)
        if len(run) > 1:
            yield _further(run[1:], view)
        seen.add(run[0].what)


def _target(one: Event, view: View) -> str:
    address, service = named_address(one.what, view), service_of(one.what, view)
    return f"{service} ({address})" if service else address


def _connection(one: Event, view: View) -> Step:
    return Step(
        step=f"connect to {_target(one, view)}",
        kind="connect",
        at_s=one.at_s,
        duration_s=_length(one.at_s, one.ended_s),
        what=named_address(one.what, view),
        has_failed=bool(one.error),
        message=in_words(one.error),
    )


def _further(run: list[Event], view: View) -> Step:
    error = run[-1].error
    count = f"{len(run)} further {'attempt' if error else 'connection'}{'s' if len(run) > 1 else ''}"
    last = max(one.ended_s or one.at_s for one in run)
    return Step(
        step=f"{count} to {_target(run[0], view)}",
        kind="connect",
        at_s=run[0].at_s,
        duration_s=_length(run[0].at_s, last),
        what=named_address(run[0].what, view),
        has_failed=bool(error),
        message=in_words(error),
    )


def _changes(events: Iterable[Event], view: View) -> Iterator[Step]:
    """Yield one step for all changes of tables that were sent to one service."""
    sent: dict[str, list[Event]] = {}
    for one in events:
        if one.kind == "query":
            sent.setdefault(one.peer, []).append(one)
    for peer, found in sent.items():
        names = list(dict.fromkeys(one.what for one in found))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        target = service_of(peer, view) or named_address(peer, view)
        yield Step(
            step=f"change {target}: {shown}",
            kind="migrate",
            at_s=found[0].at_s,
            duration_s=_length(found[0].at_s, found[-1].ended_s or found[-1].at_s),
            what=", ".join(names[:40]),
        )


def _ports(events: Iterable[Event]) -> Iterator[Step]:
    for one in events:
        if one.kind == "listen":
            address = one.what or "a port"
            yield Step(
                step=f"listen on {address}",
                kind="listen",
                at_s=one.at_s,
                what=address,
                has_failed=bool(one.error),
                message=in_words(one.error),
            )


def _answers(events: list[Event], view: View) -> Iterator[Step]:
    answers = [one for one in events if one.kind == "answer"]
    has_good = any(is_good(one.what) for one in answers)
    # Which routes there are is found out by asking: a 404 before a good answer says nothing of the start.
    bad = [one for one in answers if not is_good(one.what) and not (has_good and one.what == "404")]
    route = f"GET {view.route}" if view.route else "HTTP"
    for status in dict.fromkeys(one.what for one in bad):
        found = [one for one in bad if one.what == status]
        times = f" {len(found)} times" if len(found) > 1 else ""
        text = f"answered {status}{times}"
        length = _length(found[0].at_s, found[-1].at_s) if len(found) > 1 else None
        yield Step(step=text, kind="ready", at_s=found[0].at_s, duration_s=length, what=status, has_failed=True)
    good = next((one for one in answers if is_good(one.what)), None)
    if good:
        yield Step(step=f"{route} answered {good.what}", kind="ready", at_s=good.at_s, what=view.route)
    elif view.ready_s is not None:
        yield Step(step=f"{route} answered", kind="ready", at_s=round(view.ready_s, 6), what=view.route)


def _ended(one: Event) -> Step:
    has_failed = one.what != "0"
    return Step(step=f"ended with {one.what}", kind="exit", at_s=one.at_s, what=one.what, has_failed=has_failed)


def _length(began_s: float, ended_s: float | None) -> float | None:
    return None if ended_s is None else round(max(0.0, ended_s - began_s), 6)


def in_words(error: str) -> str:
    """Return an error as people say it.

    >>> in_words("ECONNREFUSED"), in_words("given up"), in_words("")
    ('connection refused (ECONNREFUSED)', 'given up', '')
    """
    number = getattr(errno, error, None) if error.isupper() else None
    return f"{os.strerror(number).lower()} ({error})" if number else error
