"""Gathers what a Go program reads, once for each name, from all the places that read it."""

from __future__ import annotations

import msgspec

from proa.analyze.contract.reading import is_secret_name, masked_default, merged, type_of
from proa.records.contract import InputKind, Variable

_MOST_HELP = 400
_MOST_DEFAULT = 200


class Found:
    """What was found so far."""

    def __init__(self) -> None:
        self._known: list[Variable] = []
        self._required: set[tuple[str, str]] = set()

    def add(self, variable: Variable) -> None:
        """Add one thing as it is read in one place."""
        self._known.append(variable)

    def of(self, kind: InputKind) -> tuple[Variable, ...]:
        """Return what was found of a kind."""
        return tuple(variable for variable in self._known if variable.kind == kind)

    def require(self, kind: InputKind, name: str) -> None:
        """Note that the program refuses to work without something, where it is read at all."""
        self._required.add((kind, name))

    def variables(self) -> tuple[Variable, ...]:
        """Return all, sorted by kind and name, with what names and defaults say of secrets and types."""
        return tuple(finished(one, (one.kind, one.name) in self._required) for one in merged(self._known))


def finished(variable: Variable, is_required: bool = False) -> Variable:
    """Return a variable with what its name and default say; a secret's default is left out.

    >>> finished(Variable(name="DB_PASSWORD", default="hunter2")).default
    ''
    >>> finished(Variable(name="--cert-file", kind="flag", type="text")).type
    'path'
    """
    is_secret = variable.kind != "file" and (variable.is_secret or is_secret_name(variable.name))
    is_secret = is_secret and variable.type not in ("boolean", "path", "integer", "number", "duration")
    kind = variable.type
    if kind in ("unknown", "text"):
        suggested = type_of(variable.name, variable.default)
        if kind == "unknown" or suggested in ("url", "address", "path"):
            kind = suggested
    return msgspec.structs.replace(
        variable,
        type=kind,
        is_required=variable.is_required or is_required,
        is_secret=is_secret,
        default="" if is_secret and "://" not in variable.default else masked_default(variable.default)[:_MOST_DEFAULT],
        help=" ".join(variable.help.split())[:_MOST_HELP],
    )
