"""What one ``proa ship`` did: printed by ``--format json`` and kept beside the image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from proa.errors import ProaError
from proa.records.contract import Variable
from proa.records.environment import Framework, Version
from proa.records.evidence import Finding, LeftOut, Need
from proa.records.image import Image
from proa.records.oci import MANIFEST
from proa.records.platform import Platform
from proa.records.trial import Trial

CacheState = Literal["hit", "miss", "off"]


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One program, shipped."""

    schema: Literal["proa/shipment/v1"] = "proa/shipment/v1"
    program: str
    """The main package's import path."""
    reference: str
    """What stdout prints: ``name@sha256:…``, or ``name:tag`` for the docker daemon."""
    digest: str
    """Of the manifest, or of the index where there are several platforms."""
    version: str = ""
    images: tuple[Image, ...]
    trial: Trial | None = None
    """The trial of this machine's platform, or the first one."""
    timings_s: dict[str, float] = {}
    """Seconds per stage."""
    cache: dict[str, CacheState] = {}
    """``hit``: nothing was done · ``miss``: it was done · ``off``."""
    environment: tuple[Version, ...] = ()
    """The run time it was made with: declared, locked, installed."""
    frameworks: tuple[Framework, ...] = ()
    variables: tuple[Variable, ...] = ()
    """What it reads of how it is configured: whoever deploys it has to set it."""
    findings: tuple[Finding, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    needs: tuple[Need, ...] = ()
    """What the program needs beside itself, each with its call path; of the first platform."""
    data_versions: tuple[str, ...] = ()
    """What the system files were made from: ``certifi 2026.1.4``."""


def document(shipment: Shipment) -> dict[str, Any]:
    """Return the shipment as the JSON document of schema ``proa/shipment/v1``.

    Platforms are written ``os/architecture``, and every image carries its sums of bytes.
    """
    written: dict[str, Any] = msgspec.to_builtins(shipment)
    for image, fields in zip(shipment.images, written["images"], strict=True):
        fields["platform"] = str(image.platform)
        del fields["manifest"]
        fields["compressed_bytes"] = image.compressed_bytes
        fields["unpacked_bytes"] = image.unpacked_bytes
        if fields["binary"]:
            # Said once for the whole shipment, and once for the image.
            del fields["binary"]["findings"], fields["binary"]["platform"]
    return written


def encode_shipments(shipments: Sequence[Shipment]) -> bytes:
    """Return what ``--format json`` prints: one document, or a list of them under its own schema."""
    documents = [document(shipment) for shipment in shipments]
    whole = documents[0] if len(documents) == 1 else {"schema": "proa/shipments/v1", "shipments": documents}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def read_document(content: bytes) -> Shipment | None:
    """Return the shipment that a JSON document of schema ``proa/shipment/v1`` holds; None for anything else."""
    try:
        written = msgspec.json.decode(content, type=dict[str, Any])
        for fields in written["images"]:
            platform = Platform.parse(fields["platform"])
            written_so = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
            fields["platform"] = written_so
            fields["manifest"] = {"mediaType": MANIFEST, "digest": fields["digest"], "size": 0}
            if fields.get("binary"):
                fields["binary"]["platform"] = written_so
        return msgspec.convert(written, Shipment)
    except (msgspec.MsgspecError, ProaError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return None
