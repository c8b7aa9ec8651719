"""What `proa ship` wrote down beside images: the record of one, and those of earlier shipments of the same program."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec

from proa import publish
from proa.errors import ProaError
from proa.outside.manifests import read_document as read_manifest
from proa.outside.places import Place, has_referrers, open_place
from proa.pipeline.plan import Bench
from proa.records.oci import Descriptor, Manifest
from proa.records.reference import Reference
from proa.records.shipment import Shipment, read_document
from proa.report.releases import MOST_RELEASES, version_key

_MOST_BYTES = 16 << 20
_CREATED = "org.opencontainers.image.created"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """One record, and the image it is kept beside."""

    shipment: Shipment
    subject: str
    """Digest of the image or index."""
    name: str = ""
    created: str = ""


def stored_shipments(bench: Bench) -> Iterator[Kept]:
    """Yield every record that the local store has."""
    store = bench.store
    names: dict[str, list[str]] = {}
    for name, descriptor in store.references():
        names.setdefault(descriptor.digest, []).append(name)
    for artifact in store.all_referrers():
        if artifact.artifact_type != publish.SHIPMENT or not store.has_blob(artifact.digest):
            continue
        with suppress(ProaError, OSError, msgspec.MsgspecError):
            manifest = msgspec.json.decode(store.read_blob(artifact.digest), type=Manifest)
            if manifest.subject is None:
                continue
            subject = manifest.subject.digest
            created = _created(store.read_blob(subject)) if store.has_blob(subject) else ""
            for layer in manifest.layers:
                if store.has_blob(layer.digest) and (found := read_document(store.read_blob(layer.digest))):
                    name = (names.get(subject) or [""])[0]
                    yield Kept(shipment=found, subject=subject, name=name, created=created)


def shipments_beside(reference: Reference, bench: Bench) -> list[Kept]:
    """Return the records beside one image in the place where it is; none where it holds none or cannot be asked."""
    if not has_referrers(reference) or reference.transport == "store":
        return []
    with (
        suppress(ProaError, OSError, msgspec.MsgspecError),
        open_place(reference, is_whole=False, store=bench.store, access=bench.access) as place,
    ):
        names = place.names()
        return [kept for name in names for kept in _beside(place, name, place.pointed(name), bench)]
    return []


def shipments_of_repository(reference: Reference, bench: Bench) -> list[Kept]:
    """Return the records beside every image of a registry's repository or a layout, of at most the 40 newest tags.

    Raises RegistryRefused, RegistryUnreachable, ImageMissing and others.
    """
    whole = msgspec.structs.replace(
        reference, name=msgspec.structs.replace(reference.name, tag="", digest="") if reference.name else None
    )
    with open_place(whole, is_whole=True, store=bench.store, access=bench.access) as place:
        newest = sorted(place.names(), key=version_key, reverse=True)[:MOST_RELEASES]

        def asked(name: str) -> list[Kept]:
            try:
                return list(_beside(place, name, place.pointed(name), bench))
            except ProaError:
                # One damaged tag is no reason to lose the others.
                return []

        with ThreadPoolExecutor(place.parallel) as pool:
            return [kept for found in pool.map(asked, newest) for kept in found]


def _beside(place: Place, name: str, image: Descriptor, bench: Bench) -> Iterator[Kept]:
    for referrer in place.referrers(image.digest):
        if referrer.artifact_type != publish.SHIPMENT:
            continue
        document = read_manifest(place.content(referrer), referrer.media_type, place=place.name)
        if not isinstance(document, Manifest) or document.subject is None:
            continue
        for layer in document.layers:
            if layer.size <= _MOST_BYTES and document.subject.digest == image.digest:
                place.take(layer)
                if found := read_document(bench.store.read_blob(layer.digest)):
                    yield Kept(shipment=found, subject=image.digest, name=name, created=_created(place.content(image)))


class _Annotated(msgspec.Struct):
    annotations: dict[str, str] | None = None


def _created(document: bytes) -> str:
    with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return (msgspec.json.decode(document, type=_Annotated).annotations or {}).get(_CREATED, "")[:40]
    return ""
