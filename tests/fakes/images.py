"""Small whole images in a store, for tests that move them about."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile

import msgspec
import zstandard

from proa.outside.archive import put_manifest
from proa.outside.store import Store
from proa.records.oci import (
    INDEX,
    LAYER_GZIP,
    LAYER_ZSTD,
    Config,
    Descriptor,
    Execution,
    Index,
    PlatformDocument,
    RootFs,
)


def tar(**files: bytes) -> bytes:
    """Return a tar archive with these files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def make_image(
    store: Store,
    *layers: bytes,
    architecture: str = "amd64",
    compression: str = "gzip",
    annotations: dict[str, str] | None = None,
) -> Descriptor:
    """Store an image with these tar archives as layers and return its manifest's descriptor."""
    archives = layers or (tar(hello=b"hello from the image"),)
    kind = LAYER_ZSTD if compression == "zstd" else LAYER_GZIP
    described = []
    for archive in archives:
        packed = zstandard.compress(archive) if compression == "zstd" else gzip.compress(archive, mtime=0)
        described.append(Descriptor(media_type=kind, digest=store.put_blob(packed), size=len(packed)))
    config = Config(
        architecture=architecture,
        os="linux",
        config=Execution(entrypoint=("/hello",), user="65532:65532"),
        rootfs=RootFs(diff_ids=tuple(f"sha256:{hashlib.sha256(archive).hexdigest()}" for archive in archives)),
    )
    descriptor = put_manifest(msgspec.json.encode(config), described, store)
    if not annotations:
        return descriptor
    document = msgspec.json.decode(store.read_blob(descriptor.digest))
    content = msgspec.json.encode({**document, "annotations": annotations})
    return Descriptor(media_type=descriptor.media_type, digest=store.put_blob(content), size=len(content))


def make_index(store: Store, **images: Descriptor) -> Descriptor:
    """Store an index of images by architecture and return its descriptor."""
    entries = tuple(
        msgspec.structs.replace(image, platform=PlatformDocument(architecture=architecture, os="linux"))
        for architecture, image in images.items()
    )
    content = msgspec.json.encode(Index(schema_version=2, media_type=INDEX, manifests=entries))
    return Descriptor(media_type=INDEX, digest=store.put_blob(content), size=len(content))
