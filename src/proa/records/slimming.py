"""A slimmed image: what was kept and why, what was left out, and the runs that showed it: what ``proa slim`` prints."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from proa.errors import HostileArchive, WrongUsage
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


class RuleSum(msgspec.Struct, frozen=True, kw_only=True):
    """All that stays for one kind of reason."""

    rule: KeepRule
    files: int
    bytes: int


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
    rules: tuple[RuleSum, ...] = ()
    """All that is kept, by rule; the largest first."""
    left_out: tuple[LeftOutGroup, ...] = ()
    """The largest first."""
    runs: tuple[SlimRun, ...] = ()
    before: Trial | None = None
    after: Trial | None = None
    findings: tuple[Finding, ...] = ()


SLIMMING = "application/vnd.proa.slimming.v1+json"
"""Type of the artifact beside a slimmed image (its referrer), and of its one layer: this record as JSON within gzip,
with every path that was kept and, in its group, every path that was left out."""


def encode_slimming(slimming: Slimming) -> bytes:
    """Return what ``--format json`` prints; the platform is written ``os/architecture``."""
    return msgspec.json.format(msgspec.json.encode(_document(slimming)), indent=2) + b"\n"


def pack_slimming(slimming: Slimming) -> bytes:
    """Return the whole record as it is kept beside the image."""
    import gzip

    return gzip.compress(msgspec.json.encode(_document(slimming)), mtime=0)


def unpack_slimming(content: bytes, *, most_bytes: int = 256 << 20) -> Slimming:
    """Return the record that is kept beside an image, plain or within gzip; a million paths are 200 MB.

    Raises HostileArchive for anything else.
    """
    import zlib

    if content[:2] == b"\x1f\x8b":
        inflate = zlib.decompressobj(wbits=31)
        try:
            content = inflate.decompress(content, most_bytes)
        except zlib.error as error:
            raise HostileArchive(f"the record beside the image is no gzip stream: {error}") from error
        if not inflate.eof:
            raise HostileArchive("the record beside the image is cut short, or larger than any honest one")
    try:
        document = msgspec.json.decode(content, type=dict[str, Any])
        document["platform"] = msgspec.to_builtins(Platform.parse(str(document.get("platform"))))
        return msgspec.convert(document, Slimming)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, WrongUsage) as error:
        raise HostileArchive(f"the record beside the image cannot be read: {error}") from error


def _document(slimming: Slimming) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(slimming)
    written["platform"] = str(slimming.platform)
    return written
