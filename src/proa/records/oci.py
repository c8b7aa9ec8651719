"""The documents of the OCI image specification, read and written exactly.

Field names are the specification's. Unknown fields are ignored when read, as it asks.
Source: https://github.com/opencontainers/image-spec (descriptor.md, manifest.md, image-index.md, config.md).
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from proa.records.platform import Platform

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEX_TYPES = frozenset({INDEX, DOCKER_LIST})
MANIFEST_TYPES = frozenset({MANIFEST, DOCKER_MANIFEST})

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def is_digest(text: str) -> bool:
    """Say whether ``text`` is a sha256 digest as the specification writes it.

    >>> is_digest("sha256:" + "0" * 64), is_digest("sha256:../../etc/passwd")
    (True, False)
    """
    return _DIGEST.fullmatch(text) is not None


class PlatformDocument(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The ``platform`` of a descriptor."""

    architecture: str
    os: str
    variant: str | None = None

    @property
    def platform(self) -> Platform:
        """Return proa's own record of it."""
        return Platform(self.os, self.architecture, self.variant or "")


class Descriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A typed, sized name of a blob."""

    media_type: str
    digest: str
    size: int
    artifact_type: str | None = None
    platform: PlatformDocument | None = None
    annotations: dict[str, str] | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One image for one platform, or an artifact with a subject."""

    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor
    layers: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Index(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """Several manifests under one digest: platforms, or the referrers of a subject."""

    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    manifests: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


class Execution(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="pascal"):
    """The ``config`` of an image configuration: how a container of it is started."""

    user: str | None = None
    exposed_ports: dict[str, dict[str, Any]] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    volumes: dict[str, dict[str, Any]] | None = None
    working_dir: str | None = None
    labels: dict[str, str] | None = None
    stop_signal: str | None = None
    healthcheck: dict[str, Any] | None = None
    """Docker's own: ``Test`` (``["CMD", …]``, ``["CMD-SHELL", TEXT]``, ``["NONE"]``), ``Interval``, … Source: the
    Docker image specification 1.2."""


class RootFs(msgspec.Struct, frozen=True, kw_only=True):
    """The uncompressed layers, oldest first."""

    type: str = "layers"
    diff_ids: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step in an image's making."""

    created: str | None = None
    created_by: str | None = None
    author: str | None = None
    comment: str | None = None
    empty_layer: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An image configuration."""

    architecture: str
    os: str
    variant: str | None = None
    created: str | None = None
    author: str | None = None
    config: Execution | None = None
    rootfs: RootFs = msgspec.field(default_factory=lambda: RootFs())  # noqa: PLW0108 - a struct is no default
    history: tuple[History, ...] | None = None
