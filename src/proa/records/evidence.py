"""Why proa believes something: a place in the program, and what the program needs because of it."""

from __future__ import annotations

from typing import Literal

import msgspec


class Evidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One place in a program: what it names and where it stands."""

    package: str = ""
    symbol: str = ""
    file: str = ""
    """Relative to the project, or ``module@version/file`` for a dependency."""
    line: int = 0

    def __str__(self) -> str:
        """Return ``symbol (file:line)`` with what is known of it.

        >>> str(Evidence(symbol="main.fetch", file="main.go", line=12))
        'main.fetch (main.go:12)'
        """
        place = f"{self.file}:{self.line}" if self.line else self.file
        name = self.symbol or self.package
        return f"{name} ({place})" if name and place else name or place


NeedKind = Literal["certificates", "zones", "users", "tmp", "mime", "program", "file", "libc"]


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """Something the program needs at run time, and the call path from main that shows it."""

    kind: NeedKind
    what: str = ""
    """The zone's, program's or file's name, a further place where certificates are looked for; empty where the kind
    says it all (and for all zones)."""
    reason: str
    """One line for people: ``main.fetch calls net/http.(*Client).Do (main.go:12)``."""
    evidence: tuple[Evidence, ...] = ()
    """From main to the use, in calling order."""


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that looks needed and is not, with the reason it was left out."""

    kind: NeedKind
    reason: str


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a program needs at run time beside itself."""

    needs: tuple[Need, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def of(self, kind: NeedKind) -> tuple[Need, ...]:
        """Return the needs of one kind, in the order they were found."""
        return tuple(need for need in self.needs if need.kind == kind)


Severity = Literal["info", "warning", "error"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth telling the user that stops nothing by itself."""

    id: str
    """Stable and dotted by stage: ``analyze.untidy``, ``pack.program-missing``."""
    severity: Severity = "warning"
    message: str
    hint: str = ""
    evidence: tuple[Evidence, ...] = ()
