"""Where a fact came from, and what it decides later: what ``proa analyze --explain FACT`` prints."""

from __future__ import annotations

import msgspec

from proa.records.evidence import Evidence


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One fact of an analysis."""

    fact: str
    """Its whole name: ``environment.node``, ``variables.DATABASE_URL``, ``ports.8080``, ``image.ports``."""
    value: str = ""
    """In one line; never a secret's."""
    where: tuple[Evidence, ...] = ()
    origin: str = ""
    """Of a setting: ``proa.yaml:4``, ``--port``, ``default``."""
    decides: tuple[str, ...] = ()
    """What later stages do with it, one each; empty: it is for people."""
