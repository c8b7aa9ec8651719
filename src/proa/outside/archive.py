"""Images in one tar file: OCI archives, and the archives of ``docker save`` and ``docker load``.

The same image gives the same archive, byte for byte. In a docker archive gzip layers stay as they are, since
docker has read them since 1.10; zstd layers are written as plain tar, since docker before 23 cannot read zstd.
Source: image-layout.md of the OCI image-spec; moby/image/spec/v1.2.md, "Combined Image JSON".
"""

from __future__ import annotations

import gzip
import hashlib
import io
import posixpath
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

import msgspec

from proa.errors import BaseUnfit, HostileArchive, ImageMissing, NotWritable, WrongUsage
from proa.outside.layout import (
    MARKER,
    choose_entry,
    encode_index,
    entry_for,
    read_index,
    take_image,
)
from proa.outside.machine import is_stream
from proa.outside.manifests import (
    DOCUMENT_BYTES,
    check_platform,
    read_config,
    stored_blobs,
)
from proa.outside.store import BlobWriter, Store, disk_errors
from proa.records.oci import CONFIG, LAYER_GZIP, LAYER_ZSTD, MANIFEST, Descriptor, Manifest
from proa.records.platform import Platform
from proa.records.reference import Name, parse_name

if TYPE_CHECKING:
    import tarfile

_CHUNK_BYTES = 1 << 20
_MOST_MEMBERS = 100_000
_MOST_READ_BYTES = 16 << 20
_MOST_LAYER_BYTES = 64 << 30
"""No honest layer is larger (arbitrary); a bomb ends here or at the disk's end."""


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One file of an archive to be written: its bytes, or the file they are in."""

    name: str
    size: int
    content: bytes = b""
    file: Path | None = None


def tar_stream(members: Sequence[Part]) -> Iterator[bytes]:
    """Yield a tar archive: fixed times, owners and modes, so the same parts give the same bytes."""
    import tarfile

    for part in members:
        header = tarfile.TarInfo(part.name)
        header.size, header.mode = part.size, 0o644
        yield header.tobuf(tarfile.PAX_FORMAT)
        if part.file is None:
            yield part.content
        else:
            yield from _file_chunks(part)
        yield b"\0" * (-part.size % tarfile.BLOCKSIZE)
    yield b"\0" * (2 * tarfile.BLOCKSIZE)


def _file_chunks(part: Part) -> Iterator[bytes]:
    assert part.file is not None  # noqa: S101 - the caller's branch
    try:
        with part.file.open("rb") as file:
            left = part.size
            while left and (chunk := file.read(min(_CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk
    except FileNotFoundError as error:
        raise ImageMissing(f"blob {part.file.name} is not in the local store") from error
    if left:
        raise ImageMissing(f"blob {part.file.name} is shorter than its {part.size} bytes")


def write_archive(members: Sequence[Part], file: Path) -> None:
    """Write a tar file so that it appears whole or not at all. Raises NotWritable, NoSpace."""
    scratch = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        if is_stream(file):
            scratch = file
        with disk_errors(file), scratch.open("wb" if scratch == file else "xb") as out:
            for chunk in tar_stream(members):
                out.write(chunk)
        with disk_errors(file):
            if scratch != file:
                scratch.replace(file)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise NotWritable(f"{file} cannot be written: {error.strerror}", hint="does its folder exist?") from error
    finally:
        if scratch != file:
            with suppress(OSError):
                scratch.unlink()


# OCI archives


def oci_parts(
    descriptor: Descriptor,
    *,
    tag: str,
    store: Store,
    referrers: Sequence[Descriptor] = (),
    lists_referrers: bool = True,
) -> list[Part]:
    """Return the parts of an OCI archive: the layout's files, blobs sorted by digest.

    Without ``lists_referrers`` the image's own entry names what refers to it.
    """
    blobs = {blob.digest: blob for image in (descriptor, *referrers) for blob in stored_blobs(image, store)}
    unlisted = () if lists_referrers else referrers
    index = encode_index([entry_for(descriptor, tag, unlisted), *(referrers if lists_referrers else ())])
    return [
        Part(name="oci-layout", size=len(MARKER), content=MARKER),
        Part(name="index.json", size=len(index), content=index),
        *(
            Part(name=f"blobs/sha256/{digest.removeprefix('sha256:')}", size=blob.size, file=store.blob_path(digest))
            for digest, blob in sorted(blobs.items())
        ),
    ]


def read_oci_archive(file: Path, *, tag: str, digest: str, platform: Platform, store: Store) -> Descriptor:
    """Fetch one platform's image from an OCI archive into the store. Raises ImageMissing, BaseUnfit, HostileArchive."""
    place = f"oci-archive:{file}"
    with opened(file) as archive:
        entries = read_index(archive.read("index.json", place), place)
        entry = choose_entry(entries, tag=tag, digest=digest, place=place)

        def open_blob(wanted: str) -> BinaryIO:
            return archive.open(f"blobs/sha256/{wanted.removeprefix('sha256:')}", place)

        return take_image(entry, platform, open_blob=open_blob, store=store, place=place)


