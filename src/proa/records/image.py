"""An image: what is in it, and why each file is."""

from __future__ import annotations

import msgspec

from proa.records.binary import Binary
from proa.records.oci import Descriptor
from proa.records.platform import Platform
from proa.records.trial import Trial


class ImageFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file in the image and the reason it is there."""

    path: str
    """Absolute in the image."""
    bytes: int
    reason: str


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of an image."""

    digest: str
    """Of the compressed blob."""
    diff_id: str
    """Of the tar."""
    media_type: str
    bytes: int
    """Compressed, as a registry stores it."""
    unpacked_bytes: int
    holds: str
    """What it carries: ``program``, ``system files``, ``libraries``, ``assets``, ``base``; of a jar also ``run time``
    and ``dependencies``."""
    files: tuple[ImageFile, ...] = ()
    """Empty for the layers of a base image."""


class Image(msgspec.Struct, frozen=True, kw_only=True):
    """One image for one platform; all its blobs are in the store."""

    platform: Platform
    digest: str
    """Of the manifest."""
    manifest: Descriptor
    base: str
    """``scratch`` or the reference that was asked for."""
    base_digest: str = ""
    base_reason: str = ""
    """Why this base: the evidence in one line."""
    user: str
    entrypoint: tuple[str, ...]
    layers: tuple[Layer, ...]
    trial: Trial | None = None
    binary: Binary | None = None
    """The program in it; None where the image was not packed here."""

    @property
    def compressed_bytes(self) -> int:
        """Return the bytes a registry stores for the layers."""
        return sum(layer.bytes for layer in self.layers)

    @property
    def unpacked_bytes(self) -> int:
        """Return the bytes of all layers as tar archives."""
        return sum(layer.unpacked_bytes for layer in self.layers)
