"""Places that hold images and what refers to them, all read in one way: the store, layouts, archives, registries.

Nothing is fetched but manifests, until ``take`` is called for a blob. Everything a place says is taken for hostile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import urljoin

import msgspec

from proa.errors import BaseUnfit, ImageMissing, RegistryRefused
from proa.outside.access import Access
from proa.outside.layout import OpenBlob, choose_entry, open_layout, read_index, tag_of, take_blob, unlisted_referrers
from proa.outside.manifests import DOCUMENT_BYTES, images_in, read_document
from proa.outside.registry import PARALLEL, fallback_tag, pull_blob, pull_manifest, referrers_of
from proa.outside.registry_http import Session
from proa.outside.store import Store
from proa.records.oci import INDEX_TYPES, MANIFEST, Descriptor, Index, Manifest, is_digest
from proa.records.reference import Name, Reference

_MOST_TAGS = 2_000
_MOST_PAGES = 200
_MOST_IMAGES = 10_000
_NO_NAME = Name(registry="", path="")


class Place(Protocol):
    """Where images are."""

    name: str
    """As the user would write it."""
    parallel: int
    """How many threads may ask at once."""

    def images(self) -> Iterator[Descriptor]:
        """Yield every platform's image under the name that was given, or all there are. Raises ImageMissing."""

    def names(self) -> Sequence[str]:
        """Return the name, tag or digest that was given, or all tags there are. Raises ImageMissing."""

    def pointed(self, name: str) -> Descriptor:
        """Return what one of ``names`` points at: an index is not looked into. Raises ImageMissing."""

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        """Return what refers to an image."""

    def content(self, manifest: Descriptor) -> bytes:
        """Return a manifest's bytes, checked against its digest. Raises ImageMissing, BaseUnfit."""

    def take(self, blob: Descriptor) -> None:
        """Copy a blob into the store, checked against its digest. Raises ImageMissing, BaseUnfit."""


def has_referrers(reference: Reference) -> bool:
    """Say whether a place can hold what refers to an image; docker's own formats cannot."""
    return reference.transport in ("store", "oci", "oci-archive", "docker")


@contextmanager
def open_place(reference: Reference, *, is_whole: bool, store: Store, access: Access) -> Iterator[Place]:
    """Open a place for as long as the block lasts.

    ``is_whole``: a reference without tag and digest means all that is there, not what is called ``latest``.
    Raises ImageMissing, BaseUnfit, HostileArchive, RegistryRefused, RegistryUnreachable.
    """
    name = reference.name or _NO_NAME
    if reference.transport == "store":
        yield StorePlace(name, store)
    elif reference.transport == "docker":
        scopes = (f"repository:{name.path}:pull",)
        with Session(name.registry, name.path, access=access, scopes=scopes) as session:
            yield RegistryPlace(str(reference), name, session, is_whole=is_whole, store=store)
    elif reference.transport == "oci":
        entries, open_blob = open_layout(Path(reference.path))
        yield FilesPlace(str(reference), name, entries, open_blob, is_whole=is_whole, store=store)
    elif reference.transport == "oci-archive":
        from proa.outside import archive

        place = str(reference)
        with archive.opened(Path(reference.path)) as members:
            entries = read_index(members.read("index.json", place), place)
            yield FilesPlace(
                place,
                name,
                entries,
                lambda digest: members.open(f"blobs/sha256/{digest.removeprefix('sha256:')}", place),
                is_whole=is_whole,
                store=store,
            )
    else:
        raise ImageMissing(f"{reference}: {reference.transport} holds nothing beside an image")


class StorePlace:
    """The local store."""

    parallel = 1

    def __init__(self, wanted: Name, store: Store) -> None:
        self.name = "the local store"
        self._wanted = wanted
        self._store = store

    def images(self) -> Iterator[Descriptor]:
        """Yield the images of one name, or one digest."""
        yield from expanded(self.pointed(self.names()[0]), self)

    def names(self) -> Sequence[str]:
        """Return the one name, or the digest."""
        return [self._wanted.digest or f"{self._wanted.repository}:{self._wanted.tag or 'latest'}"]

    def pointed(self, name: str) -> Descriptor:
        """Return what a name points at."""
        if is_digest(name):
            return Descriptor(media_type="", digest=name, size=0)
        found = self._store.reference(name)
        if found is None:
            wanted = self._wanted
            raise ImageMissing(
                f"the local store has no image {wanted}", hint=f"for one in a registry write docker://{wanted}"
            )
        return found

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        """Return what was noted to refer to an image."""
        return tuple(self._store.referrers(digest))

    def content(self, manifest: Descriptor) -> bytes:
        """Return a small blob."""
        if self._store.has_blob(manifest.digest):
            size = self._store.blob_path(manifest.digest).stat().st_size
            if size > DOCUMENT_BYTES:
                raise BaseUnfit(f"{manifest.digest} has {size} bytes, and is no manifest")
        return self._store.read_blob(manifest.digest)

    def take(self, blob: Descriptor) -> None:
        """Check that it is there."""
        if not self._store.has_blob(blob.digest):
            raise ImageMissing(f"blob {blob.digest} is not in the local store")


