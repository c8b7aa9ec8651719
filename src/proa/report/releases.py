"""Earlier shipments of one program in the order they were made."""

from __future__ import annotations

import re
from collections.abc import Iterable

from proa.records.report import Release
from proa.records.shipment import Shipment

MOST_RELEASES = 40
"""The newest that are shown (arbitrary; what a phone can show side by side)."""
_NO_DATE = "1970-01-01T00:00:00Z"
_NUMBER = re.compile(r"(\d+)")
_PRE_RELEASE = re.compile(r"-(?=[0-9A-Za-z])")


def release_of(
    shipment: Shipment, *, digest: str, platform: str, name: str = "", created: str = "", is_this: bool = False
) -> Release | None:
    """Return what one shipment says of one platform's image; None where it has none for it."""
    image = next((one for one in shipment.images if str(one.platform) == platform), None)
    if image is None:
        return None
    trial = image.trial or shipment.trial
    return Release(
        version=shipment.version,
        digest=digest,
        name=name or shipment.reference.partition("@")[0],
        created="" if created == _NO_DATE else created,
        compressed_bytes=image.compressed_bytes,
        unpacked_bytes=image.unpacked_bytes,
        binary_bytes=image.binary.bytes if image.binary else None,
        ready_s=trial.ready_s if trial else None,
        rss_bytes=trial.rss_bytes if trial else None,
        verdict=trial.verdict if trial else "",
        is_this=is_this,
    )


def in_order(releases: Iterable[Release]) -> tuple[Release, ...]:
    """Return each image once, the oldest first, at most the newest forty; this one always.

    By date where all have one, which is a commit's; else by version: an image without a date says nothing of its age.

    >>> made = [Release(version=version, digest=version, compressed_bytes=1) for version in ("v1.10.0", "v1.9.0")]
    >>> [one.version for one in in_order([*made, *made])]
    ['v1.9.0', 'v1.10.0']
    """
    once: dict[str, Release] = {}
    for one in releases:
        known = once.get(one.digest)
        # Of several records of one image the one that was tried says more.
        if known is None or (known.ready_s is None and one.ready_s is not None) or (one.is_this and not known.is_this):
            once[one.digest] = one
    by_date = all(one.created for one in once.values())
    ordered = sorted(once.values(), key=lambda one: (one.created if by_date else "", version_key(one.version)))
    newest = ordered[-MOST_RELEASES:]
    this = [one for one in ordered[:-MOST_RELEASES] if one.is_this]
    return (*this, *newest[len(this) :])


def version_key(version: str) -> tuple[bool, list[tuple[int, str]], bool, str]:
    """Return what sorts versions: numbers as numbers, what has none first, a pre-release before its release.

    >>> sorted(["v1.2.0", "v1.2.0-rc.1", "v1.10.0", "", "dev"], key=version_key)
    ['', 'dev', 'v1.2.0-rc.1', 'v1.2.0', 'v1.10.0']
    """
    core, *pre = _PRE_RELEASE.split(version.partition("+")[0], maxsplit=1)
    parts = [(int(part[:18]), "") if part.isdigit() else (0, part) for part in _NUMBER.split(core) if part]
    return any(part.isdigit() for part in _NUMBER.split(core)), parts, not pre, "".join(pre)
