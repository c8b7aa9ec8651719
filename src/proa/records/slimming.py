"""A slimmed image: what was kept and why, what was left out, and the runs that showed it: what ``proa slim`` prints."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.trial import Trial

KeepRule = Literal[
    "entrypoint", "loader", "library", "interpreter", "module", "configuration", "certificates", "zones", "users",
    "application", "reference", "link", "traced", "asked", "metadata", "license", "unsure",
]  # fmt: skip
"""``application``: a folder the image's author put there · ``reference``: a path that a kept file names ·
``link``: on the way of a symbolic link · ``traced``: a run touched it · ``asked``: ``--keep`` ·
``unsure``: nothing proves that it is not needed."""


class Seed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is needed for a reason found elsewhere: by a traced run, or because the user says so."""

    path: str
    """Absolute in the image."""
    rule: KeepRule
    because: str
    """One line: ``run 'probe' opened it``."""


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A file, link, folder or device that stays."""

    path: str
    """Absolute in the image."""
    bytes: int = 0
    rule: KeepRule
    because: str
    """What needs it: a path of the image, the configuration's field, a run."""


class LeftOutGroup(msgspec.Struct, frozen=True, kw_only=True):
    """What was left out, by the name it can be brought back with: ``--keep NAME``."""

    name: str
    """A system package (``debian:perl-base``, ``apk:busybox``) or a folder."""
    files: int
    bytes: int
    paths: tuple[str, ...] = ()
    """The first five, the largest first; all of them are in the record beside the image."""


class SlimRun(msgspec.Struct, frozen=True, kw_only=True):
    """One traced run of the original image."""

    name: str
    """``probe``, or the user's test command."""
    verdict: str
    touched: int
    """How many files of the image it touched."""
    requests: int = 0


class Slimming(msgspec.Struct, frozen=True, kw_only=True):
    """One image made small."""

    schema: Literal["proa/slimming/v1"] = "proa/slimming/v1"
    source: str
    """As it was asked for."""
    source_digest: str
    reference: str
    """What stdout prints."""
    digest: str
    """Of the new manifest."""
    platform: Platform
    before_bytes: int
    """Compressed layers of the original."""
    after_bytes: int
    before_unpacked_bytes: int
    """Contents that the original image shows."""
    after_unpacked_bytes: int
    kept_files: int
    left_out_files: int
    kept: tuple[Kept, ...] = ()
    """The 200 largest in what is printed; all in the record beside the image."""
    left_out: tuple[LeftOutGroup, ...] = ()
    """The largest first."""
    runs: tuple[SlimRun, ...] = ()
    before: Trial | None = None
    after: Trial | None = None
    findings: tuple[Finding, ...] = ()
