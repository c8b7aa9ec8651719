"""Manifests and indexes as they come from outside: checked, and one platform chosen. No I/O but the store's.

Everything a registry or an archive says is taken for hostile: documents are at most 4 MiB (what the distribution
specification asks registries to accept at least), digests are sha256, sizes are not negative.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import msgspec

from proa.errors import BaseUnfit, ImageMissing
from proa.outside.store import Store
from proa.records.oci import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    INDEX,
    INDEX_TYPES,
    MANIFEST,
    MANIFEST_TYPES,
    Config,
    Descriptor,
    Index,
    Manifest,
    is_digest,
)
from proa.records.platform import Platform

DOCUMENT_BYTES = 4 << 20
"""The largest manifest, index or configuration that is read. Source: distribution-spec, "Pushing Manifests"."""
_MOST_ENTRIES = 10_000
#: What runs where no variant is named, and what each variant also runs, best first.
#: Source: github.com/containerd/platforms, platformVector (compare.go) and normalizeArch (database.go).
_ARM = ("v8", "v7", "v6", "v5")
_AMD64 = ("v4", "v3", "v2", "v1")
_DEFAULT_VARIANT = {"arm": "v7", "arm64": "v8", "amd64": "v1"}
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


def digest_of(content: bytes) -> str:
    """Return the sha256 digest of bytes as the specification writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def read_document(content: bytes, media_type: str = "", *, place: str = "image") -> Manifest | Index:
    """Return a manifest or index from its bytes, every digest and size in it checked.

    ``media_type`` is what the sender called it; the document's own word wins. Raises BaseUnfit.
    """
    if len(content) > DOCUMENT_BYTES:
        raise BaseUnfit(f"{place}: a manifest of more than {DOCUMENT_BYTES >> 20} MiB is refused")
    kind = media_type_of(content, media_type)
    if kind.startswith(_SCHEMA_1):
        raise BaseUnfit(
            f"{place} has an image of docker's schema 1", hint="pull and push it again with a current docker"
        )
    if kind not in INDEX_TYPES | MANIFEST_TYPES:
        raise BaseUnfit(f"{place} is no image: its type is {kind[:100]!r}")
    shape: type[Manifest | Index] = Index if kind in INDEX_TYPES else Manifest
    try:
        document = msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BaseUnfit(f"{place} has a manifest that cannot be read: {error}") from error
    _check(parts(document), place)
    return document


class _Shape(msgspec.Struct, rename="camel"):
    media_type: str | None = None
    manifests: msgspec.Raw = msgspec.Raw()
    layers: msgspec.Raw = msgspec.Raw()


