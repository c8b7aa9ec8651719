"""The same image with a shell and its debug file, for ``kubectl debug``."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proa import build, pack
from proa.errors import DebugMissing, WrongUsage
from proa.outside.go import find_go
from proa.outside.images import fetch_image, located, write_image
from proa.outside.machine import this_platform
from proa.outside.manifests import read_config, stored_document
from proa.outside.places import has_referrers, open_place
from proa.outside.store import Store
from proa.pipeline.debug import Ask, debug_bench, find
from proa.pipeline.debug_search import one_platform
from proa.pipeline.plan import Bench, Say
from proa.records.oci import Descriptor, Manifest
from proa.records.platform import Platform
from proa.records.reference import Name, Reference, parse_reference

_TAG_CHARACTERS = 128 - len("-debug")


class DebugImage(msgspec.Struct, frozen=True, kw_only=True):
    """What ``proa debug image --format json`` prints."""

    reference: str
    digest: str
    image: str
    """The digest of the image it was made of."""
    platform: str
    build_id: str
    layer_digest: str
    layer_bytes: int
    shell: str
    """Where the shell is from; ``the image's own`` where it had one."""


def make_debug_image(ask: Ask, *, to: str, shell: str, environ: Mapping[str, str], progress: Say) -> DebugImage:
    """Make the debug image and write it to ``to``; without it into the local store, its tag ending in ``-debug``.

    Raises DebugMissing where the image has no debug file, WrongUsage, and what fetching, building and writing raise.
    """
    bench = debug_bench(ask, environ=environ, progress=progress)
    store = bench.store
    source = located(ask.target)
    target = parse_reference(to) if to else debug_name(source)
    if str(target) == str(source):
        raise WrongUsage(f"--to {to} is the image itself", hint="give the debug image a name of its own")
    with store.using():
        progress(f"fetching {source}")
        wanted = Platform.parse(ask.platform) if ask.platform else _only_platform(source, bench) or this_platform()
        image = fetch_image(source, wanted, store=store, access=bench.access)
        platform = _platform(image, store)
        symbols, _ = find(msgspec.structs.replace(ask, platform=str(platform)), bench)
        if symbols.image and symbols.image != image.digest:
            raise DebugMissing(f"the debug file that was found belongs to image {symbols.image}, not {image.digest}")
        added = None
        if shell or not pack.has_shell(image, store):
            progress(f"finding a shell for {platform}")
            added = build.find_shell(
                platform, chosen=shell, find_go=lambda: find_go(environ), environ=environ, store=store
            )
        made, layer = pack.debug_image(
            image,
            symbols,
            shell_digest=added.digest if added else "",
            shell_bytes=added.bytes if added else 0,
            shell_names=added.names if added else (),
            store=store,
            jobs=bench.jobs,
        )
        progress(f"publishing {target}")
        reference = write_image(made, target, store=store, access=bench.access, platform=platform)
    return DebugImage(
        reference=reference,
        digest=made.digest,
        image=image.digest,
        platform=str(platform),
        build_id=symbols.build_id,
        layer_digest=layer.digest,
        layer_bytes=layer.bytes,
        shell=added.origin if added else "the image's own",
    )


def debug_name(source: Reference) -> Reference:
    """Return what a debug image is called in the local store: the image's name, ``-debug`` behind its tag.

    >>> str(debug_name(parse_reference("docker://ghcr.io/team/shop:1.4")))
    'shop:1.4-debug'
    >>> str(debug_name(parse_reference("oci:out/Shop")))
    'shop:latest-debug'
    """
    from proa.publish import image_name

    name = source.name or Name(registry="", path="")
    # Without its registry: a name that seems to be there would be pulled from there in vain.
    path = name.path.rpartition("/")[2] or image_name(source.path.rstrip("/").rpartition("/")[2].removesuffix(".tar"))
    tag = f"{(name.tag or 'latest')[:_TAG_CHARACTERS]}-debug"
    return Reference(transport="store", name=Name(registry="", path=path, tag=tag))


def _only_platform(source: Reference, bench: Bench) -> Platform | None:
    """Return the platform of an image that is for one platform alone, as its place says it."""
    if not has_referrers(source):
        return None
    with open_place(source, is_whole=False, store=bench.store, access=bench.access) as place:
        found = one_platform(list(place.images()), None, default=this_platform(), place=place.name)
    return found.platform.platform if found.platform else None


def _platform(image: Descriptor, store: Store) -> Platform:
    document = stored_document(image, store)
    assert isinstance(document, Manifest)  # noqa: S101 - fetch_image returns one platform's manifest
    config = read_config(store.read_blob(document.config.digest))
    return Platform(config.os, config.architecture, config.variant or "")
