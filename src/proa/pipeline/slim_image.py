"""The documents of a slimmed image: its configuration as the original's, and a manifest over the one new layer."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from proa.errors import BaseUnfit, WrongUsage
from proa.outside.archive import put_manifest
from proa.outside.image_stream import StreamedImage
from proa.outside.manifests import digest_of
from proa.outside.store import Store
from proa.pack.compress import Blob
from proa.pack.labels import base_name
from proa.records.oci import MANIFEST, Descriptor, Manifest
from proa.records.reference import Reference

_BASE_NAME = "org.opencontainers.image.base.name"
_BASE_DIGEST = "org.opencontainers.image.base.digest"
"""Source: OCI image-spec, annotations.md."""
_OF_A_CONTAINER = ("container", "container_config", "docker_version", "id", "parent", "throwaway", "Size")
"""What docker once wrote of the container an image was made from."""


def put_image(
    opened: StreamedImage,
    layer: Blob,
    media_type: str,
    *,
    reference: Reference,
    comment: str,
    created_epoch_s: int | None,
    store: Store,
) -> Descriptor:
    """Store the configuration and manifest of one layer and return the manifest's descriptor.

    The configuration is the original's own document but for layers, history and time, so that what proa does not
    know of (health checks, ONBUILD, a shell) stays. Raises BaseUnfit, WrongUsage, NoSpace.
    """
    config = slimmed_config(opened.config_content, layer.diff_id, comment=comment, created_epoch_s=created_epoch_s)
    described = Descriptor(media_type=media_type, digest=layer.digest, size=layer.bytes)
    plain = put_manifest(msgspec.json.encode(config), [described], store)
    annotations = _origin(opened, reference)
    if not annotations:
        return plain
    document = msgspec.json.decode(store.read_blob(plain.digest), type=Manifest)
    content = msgspec.json.encode(msgspec.structs.replace(document, annotations=annotations))
    return Descriptor(media_type=MANIFEST, digest=store.put_blob(content), size=len(content))


def slimmed_config(content: bytes, diff_id: str, *, comment: str, created_epoch_s: int | None) -> dict[str, Any]:
    """Return the configuration's document over one layer. Raises BaseUnfit, WrongUsage."""
    try:
        config = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BaseUnfit(f"the image's configuration cannot be read: {error}") from error
    created = config.get("created") if created_epoch_s is None else _moment(created_epoch_s)
    said = {"created": created} if isinstance(created, str) else {}
    image_id = digest_of(content)
    kept = {name: value for name, value in config.items() if name not in _OF_A_CONTAINER}
    return {
        **kept,
        **said,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{**said, "created_by": "proa slim", "comment": f"from the image {image_id}: {comment}"}],
    }


def _moment(epoch_s: int) -> str:
    try:
        return dt.datetime.fromtimestamp(epoch_s, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError) as error:
        raise WrongUsage(
            f"{epoch_s} is no moment in time", hint="SOURCE_DATE_EPOCH is in seconds since 1970"
        ) from error


def _origin(opened: StreamedImage, reference: Reference) -> dict[str, str]:
    """Return what the manifest says of the original: no name where that would be a path of this machine."""
    name = base_name(str(reference).partition("@")[0])
    found = {_BASE_DIGEST: opened.digest} if opened.has_manifest else {}
    return found | ({_BASE_NAME: name} if name else {})
