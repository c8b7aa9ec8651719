"""Fetch an image from anywhere into the store, and write one from the store to anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

import msgspec

from proa.errors import BaseUnfit, ImageMissing, RegistryUnreachable, WrongUsage
from proa.outside.access import Access
from proa.outside.machine import this_platform
from proa.outside.manifests import check_platform, one_image, read_config, stored_blobs, stored_descriptor
from proa.outside.store import Store
from proa.records.oci import INDEX_TYPES, Descriptor
from proa.records.platform import Platform
from proa.records.reference import Name, Reference, Transport, parse_reference

_ONE_PLATFORM: frozenset[Transport] = frozenset({"docker-archive", "docker-daemon", "kind"})
_NO_NAME = Name(registry="", path="")

__all__ = ["Access", "fetch_any", "fetch_image", "located", "takes_one_platform", "write_image"]


def located(text: str) -> Reference:
    """Return the reference a user wrote; the path of a layout or archive that exists wins over a name.

    Raises WrongUsage, HostileArchive.
    """
    path = Path(text)
    if (path / "index.json").is_file():
        return Reference(transport="oci", path=text)
    if path.is_file():
        from proa.outside import archive

        with archive.opened(path) as members:
            return Reference(transport="oci-archive" if members.has("index.json") else "docker-archive", path=text)
    try:
        return parse_reference(text)
    except WrongUsage as error:
        hint = "an image on disk is a tar archive, or a folder with the index.json of an OCI layout"
        if path.exists():
            raise WrongUsage(f"{text} is no image", hint=hint) from error
        if text.startswith(("/", "./", "../")):
            raise WrongUsage(f"there is no {text}", hint=hint) from error
        raise


def takes_one_platform(destination: Reference) -> bool:
    """Say whether a destination can hold one platform only; of an index it gets this machine's."""
    return destination.transport in _ONE_PLATFORM


def fetch_image(reference: Reference, platform: Platform, *, store: Store, access: Access) -> Descriptor:
    """Fetch one platform of an image into the store and return its manifest's descriptor.

    Raises ImageMissing, BaseUnfit (listing the platforms that are there), RegistryRefused, RegistryUnreachable,
    DaemonUnreachable, HostileArchive, NoSpace.
    """
    name = reference.name or _NO_NAME
    if reference.transport == "store":
        return _stored(name, platform, store)
    # TLS and HTTP take 20 ms to import, and most runs reach nothing outside.
    from proa.outside import archive, docker, layout

    match reference.transport:
        case "oci":
            return layout.read_layout(
                Path(reference.path), tag=_ref_name(name), digest=name.digest, platform=platform, store=store
            )
        case "oci-archive":
            return archive.read_oci_archive(
                Path(reference.path), tag=_ref_name(name), digest=name.digest, platform=platform, store=store
            )
        case "docker-archive":
            wanted = docker.local_name(name) if name.path else ""
            return archive.read_docker_archive(Path(reference.path), name=wanted, platform=platform, store=store)
        case "docker-daemon":
            return docker.save(name, platform, store=store, access=access)
        case "docker":
            return _pulled(reference, name, platform, store, access)
        case "kind" | "containerd":
            raise ImageMissing(
                f"{reference}: images are not read from {reference.transport}", hint="name the registry it came from"
            )
        case _:
            assert_never(reference.transport)


def fetch_any(reference: Reference, *, store: Store, access: Access) -> Descriptor:
    """Fetch an image from a registry or the store: of an index this machine's platform, a single one as it is.

    Raises what fetch_image raises.
    """
    name = reference.name or _NO_NAME
    match reference.transport:
        case "store":
            return _stored(name, None, store)
        case "docker":
            return _pulled(reference, name, None, store, access)
        case _:
            return fetch_image(reference, this_platform(), store=store, access=access)


