"""Push images to a registry and pull them from one.

Order of a push: blobs (four at a time, those already there skipped), manifests by digest with children before
their index, what refers to the image, and the tag last: a reader of the tag sees the old image or the new one.
Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from proa.errors import BaseUnfit, ImageMissing, RegistryRefused, WrongUsage
from proa.outside.access import Access
from proa.outside.machine import this_platform
from proa.outside.manifests import (
    ACCEPT,
    DOCUMENT_BYTES,
    check_platform,
    choose,
    digest_of,
    media_type_of,
    parts,
    read_config,
    read_document,
    stored_blobs,
    stored_document,
    stored_manifests,
)
from proa.outside.registry_http import Session, TryAgain
from proa.outside.store import Store, check_room
from proa.records.oci import INDEX, Descriptor, Index, Manifest
from proa.records.platform import Platform
from proa.records.reference import Name, parse_reference

PARALLEL = 4
_CHUNK_BYTES = 1 << 20
_PATCH_BYTES = 16 << 20
_FALLBACK_TRIES = 3
_SOURCE = "org.opencontainers.image.base.name"
#: Statuses that say a whole blob in one request is not wanted: too large for a proxy, or not implemented.
_WANTS_CHUNKS = frozenset({405, 413})


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """One manifest or index as a registry sent it."""

    descriptor: Descriptor
    content: bytes
    document: Manifest | Index


@contextmanager
def _session(name: Name, access: Access, actions: str, *, mount_from: str = "") -> Iterator[Session]:
    scopes = [f"repository:{name.path}:{actions}"]
    if mount_from:
        scopes.append(f"repository:{mount_from}:pull")
    with Session(name.registry, name.path, access=access, scopes=tuple(scopes)) as session:
        yield session


# Pulling


def pull(name: Name, platform: Platform | None, *, store: Store, access: Access) -> tuple[Descriptor, Descriptor]:
    """Fetch one platform's image into the store; return its manifest and what the name itself stands for.

    The second is the index where there is one. Blobs already in the store are not fetched. Without a platform: of an
    index this machine's, of a single image whatever it is for.
    Raises ImageMissing, BaseUnfit, RegistryRefused, RegistryUnreachable, NoSpace.
    """
    with _session(name, access, "pull") as session:
        top = pulled = pull_manifest(session, name.digest or name.tag or "latest")
        if isinstance(pulled.document, Index):
            store.put_blob(pulled.content)
            platform = platform or this_platform()
            chosen = choose(pulled.document, platform, place=str(name))
            pulled = pull_manifest(session, chosen.digest, most_bytes=chosen.size)
        if isinstance(pulled.document, Index):
            raise BaseUnfit(f"{name} has an index inside an index")
        config, *layers = parts(pulled.document)
        if config.size > DOCUMENT_BYTES:
            raise BaseUnfit(f"{name} has a configuration of {config.size} bytes")
        pull_blob(session, config, store=store)
        there = read_config(store.read_blob(config.digest), place=str(name))
        if platform is not None:
            check_platform(there, platform, place=str(name))
        check_room(store, sum(layer.size for layer in layers if not store.has_blob(layer.digest)))
        in_parallel(layers, lambda layer: pull_blob(session, layer, store=store))
        store.put_blob(pulled.content)
        return pulled.descriptor, top.descriptor


def pull_manifest(session: Session, reference: str, *, most_bytes: int = DOCUMENT_BYTES) -> Pulled:
    """Return the manifest or index a tag or digest names, checked against the digest.

    Raises ImageMissing, BaseUnfit, RegistryRefused, RegistryUnreachable.
    """
    what = f"read {session.registry}/{session.path}{'@' if ':' in reference else ':'}{reference}"
    target = f"/v2/{session.path}/manifests/{reference}"

    def attempt() -> tuple[bytes, str]:
        with session.open("GET", target, headers={"Accept": ACCEPT}, accept=frozenset({200, 404}), what=what) as answer:
            if answer.status_code == 404:
                raise ImageMissing(f"could not {what}: there is no such image", hint="check the name and the tag")
            return session.read(answer, min(most_bytes, DOCUMENT_BYTES)), answer.headers.get("Content-Type", "")

    content, media_type = session.retrying(what, attempt)
    digest = digest_of(content)
    if ":" in reference and digest != reference:
        raise RegistryRefused(f"could not {what}: the registry sent {digest} instead")
    document = read_document(content, media_type, place=f"{session.registry}/{session.path}")
    descriptor = Descriptor(media_type=media_type_of(content, media_type), digest=digest, size=len(content))
    return Pulled(descriptor=descriptor, content=content, document=document)


def pull_blob(session: Session, blob: Descriptor, *, store: Store) -> None:
    """Stream a blob into the store; exactly the bytes and the digest that were declared, or nothing.

    Raises RegistryRefused, RegistryUnreachable, NoSpace.
    """
    if store.has_blob(blob.digest):
        return
    what = f"fetch blob {blob.digest} from {session.registry}/{session.path}"

    def attempt() -> None:
        target = f"/v2/{session.path}/blobs/{blob.digest}"
        with session.open("GET", target, what=what) as answer, store.write_blob() as writer:
            for chunk in answer.iter_raw(_CHUNK_BYTES):
                if writer.bytes + len(chunk) > blob.size:
                    raise RegistryRefused(f"could not {what}: it is longer than the {blob.size} bytes declared")
                writer.write(chunk)
            if writer.bytes < blob.size:
                raise TryAgain(f"it broke off after {writer.bytes} of {blob.size} bytes")
            if writer.digest != blob.digest:
                raise RegistryRefused(f"could not {what}: the registry sent {writer.digest} instead")

    session.retrying(what, attempt)


# Pushing


def push(
    descriptor: Descriptor, name: Name, *, store: Store, access: Access, referrers: Sequence[Descriptor] = ()
) -> None:
    """Send a stored image or index, what refers to it, and move the tag last.

    Raises RegistryRefused, RegistryUnreachable, ImageMissing.
    """
    mount_from = _mount_source(descriptor, name, store)
    with _session(name, access, "pull,push", mount_from=mount_from) as session:
        push_image(session, descriptor, store=store, mount_from=mount_from)
        for referrer in referrers:
            push_referrer(session, referrer, store=store)
        if name.tag:
            push_manifest(session, descriptor, store.read_blob(descriptor.digest), reference=name.tag)


def push_image(session: Session, descriptor: Descriptor, *, store: Store, mount_from: str = "") -> None:
    """Send an image's blobs and its manifests by digest; no tag is touched."""
    documents = list(stored_manifests(descriptor, store))
    names = {entry.digest for entry, _ in documents}
    blobs = [blob for blob in stored_blobs(descriptor, store) if blob.digest not in names]
    in_parallel(blobs, lambda blob: push_blob(session, blob, store=store, mount_from=mount_from))
    for entry, _ in documents:
        push_manifest(session, entry, store.read_blob(entry.digest), reference=entry.digest)


