"""An image with all its files and what is in the program it starts: for the page and the tree."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from proa.errors import BinaryDamaged, WrongUsage
from proa.inspect.merge import Merged
from proa.inspect.modules import BuildInfo, read_build_info
from proa.inspect.started import program_of
from proa.inspect.system_packages import packages_in
from proa.inspect.tree import tree_of
from proa.outside.executables import open_executable
from proa.outside.image_stream import StreamedImage, opened_image
from proa.outside.images import located
from proa.pipeline.diff_read import databases_in, taken_out
from proa.pipeline.inspect import dissect_and_keep, without_collecting
from proa.pipeline.inspect_binary import inspect_binary
from proa.pipeline.plan import Say, open_bench
from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.image_anatomy import ImageAnatomy
from proa.records.image_tree import ImageTree
from proa.records.oci import Config
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
    build: BuildInfo | None = None
    """What the program says of its modules."""
    config: Config | None = None
    system_packages: Mapping[str, str] = {}
    """Versions by name, of apt and apk; only with the program."""


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
                tree = tree_of(merged, [layer.digest for layer in anatomy.layers])
                whole = WholeImage(anatomy=anatomy, tree=tree, config=opened.config)
            if not with_program:
                return whole
            progress("reading the program")
            return _with_program(whole, _Read(opened, merged, scratch), environ=environ, jobs=request.jobs)


class _Read(NamedTuple):
    opened: StreamedImage
    merged: Merged
    scratch: Path


def _with_program(whole: WholeImage, read: _Read, *, environ: Mapping[str, str], jobs: int) -> WholeImage:
    program, databases = program_of(read.merged, read.opened.config), databases_in(read.merged)
    if program is not None and program.entry.size_bytes > _MOST_PROGRAM_BYTES:
        program = None
    taken = taken_out(read.opened, read.merged, [*([program] if program else []), *databases], read.scratch)
    packages: dict[str, str] = {}
    for stored in databases:
        packages |= packages_in(stored.shown_at, taken[stored].read_bytes())
    whole = msgspec.structs.replace(whole, system_packages=packages)
    if program is None:
        return whole
    try:
        anatomy = inspect_binary(taken[program], debug=None, environ=environ, most_symbols=MOST_SYMBOLS, jobs=jobs)
        build = read_build_info(open_executable(taken[program]).elf)
    except (BinaryDamaged, WrongUsage):
        # Damage of one file is no fault of the image; it is drawn as a file.
        return whole
    return msgspec.structs.replace(whole, program=anatomy, program_path=f"/{program.shown_at}", build=build)