def write_image(
    descriptor: Descriptor,
    destination: Reference,
    *,
    store: Store,
    access: Access,
    referrers: Sequence[Descriptor] = (),
    lists_referrers: bool = True,
    platform: Platform | None = None,
) -> str:
    """Write a stored image or index to a destination and return its reference there, one line for stdout.

    ``docker-daemon:`` and ``kind:`` give NAME:TAG, everything else ends in ``@sha256:…``. ``referrers`` go along
    to registries, layouts and OCI archives; ``lists_referrers`` makes them entries of their own in the last two.
    ``platform`` (this machine's) is what one-platform destinations get.
    Raises RegistryRefused, RegistryUnreachable, DaemonUnreachable, ToolMissing, NoSpace, NotWritable, ImageMissing.
    """
    name = destination.name or _NO_NAME
    here = platform or this_platform()
    tail = f"@{descriptor.digest}"
    if destination.transport == "store":
        store.set_reference(_store_name(name), descriptor)
        return f"{name.repository}{tail}"
    if destination.transport == "oci":
        from proa.outside import layout

        layout.write_layout(
            descriptor,
            Path(destination.path),
            tag=_ref_name(name),
            store=store,
            referrers=referrers,
            lists_referrers=lists_referrers,
        )
        return f"{msgspec.structs.replace(destination, name=msgspec.structs.replace(name, digest=''))}{tail}"
    from proa.outside import archive, clusters, docker, registry

    match destination.transport:
        case "oci-archive":
            parts = archive.oci_parts(
                descriptor, tag=_ref_name(name), store=store, referrers=referrers, lists_referrers=lists_referrers
            )
            archive.write_archive(parts, Path(destination.path))
        case "docker-archive":
            chosen, manifest = one_image(descriptor, here, store=store)
            names = [docker.local_name(name)] if name.path else []
            with archive.docker_parts(manifest, names=names, store=store) as members:
                archive.write_archive(members, Path(destination.path))
            tail = f"@{chosen.digest}"
        case "docker-daemon":
            return docker.load(descriptor, name, here, store=store, access=access)
        case "docker":
            registry.push(descriptor, name, store=store, access=access, referrers=referrers)
            # Docker Hub answers under another host than its names show.
            return f"{name.repository.replace('registry-1.docker.io/', 'docker.io/', 1)}{tail}"
        case "kind":
            return clusters.load_into_kind(descriptor, name, here, store=store, access=access)
        case "containerd":
            return clusters.load_into_containerd(descriptor, name, store=store, access=access) + tail
        case _:
            assert_never(destination.transport)
    return f"{msgspec.structs.replace(destination, name=msgspec.structs.replace(name, digest=''))}{tail}"


def _ref_name(name: Name) -> str:
    """Return what a layout calls an image: the tag, or the whole name where one was given."""
    return str(msgspec.structs.replace(name, digest="")) if name.path else name.tag


def _store_name(name: Name) -> str:
    return f"{name.repository}:{name.tag or 'latest'}"


def _stored(name: Name, platform: Platform | None, store: Store) -> Descriptor:
    if name.digest:
        found = stored_descriptor(name.digest, store)
    else:
        there = store.reference(_store_name(name))
        if there is None:
            raise ImageMissing(
                f"the local store has no image {_store_name(name)}",
                hint=f"for one in a registry write docker://{name}, in the docker daemon docker-daemon:{name}",
            )
        found = there
    return _complete(found, platform, store, place=str(name))


def _complete(found: Descriptor, platform: Platform | None, store: Store, *, place: str) -> Descriptor:
    """Return a platform's manifest of an image that is wholly in the store. Raises ImageMissing, BaseUnfit."""
    if found.media_type in INDEX_TYPES:
        platform = platform or this_platform()
    chosen, manifest = one_image(found, platform or this_platform(), store=store)
    config = read_config(store.read_blob(manifest.config.digest), place=place)
    if platform is not None:
        check_platform(config, platform, place=place)
    missing = [blob.digest for blob in stored_blobs(chosen, store) if not store.has_blob(blob.digest)]
    if missing:
        raise ImageMissing(f"the local store lacks blob {missing[0]} of {place}")
    return msgspec.structs.replace(chosen, platform=None, annotations=None)


def _pulled(reference: Reference, name: Name, platform: Platform | None, store: Store, access: Access) -> Descriptor:
    from proa.outside import registry

    if name.digest and store.has_blob(name.digest):
        try:
            return _complete(stored_descriptor(name.digest, store), platform, store, place=str(name))
        except (ImageMissing, BaseUnfit):
            # Fetched for another platform, or pruned in part: the registry has the rest.
            pass
    try:
        descriptor, top = registry.pull(name, platform, store=store, access=access)
    except RegistryUnreachable as error:
        known = store.reference(str(reference))
        if known is not None and not error.hint.startswith("name your CA"):
            error.hint = f"offline, name it by its digest: docker://{name.repository}@{known.digest}"
        raise
    # Named, so that pruning sees it as in use and an offline run can be told its digest.
    store.set_reference(str(reference), top)
    return descriptor
