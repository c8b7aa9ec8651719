"""The documents of an image: config, manifest and index, over the layers of the base and ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from proa.errors import BaseUnfit
from proa.outside.store import Store, disk_errors
from proa.pack.bases import BaseContent
from proa.records.binary import Binary
from proa.records.image import Image, Layer
from proa.records.oci import (
    CONFIG,
    DOCKER_LAYER,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    MANIFEST,
    Config,
    Descriptor,
    Execution,
    History,
    Index,
    Manifest,
    PlatformDocument,
    RootFs,
)

_OCI_LAYERS = {
    DOCKER_LAYER: LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
    LAYER_GZIP: LAYER_GZIP,
    LAYER_TAR: LAYER_TAR,
    LAYER_ZSTD: LAYER_ZSTD,
}


def config_of(
    binary: Binary, execution: Execution, layers: Sequence[Layer], *, created: str, content: BaseContent | None
) -> Config:
    """Return the image's config: the base's layers and history below ours."""
    below = content.config if content else None
    steps = tuple(
        History(created=created, created_by="proa", comment=f"{layer.holds}: {_summary(layer)}") for layer in layers
    )
    return Config(
        architecture=binary.platform.architecture,
        os=binary.platform.os,
        variant=binary.platform.variant or None,
        created=created,
        config=execution,
        rootfs=RootFs(
            diff_ids=(*(below.rootfs.diff_ids if below else ()), *(layer.diff_id for layer in layers)),
        ),
        history=(*_base_history(below), *steps),
    )


def put_manifest(
    config: Config,
    layers: Sequence[Layer],
    content: BaseContent | None,
    *,
    annotations: dict[str, str],
    store: Store,
) -> Descriptor:
    """Store config and manifest and return the manifest's descriptor. Raises BaseUnfit, NoSpace."""
    document = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        config=_put(config, CONFIG, store),
        layers=(
            *(_oci_layer(layer) for layer in (content.manifest.layers if content else ())),
            *(Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.bytes) for layer in layers),
        ),
        annotations=dict(sorted(annotations.items())),
    )
    platform = PlatformDocument(os=config.os, architecture=config.architecture, variant=config.variant)
    return msgspec.structs.replace(_put(document, MANIFEST, store), platform=platform)


def index(images: Sequence[Image], *, annotations: Mapping[str, str], store: Store) -> Descriptor:
    """Store an index of images, platforms in the order given, and return its descriptor."""
    document = Index(
        schema_version=2,
        media_type=INDEX,
        manifests=tuple(image.manifest for image in images),
        annotations=dict(sorted(annotations.items())) or None,
    )
    return _put(document, INDEX, store)


def base_layers(content: BaseContent | None) -> tuple[Layer, ...]:
    """Return the base's layers as the image's record holds them."""
    if content is None:
        return ()
    return tuple(
        Layer(
            digest=layer.digest,
            diff_id=diff_id,
            media_type=_oci_layer(layer).media_type,
            bytes=layer.size,
            unpacked_bytes=unpacked,
            holds="base",
        )
        for layer, diff_id, unpacked in zip(
            content.manifest.layers, content.config.rootfs.diff_ids, content.files.unpacked_bytes, strict=True
        )
    )


def _oci_layer(layer: Descriptor) -> Descriptor:
    """Return a base's layer under its OCI name; the bytes are the same, so is the digest."""
    media_type = _OCI_LAYERS.get(layer.media_type)
    if media_type is None:
        raise BaseUnfit(f"the base has a layer of the type {layer.media_type!r}, which cannot be passed on")
    return Descriptor(media_type=media_type, digest=layer.digest, size=layer.size)


def _base_history(below: Config | None) -> tuple[History, ...]:
    """Return the base's history; where it does not fit its layers, one plain step per layer."""
    if below is None:
        return ()
    steps = below.history or ()
    count = len(below.rootfs.diff_ids)
    if sum(not step.empty_layer for step in steps) == count:
        return steps
    return tuple(History(created_by="base layer") for _ in range(count))


def _summary(layer: Layer) -> str:
    shown = ", ".join(file.path for file in layer.files[:3])
    return shown + (f" and {len(layer.files) - 3} more" if len(layer.files) > 3 else "")


def _put(document: Index | Manifest | Config, media_type: str, store: Store) -> Descriptor:
    data = msgspec.json.encode(document)
    with disk_errors(store.root):
        return Descriptor(media_type=media_type, digest=store.put_blob(data), size=len(data))
