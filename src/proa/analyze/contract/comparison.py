"""What deployment files set, against what the program reads: set, missing, unused, misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable

from proa.analyze.contract.deployments import Assignment, Unit
from proa.analyze.contract.reading import is_secret_name
from proa.records.contract import Setting, SettingState, Variable
from proa.records.evidence import Evidence, Finding

_ELSEWHERE = re.compile(
    r"PATH|HOME|USER|TZ|LANG|LC_.*|TERM|HOSTNAME|SHELL|TMPDIR|NODE_.*|NPM_.*|npm_.*|YARN_.*|PNPM_.*|PYTHON.*|PIP_.*|UV_.*|POETRY_.*"
    r"|VIRTUAL_ENV|JAVA_.*|JDK_.*|_JAVA_OPTIONS|MAVEN_.*|GRADLE_.*|SPRING_.*|SERVER_PORT|QUARKUS_.*|MICRONAUT_.*|GO.*|CGO_.*|RUST_.*"
    r"|CARGO_.*|OTEL_.*|AWS_.*|AZURE_.*|GOOGLE_.*|GCLOUD_.*|(?:HTTPS?|NO|ALL|FTP)_PROXY|(?:https?|no|all)_proxy|SSL_CERT_.*"
    r"|CURL_CA_BUNDLE|REQUESTS_CA_BUNDLE|DEBIAN_FRONTEND|DJANGO_SETTINGS_MODULE|FLASK_.*|UVICORN_.*|GUNICORN_.*|WEB_CONCURRENCY"
    r"|CELERY_.*|MALLOC_.*|LD_.*|GIT_.*|DOCKER_.*|COMPOSE_.*|KUBERNETES_.*|POD_.*|NAMESPACE|CI|DEBUG|FORCE_COLOR|NO_COLOR"
    r"|PG[A-Z]+|NEXT_.*|VITE_.*|NUXT_.*|TINI_.*|S6_.*|PUID|PGID|UMASK"
)
"""What run times, platforms and libraries read by themselves: never unused."""
_LEAST = 5
"""Shorter names are too alike by chance (arbitrary)."""


def compared(variables: Iterable[Variable], units: Iterable[Unit]) -> tuple[tuple[Setting, ...], tuple[Finding, ...]]:
    """Return every setting with its state, and what is worth telling; without a contract there is nothing to say."""
    read = names_read(variables)
    if not read:
        return (), ()
    places: dict[tuple[str, SettingState, str], set[tuple[str, int]]] = {}
    findings: list[Finding] = []
    for unit in units:
        if not is_own(unit, read):
            continue
        for name, state, meant, where in _states(unit, read):
            places.setdefault((name, state, meant), set()).add((where.file, where.line))
            if state == "misspelt":
                findings.append(_misspelt(name, meant, where))
        findings += _told(unit, read)
    settings = tuple(
        Setting(
            name=name, state=state, meant=meant,
            where=tuple(Evidence(file=file, line=line) for file, line in sorted(found)),
        )
        for (name, state, meant), found in sorted(places.items())
    )  # fmt: skip
    return settings, tuple(findings)


def names_read(variables: Iterable[Variable]) -> dict[str, Variable]:
    """Return the environment variables that are read, by each of their names."""
    found: dict[str, Variable] = {}
    for one in variables:
        if one.kind == "environment":
            found[one.name] = one
    for one in tuple(variables):
        for alias in one.aliases:
            if re.fullmatch(r"[A-Z][A-Z0-9_]*", alias):
                found.setdefault(alias, found.get(one.name, one))
    return found


def is_own(unit: Unit, read: dict[str, Variable]) -> bool:
    """Say whether a unit starts the project's program: it is built from here, or sets what the program reads."""
    if unit.is_own:
        return True
    names = {one.name for one in unit.sets}
    return any(name in read or _meant(name, read, names) for name in names)


def _states(unit: Unit, read: dict[str, Variable]) -> list[tuple[str, SettingState, str, Evidence]]:
    names = {one.name for one in unit.sets}
    found: list[tuple[str, SettingState, str, Evidence]] = []
    for one in unit.sets:
        if one.name in read or _file_of(one.name, read):
            found.append((one.name, "set", "", one.place()))
        elif meant := _meant(one.name, read, names):
            found.append((one.name, "misspelt", meant, one.place()))
        elif not _ELSEWHERE.fullmatch(one.name) and not unit.is_shared:
            found.append((one.name, "unused", "", one.place()))
    found += [(one.name, "missing", "", Evidence(file=unit.file, line=unit.line)) for one in missing(unit, read)]
    return found