class FilesPlace:
    """A layout folder or an OCI archive."""

    parallel = 1

    def __init__(
        self,
        name: str,
        wanted: Name,
        entries: Sequence[Descriptor],
        open_blob: OpenBlob,
        *,
        is_whole: bool,
        store: Store,
    ) -> None:
        self.name = name
        self._wanted = wanted
        self._entries = entries
        self._open_blob = open_blob
        self._is_whole = is_whole
        self._store = store
        self._by_subject: dict[str, list[Descriptor]] | None = None

    def images(self) -> Iterator[Descriptor]:
        """Yield the images of the tag or digest, or all."""
        tag = str(self._wanted) if self._wanted.path else self._wanted.tag
        digest = self._wanted.digest
        if digest and all(entry.digest != digest for entry in self._entries):
            # One platform of an index, named by its own digest.
            everything = (image for entry in self._listed() for image in expanded(entry, self))
            found = next((image for image in everything if image.digest == digest), None)
            if found is None:
                raise ImageMissing(f"{self.name} has no image {digest}")
            yield found
        elif self._is_whole and not (tag or digest):
            for entry in self._listed():
                yield from expanded(entry, self)
        else:
            tag = "" if digest else tag
            yield from expanded(choose_entry(self._entries, tag=tag, digest=digest, place=self.name), self)

    def names(self) -> Sequence[str]:
        """Return the tag or digest, or every tag."""
        tag = str(self._wanted) if self._wanted.path else self._wanted.tag
        if self._wanted.digest or tag or not self._is_whole:
            return [self._wanted.digest or tag]
        return [name for entry in self._listed() if (name := tag_of(entry))]

    def pointed(self, name: str) -> Descriptor:
        """Return the entry of a tag or digest."""
        digest = name if is_digest(name) else ""
        return choose_entry(self._entries, tag="" if digest else name, digest=digest, place=self.name)

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        """Return what is listed as referring to an image, or named by an entry."""
        if self._by_subject is None:
            self._by_subject = self._read_referrers()
        return self._by_subject.get(digest, [])

    def content(self, manifest: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        take_blob(self._small(manifest), self._open_blob, self._store, self.name)
        return self._store.read_blob(manifest.digest)

    def take(self, blob: Descriptor) -> None:
        """Copy a blob."""
        take_blob(blob, self._open_blob, self._store, self.name)

    def _small(self, manifest: Descriptor) -> Descriptor:
        if manifest.size > DOCUMENT_BYTES:
            raise BaseUnfit(f"{self.name} has a manifest of {manifest.size} bytes")
        # An annotation names digests without sizes.
        return manifest if manifest.size else msgspec.structs.replace(manifest, size=DOCUMENT_BYTES)

    def _listed(self) -> Iterator[Descriptor]:
        for entry in images_in(Index(schema_version=2, manifests=tuple(self._entries))):
            if not entry.artifact_type and not tag_of(entry).startswith("sha256-"):
                yield entry

    def _read_referrers(self) -> dict[str, list[Descriptor]]:
        found: dict[str, list[Descriptor]] = {}
        for descriptor in self._artifacts():
            with suppress(ImageMissing, BaseUnfit):
                content = self.content(descriptor)
                document = read_document(content, descriptor.media_type, place=self.name)
                if isinstance(document, Manifest) and document.subject is not None:
                    whole = Descriptor(
                        media_type=MANIFEST,
                        digest=descriptor.digest,
                        size=len(content),
                        artifact_type=document.artifact_type or document.config.media_type,
                        annotations=document.annotations,
                    )
                    found.setdefault(document.subject.digest, []).append(whole)
        return found

    def _artifacts(self) -> Iterator[Descriptor]:
        """Yield artifacts however the layout names them: as entries, in an annotation, under a fallback tag."""
        for entry in self._entries:
            if entry.artifact_type:
                yield entry
            for digest in unlisted_referrers(entry)[:_MOST_IMAGES]:
                yield Descriptor(media_type=MANIFEST, digest=digest, size=0)
            if tag_of(entry).startswith("sha256-") and entry.media_type in INDEX_TYPES:
                with suppress(ImageMissing, BaseUnfit):
                    document = read_document(self.content(entry), entry.media_type, place=self.name)
                    yield from document.manifests if isinstance(document, Index) else ()


class RegistryPlace:
    """A repository of a registry."""

    parallel = PARALLEL

    def __init__(self, text: str, wanted: Name, session: Session, *, is_whole: bool, store: Store) -> None:
        self.name = text
        self._wanted = wanted
        self._session = session
        self._is_whole = is_whole
        self._store = store

    def images(self) -> Iterator[Descriptor]:
        """Yield the images of the tag or digest, or those of every tag."""
        for tag in self.names():
            pulled = pull_manifest(self._session, tag)
            if isinstance(pulled.document, Manifest):
                yield pulled.descriptor
            else:
                yield from images_in(pulled.document)

    def pointed(self, name: str) -> Descriptor:
        """Ask the registry what a tag points at."""
        return pull_manifest(self._session, name).descriptor

    def names(self) -> Sequence[str]:
        """Return the tag or digest, or every tag."""
        named = self._wanted.digest or self._wanted.tag
        return [named or "latest"] if named or not self._is_whole else list_tags(self._session)

    def referrers(self, digest: str) -> Sequence[Descriptor]:
        """Return what the registry says refers to an image."""
        return referrers_of(self._session, digest)

    def content(self, manifest: Descriptor) -> bytes:
        """Return a manifest's bytes."""
        if self._store.has_blob(manifest.digest):
            return self._store.read_blob(manifest.digest)
        return pull_manifest(self._session, manifest.digest).content

    def take(self, blob: Descriptor) -> None:
        """Fetch a blob."""
        pull_blob(self._session, blob, store=self._store)


def expanded(entry: Descriptor, place: Place) -> Iterator[Descriptor]:
    """Yield an image itself, or the images of an index that are there."""
    content = place.content(entry)
    document = read_document(content, entry.media_type, place=place.name)
    if isinstance(document, Index):
        yield from images_in(document)[:_MOST_IMAGES]
    else:
        yield Descriptor(
            media_type=document.media_type or entry.media_type or MANIFEST,
            digest=entry.digest,
            size=len(content),
            platform=entry.platform,
        )


class _Tags(msgspec.Struct):
    tags: list[str] | None = None


def list_tags(session: Session) -> list[str]:
    """Return a repository's tags, without those that stand in for the referrers API, at most 2000.

    Source: distribution-spec, "Listing Tags". Raises RegistryRefused, RegistryUnreachable.
    """
    what = f"list the tags of {session.registry}/{session.path}"
    stand_in = fallback_tag("sha256:")
    target = f"/v2/{session.path}/tags/list?n=500"
    found: list[str] = []
    for _ in range(_MOST_PAGES):
        content, target = session.retrying(what, lambda at=target: _page(session, at, what))  # type: ignore[misc]
        try:
            page = msgspec.json.decode(content, type=_Tags)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise RegistryRefused(f"could not {what}: the answer cannot be read") from error
        found += [tag for tag in page.tags or () if not tag.startswith(stand_in)]
        if not target or len(found) >= _MOST_TAGS:
            break
    return found[:_MOST_TAGS]


def _page(session: Session, target: str, what: str) -> tuple[bytes, str]:
    """Return one page of tags, and the address of the next one."""
    with session.open("GET", target, accept=frozenset({200, 404}), what=what) as answer:
        if answer.status_code == 404:
            raise ImageMissing(f"could not {what}: there is no such repository")
        content = session.read(answer, DOCUMENT_BYTES)
        link = answer.headers.get("Link", "")
    address, _, relation = link.partition(";")
    if 'rel="next"' not in relation.replace(" ", ""):
        return content, ""
    # A registry may point to itself only: never to another host.
    following = urljoin(target, address.strip().strip("<>"))
    return content, following if following.startswith("/v2/") else ""
