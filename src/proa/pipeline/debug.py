"""The debug file of an image, a build-id, a core or a program: found, fetched and written where debuggers look."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from proa.errors import DebugMissing, HostileArchive, ImageMissing, WrongUsage
from proa.outside import corefile, elf
from proa.outside.images import fetch_image, located
from proa.outside.machine import copy_file, make_folder, this_platform
from proa.outside.manifests import stored_descriptor
from proa.outside.places import has_referrers
from proa.outside.store import disk_errors
from proa.pipeline.debug_search import Search, build_id_of, own_symbols, program_of, take_image
from proa.pipeline.plan import Bench, Say, open_bench
from proa.records.debugging import Symbols, build_id_path, is_build_id_start
from proa.records.oci import is_digest
from proa.records.platform import Platform
from proa.records.reference import Name, Reference
from proa.records.request import Request

_Kind = Literal["image", "build-id"]


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for, as it follows from the words of the user."""

    what: str
    """For messages: ``the core crash.core of /app``."""
    build_id: str = ""
    """A build-id or its beginning."""
    program: str = ""
    """The digest of the program's file, where that is what the user has."""
    image: Reference | None = None
    """Where there is no build-id."""
    hint: str = ""
    """For the error that nothing was found."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One call of ``proa debug``."""

    target: str
    sources: tuple[str, ...] = ()
    platform: str = ""
    allows_any_insecure: bool = False


def debug_bench(ask: Ask, *, environ: Mapping[str, str], progress: Say) -> Bench:
    """Return what every step works with."""
    return open_bench(Request(allows_any_insecure=ask.allows_any_insecure), environ, progress)


def wanted(target: str, bench: Bench) -> Wanted:
    """Return what a target means: a file's build-id, an image, or a build-id as it is written.

    An image of the store with that name wins over a build-id. Raises WrongUsage, BinaryDamaged, DebugMissing.
    """
    file = Path(target)
    if file.is_file():
        if corefile.is_core(file):
            core = corefile.read_core(file)
            return Wanted(what=f"{core.program}, build-id {core.build_id}", build_id=core.build_id)
        if elf.is_elf(file):
            build_id = build_id_of(file)
            if not build_id:
                raise DebugMissing(
                    f"{target} has no build-id, by which its debug file could be found", hint="name its image instead"
                )
            is_whole = elf.open_elf(file).section(".debug_info", ".zdebug_info") is not None
            hint = f"{target} was not stripped: debuggers read it as it is" if is_whole else ""
            with disk_errors(file), file.open("rb") as stream:
                digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
            return Wanted(what=f"{target}, build-id {build_id}", build_id=build_id, program=digest, hint=hint)
        return Wanted(what=target, image=_archive(target))
    if is_digest(target):
        image = Reference(transport="store", name=Name(registry="", path="", digest=target))
        return Wanted(what=target, image=image)
    if is_build_id_start(target) and bench.store.reference(f"{target.lower()}:latest") is None:
        return Wanted(what=f"build-id {target.lower()}", build_id=target)
    return Wanted(what=target, image=located(target))


def _archive(target: str) -> Reference:
    try:
        return located(target)
    except HostileArchive as error:
        raise WrongUsage(
            f"{target} is neither an ELF program or core nor the archive of an image", output=error.what
        ) from error


def find(ask: Ask, bench: Bench) -> tuple[Symbols, Search]:
    """Return the debug file that was asked for, which is in the store then, and the search that found it.

    Raises DebugMissing, DebugMismatch, BinaryDamaged, ImageMissing, BaseUnfit, WrongUsage, and what an unreachable
    place raises.
    """
    search = Search(bench, [located(text) for text in ask.sources])
    platform = Platform.parse(ask.platform) if ask.platform else None
    target = wanted(ask.target, bench)
    found = (
        search.by_build_id(target.build_id, program=target.program)
        if target.image is None
        else _of_image(search, target.image, platform)
    )
    if found is None:
        raise search.missing(target.what, hint=target.hint)
    return found, search


