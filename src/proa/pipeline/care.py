"""The local store as people look after it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from proa.outside import store_care
from proa.outside.machine import store_root
from proa.outside.manifests import read_config, stored_manifests
from proa.outside.store import Store
from proa.pipeline.trials import memory_bytes
from proa.records.evidence import Finding
from proa.records.listing import Listing, StoredImage
from proa.records.oci import Descriptor, Manifest
from proa.records.platform import Platform


def list_store(*, environ: Mapping[str, str]) -> Listing:
    """Return every name in the store, what it leads to and how much that is."""
    store = Store(store_root(environ))
    images = tuple(_image(store, name, descriptor) for name, descriptor in store.references())
    return Listing(root=str(store.root), images=images, usage=store_care.usage(store))


def _image(store: Store, name: str, descriptor: Descriptor) -> StoredImage:
    digests = set(store_care.reachable(store, descriptor))
    return StoredImage(
        name=name,
        digest=descriptor.digest,
        platforms=tuple(_platforms(store, descriptor)),
        bytes=sum(_sizes(store, digests)),
    )


def _platforms(store: Store, descriptor: Descriptor) -> Iterator[str]:
    for _, document in stored_manifests(descriptor, store):
        if isinstance(document, Manifest):
            config = read_config(store.read_blob(document.config.digest))
            yield str(Platform(config.os, config.architecture, config.variant or ""))


def _sizes(store: Store, digests: set[str]) -> Iterator[int]:
    for digest in digests:
        path = store.blob_path(digest)
        yield path.stat().st_size if path.is_file() else 0


def check_store(*, environ: Mapping[str, str], repair: bool) -> tuple[Finding, ...]:
    """Return everything that is wrong with the store; with ``repair``, remove it."""
    return store_care.check(Store(store_root(environ)), repair=repair)


def prune_store(*, environ: Mapping[str, str], limit: str, everything: bool, now_s: float) -> store_care.Pruned:
    """Remove what has not been used for longest until the store fits into ``limit`` (``10Gi``)."""
    store = Store(store_root(environ))
    return store_care.prune(store, limit_bytes=memory_bytes(limit, name="--limit"), now_s=now_s, everything=everything)


def keep_within(store: Store, *, environ: Mapping[str, str]) -> None:
    """Let the store not grow above PROA_CACHE_LIMIT (10Gi): the least recently used goes."""
    text = environ.get("PROA_CACHE_LIMIT", "")
    limit_bytes = memory_bytes(text, name="PROA_CACHE_LIMIT") if text else store_care.LIMIT_BYTES
    held = store_care.usage(store)
    if held.blob_bytes + held.stage_bytes + held.compiled_bytes > limit_bytes:
        store_care.prune(store, limit_bytes=limit_bytes, now_s=time.time())
