"""Read an image's manifest and configuration from the store, and refuse what is neither."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec

from proa.errors import BaseUnfit, StoreDamaged
from proa.outside.store import Store
from proa.records.oci import CONFIG, DOCKER_CONFIG, MANIFEST_TYPES, Config, Manifest

_MOST_BYTES = 4 << 20
"""Source: OCI distribution-spec, "Pushing Manifests": registries take at least 4 MiB."""
_Document = TypeVar("_Document", Manifest, Config)


def read_manifest(digest: str, store: Store) -> Manifest:
    """Return an image manifest. Raises BaseUnfit, StoreDamaged, ImageMissing."""
    manifest = _read(digest, Manifest, store)
    if manifest.media_type is not None and manifest.media_type not in MANIFEST_TYPES:
        raise BaseUnfit(f"{digest} has the media type {manifest.media_type!r}, which is no image manifest")
    return manifest


def read_config(manifest: Manifest, store: Store) -> Config:
    """Return a manifest's configuration, with one diff_id per layer. Raises BaseUnfit, StoreDamaged, ImageMissing."""
    if manifest.config.media_type not in (CONFIG, DOCKER_CONFIG):
        raise BaseUnfit(f"the manifest describes {manifest.config.media_type!r}, which is no image to run")
    config = _read(manifest.config.digest, Config, store)
    if len(config.rootfs.diff_ids) != len(manifest.layers):
        raise BaseUnfit(f"the image has {len(manifest.layers)} layers but {len(config.rootfs.diff_ids)} diff_ids")
    return config


def _read(digest: str, kind: type[_Document], store: Store) -> _Document:
    with store.open_blob(digest) as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise BaseUnfit(f"{digest} is larger than {_MOST_BYTES} bytes, too large for a manifest or configuration")
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        raise StoreDamaged(f"blob {digest} does not match its digest")
    try:
        return msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        raise BaseUnfit(f"{digest} is no {kind.__name__.lower()} of an image: {error}") from error