def push_blob(session: Session, blob: Descriptor, *, store: Store, mount_from: str = "") -> None:
    """Send one blob unless the registry has it, by mounting it from another repository where that works."""
    what = f"send blob {blob.digest} to {session.registry}/{session.path}"

    def attempt() -> None:
        if _has(session, f"/v2/{session.path}/blobs/{blob.digest}", what):
            return
        location = _start_upload(session, blob, mount_from, what)
        if location and not _put_whole(session, location, blob, store, what):
            _put_in_chunks(session, _start_upload(session, blob, "", what), blob, store, what)

    session.retrying(what, attempt)


def push_manifest(session: Session, descriptor: Descriptor, content: bytes, *, reference: str) -> bool:
    """Put a manifest under a digest or tag unless it is there; say whether the registry noted its subject."""
    what = f"write {session.registry}/{session.path}{'@' if ':' in reference else ':'}{reference}"
    target = f"/v2/{session.path}/manifests/{reference}"

    def attempt() -> bool:
        if _has(session, target, what, digest=descriptor.digest):
            return False
        headers = {"Content-Type": descriptor.media_type}
        accept = frozenset({200, 201, 202})
        with session.open("PUT", target, headers=headers, body=lambda: content, accept=accept, what=what) as answer:
            return "OCI-Subject" in answer.headers

    return session.retrying(what, attempt)