def missing(unit: Unit, read: dict[str, Variable]) -> list[Variable]:
    """Return what has no default and is not set in a unit; nothing where more may be set elsewhere."""
    if unit.is_open:
        return []
    names = {one.name for one in unit.sets}
    meant = {_meant(name, read, names) for name in names}
    return [
        one
        for name, one in sorted(read.items())
        if name == one.name
        and one.kind == "environment"
        and not one.default
        and (one.is_required or one.type != "boolean")
        and not names & {one.name, f"{one.name}_FILE", *one.aliases}
        and name not in meant
        and not _ELSEWHERE.fullmatch(name)
        and not one.by.endswith("env!")
    ]


def _file_of(name: str, read: dict[str, Variable]) -> bool:
    """Say whether a name is ``NAME_FILE`` of something read: where a secret's file is."""
    return name.endswith("_FILE") and name.removesuffix("_FILE") in read


def _meant(name: str, read: dict[str, Variable], names: set[str]) -> str:
    """Return the variable that a name is like, where that one is not set as well; empty for none.

    >>> one = {"DATABASE_URL": Variable(name="DATABASE_URL"), "PORT": Variable(name="PORT")}
    >>> _meant("DATABSE_URL", one, set()), _meant("DATABASE_URI", one, set()), _meant("HOST", one, set())
    ('DATABASE_URL', 'DATABASE_URL', '')
    """
    if len(name) < _LEAST or name in read or _ELSEWHERE.fullmatch(name):
        return ""
    near = [
        (distance, other)
        for other in read
        if other not in names and (distance := _distance(name, other)) <= (1 if len(name) < 8 else 2)
    ]
    return min(near)[1] if near else ""


def _distance(one: str, other: str) -> int:
    """Return how many letters were left out, added, changed or swapped; 9 for more than two, or only digits.

    >>> _distance("DATABSE_URL", "DATABASE_URL"), _distance("PROT", "PORT"), _distance("KEY_1", "KEY_2")
    (1, 1, 9)
    """
    if abs(len(one) - len(other)) > 2 or re.sub(r"\d", "", one) == re.sub(r"\d", "", other):
        return 9
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, left in enumerate(one, start=1):
        older, before, row = before, row, [at]
        for to, right in enumerate(other, start=1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (left != right))
            if at > 1 and to > 1 and left == other[to - 2] and one[at - 2] == right:
                cost = min(cost, older[to - 2] + 1)
            row.append(cost)
        if min(row) > 2:
            return 9
    return row[-1] if row[-1] <= 2 else 9


def _misspelt(name: str, meant: str, where: Evidence) -> Finding:
    return Finding(
        id="analyze.variable-misspelt",
        message=f"{where.file} sets {name}, which nothing reads; {meant} is read",
        hint=f"rename it to {meant}",
        evidence=(where,),
    )


def _told(unit: Unit, read: dict[str, Variable]) -> list[Finding]:
    at = Evidence(file=unit.file, line=unit.line)
    where = f"{unit.file}{f', {unit.name},' if unit.name else ''}"
    lacks = missing(unit, read)
    found = [
        Finding(
            id="analyze.variable-missing",
            message=f"{where} does not set {one.name}, which the program needs",
            hint="set it there" + (", from a secret" if one.is_secret or is_secret_name(one.name) else ""),
            evidence=(at, *one.where[:1]),
        )
        for one in lacks
        if one.is_required
    ]
    others = [one.name for one in lacks if not one.is_required]
    if others:
        more = f" and {len(others) - 8} more" if len(others) > 8 else ""
        found.append(
            Finding(
                id="analyze.variable-without-value",
                severity="info",
                message=f"{where} leaves {', '.join(others[:8])}{more} without a value",
                hint="they have no default in the source",
                evidence=(at,),
            )
        )
    unused: list[Assignment] = [
        one
        for one in unit.sets
        if any(one.name == name and state == "unused" for name, state, _, _ in _states(unit, read))
    ]
    if unused:
        names = sorted({one.name for one in unused})
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        found.append(
            Finding(
                id="analyze.variable-unused",
                severity="info",
                message=f"{where} sets {', '.join(names[:8])}{more}, which nothing in the source reads",
                hint="remove what is left over; libraries may read some by themselves",
                evidence=tuple(one.place() for one in unused[:8]),
            )
        )
    return found