def media_type_of(content: bytes, sent: str = "") -> str:
    """Return a document's media type: its own word, else the sender's, else what its fields show."""
    try:
        shape = msgspec.json.decode(content, type=_Shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return sent.partition(";")[0].strip() or "unknown"
    if shape.media_type:
        return shape.media_type
    sent = sent.partition(";")[0].strip()
    if sent in INDEX_TYPES | MANIFEST_TYPES:
        return sent
    if bytes(shape.manifests):
        return INDEX
    return MANIFEST if bytes(shape.layers) else sent or "unknown"


def parts(document: Manifest | Index) -> tuple[Descriptor, ...]:
    """Return all that a document is made of: an index's manifests, a manifest's configuration and layers."""
    return document.manifests if isinstance(document, Index) else (document.config, *document.layers)


def _check(descriptors: Sequence[Descriptor], place: str) -> None:
    if len(descriptors) > _MOST_ENTRIES:
        raise BaseUnfit(f"{place} has a manifest with {len(descriptors)} entries, more than any honest one")
    for descriptor in descriptors:
        if not is_digest(descriptor.digest):
            raise BaseUnfit(f"{place} names a blob by {descriptor.digest[:100]!r}, which is no sha256 digest")
        if descriptor.size < 0:
            raise BaseUnfit(f"{place} names a blob of {descriptor.size} bytes")


def choose(index: Index, platform: Platform, *, place: str = "image") -> Descriptor:
    """Return the manifest for a platform: the same variant first, then the best that runs on it.

    Entries without a platform and ``unknown/unknown`` (buildkit's attestations) are no images.
    Raises BaseUnfit, listing the platforms that are there.

    >>> choose(Index(schema_version=2, manifests=()), Platform("linux", "amd64"))
    Traceback (most recent call last):
    proa.errors.BaseUnfit: image has no linux/amd64 [PROA212]
    """
    offered = [(entry.platform.platform, entry) for entry in images_in(index) if entry.platform]
    ranked = [
        (rank, number) for number, (there, _) in enumerate(offered) if (rank := _rank(there, platform)) is not None
    ]
    if ranked:
        return offered[min(ranked)[1]][1]
    only = images_in(index)
    if len(only) == 1 and only[0].platform is None:
        return only[0]
    names = ", ".join(sorted({str(there) for there, _ in offered})) or "no platform at all"
    raise BaseUnfit(f"{place} has no {platform}", hint=f"it has {names}" if offered else "")


def images_in(index: Index) -> tuple[Descriptor, ...]:
    """Return an index's images and nested indexes, without attestations and other artifacts."""
    return tuple(
        entry
        for entry in index.manifests
        if entry.media_type in MANIFEST_TYPES | INDEX_TYPES
        and not (entry.platform and "unknown" in (entry.platform.os, entry.platform.architecture))
        and (entry.annotations or {}).get("vnd.docker.reference.type") != "attestation-manifest"
    )


def _rank(there: Platform, wanted: Platform) -> int | None:
    """Return how far an offered platform is from the wanted one (0: the same), None where it does not run."""
    if (there.os, there.architecture) != (wanted.os, wanted.architecture):
        return None
    default = _DEFAULT_VARIANT.get(wanted.architecture, "")
    has, wants = there.variant or default, wanted.variant or default
    if has == wants:
        return 0
    order = {"arm": _ARM, "amd64": _AMD64}.get(wanted.architecture, ())
    if has in order and wants in order and order.index(has) > order.index(wants):
        return order.index(has) - order.index(wants)
    return None


def check_platform(config: Config, platform: Platform, *, place: str = "image") -> None:
    """Raise BaseUnfit where a single image is for another platform."""
    there = Platform(config.os, config.architecture, config.variant or "")
    if _rank(there, platform) is None:
        raise BaseUnfit(f"{place} has no {platform}", hint=f"it has {there}")


def read_config(content: bytes, *, place: str = "image") -> Config:
    """Return an image configuration from its bytes. Raises BaseUnfit."""
    if len(content) > DOCUMENT_BYTES:
        raise BaseUnfit(f"{place}: a configuration of more than {DOCUMENT_BYTES >> 20} MiB is refused")
    try:
        return msgspec.json.decode(content, type=Config)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BaseUnfit(f"{place} has no image configuration: {error}") from error


def stored_document(descriptor: Descriptor, store: Store) -> Manifest | Index:
    """Return a manifest or index that is in the store. Raises ImageMissing, BaseUnfit."""
    return read_document(store.read_blob(descriptor.digest), descriptor.media_type, place=descriptor.digest)


def stored_manifests(descriptor: Descriptor, store: Store) -> Iterator[tuple[Descriptor, Manifest | Index]]:
    """Yield every document of a stored image, children before the index that names them.

    An index's manifests that are not in the store are left out: a base may have been fetched for one platform only.
    """
    document = stored_document(descriptor, store)
    if isinstance(document, Index):
        for child in document.manifests:
            if child.media_type in MANIFEST_TYPES and store.has_blob(child.digest):
                yield child, stored_document(child, store)
    yield descriptor, document


def stored_blobs(descriptor: Descriptor, store: Store) -> Iterator[Descriptor]:
    """Yield every blob of a stored image once, documents after what they name."""
    seen: set[str] = set()
    for entry, document in stored_manifests(descriptor, store):
        names = () if isinstance(document, Index) else parts(document)
        for blob in (*names, entry):
            if blob.digest not in seen:
                seen.add(blob.digest)
                yield blob


def one_image(descriptor: Descriptor, platform: Platform, *, store: Store) -> tuple[Descriptor, Manifest]:
    """Return one platform's manifest of a stored image or index.

    An index with a single image gives that one, whatever its platform. Raises BaseUnfit, ImageMissing.
    """
    document = stored_document(descriptor, store)
    if isinstance(document, Index):
        only = images_in(document)
        descriptor = only[0] if len(only) == 1 else choose(document, platform, place=descriptor.digest)
        document = stored_document(descriptor, store)
    if isinstance(document, Index):
        raise BaseUnfit(f"{descriptor.digest} is an index inside an index")
    return descriptor, document


def stored_descriptor(digest: str, store: Store) -> Descriptor:
    """Return the descriptor of a manifest or index known by its digest alone. Raises ImageMissing."""
    content = store.read_blob(digest)
    kind = media_type_of(content)
    if kind not in INDEX_TYPES | MANIFEST_TYPES:
        raise ImageMissing(f"{digest} is in the local store, but is no image")
    return Descriptor(media_type=kind, digest=digest, size=len(content))


ACCEPT = f"{INDEX}, {DOCKER_LIST}, {MANIFEST}, {DOCKER_MANIFEST}"
"""The ``Accept`` header of every manifest request."""
