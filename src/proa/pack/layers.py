"""Make one layer from entries, or find that the same one was made before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import msgspec

from proa.outside.store import Store, disk_errors
from proa.pack.compress import MEMBER_BYTES, Blob, Method, library_version, write_layer
from proa.pack.entries import Entry, content_digest
from proa.pack.tar import tar, tar_bytes
from proa.records.image import ImageFile, Layer

_FORMAT = "1"
"""Changed whenever this room writes other bytes for the same entries."""


def make_layer(entries: Sequence[Entry], *, holds: str, method: Method, mtime_s: int, store: Store, jobs: int) -> Layer:
    """Return the layer with these entries, in their order; written only where the store has it not.

    Raises NoSpace, WrongInput, UnsafePath.
    """
    key = layer_key(entries, method=method, mtime_s=mtime_s, store=store)
    blob = _known(key, store)
    if blob is None:
        with disk_errors(store.root):
            blob = write_layer(
                tar(entries, store=store, mtime_s=mtime_s),
                method=method,
                size_bytes=tar_bytes(entries),
                store=store,
                jobs=jobs,
            )
        store.set_stage("layer", key, msgspec.json.encode(blob))
    return Layer(
        digest=blob.digest,
        diff_id=blob.diff_id,
        media_type=method.media_type,
        bytes=blob.bytes,
        unpacked_bytes=blob.unpacked_bytes,
        holds=holds,
        files=image_files(entries),
    )


def layer_key(entries: Sequence[Entry], *, method: Method, mtime_s: int, store: Store) -> str:
    """Return the name of all that decides a layer's bytes."""
    whole = hashlib.sha256()
    head = (_FORMAT, library_version(method.compression), MEMBER_BYTES, method, mtime_s)
    whole.update(msgspec.json.encode(head))
    for entry in entries:
        decides = (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size_bytes)
        whole.update(msgspec.json.encode((*decides, content_digest(entry, store))))
    return whole.hexdigest()


def image_files(entries: Sequence[Entry]) -> tuple[ImageFile, ...]:
    """Return what people are shown: one line per file or group, folders made only on the way left out.

    >>> image_files([Entry(path="a", kind="folder"), Entry(path="a/b", size_bytes=3, reason="r")])
    (ImageFile(path='/a/b', bytes=3, reason='r'),)
    """
    shown: dict[str, ImageFile] = {}
    for entry in entries:
        if not entry.reason:
            continue
        name = "/" + (entry.group or entry.path)
        before = shown.get(name)
        size = entry.size_bytes + (before.bytes if before else 0)
        shown[name] = ImageFile(path=name, bytes=size, reason=before.reason if before else entry.reason)
    return tuple(shown.values())


def _known(key: str, store: Store) -> Blob | None:
    content = store.stage("layer", key)
    if content is None:
        return None
    try:
        blob = msgspec.json.decode(content, type=Blob)
    except msgspec.MsgspecError:
        return None
    path = store.blob_path(blob.digest)
    # A blob cut short by a full disk elsewhere would be found by its digest only when it is pushed.
    return blob if path.is_file() and path.stat().st_size == blob.bytes else None