def _of_image(search: Search, image: Reference, platform: Platform | None) -> Symbols | None:
    default = this_platform()
    if not image.path and image.name and not image.name.path:
        # A bare digest is looked for wherever there is something to look in.
        for place in (image, *(_with_digest(source, image.name.digest) for source in search.sources)):
            try:
                if found := search.of_image(place, platform, default=default):
                    return found
            except ImageMissing:
                continue
        return None
    if has_referrers(image) and (found := search.of_image(image, platform, default=default)):
        return found
    # Copied without what refers to it, or where nothing can: the program itself says whose it is.
    manifest = fetch_image(image, platform or default, store=search.bench.store, access=search.bench.access)
    path, digest = program_of(search.bench, manifest.digest)
    build_id = build_id_of(search.bench.store.blob_path(digest))
    found = search.by_build_id(build_id, program=digest) if build_id else None
    return found or own_symbols(search.bench.store, digest, program=path, place=str(image))


def _with_digest(source: Reference, digest: str) -> Reference:
    name = source.name or Name(registry="", path="")
    return msgspec.structs.replace(source, name=msgspec.structs.replace(name, tag="", digest=digest))


def fetch_program(symbols: Symbols, search: Search, image: Reference | None) -> str:
    """Return the digest of the shipped program that belongs to a debug file; it is in the store then.

    ``image`` is where the user said the image is. Raises DebugMissing.
    """
    store = search.bench.store
    if symbols.program_digest and store.has_blob(symbols.program_digest):
        return symbols.program_digest
    for reference in _homes(symbols, search, image):
        try:
            if not (symbols.image and store.has_blob(symbols.image) and _is_whole(symbols.image, search)):
                take_image(search.bench, reference, symbols.image)
            return program_of(search.bench, symbols.image)[1]
        except ImageMissing:
            continue
    raise DebugMissing(
        f"the program of build-id {symbols.build_id or symbols.name} is not at hand: its image was not found",
        hint="name the image, or add --from with the layout or repository that has it",
    )


def _homes(symbols: Symbols, search: Search, image: Reference | None) -> Sequence[Reference]:
    """Return where the image of a debug file may be, the most likely first."""
    if not symbols.image:
        return ()
    local = Reference(transport="store", name=Name(registry="", path="", digest=symbols.image))
    places = (local, *((image,) if image else ()), *search.sources)
    return tuple(place for place in places if has_referrers(place))


def _is_whole(digest: str, search: Search) -> bool:
    from proa.outside.manifests import stored_blobs

    store = search.bench.store
    return all(store.has_blob(blob.digest) for blob in stored_blobs(stored_descriptor(digest, store), store))


def get_debug(
    ask: Ask,
    *,
    output: str = "",
    install: str = "",
    with_program: bool = False,
    environ: Mapping[str, str],
    progress: Say,
) -> Symbols:
    """Find a debug file and write it: to ``output``, else under its own name here, else below ``install``.

    ``install`` is a debug file directory, where gdb and delve look by build-id. With the program, that is written
    beside it. Every file appears whole or not at all. Raises what ``find`` does; NotWritable, NoSpace.
    """
    bench = debug_bench(ask, environ=environ, progress=progress)
    with bench.store.using():
        symbols, search = find(ask, bench)
        program = fetch_program(symbols, search, wanted(ask.target, bench).image) if with_program else ""
        path, program_path = _targets(symbols, output, install)
        if install:
            make_folder(path.parent)
        progress(f"writing {path}")
        copy_file(bench.store.blob_path(symbols.digest), path, mode=0o644)
        if program:
            copy_file(bench.store.blob_path(program), program_path, mode=0o755)
    return msgspec.structs.replace(symbols, path=str(path), program_path=str(program_path) if program else "")


def _targets(symbols: Symbols, output: str, install: str) -> tuple[Path, Path]:
    """Return where the debug file and the program go. Raises WrongUsage."""
    if install:
        if not symbols.build_id:
            raise WrongUsage(
                f"{symbols.name} has no build-id, by which a debug file directory is arranged", hint="use --output"
            )
        folder = Path(install)
        return folder / build_id_path(symbols.build_id, ".debug"), folder / build_id_path(symbols.build_id)
    path = Path(output or symbols.file_name)
    if path.is_dir():
        path /= symbols.file_name
    # The name without the ending is the program's; one without that ending must not meet it.
    beside = path.with_name(path.name.removesuffix(".debug"))
    return path, beside if beside != path else path.with_name(f"{path.name}.program")
