"""From an image's name to its anatomy: open, read every layer once, merge, judge."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from proa.inspect.findings import find_all
from proa.inspect.heads import look
from proa.inspect.history import instructions
from proa.inspect.merge import Merged, merge_layers
from proa.inspect.waste import describe_layers, duplicates, wasted_files
from proa.outside.image_stream import StreamedImage, opened_image
from proa.outside.images import located
from proa.outside.layer_stream import StreamLimits
from proa.outside.layer_workers import read_apart
from proa.pipeline.plan import Say, open_bench
from proa.records.image_anatomy import ImageAnatomy
from proa.records.platform import Platform
from proa.records.request import Request

_PROGRAM_MAGIC = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xfe\xed\xfa\xcf", b"\xfe\xed\xfa\xce")
_FAT = b"\xca\xfe\xba\xbe"
"""Mach-O for several architectures; Java's classes begin so, too."""


def is_program(target: str) -> bool:
    """Say whether a target is an existing file that begins as ELF, Mach-O or PE do."""
    try:
        with Path(target).open("rb") as file:
            head = file.read(4)
    except (OSError, ValueError):
        return False
    return head.startswith(_PROGRAM_MAGIC) or head == _FAT


def inspect_image(image: str, request: Request, *, environ: Mapping[str, str], progress: Say) -> ImageAnatomy:
    """Return what is in an image in any place; nothing of it is unpacked to disk.

    Without a platform in the request: of an index this machine's, of a single image whatever it is for.
    Raises ImageMissing, BaseUnfit, HostileArchive, RegistryRefused, RegistryUnreachable, DaemonUnreachable, NoSpace.
    """
    bench = open_bench(request, environ, progress)
    platform = Platform.parse(request.platforms[0]) if request.platforms else None
    with bench.store.using():
        progress(f"opening {image}")
        reference = located(image)
        with opened_image(reference, platform, store=bench.store, access=bench.access) as opened:
            progress(f"reading {len(opened.layers)} layers")
            return dissect(opened, place=str(reference), threads=request.jobs or 2)


def dissect(opened: StreamedImage, *, place: str, limits: StreamLimits | None = None, threads: int = 2) -> ImageAnatomy:
    """Return what is in an open image. Raises HostileArchive, ImageMissing."""
    with without_collecting():
        return dissect_and_keep(opened, place, limits, threads)[0]


@contextmanager
def without_collecting() -> Iterator[None]:
    """Keep Python from searching for cycles: there are none among the entries of an image, and the search is slow."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def dissect_and_keep(
    opened: StreamedImage, place: str, limits: StreamLimits | None, threads: int
) -> tuple[ImageAnatomy, Merged]:
    """Return what is in an open image, and the view of all its layers. Raises HostileArchive, ImageMissing."""
    read = read_apart(opened.layers, look, place=place, limits=limits, processes=threads)
    merged = merge_layers([layer.entries for layer in read])
    layers = describe_layers(read, merged, instructions(opened.config.history or (), len(read)))
    files, wasted_count = wasted_files(merged, layers)
    doubled, duplicate_bytes = duplicates(merged)
    stored_bytes = sum(layer.stored_bytes for layer in layers)
    wasted_bytes = sum(layer.wasted_bytes for layer in layers)
    anatomy = ImageAnatomy(
        reference=place,
        digest=opened.digest,
        platform=opened.platform,
        layers=layers,
        stored_bytes=stored_bytes,
        compressed_bytes=sum(layer.compressed_bytes for layer in layers),
        visible_bytes=stored_bytes - wasted_bytes,
        wasted_bytes=wasted_bytes,
        duplicate_bytes=duplicate_bytes,
        efficiency=(stored_bytes - wasted_bytes) / stored_bytes if stored_bytes else 1.0,
        files=files,
        wasted_files=wasted_count,
        duplicates=doubled,
        findings=find_all(merged, opened.config, [layer.digest for layer in layers]),
    )
    return anatomy, merged
