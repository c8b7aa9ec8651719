"""What is in an image, layer by layer, and what of it nobody can see: what ``proa inspect IMAGE`` prints."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from proa.records.evidence import Severity
from proa.records.platform import Platform

WasteReason = Literal["removed", "overwritten", "metadata", "replaced", "repeated"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """How many files, links and devices a layer adds, changes or removes."""

    files: int = 0
    bytes: int = 0


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file as a layer stores it."""

    path: str
    bytes: int


class LayerAnatomy(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image, against what the layers below it show."""

    digest: str
    """Of the blob as it is stored; computed where the place does not name it."""
    diff_id: str
    """Of the tar."""
    media_type: str
    stored_bytes: int
    """Of the contents of all regular files in it, as often as they are stored."""
    compressed_bytes: int
    """Of the blob."""
    unpacked_bytes: int
    """Of the tar, headers and padding included."""
    wasted_bytes: int
    """Of the regular files in it that the final image does not show from this layer."""
    instruction: str = ""
    """The history's step that made it; empty where the image does not say. Values that look secret are left out."""
    added: Change = Change()
    changed: Change = Change()
    """Paths that the layers below show as well; bytes of the new content."""
    removed: Change = Change()
    """Paths that the layers below show, and this one hides; bytes of what is hidden."""
    largest: tuple[StoredFile, ...] = ()
    """The ten largest files it stores."""


class WastedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A stored file that the final image does not show."""

    path: str
    """Absolute in the image."""
    bytes: int
    layer: str
    """Digest of the layer that stores it."""
    reason: WasteReason
    """``removed`` by a whiteout; ``overwritten``; rewritten with equal content (``metadata``: mode, owner or time);
    ``replaced`` by something of another type; ``repeated`` in its own layer."""
    hidden_by: str
    """Digest of the layer that hides it."""
    instruction: str = ""
    """The step that made the layer which hides it."""


class Duplicate(msgspec.Struct, frozen=True, kw_only=True):
    """Equal contents at different paths of the final image, not linked to each other."""

    bytes: int
    """Of one copy."""
    copies: int
    wasted_bytes: int
    """Of all copies but one."""
    paths: tuple[str, ...]
    """The first twenty, sorted."""


class AnatomyFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something in an image worth telling that stops nothing by itself."""

    id: str
    """Stable, dotted: ``secret.private-key``, ``entrypoint.loader-missing``."""
    severity: Severity
    path: str = ""
    """Absolute in the image; empty where it is about the configuration."""
    layer: str = ""
    """Digest of the layer that stores it."""
    message: str
    """Never has the secret itself."""
    hint: str = ""


class ImageAnatomy(msgspec.Struct, frozen=True, kw_only=True):
    """One image for one platform: ``visible_bytes`` + ``wasted_bytes`` = ``stored_bytes``, exactly."""

    schema: Literal["proa/image-anatomy/v1"] = "proa/image-anatomy/v1"
    reference: str
    """As it was asked for."""
    digest: str
    """Of the manifest; of the configuration for archives of ``docker save``, which have no manifest."""
    platform: Platform
    layers: tuple[LayerAnatomy, ...]
    """Oldest first."""
    stored_bytes: int
    """Contents of all regular files of all layers."""
    compressed_bytes: int
    visible_bytes: int
    """Contents that the final image shows; a hard link is no copy."""
    wasted_bytes: int
    duplicate_bytes: int
    """Of visible contents that are stored at several paths, all copies but one; not part of ``wasted_bytes``."""
    efficiency: float
    """``visible_bytes`` / ``stored_bytes``, 0 to 1; 1 for an image without contents."""
    files: tuple[WastedFile, ...] = ()
    """The 200 worst, largest first."""
    wasted_files: int = 0
    """How many there are in all."""
    duplicates: tuple[Duplicate, ...] = ()
    """The 100 worst, largest first."""
    findings: tuple[AnatomyFinding, ...] = ()


def encode_anatomy(anatomy: ImageAnatomy) -> bytes:
    """Return what ``--format json`` prints: the record, its platform written ``os/architecture``."""
    written: dict[str, Any] = {**msgspec.to_builtins(anatomy), "platform": str(anatomy.platform)}
    return msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"
