"""An image with all its files and what is in the program it starts: for the page and the tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa.errors import BinaryDamaged, WrongUsage
from proa.inspect.merge import Merged
from proa.inspect.started import program_of
from proa.inspect.tree import tree_of
from proa.outside.image_stream import StreamedImage, opened_image
from proa.outside.images import located
from proa.outside.layer_files import take_out
from proa.pipeline.inspect import dissect_and_keep, without_collecting
from proa.pipeline.inspect_binary import inspect_binary
from proa.pipeline.plan import Say, open_bench
from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.image_anatomy import ImageAnatomy
from proa.records.image_tree import ImageTree
from proa.records.platform import Platform
from proa.records.request import Request

MOST_SYMBOLS = 10_000
"""On a page: of caddy's 86,000 these have 62 % of the bytes; the page has 0.6 MB."""
_MOST_PROGRAM_BYTES = 2 << 30


class WholeImage(msgspec.Struct, frozen=True, kw_only=True):
    """One image."""

    anatomy: ImageAnatomy
    tree: ImageTree
    program: BinaryAnatomy | None = None
    """What the image starts, where it is a program that can be read."""
    program_path: str = ""
    """Absolute in the image."""


def inspect_whole_image(
    image: str, request: Request, *, environ: Mapping[str, str], progress: Say, with_program: bool
) -> WholeImage:
    """Return all that is in an image; with its program, the layer that has it is read once more.

    Raises what ``inspect_image`` raises.
    """
    bench = open_bench(request, environ, progress)
    platform = Platform.parse(request.platforms[0]) if request.platforms else None
    with bench.store.using(), bench.store.folder() as scratch:
        progress(f"opening {image}")
        reference = located(image)
        with opened_image(reference, platform, store=bench.store, access=bench.access) as opened:
            progress(f"reading {len(opened.layers)} layers")
            with without_collecting():
                anatomy, merged = dissect_and_keep(opened, str(reference), None, request.jobs or 2)
                whole = WholeImage(anatomy=anatomy, tree=tree_of(merged, [layer.digest for layer in anatomy.layers]))
            if not with_program:
                return whole
            progress("reading the program")
            program, path = _program(opened, merged, scratch / "program", environ, request.jobs)
            return msgspec.structs.replace(whole, program=program, program_path=path)


def _program(
    opened: StreamedImage, merged: Merged, file: Path, environ: Mapping[str, str], jobs: int
) -> tuple[BinaryAnatomy | None, str]:
    stored = program_of(merged, opened.config)
    if stored is None or stored.entry.size_bytes > _MOST_PROGRAM_BYTES:
        return None, ""
    path = stored.entry.path
    times = sum(one.layer == stored.layer and one.entry.path == path for one in merged.stored)
    take_out(opened.layers[stored.layer], {path: file}, times={path: times}, most_bytes=_MOST_PROGRAM_BYTES)
    try:
        anatomy = inspect_binary(file, debug=None, environ=environ, most_symbols=MOST_SYMBOLS, jobs=jobs)
    except (BinaryDamaged, WrongUsage):
        # Damage of one file is no fault of the image; it is drawn as a file.
        return None, ""
    return anatomy, f"/{stored.shown_at}"
