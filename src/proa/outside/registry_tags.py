"""Which images of a repository were published last, as far as its tags tell."""

from __future__ import annotations

import re
from collections.abc import Sequence

from proa.errors import ImageMissing
from proa.outside.access import Access
from proa.outside.places import list_tags
from proa.outside.registry import pull_manifest
from proa.outside.registry_http import Session
from proa.records.reference import Name

_CREATED = "org.opencontainers.image.created"
_VERSION = re.compile(r"v?(\d{1,9}(?:\.\d{1,9}){0,3})(?:-([0-9A-Za-z.-]+))?(?:\+.*)?")
_MOST_ASKED = 20
"""Of tags that are no versions; each takes a request (arbitrary)."""


def newest_tag(name: Name, *, access: Access) -> str:
    """Return a repository's newest tag whose image is there; empty where it has none.

    The highest version, a release before its candidates; else ``latest``; else the one whose image is the youngest.
    Raises ImageMissing (no such repository), RegistryRefused, RegistryUnreachable.
    """
    with Session(name.registry, name.path, access=access, scopes=(f"repository:{name.path}:pull",)) as session:
        tags = list_tags(session)
        for tag in versions_first(tags):
            if _created(session, tag) is not None:
                return tag
        dated = [(made, tag) for tag in sorted(tags)[-_MOST_ASKED:] if (made := _created(session, tag)) is not None]
    return max(dated)[1] if dated else ""


def versions_first(tags: Sequence[str]) -> list[str]:
    """Return the tags that are versions, the highest first, then ``latest``.

    >>> versions_first(["v1.9.0", "latest", "v1.10.0-rc1", "main", "v1.10.0"])
    ['v1.10.0', 'v1.9.0', 'v1.10.0-rc1', 'latest']
    """
    found = [(match, tag) for tag in tags if (match := _VERSION.fullmatch(tag))]
    ordered = sorted(found, key=lambda one: (_numbers(one[0]), one[1]), reverse=True)
    releases = [tag for match, tag in ordered if not match[2]]
    candidates = [tag for match, tag in ordered if match[2]]
    return [*releases, *candidates, *(["latest"] if "latest" in tags else [])]


def _numbers(match: re.Match[str]) -> tuple[list[int], list[int]]:
    return [int(part) for part in match[1].split(".")], [int(part) for part in re.findall(r"\d{1,9}", match[2] or "")]


def _created(session: Session, tag: str) -> str | None:
    """Return when an image says it was made, empty where it does not; None where there is none under the tag."""
    try:
        document = pull_manifest(session, tag).document
    except ImageMissing:
        return None
    return (document.annotations or {}).get(_CREATED, "")
