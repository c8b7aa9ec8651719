"""Why something is in a program or an image, and what leaving it out would save: what ``proa why`` prints."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Evidence, Finding

Subject = Literal["module", "package", "symbol", "file"]
GraphSource = Literal["source", "binary", "record"]
"""``source``: the import graph of the program's source and the references of its link · ``binary``: references read
from the linked program alone · ``record``: what was written down when the image was made, and its history."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an image and what put it there."""

    layer: str
    """Digest of the layer that stores it."""
    instruction: str = ""
    """The history's step that made the layer."""
    rule: str = ""
    """Of proa's own images: which rule kept or made it (``program``, ``certificates``, ``traced`` …)."""
    reason: str = ""
    """Of proa's own images: the reason in one line, with its evidence."""
    package: str = ""
    """The system package that owns it (Debian, Alpine), where the image says so."""
    needed_by: tuple[str, ...] = ()
    """Files of the image that need it by their headers (libraries, loaders, interpreters), sorted."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """One name and the reason it is there."""

    schema: Literal["proa/why/v1"] = "proa/why/v1"
    target: str
    """The image or program, as it was asked for."""
    name: str
    """What the question was taken to mean: an import path, a symbol, an absolute path in the image."""
    subject: Subject
    known_by: GraphSource
    chain: tuple[str, ...] = ()
    """The shortest way from main to it, both included: packages by imports, or by references without the source.
    Of a file in an image: from what is started to it."""
    references: tuple[str, ...] = ()
    """The shortest way from main's entry to it by symbols, each of which refers to the next."""
    importers: tuple[str, ...] = ()
    """The packages that import it directly, sorted."""
    dominator: str = ""
    """The nearest package that every way from main to it passes; ``main``'s own path where that is the only one."""
    bytes: int = 0
    """Its own, as ``proa inspect`` attributes them."""
    exclusive_bytes: int | None = 0
    """What the program's file would lose without it: its own and what only it needs; None where that is not known."""
    shared_bytes: int | None = 0
    """What it needs as well and others need too; None where that is not known."""
    verified_bytes: int | None = None
    """What a rebuild without it really lost; None where nothing was rebuilt."""
    exclusive: tuple[tuple[str, int], ...] = ()
    """The packages that would shrink or go, with their bytes, the largest first."""
    evidence: tuple[Evidence, ...] = ()
    """The import statements along the chain."""
    placed: Placed | None = None
    findings: tuple[Finding, ...] = ()
