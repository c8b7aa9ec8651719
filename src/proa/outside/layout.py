"""OCI image layouts: folders of blobs with one index.json.

Writing keeps what is there: entries under other tags stay, the same tag (or the untagged entry) is replaced, blobs
that only the replaced entry named are removed, and index.json changes last, by rename.

What refers to an image is listed in index.json as an entry of its own where that was asked for. Otherwise the image's
entry names it in an annotation: skopeo 1.9.3 and crane 0.21.7 take a layout with a single entry only, and accept this.
Source: https://github.com/opencontainers/image-spec/blob/main/image-layout.md.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import msgspec

from proa.errors import BaseUnfit, ImageMissing, NotWritable
from proa.outside.machine import write_file
from proa.outside.manifests import (
    DOCUMENT_BYTES,
    check_platform,
    choose,
    images_in,
    parts,
    read_config,
    read_document,
    stored_blobs,
)
from proa.outside.store import Store, check_room, disk_errors
from proa.records.oci import INDEX, INDEX_TYPES, MANIFEST, MANIFEST_TYPES, Descriptor, Index, Manifest, is_digest
from proa.records.platform import Platform

MARKER = b'{"imageLayoutVersion":"1.0.0"}'
REF_NAME = "org.opencontainers.image.ref.name"
REFERRERS = "vnd.proa.referrers"
"""The annotation that names what refers to an image and is no entry itself: digests of manifests, by commas."""
_CHUNK_BYTES = 1 << 20
_STALE_S = 3600.0

OpenBlob = Callable[[str], BinaryIO]


def tag_of(entry: Descriptor) -> str:
    """Return the tag of an entry of index.json, or an empty string."""
    return (entry.annotations or {}).get(REF_NAME, "")


def entry_for(descriptor: Descriptor, tag: str, unlisted: Sequence[Descriptor] = ()) -> Descriptor:
    """Return the entry of index.json for an image under a tag; ``unlisted`` refer to it and get no entry."""
    kept = {key: value for key, value in (descriptor.annotations or {}).items() if key not in (REF_NAME, REFERRERS)}
    named = {REFERRERS: ",".join(each.digest for each in unlisted)} if unlisted else {}
    annotations = {**kept, **({REF_NAME: tag} if tag else {}), **named}
    return msgspec.structs.replace(descriptor, annotations=annotations or None)


def unlisted_referrers(entry: Descriptor) -> tuple[str, ...]:
    """Return the digests of what refers to an image of index.json and is named beside it.

    >>> unlisted_referrers(Descriptor(media_type="", digest="", size=0, annotations={REFERRERS: "../x"}))
    ()
    """
    named = (entry.annotations or {}).get(REFERRERS, "")
    return tuple(digest for digest in named.split(",") if is_digest(digest))


def merge(there: Sequence[Descriptor], tag: str, added: Sequence[Descriptor]) -> tuple[Descriptor, ...]:
    """Return index.json's entries after writing: what has another tag stays, the rest is replaced.

    Artifacts that refer to an image carry no tag; those named again are not doubled.
    """
    digests = {entry.digest for entry in added}
    kept = (entry for entry in there if (entry.digest not in digests if entry.artifact_type else tag_of(entry) != tag))
    return (*kept, *added)


def encode_index(entries: Sequence[Descriptor]) -> bytes:
    """Return index.json."""
    return msgspec.json.encode(Index(schema_version=2, media_type=INDEX, manifests=tuple(entries)))


def read_index(content: bytes, place: str) -> tuple[Descriptor, ...]:
    """Return the entries of index.json. Raises BaseUnfit."""
    document = read_document(content, INDEX, place=place)
    if not isinstance(document, Index):
        raise BaseUnfit(f"{place} is no index")
    return document.manifests


def choose_entry(entries: Sequence[Descriptor], *, tag: str, digest: str = "", place: str) -> Descriptor:
    """Return the entry with a tag or digest; without either, the only image there. Raises ImageMissing."""
    images = images_in(Index(schema_version=2, manifests=tuple(each for each in entries if not each.artifact_type)))
    if digest:
        found = [each for each in images if each.digest == digest]
    elif tag:
        found = [each for each in images if tag_of(each) == tag or tag_of(each).endswith(f":{tag}")]
    else:
        found = list(images)
    if len({each.digest for each in found}) == 1:
        return found[0]
    tags = ", ".join(sorted({tag_of(each) for each in images if tag_of(each)}))
    if not found:
        raise ImageMissing(
            f"{place} has no image {digest or tag}".rstrip(), hint=f"it has the tags {tags}" if tags else ""
        )
    raise ImageMissing(f"{place} has {len(found)} images", hint=f"name one of its tags: {tags}")


def take_image(entry: Descriptor, platform: Platform, *, open_blob: OpenBlob, store: Store, place: str) -> Descriptor:
    """Copy one platform's image into the store, every blob checked, and return its manifest's descriptor."""
    document = _take_document(entry, open_blob, store, place)
    if isinstance(document, Index):
        entry = choose(document, platform, place=place)
        document = _take_document(entry, open_blob, store, place)
    if isinstance(document, Index):
        raise BaseUnfit(f"{place} has an index inside an index")
    config, *layers = parts(document)
    if config.size > DOCUMENT_BYTES:
        raise BaseUnfit(f"{place} has a configuration of {config.size} bytes")
    take_blob(config, open_blob, store, place)
    check_platform(read_config(store.read_blob(config.digest), place=place), platform, place=place)
    check_room(store, sum(layer.size for layer in layers if not store.has_blob(layer.digest)))
    for layer in layers:
        take_blob(layer, open_blob, store, place)
    return msgspec.structs.replace(entry, annotations=None, platform=None)


def _take_document(entry: Descriptor, open_blob: OpenBlob, store: Store, place: str) -> Manifest | Index:
    if entry.size > DOCUMENT_BYTES:
        raise BaseUnfit(f"{place} has a manifest of {entry.size} bytes")
    take_blob(entry, open_blob, store, place)
    return read_document(store.read_blob(entry.digest), entry.media_type, place=place)


def take_blob(blob: Descriptor, open_blob: OpenBlob, store: Store, place: str) -> None:
    """Copy a blob into the store: exactly the bytes that were declared. Raises ImageMissing, BaseUnfit."""
    if store.has_blob(blob.digest):
        return
    with open_blob(blob.digest) as source, store.write_blob() as writer:
        while chunk := source.read(_CHUNK_BYTES):
            writer.write(chunk)
            if writer.bytes > blob.size:
                raise BaseUnfit(f"{place}: blob {blob.digest} is longer than the {blob.size} bytes declared")
        if writer.digest != blob.digest:
            raise BaseUnfit(f"{place}: blob {blob.digest} is damaged", hint="its content has another digest")


# Folders


def read_layout(folder: Path, *, tag: str, digest: str, platform: Platform, store: Store) -> Descriptor:
    """Fetch one platform's image from a layout folder into the store. Raises ImageMissing, BaseUnfit."""
    place = f"oci:{folder}"
    entries, open_blob = open_layout(folder)
    entry = choose_entry(entries, tag=tag, digest=digest, place=place)
    return take_image(entry, platform, open_blob=open_blob, store=store, place=place)


