"""Open an image where it is: its documents read and checked, its layers ready to be streamed, nothing unpacked.

Layouts, plain archives and the store are read in place. What a registry has goes into the store as it is, compressed.
A daemon's archive is a scratch file for as long as the image is open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from proa.errors import BaseUnfit, HostileArchive, ImageMissing
from proa.outside.access import Access
from proa.outside.images import fetch_any, fetch_image
from proa.outside.layer_stream import StreamedLayer
from proa.outside.layout import OpenBlob, choose_entry, open_layout, read_index
from proa.outside.machine import this_platform
from proa.outside.manifests import (
    DOCUMENT_BYTES,
    check_platform,
    choose,
    digest_of,
    images_in,
    read_config,
    read_document,
)
from proa.outside.store import Store, disk_errors
from proa.records.oci import Config, Descriptor, Index
from proa.records.platform import Platform
from proa.records.reference import Name, Reference

if TYPE_CHECKING:
    from proa.outside.archive import Archive

_NO_NAME = Name(registry="", path="")


class StreamedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that is open."""

    digest: str
    """Of the manifest; of the configuration where there is none."""
    config: Config
    layers: tuple[StreamedLayer, ...]
    config_content: bytes = b""
    """The configuration's own bytes: it may say more than ``config`` knows."""
    has_manifest: bool = True
    """Whether ``digest`` names a manifest."""
    is_one_of_several: bool = False
    """Whether an index led here, and other platforms with it."""

    @property
    def platform(self) -> Platform:
        """Return what its configuration says it is for."""
        return Platform(self.config.os, self.config.architecture, self.config.variant or "")


