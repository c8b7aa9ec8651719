"""The rules of ``data/needs.toml``: which functions of the standard library say that something is needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

import msgspec

from proa.records.evidence import NeedKind


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a use of some functions means and how it is judged."""

    kind: NeedKind
    judge: str
    functions: tuple[str, ...]
    argument: int = -1
    """The argument that decides; -1 where all of them do."""


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...]


@lru_cache(maxsize=1)
def read_rules() -> Mapping[str, tuple[Rule, ...]]:
    """Return the rules by function; a function can have several.

    >>> [rule.kind for rule in read_rules()["time.LoadLocation"]]
    ['zones']
    """
    text = files("proa.analyze").joinpath("data/needs.toml").read_bytes()
    found: dict[str, tuple[Rule, ...]] = {}
    for rule in msgspec.toml.decode(text, type=_Rules).rule:
        for function in rule.functions:
            found[function] = (*found.get(function, ()), rule)
    return found