def open_layout(folder: Path) -> tuple[tuple[Descriptor, ...], OpenBlob]:
    """Return a layout's entries, and how its blobs are opened. Raises ImageMissing, BaseUnfit, NotWritable."""
    place = f"oci:{folder}"
    try:
        with disk_errors(folder), (folder / "index.json").open("rb") as file:
            content = file.read(DOCUMENT_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageMissing(f"{folder} is no OCI layout: it has no index.json") from error

    def open_blob(wanted: str) -> BinaryIO:
        try:
            with disk_errors(folder):
                return _blob_path(folder, wanted).open("rb")
        except FileNotFoundError as error:
            raise ImageMissing(f"{place} lacks blob {wanted}") from error

    return read_index(content, place), open_blob


def write_layout(
    descriptor: Descriptor,
    folder: Path,
    *,
    tag: str,
    store: Store,
    referrers: Sequence[Descriptor] = (),
    lists_referrers: bool = True,
) -> None:
    """Put a stored image into a layout folder, which is made where it is missing.

    Without ``lists_referrers`` the image's own entry names what refers to it.
    Raises NotWritable, NoSpace, ImageMissing, BaseUnfit for a folder whose index.json is broken.
    """
    is_new = not folder.exists()
    with disk_errors(folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ImageMissing(
                f"{folder} is not a folder", hint="an OCI layout is a folder; oci-archive: is a file"
            ) from error
        except FileNotFoundError as error:
            # What /proc and /sys answer.
            raise NotWritable(f"{folder} cannot be made: {error.strerror}") from error
        with _locked(folder):
            try:
                unlisted = () if lists_referrers else referrers
                entry = entry_for(descriptor, tag, unlisted)
                listed = referrers if lists_referrers else ()
                _write((entry, *listed), folder, tag=tag, store=store, unlisted=unlisted)
            except BaseException:
                # Another writer may have filled it meanwhile: then it has an index.
                if is_new and not (folder / "index.json").exists():
                    shutil.rmtree(folder, ignore_errors=True)
                raise


def _write(
    added: Sequence[Descriptor], folder: Path, *, tag: str, store: Store, unlisted: Sequence[Descriptor]
) -> None:
    index = folder / "index.json"
    there = read_index(index.read_bytes(), f"oci:{folder}") if index.exists() else ()
    entries = merge(there, tag, added)
    (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    for image in (*added, *unlisted):
        for blob in stored_blobs(image, store):
            _copy(store.blob_path(blob.digest), _blob_path(folder, blob.digest))
    if not (folder / "oci-layout").exists():
        write_file(folder / "oci-layout", MARKER)
    if entries != tuple(there):
        write_file(index, encode_index(entries))
    replaced = [entry for entry in there if entry not in entries]
    _forget(folder, replaced, entries)


def _forget(folder: Path, replaced: Sequence[Descriptor], kept: Sequence[Descriptor]) -> None:
    """Remove the blobs that only replaced entries named; on any doubt nothing is removed."""
    try:
        needed = {digest for entry in kept for digest in _reachable(folder, entry)}
        for digest in {digest for entry in replaced for digest in _reachable(folder, entry)} - needed:
            _blob_path(folder, digest).unlink(missing_ok=True)
    except (BaseUnfit, OSError):
        return


def _reachable(folder: Path, entry: Descriptor) -> Iterator[str]:
    yield entry.digest
    if entry.media_type not in INDEX_TYPES | MANIFEST_TYPES:
        return
    for digest in unlisted_referrers(entry):
        yield from _reachable(folder, Descriptor(media_type=MANIFEST, digest=digest, size=0))
    path = _blob_path(folder, entry.digest)
    if path.exists():
        for part in parts(read_document(path.read_bytes(), entry.media_type)):
            yield from _reachable(folder, part)


def _blob_path(folder: Path, digest: str) -> Path:
    return folder / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        return
    scratch = target.with_name(f".{target.name[:16]}.{secrets.token_hex(4)}")
    try:
        shutil.copyfile(source, scratch)
        scratch.chmod(0o644)
        scratch.replace(target)
    except FileNotFoundError as error:
        raise ImageMissing(f"blob {source.name} is not in the local store") from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def _sweep(folder: Path) -> None:
    """Remove what a writer that was killed left behind."""
    oldest = time.time() - _STALE_S
    for place in (folder, folder / "blobs" / "sha256"):
        for path in place.glob(".*"):
            with suppress(OSError):
                if path.is_file() and path.stat().st_mtime < oldest and len(path.suffix) == 9:
                    path.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other proa processes out of the folder; the lock is on the folder itself, so it leaves no file."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