# Docker archives


class DockerImage(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One entry of a docker archive's manifest.json."""

    config: str
    repo_tags: tuple[str, ...] | None = None
    layers: tuple[str, ...] | None = None


@contextmanager
def docker_parts(manifest: Manifest, *, names: Sequence[str], store: Store) -> Iterator[list[Part]]:
    """Lend the parts of a docker archive; plain copies of zstd layers live as long as the block."""
    config = store.read_blob(manifest.config.digest)
    config_name = f"{manifest.config.digest.removeprefix('sha256:')}.json"
    with store.folder() as scratch:
        layers = [_docker_layer(layer, store, scratch) for layer in manifest.layers]
        entry = DockerImage(
            config=config_name, repo_tags=tuple(names) or None, layers=tuple(each.name for each in layers)
        )
        listing = msgspec.json.encode([entry])
        once = {each.name: each for each in layers}
        yield [
            Part(name="manifest.json", size=len(listing), content=listing),
            Part(name=config_name, size=len(config), content=config),
            *once.values(),
        ]


def _docker_layer(layer: Descriptor, store: Store, scratch: Path) -> Part:
    name = layer.digest.removeprefix("sha256:")
    if layer.media_type != LAYER_ZSTD:
        ending = "tar.gz" if layer.media_type.endswith("gzip") else "tar"
        return Part(name=f"{name}.{ending}", size=layer.size, file=store.blob_path(layer.digest))
    import zstandard

    target = scratch / name
    with disk_errors(target), store.open_blob(layer.digest) as source, target.open("wb") as out:
        reader = zstandard.ZstdDecompressor(max_window_size=128 << 20).stream_reader(source, read_across_frames=True)
        size = 0
        try:
            while chunk := reader.read(_CHUNK_BYTES):
                size += out.write(chunk)
                if size > _MOST_LAYER_BYTES:
                    raise HostileArchive(f"layer {layer.digest} has more than {_MOST_LAYER_BYTES >> 30} GiB unpacked")
        except zstandard.ZstdError as error:
            raise HostileArchive(f"layer {layer.digest} is no zstd stream: {error}") from error
    return Part(name=f"{name}.tar", size=size, file=target)


def read_docker_archive(file: Path, *, name: str, platform: Platform, store: Store) -> Descriptor:
    """Fetch an image from a docker archive into the store, as an OCI image with gzip layers.

    ``name`` chooses among several images and may be empty. Raises ImageMissing, BaseUnfit, HostileArchive.
    """
    place = f"docker-archive:{file}"
    with opened(file) as archive:
        image = docker_image(archive, name, place)
        content = archive.read(image.config, place)
        config = read_config(content, place=place)
        check_platform(config, platform, place=place)
        names = image.layers or ()
        if len(names) != len(config.rootfs.diff_ids):
            raise BaseUnfit(
                f"{place} has {len(names)} layers where its configuration names {len(config.rootfs.diff_ids)}"
            )
        layers = tuple(
            _take_layer(archive, layer, diff_id, store, place)
            for layer, diff_id in zip(names, config.rootfs.diff_ids, strict=True)
        )
    return put_manifest(content, layers, store)


def docker_image(archive: Archive, name: str, place: str) -> DockerImage:
    """Return the entry of manifest.json for a name, or the only one. Raises ImageMissing, BaseUnfit."""
    listing = archive.read("manifest.json", place)
    try:
        images = msgspec.json.decode(listing, type=tuple[DockerImage, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BaseUnfit(f"{place} has a manifest.json that cannot be read: {error}") from error
    return _choose_docker(images, name, place)


def put_manifest(config: bytes, layers: Sequence[Descriptor], store: Store) -> Descriptor:
    """Store an OCI manifest over a configuration and layers that are in the store; return its descriptor."""
    described = Descriptor(media_type=CONFIG, digest=store.put_blob(config), size=len(config))
    manifest = Manifest(schema_version=2, media_type=MANIFEST, config=described, layers=tuple(layers))
    content = msgspec.json.encode(manifest)
    return Descriptor(media_type=MANIFEST, digest=store.put_blob(content), size=len(content))


def full_name(name: Name) -> str:
    """Return a name as containerd, Kubernetes and skopeo write it, docker's defaults filled in.

    >>> full_name(Name(registry="", path="api")), full_name(Name(registry="ghcr.io", path="a/b", tag="1"))
    ('docker.io/library/api:latest', 'ghcr.io/a/b:1')
    """
    registry = name.registry or "docker.io"
    path = f"library/{name.path}" if registry == "docker.io" and "/" not in name.path else name.path
    return f"{registry}/{path}:{name.tag or 'latest'}"


def _is_named(image: DockerImage, name: str) -> bool:
    wanted = full_name(parse_name(name))
    for tag in image.repo_tags or ():
        try:
            if full_name(parse_name(tag)) == wanted:
                return True
        except WrongUsage:
            continue
    return False


def _choose_docker(images: Sequence[DockerImage], name: str, place: str) -> DockerImage:
    found = [image for image in images if not name or _is_named(image, name)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(tag for image in images for tag in image.repo_tags or ())
    raise ImageMissing(f"{place} has {len(found)} images{f' named {name}' if name else ''}", hint=f"it has {names}")


def _take_layer(archive: Archive, name: str, diff_id: str, store: Store, place: str) -> Descriptor:
    """Store a layer as gzip and return its descriptor; its tar must have the digest its configuration says."""
    tar_hash, size = hashlib.sha256(), 0
    with archive.open(name, place) as source, store.write_blob() as writer:
        is_gzip = source.read(2) == b"\x1f\x8b"
        source.seek(0)
        pack = zlib.compressobj(6, zlib.DEFLATED, 31)
        for piece in _gunzip(_copied(source, writer), place) if is_gzip else _file_pieces(source):
            tar_hash.update(piece)
            size += len(piece)
            if size > _MOST_LAYER_BYTES:
                raise HostileArchive(f"{place}: layer {name[:100]} is larger than any honest one")
            if not is_gzip:
                writer.write(pack.compress(piece))
        if not is_gzip:
            writer.write(pack.flush())
        if f"sha256:{tar_hash.hexdigest()}" != diff_id:
            raise HostileArchive(f"{place}: layer {name[:100]} is not the one its configuration names")
    return Descriptor(media_type=LAYER_GZIP, digest=writer.digest, size=writer.bytes)


def _file_pieces(source: BinaryIO) -> Iterator[bytes]:
    while chunk := source.read(_CHUNK_BYTES):
        yield chunk


def _copied(source: BinaryIO, writer: BlobWriter) -> Iterator[bytes]:
    for chunk in _file_pieces(source):
        writer.write(chunk)
        yield chunk


def _gunzip(chunks: Iterable[bytes], place: str) -> Iterator[bytes]:
    """Yield what gzip chunks hold, in pieces of at most a MiB; there may be several members."""
    state = zlib.decompressobj(31)
    try:
        for each in chunks:
            chunk = each
            while chunk:
                if state.eof:
                    state = zlib.decompressobj(31)
                yield state.decompress(chunk, _CHUNK_BYTES)
                chunk = state.unconsumed_tail or state.unused_data
    except zlib.error as error:
        raise HostileArchive(f"{place} has a layer that is no gzip stream: {error}") from error


# Reading tar files of others


class _Bounded(io.RawIOBase):
    """A file whose single reads are bounded: tarfile reads an extended header whole, however large it claims to be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _MOST_READ_BYTES:
            raise HostileArchive("the archive has a header of more than 16 MiB")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


class Archive:
    """An open tar file: its regular files by name, links inside it followed."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self._members: dict[str, tarfile.TarInfo] = {}
        for number, member in enumerate(tar):
            if number >= _MOST_MEMBERS:
                raise HostileArchive(f"the archive has more than {_MOST_MEMBERS} entries")
            self._members[posixpath.normpath(member.name)] = member

    def has(self, name: str) -> bool:
        """Say whether there is an entry of this name."""
        return name in self._members

    def open(self, name: str, place: str) -> BinaryIO:
        """Open a file. Raises ImageMissing."""
        return cast("BinaryIO", self._tar.extractfile(self._member(name, place)))

    def extent(self, name: str, place: str) -> tuple[int, int]:
        """Return where in a plain archive a file's content begins, and its size. Raises ImageMissing."""
        member = self._member(name, place)
        return member.offset_data, member.size

    def _member(self, name: str, place: str) -> tarfile.TarInfo:
        path = posixpath.normpath(name)
        # Docker before 25 wrote a repeated layer as a link to the first one.
        for _ in range(8):
            member = self._members.get(path)
            if member is None:
                break
            if member.isreg():
                return member
            base = posixpath.dirname(path) if member.issym() else ""
            path = posixpath.normpath(posixpath.join(base, member.linkname))
        raise ImageMissing(f"{place} has no file {name[:200]!r}")

    def read(self, name: str, place: str) -> bytes:
        """Return a small file whole. Raises ImageMissing, BaseUnfit."""
        with self.open(name, place) as stream:
            content = stream.read(DOCUMENT_BYTES + 1)
        if len(content) > DOCUMENT_BYTES:
            raise BaseUnfit(f"{place}: {name[:200]} is larger than {DOCUMENT_BYTES >> 20} MiB")
        return content


@contextmanager
def opened(file: Path) -> Iterator[Archive]:
    """Open a tar file, plain or gzip. Raises ImageMissing, NotWritable, HostileArchive."""
    import tarfile

    try:
        with disk_errors(file), file.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if is_gzip else raw
            with tarfile.open(fileobj=cast("IO[bytes]", _Bounded(stream)), mode="r:") as tar:
                yield Archive(tar)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise ImageMissing(f"{file} is not an archive file: {error.strerror}") from error
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError, OverflowError, ValueError) as error:
        raise HostileArchive(
            f"{file} is no tar archive: {error}",
            hint="an image is an archive of `docker save` or an OCI archive, a program an ELF, Mach-O or PE file",
        ) from error
