"""What is known of an image, or was measured of variants, put together: what ``proa report`` writes."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.comparison import Comparison
from proa.records.evidence import Finding, LeftOut
from proa.records.image import ImageFile
from proa.records.image_anatomy import ImageAnatomy
from proa.records.trial import Trial

StepKind = Literal["start", "question", "need", "unneeded", "end"]


class DecisionStep(msgspec.Struct, frozen=True, kw_only=True):
    """One place on the way from the program to its base."""

    kind: StepKind
    title: str
    """``Does it need a loader?``, ``certificates``."""
    answer: str = ""
    """``no``; empty where nothing was asked."""
    because: str = ""
    """The evidence in one line."""
    path: tuple[str, ...] = ()
    """From main to the use, in calling order."""
    instead: str = ""
    """The way that was not taken: ``yes: the loader and its libraries would go along``."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Why this base, and why each file."""

    base: str
    base_digest: str = ""
    reason: str = ""
    steps: tuple[DecisionStep, ...] = ()
    files: tuple[ImageFile, ...] = ()
    """Those that were put onto the base."""
    left_out: tuple[LeftOut, ...] = ()


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """One module of the program's own build information."""

    path: str
    version: str = ""
    replacement: str = ""
    bytes: int = 0
    """What its packages take in the program; 0 where nothing of it was linked."""
    is_main: bool = False


class SystemPackage(msgspec.Struct, frozen=True, kw_only=True):
    """One package of the image's distribution."""

    name: str
    version: str = ""


class SourcedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that proa made itself, and what it was made from."""

    path: str
    source: str


class Bill(msgspec.Struct, frozen=True, kw_only=True):
    """What the image is made of, in short."""

    language: str = ""
    """``Go 1.26.8``."""
    modules: tuple[Module, ...] = ()
    """The program's own first, then by path."""
    system_packages: tuple[SystemPackage, ...] = ()
    system_files: tuple[SourcedFile, ...] = ()
    notes: tuple[str, ...] = ()
    """What could not be read, and so is not in here."""


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One shipment of the same program."""

    version: str = ""
    digest: str
    name: str = ""
    """Where it went, or the tag that leads to it."""
    created: str = ""
    """What the image says of its age; empty where it says nothing."""
    compressed_bytes: int
    unpacked_bytes: int = 0
    binary_bytes: int | None = None
    ready_s: float | None = None
    """Of one trial run: far less sure than what `proa compare` measures."""
    rss_bytes: int | None = None
    verdict: str = ""
    is_this: bool = False


class ImageReport(msgspec.Struct, frozen=True, kw_only=True):
    """One image."""

    reference: str
    digest: str
    platform: str
    program: str = ""
    """The main package's import path; empty where proa did not ship it."""
    version: str = ""
    source: str = ""
    """Where it says it comes from, with the revision."""
    created: str = ""
    user: str = ""
    """As the image says; empty is root."""
    start: tuple[str, ...] = ()
    """Entrypoint and command."""
    compressed_bytes: int
    unpacked_bytes: int
    is_shipped: bool = False
    """Whether a record of `proa ship` is kept beside it."""
    decision: Decision | None = None
    trial: Trial | None = None
    anatomy: ImageAnatomy
    binary: BinaryAnatomy | None = None
    """The program it starts, without its symbols."""
    bill: Bill = Bill()
    findings: tuple[Finding, ...] = ()
    history: tuple[Release, ...] = ()
    """Oldest first, this one with them."""
    history_places: tuple[str, ...] = ()
    """Where was looked for earlier ones."""
    unknown: tuple[str, ...] = ()
    """What is not known of it, and why."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """An image, a comparison, or both."""

    schema: Literal["proa/report/v1"] = "proa/report/v1"
    made_at: str
    """RFC 3339, UTC."""
    image: ImageReport | None = None
    comparison: Comparison | None = None


def encode_report(report: Report) -> bytes:
    """Return what ``--format json`` prints: the record, platforms written ``os/architecture``."""
    written: dict[str, Any] = msgspec.to_builtins(report)
    if report.image is not None:
        written["image"]["anatomy"]["platform"] = report.image.platform
    return msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"