class _Extent:
    """A part of a file, read through a handle of its own so that threads do not meet."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self.left = size

    def read(self, size: int, /) -> bytes:
        data = self._file.read(min(size, self.left))
        self.left -= len(data)
        return data

    def fileno(self) -> int:
        return self._file.fileno()


@contextmanager
def opened_image(
    reference: Reference, platform: Platform | None, *, store: Store, access: Access
) -> Iterator[StreamedImage]:
    """Lend an image; without a platform, of an index this machine's, of a single image whatever it is for.

    Raises ImageMissing, BaseUnfit (listing the platforms that are there), RegistryRefused, RegistryUnreachable,
    DaemonUnreachable, HostileArchive, NoSpace.
    """
    name = reference.name or _NO_NAME
    tag = str(msgspec.structs.replace(name, digest="")) if name.path else name.tag
    match reference.transport:
        case "oci":
            entries, open_blob = open_layout(Path(reference.path))
            yield _from_layout(entries, open_blob, tag, name.digest, platform, place=str(reference))
        case "oci-archive" | "docker-archive" if not _is_gzip(Path(reference.path)):
            yield _archived(reference, tag, name, platform, place=str(reference))
        case "docker-daemon":
            from proa.outside import docker

            with store.folder() as folder:
                saved = docker.save_archive(name, folder / "saved.tar", access=access)
                own = Reference(transport="docker-archive", path=str(folder / "saved.tar"))
                yield _archived(own, "", _NO_NAME, platform, place=f"docker-daemon:{saved}")
        case _:
            yield _fetched(reference, platform, store, access)


def _fetched(reference: Reference, platform: Platform | None, store: Store, access: Access) -> StreamedImage:
    """Return an image by way of the store: from a registry, the store itself, or an archive that gzip wrapped."""
    if platform is None:
        found = fetch_any(reference, store=store, access=access)
    else:
        found = fetch_image(reference, platform, store=store, access=access)
    return _from_manifest(found, store.open_blob, platform, place=str(reference))


def _is_gzip(file: Path) -> bool:
    try:
        with disk_errors(file), file.open("rb") as stream:
            return stream.read(2) == b"\x1f\x8b"
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ImageMissing(f"{file} is not an archive file: {error.strerror}") from error


def _archived(reference: Reference, tag: str, name: Name, platform: Platform | None, *, place: str) -> StreamedImage:
    from proa.outside import archive

    file = Path(reference.path)
    with archive.opened(file) as members:
        if reference.transport == "docker-archive":
            return _from_docker(members, file, name, platform, place)

        def open_blob(digest: str) -> BinaryIO:
            return members.open(_blob_name(digest), place)

        def open_layer(digest: str) -> Callable[[], _Opened]:
            return partial(_Opened, file, *members.extent(_blob_name(digest), place))

        entries = read_index(members.read("index.json", place), place)
        return _from_layout(entries, open_blob, tag, name.digest, platform, place=place, open_layer=open_layer)


def _from_docker(members: Archive, file: Path, name: Name, platform: Platform | None, place: str) -> StreamedImage:
    from proa.outside.archive import docker_image
    from proa.outside.docker import local_name

    listed = docker_image(members, local_name(name) if name.path else "", place)
    content = members.read(listed.config, place)
    config = _read_config(content, platform, place)
    extents = [members.extent(each, place) for each in listed.layers or ()]
    return StreamedImage(
        digest=digest_of(content),
        config=config,
        config_content=content,
        has_manifest=False,
        layers=tuple(
            StreamedLayer(digest="", diff_id=diff_id, media_type="", size=size, open=partial(_Opened, file, at, size))
            for (at, size), diff_id in zip(extents, _diff_ids(config, len(extents), place), strict=True)
        ),
    )


class _Opened:
    """Open a part of a file for as long as a block lasts."""

    def __init__(self, file: Path, at: int, size: int) -> None:
        self._path = file
        self._at = at
        self._size = size

    def __enter__(self) -> _Extent:
        self._file = self._path.open("rb")
        self._file.seek(self._at)
        return _Extent(self._file, self._size)

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _blob_name(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _from_layout(
    entries: tuple[Descriptor, ...],
    open_blob: OpenBlob,
    tag: str,
    digest: str,
    platform: Platform | None,
    *,
    place: str,
    open_layer: Callable[[str], Callable[[], _Opened]] | None = None,
) -> StreamedImage:
    entry = choose_entry(entries, tag=tag, digest=digest, place=place)
    return _from_manifest(entry, open_blob, platform, place=place, open_layer=open_layer)


def _from_manifest(
    entry: Descriptor,
    open_blob: OpenBlob,
    platform: Platform | None,
    *,
    place: str,
    open_layer: Callable[[str], Callable[[], _Opened]] | None = None,
) -> StreamedImage:
    document = read_document(_read(entry, open_blob, place), entry.media_type, place=place)
    is_one_of_several = False
    if isinstance(document, Index):
        is_one_of_several = len(images_in(document)) > 1
        platform = platform or this_platform()
        entry = choose(document, platform, place=place)
        document = read_document(_read(entry, open_blob, place), entry.media_type, place=place)
    if isinstance(document, Index):
        raise BaseUnfit(f"{place} has an index inside an index")
    content = _read(document.config, open_blob, place)
    config = _read_config(content, platform, place)
    return StreamedImage(
        digest=entry.digest,
        config=config,
        config_content=content,
        is_one_of_several=is_one_of_several,
        layers=tuple(
            StreamedLayer(
                digest=layer.digest,
                diff_id=diff_id,
                media_type=layer.media_type,
                size=layer.size,
                open=open_layer(layer.digest) if open_layer else partial(open_blob, layer.digest),
            )
            for layer, diff_id in zip(document.layers, _diff_ids(config, len(document.layers), place), strict=True)
        ),
    )


def _read(blob: Descriptor, open_blob: OpenBlob, place: str) -> bytes:
    """Return a document whole: exactly the bytes that were declared. Raises ImageMissing, BaseUnfit, HostileArchive."""
    if blob.size > DOCUMENT_BYTES:
        raise BaseUnfit(f"{place} has a document of {blob.size} bytes")
    with open_blob(blob.digest) as file:
        content = file.read(DOCUMENT_BYTES + 1)
    if digest_of(content) != blob.digest:
        raise HostileArchive(f"{place}: blob {blob.digest} has the content of {digest_of(content)}")
    return content


def _read_config(content: bytes, platform: Platform | None, place: str) -> Config:
    config = read_config(content, place=place)
    if platform is not None:
        check_platform(config, platform, place=place)
    return config


def _diff_ids(config: Config, count: int, place: str) -> tuple[str, ...]:
    if len(config.rootfs.diff_ids) != count:
        raise BaseUnfit(f"{place} has {count} layers where its configuration names {len(config.rootfs.diff_ids)}")
    return config.rootfs.diff_ids
