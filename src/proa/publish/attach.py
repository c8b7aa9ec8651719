"""The records kept beside an image: OCI artifacts whose subject is the image, found as its referrers.

Source: image-spec manifest.md, "Guidelines for Artifact Usage", and distribution-spec, "Listing Referrers".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.outside.store import Store
from proa.records.oci import EMPTY, MANIFEST, Descriptor, Manifest

SHIPMENT = "application/vnd.proa.shipment.v1+json"
_EMPTY_DOCUMENT = b"{}"
TITLE = "org.opencontainers.image.title"
_VOLATILE = ("timings_s", "cache")
"""What differs between two runs that did the same."""


def attach_shipment(document: bytes, subject: Descriptor, *, store: Store) -> Descriptor:
    """Keep a shipment's JSON beside its image and return the artifact's descriptor, to be published with it.

    Where the store has a record of this image that differs in times and cache states only, that one is returned:
    shipping again leaves nothing new to upload.
    """
    known = _same(document, subject, store)
    return known or attach(document, subject, media_type=SHIPMENT, title="shipment.json", store=store)


def attach(document: bytes, subject: Descriptor, *, media_type: str, title: str, store: Store) -> Descriptor:
    """Keep any document beside an image, as an artifact of that type, and return the artifact's descriptor."""
    layer = Descriptor(
        media_type=media_type, digest=store.put_blob(document), size=len(document), annotations={TITLE: title}
    )
    return attach_blob(layer, subject, artifact_type=media_type, store=store)


def attach_blob(
    layer: Descriptor,
    subject: Descriptor,
    *,
    artifact_type: str,
    annotations: Mapping[str, str] | None = None,
    store: Store,
) -> Descriptor:
    """Keep a blob of the store beside an image, as an artifact of that type, and return the artifact's descriptor."""
    empty = Descriptor(media_type=EMPTY, digest=store.put_blob(_EMPTY_DOCUMENT), size=len(_EMPTY_DOCUMENT))
    said = dict(sorted(annotations.items())) if annotations else None
    manifest = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        artifact_type=artifact_type,
        config=empty,
        layers=(layer,),
        subject=Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size),
        annotations=said,
    )
    content = msgspec.json.encode(manifest)
    descriptor = Descriptor(
        media_type=MANIFEST,
        digest=store.put_blob(content),
        size=len(content),
        artifact_type=artifact_type,
        annotations=said,
    )
    store.add_referrer(subject.digest, descriptor)
    return descriptor


def attached(subject: Descriptor, media_type: str, *, store: Store) -> list[tuple[Descriptor, bytes]]:
    """Return the documents of a type that are kept beside an image, with their artifacts' descriptors."""
    found = []
    for descriptor in store.referrers(subject.digest):
        if descriptor.artifact_type == media_type and store.has_blob(descriptor.digest):
            manifest = msgspec.json.decode(store.read_blob(descriptor.digest), type=Manifest)
            found += [
                (descriptor, store.read_blob(layer.digest)) for layer in manifest.layers if store.has_blob(layer.digest)
            ]
    return found


def _same(document: bytes, subject: Descriptor, store: Store) -> Descriptor | None:
    wanted = _lasting(document)
    for descriptor, content in attached(subject, SHIPMENT, store=store):
        if _lasting(content) == wanted:
            return descriptor
    return None


def _lasting(document: bytes) -> dict[str, Any]:
    fields = msgspec.json.decode(document, type=dict[str, Any])
    return {name: value for name, value in fields.items() if name not in _VOLATILE}