def _has(session: Session, target: str, what: str, *, digest: str = "") -> bool:
    """Say whether a blob or manifest is there; with ``digest``, whether it is exactly that one."""
    headers = {"Accept": ACCEPT} if digest else {}
    with session.open("HEAD", target, headers=headers, accept=frozenset({200, 404}), what=what) as answer:
        if answer.status_code != 200:
            return False
        said = answer.headers.get("Docker-Content-Digest", "")
        # Without the header a digest's own address is proof enough, a tag's is not.
        return not digest or said == digest or (not said and target.endswith(digest))


def _start_upload(session: Session, blob: Descriptor, mount_from: str, what: str) -> str:
    """Return the address to send a blob to; empty where it was mounted instead."""
    target = f"/v2/{session.path}/blobs/uploads/"
    if mount_from:
        target += "?" + urlencode({"mount": blob.digest, "from": mount_from})
    with session.open("POST", target, accept=frozenset({201, 202}), what=what) as answer:
        if answer.status_code == 201:
            return ""
        return session.address(answer.headers.get("Location", ""), what)


def _with_digest(address: str, digest: str) -> str:
    return f"{address}{'&' if urlsplit(address).query else '?'}digest={quote(digest)}"


def _put_whole(session: Session, address: str, blob: Descriptor, store: Store, what: str) -> bool:
    """Send a blob in one request; False where the registry wants pieces."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(blob.size)}
    accept = frozenset({201, 204}) | _WANTS_CHUNKS
    url = _with_digest(address, blob.digest)
    try:
        with session.open(
            "PUT", url, headers=headers, body=lambda: _chunks(store, blob), accept=accept, what=what
        ) as answer:
            return answer.status_code not in _WANTS_CHUNKS
    except RegistryRefused as error:
        # An upload that the registry forgot (404, 416) is begun anew, as one that broke off.
        if "answered 404" in error.what or "answered 416" in error.what:
            raise TryAgain(error.what, output=error.output) from error
        raise


def _put_in_chunks(session: Session, address: str, blob: Descriptor, store: Store, what: str) -> None:
    position = 0
    while position < blob.size:
        size = min(_PATCH_BYTES, blob.size - position)
        piece = (position, size)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size),
            "Content-Range": f"{position}-{position + size - 1}",
        }
        with session.open(
            "PATCH", address, headers=headers, body=lambda p=piece: _chunks(store, blob, *p),  # type: ignore[misc]
            accept=frozenset({202}), what=what,
        ) as answer:  # fmt: skip
            address = session.address(answer.headers.get("Location", ""), what)
        position += size
    url = _with_digest(address, blob.digest)
    with session.open("PUT", url, headers={"Content-Length": "0"}, accept=frozenset({201, 204}), what=what):
        return


def _chunks(store: Store, blob: Descriptor, position: int = 0, size: int | None = None) -> Iterator[bytes]:
    left = blob.size - position if size is None else size
    with store.open_blob(blob.digest) as file:
        file.seek(position)
        while left > 0 and (chunk := file.read(min(_CHUNK_BYTES, left))):
            left -= len(chunk)
            yield chunk


def _mount_source(descriptor: Descriptor, name: Name, store: Store) -> str:
    """Return the repository of the base image where it is in the same registry, else an empty string."""
    for _, document in stored_manifests(descriptor, store):
        base = (document.annotations or {}).get(_SOURCE, "")
        if base and base != "scratch":
            try:
                found = parse_reference(base if base.startswith("docker://") else f"docker://{base}").name
            except WrongUsage:
                continue
            if found and found.registry == name.registry and found.path != name.path:
                return found.path
    return ""


# What refers to an image


def push_referrer(session: Session, descriptor: Descriptor, *, store: Store) -> None:
    """Send an artifact with a subject, and make it findable: by the registry itself, or by the fallback tag.

    Source: distribution-spec, "Pushing Manifests with Subject" and "Referrers Tag Schema".
    """
    document = stored_document(descriptor, store)
    subject = document.subject
    if subject is None:
        raise ImageMissing(f"{descriptor.digest} refers to nothing")
    if any(entry.digest == descriptor.digest for entry in referrers_of(session, subject.digest)):
        return
    in_parallel(parts(document), lambda blob: push_blob(session, blob, store=store))
    content = store.read_blob(descriptor.digest)
    if push_manifest(session, descriptor, content, reference=descriptor.digest):
        return
    if any(entry.digest == descriptor.digest for entry in _api_referrers(session, subject.digest) or ()):
        return
    _add_to_fallback(session, subject.digest, _as_listed(descriptor, document))


def referrers_of(session: Session, digest: str) -> tuple[Descriptor, ...]:
    """Return what a registry says refers to a digest, by its API or by the fallback tag."""
    found = _api_referrers(session, digest)
    return _fallback(session, digest) if found is None else found


def list_referrers(name: Name, digest: str, *, access: Access) -> tuple[Descriptor, ...]:
    """Return what refers to a digest in a repository. Raises RegistryRefused, RegistryUnreachable."""
    with _session(name, access, "pull") as session:
        return referrers_of(session, digest)


def _api_referrers(session: Session, digest: str) -> tuple[Descriptor, ...] | None:
    """Return the answer of the referrers API, None where the registry has none."""
    what = f"list what refers to {session.registry}/{session.path}@{digest}"
    target = f"/v2/{session.path}/referrers/{digest}"
    accept = frozenset({200, 400, 404, 405, 406, 501})

    def attempt() -> tuple[bytes, str] | None:
        with session.open("GET", target, headers={"Accept": INDEX}, accept=accept, what=what) as answer:
            if answer.status_code != 200 or not answer.headers.get("Content-Type", "").startswith(INDEX):
                return None
            return session.read(answer, DOCUMENT_BYTES), INDEX

    answered = session.retrying(what, attempt)
    if answered is None:
        return None
    document = read_document(*answered, place=f"{session.registry}/{session.path}")
    return document.manifests if isinstance(document, Index) else ()


def fallback_tag(digest: str) -> str:
    """Return the tag that stands in for the referrers API.

    >>> fallback_tag("sha256:" + "0" * 64)[:12]
    'sha256-00000'
    """
    return digest.replace(":", "-", 1)


def _fallback(session: Session, digest: str) -> tuple[Descriptor, ...]:
    try:
        pulled = pull_manifest(session, fallback_tag(digest))
    except ImageMissing:
        return ()
    if not isinstance(pulled.document, Index):
        tag = fallback_tag(digest)
        raise RegistryRefused(
            f"{session.registry}/{session.path}:{tag} is no index of referrers, and is left alone",
            hint="remove that tag, or use a registry with the referrers API",
        )
    return pulled.document.manifests


def _add_to_fallback(session: Session, digest: str, entry: Descriptor) -> None:
    """Append to the index under the fallback tag; other tools' entries stay.

    The tag has no lock: another writer between reading and writing would be lost, so it is read again afterwards.
    """
    for _ in range(_FALLBACK_TRIES):
        kept = tuple(each for each in _fallback(session, digest) if each.digest != entry.digest)
        index = Index(schema_version=2, media_type=INDEX, manifests=(*kept, entry))
        content = msgspec.json.encode(index)
        written = Descriptor(media_type=INDEX, digest=digest_of(content), size=len(content))
        push_manifest(session, written, content, reference=fallback_tag(digest))
        if any(each.digest == entry.digest for each in _fallback(session, digest)):
            return
    raise RegistryRefused(f"{session.registry}/{session.path}:{fallback_tag(digest)} is overwritten by another writer")


def _as_listed(descriptor: Descriptor, document: Manifest | Index) -> Descriptor:
    """Return an artifact's descriptor as a list of referrers shows it: with its type and annotations."""
    kind = document.artifact_type or (document.config.media_type if isinstance(document, Manifest) else None)
    return msgspec.structs.replace(descriptor, artifact_type=kind, annotations=document.annotations)


def in_parallel(items: Iterable[Descriptor], work: Callable[[Descriptor], None]) -> None:
    """Do the work for every item, four at a time; the first error ends what has not begun."""
    stop = threading.Event()

    def one(item: Descriptor) -> None:
        if stop.is_set():
            return
        try:
            work(item)
        except BaseException:
            stop.set()
            raise

    pool = ThreadPoolExecutor(PARALLEL)
    try:
        for future in [pool.submit(one, item) for item in items]:
            future.result()
    except BaseException:
        # Not waited for: the end of the session breaks off what is under way, which could take minutes.
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
