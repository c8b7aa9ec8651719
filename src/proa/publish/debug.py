"""Debug files beside images: OCI artifacts whose subject is the image of one platform.

The artifact's manifest has the type ``application/vnd.proa.debug.v1``, the debug file as its only layer, and
annotations by which a list of referrers alone shows whose it is. The blob is never read whole: it is in the store,
and named by its digest.
"""

from __future__ import annotations

from collections.abc import Mapping

from proa.outside.store import Store
from proa.publish.attach import TITLE, attach_blob
from proa.records.binary import Binary
from proa.records.debugging import Symbols, is_build_id
from proa.records.oci import Descriptor, Manifest, is_digest

DEBUG = "application/vnd.proa.debug.v1"
ELF = "application/x-elf"
_BUILD_ID = "vnd.proa.debug.build-id"
_LINK = "vnd.proa.debug.link"
_PROGRAM = "vnd.proa.debug.program"
_PROGRAM_DIGEST = "vnd.proa.debug.program-digest"
_PLATFORM = "vnd.proa.debug.platform"


def attach_debug(binary: Binary, subject: Descriptor, *, program: str, store: Store) -> Descriptor | None:
    """Keep a program's debug file beside its image and return the artifact's descriptor; None where it has none.

    ``program`` is the program's path in the image.
    """
    if binary.debug is None:
        return None
    layer = Descriptor(
        media_type=ELF,
        digest=binary.debug.digest,
        size=binary.debug.bytes,
        annotations={TITLE: binary.debug.name},
    )
    said = {
        _BUILD_ID: binary.debug.build_id,
        _LINK: binary.debug.name,
        _PROGRAM: program,
        _PROGRAM_DIGEST: binary.digest,
        _PLATFORM: str(binary.platform),
    }
    annotations = {key: value for key, value in said.items() if value}
    return attach_blob(layer, subject, artifact_type=DEBUG, annotations=annotations, store=store)


def is_debug(descriptor: Descriptor) -> bool:
    """Say whether something that refers to an image is a debug file."""
    return descriptor.artifact_type == DEBUG


def has_build_id(descriptor: Descriptor, start: str) -> bool:
    """Say whether a listed debug file's build-id begins so; without annotations the list does not say, and it may."""
    said = (descriptor.annotations or {}).get(_BUILD_ID)
    return said is None or said.startswith(start)


def read_debug(manifest: Manifest, *, place: str) -> tuple[Symbols, Descriptor] | None:
    """Return what a debug artifact says of its file, and the file's descriptor; None where it is not one."""
    if manifest.artifact_type != DEBUG or len(manifest.layers) != 1:
        return None
    layer = manifest.layers[0]
    said: Mapping[str, str] = manifest.annotations or {}
    build_id, program_digest = said.get(_BUILD_ID, ""), said.get(_PROGRAM_DIGEST, "")
    symbols = Symbols(
        # What others wrote becomes names of files: only what is a build-id or a digest is passed on.
        build_id=build_id if is_build_id(build_id) else "",
        digest=layer.digest,
        bytes=layer.size,
        name=said.get(_LINK, "") or (layer.annotations or {}).get(TITLE, ""),
        program=said.get(_PROGRAM, ""),
        program_digest=program_digest if is_digest(program_digest) else "",
        platform=said.get(_PLATFORM, ""),
        image=manifest.subject.digest if manifest.subject else "",
        place=place,
    )
    return symbols, layer


def built(binary: Binary) -> Symbols | None:
    """Return the debug file of a program that was built here; None where it has none."""
    if binary.debug is None:
        return None
    return Symbols(
        build_id=binary.debug.build_id,
        digest=binary.debug.digest,
        bytes=binary.debug.bytes,
        name=binary.debug.name,
        program=binary.name,
        program_digest=binary.digest,
        platform=str(binary.platform),
        place="the local store",
    )
