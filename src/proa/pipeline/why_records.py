"""What was written down beside an image when proa made it: in the local store, or in the place where the image is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

import msgspec

from proa import publish
from proa.errors import ProaError
from proa.outside.places import has_referrers, open_place
from proa.pipeline.plan import Bench
from proa.records.oci import MANIFEST, Descriptor, Manifest
from proa.records.reference import Reference
from proa.records.slimming import SLIMMING, Slimming, unpack_slimming

_MOST_BYTES = 64 << 20
"""Of one record; that of an image of 100,000 files has 2 MB."""


class _File(msgspec.Struct):
    path: str = ""
    reason: str = ""


class _Layer(msgspec.Struct):
    holds: str = ""
    files: list[_File] = []


class _Image(msgspec.Struct):
    layers: list[_Layer] = []


class _Shipment(msgspec.Struct):
    images: list[_Image] = []


def noted_of(paths: Sequence[str], reference: Reference, digest: str, bench: Bench) -> tuple[str, str]:
    """Return the rule that put a file there and the reason, by any of its paths; empty where nothing is noted."""
    for slimming in _slimmings(reference, digest, bench):
        for kept in slimming.kept:
            if kept.path in paths:
                return kept.rule, kept.because
    for content in _documents(publish.SHIPMENT, reference, digest, bench):
        with suppress(msgspec.MsgspecError):
            for image in msgspec.json.decode(content, type=_Shipment).images:
                for layer in image.layers:
                    for file in layer.files:
                        if file.path in paths:
                            return layer.holds, file.reason
    return "", ""


def left_out(path: str, reference: Reference, digest: str, bench: Bench) -> bool:
    """Say whether `proa slim` left a path out when it made an image."""
    return any(path in group.paths for slimming in _slimmings(reference, digest, bench) for group in slimming.left_out)


def _slimmings(reference: Reference, digest: str, bench: Bench) -> Iterator[Slimming]:
    for content in _documents(SLIMMING, reference, digest, bench):
        with suppress(ProaError):
            yield unpack_slimming(content)


def _documents(kind: str, reference: Reference, digest: str, bench: Bench) -> Iterator[bytes]:
    """Yield the records of a kind; where they cannot be had, none: a reason is worth having, not failing for."""
    subject = Descriptor(media_type=MANIFEST, digest=digest, size=0)
    found: list[bytes] = []
    with suppress(ProaError, OSError, msgspec.MsgspecError):
        found = [content for _, content in publish.attached(subject, kind, store=bench.store)]
    if not found and has_referrers(reference) and reference.transport != "store":
        with suppress(ProaError, OSError, msgspec.MsgspecError):
            found = list(_elsewhere(kind, reference, digest, bench))
    yield from found


def _elsewhere(kind: str, reference: Reference, digest: str, bench: Bench) -> Iterator[bytes]:
    with open_place(reference, is_whole=False, store=bench.store, access=bench.access) as place:
        for referrer in place.referrers(digest):
            if referrer.artifact_type != kind:
                continue
            for layer in msgspec.json.decode(place.content(referrer), type=Manifest).layers:
                if layer.size <= _MOST_BYTES:
                    place.take(layer)
                    yield bench.store.read_blob(layer.digest)
