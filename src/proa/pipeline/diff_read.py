"""Read one side of ``proa diff``: an image as a stream with the program it starts, or a program's file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from proa.errors import BinaryDamaged, ProaError, WrongUsage
from proa.inspect.budgets import UNREAD_PACKAGES
from proa.inspect.difference import Contents, Program
from proa.inspect.findings import find_all
from proa.inspect.heads import look
from proa.inspect.image_settings import settings_of
from proa.inspect.layer_names import named_layers
from proa.inspect.merge import Merged, Stored, merge_layers
from proa.inspect.modules import BuildInfo, read_build_info
from proa.inspect.started import program_of
from proa.inspect.system_packages import UNREAD, is_database, packages_in
from proa.inspect.tree import tree_of
from proa.outside.executables import open_executable
from proa.outside.image_stream import StreamedImage
from proa.outside.layer_files import take_out
from proa.outside.layer_stream import StreamedLayer, StreamLimits, check_sums
from proa.outside.layer_workers import read_apart
from proa.outside.store import disk_errors
from proa.pipeline.inspect import without_collecting
from proa.pipeline.inspect_binary import inspect_binary
from proa.records.difference import Side
from proa.records.evidence import Finding
from proa.records.layer_entry import LayerEntries
from proa.records.oci import Config

_MOST_PROGRAM_BYTES = 2 << 30
_MOST_DATABASE_BYTES = 64 << 20
"""dpkg's of a whole desktop is 5 MB."""
_MOST_DATABASES = 2_000
"""A distroless image has one for each of its packages."""
_MOST_FINDINGS = 100_000
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_VERSION_LABELS = ("org.opencontainers.image.version", "org.opencontainers.image.revision")


def read_image(
    opened: StreamedImage,
    *,
    reference: str,
    version: str,
    scratch: Path,
    known: dict[str, LayerEntries],
    environ: Mapping[str, str],
    jobs: int = 0,
) -> tuple[Contents, tuple[Finding, ...]]:
    """Return what is in an open image, and what to know of it. ``scratch`` is an empty folder, emptied again.

    ``known`` are layers by digest that need not be read again; those of this image are added.

    Raises HostileArchive, ImageMissing, NoSpace.
    """
    config = opened.config
    with without_collecting():
        read = _layers(opened.layers, known, reference, jobs)
        merged = merge_layers([layer.entries for layer in read])
        sizes = tuple(layer.compressed_bytes for layer in read)
        digests = [layer.digest for layer in read]
        is_plain = not opened.has_manifest and any(layer.digest == layer.diff_id for layer in read)
        del read
        tree = tree_of(merged, digests)
        stored_bytes = sum(stored.entry.size_bytes for stored in merged.stored)
        shown_bytes = sum(file.bytes for file in tree.files)
        image_findings = find_all(merged, config, digests, most_of_one_id=_MOST_FINDINGS)
        program, databases = program_of(merged, config), databases_in(merged)
        wanted = [*([program] if program else []), *databases]
        taken = taken_out(opened, merged, wanted, scratch)
    packages: dict[str, str] = {}
    for stored in databases:
        packages |= packages_in(stored.shown_at, taken[stored].read_bytes())
    findings = list(_unread((file.path for file in tree.files), reference))
    dissected = None
    if program is not None:
        place = f"/{program.shown_at}"
        try:
            dissected = _dissected(taken[program], place, environ, jobs)
            findings += _told(dissected, reference)
        except (BinaryDamaged, WrongUsage) as error:
            findings.append(_unreadable(place, reference, error))
    for file in taken.values():
        file.unlink(missing_ok=True)
    contents = Contents(
        side=Side(reference=reference, kind="image", digest=opened.digest, version=version or _version(config)),
        platform=str(opened.platform),
        compressed_bytes=sum(sizes),
        total_bytes=shown_bytes,
        wasted_bytes=stored_bytes - shown_bytes,
        layers=named_layers(config, sizes),
        files=tree.files,
        settings=settings_of(config),
        system_packages=packages,
        image_findings=image_findings,
        program=dissected,
        has_plain_layers=is_plain,
    )
    return contents, tuple(findings)


def _layers(
    layers: Sequence[StreamedLayer], known: dict[str, LayerEntries], reference: str, jobs: int
) -> tuple[LayerEntries, ...]:
    left = [layer for layer in layers if layer.digest not in known]
    read = read_apart(left, look, place=reference, processes=jobs or 2)
    fresh = iter(read)
    whole = tuple(known[layer.digest] if layer.digest in known else next(fresh) for layer in layers)
    known |= {layer.digest: layer for layer in read}
    check_sums(whole, StreamLimits())
    return whole


def read_program(file: Path, *, reference: str, environ: Mapping[str, str], jobs: int = 0) -> Contents:
    """Return what is in a program's file. Raises BinaryDamaged, ImageMissing, WrongUsage."""
    program = _dissected(file, reference, environ, jobs)
    anatomy = program.anatomy
    system = {"elf": "linux", "macho": "darwin", "pe": "windows"}[anatomy.format]
    return Contents(
        side=Side(
            reference=reference,
            kind="binary",
            digest=_digest(file),
            version=program.modules.get(program.main_module, ""),
        ),
        platform=f"{system}/{anatomy.architecture}",
        compressed_bytes=anatomy.compressed_bytes,
        total_bytes=anatomy.total_bytes,
        program=program,
    )


def _dissected(file: Path, place: str, environ: Mapping[str, str], jobs: int) -> Program:
    anatomy = inspect_binary(file, debug=None, environ=environ, most_symbols=1, jobs=jobs, finds_debug=False)
    info: BuildInfo = read_build_info(open_executable(file).elf)
    return Program(place=place, anatomy=anatomy, main_module=info.main, modules={**info.modules, **info.replacements})


def _told(program: Program, reference: str) -> Iterator[Finding]:
    """Yield what dissecting a program of an image found worth telling."""
    for one in program.anatomy.findings:
        message = f"{reference}: {program.place}: {one.message}"
        yield Finding(id=one.id, severity=one.severity, message=message, hint=one.hint)


def _unreadable(place: str, reference: str, error: ProaError) -> Finding:
    return Finding(
        id="diff.program-unread",
        severity="warning",
        message=f"{reference}: the program {place} is compared as a file only: {error.what}",
    )


def databases_in(merged: Merged) -> list[Stored]:
    """Return the files that name the system packages an image has."""
    found = [one for one in merged.stored if one.shown_at and is_database(one.shown_at)]
    return [one for one in found if one.entry.size_bytes <= _MOST_DATABASE_BYTES][:_MOST_DATABASES]


def taken_out(opened: StreamedImage, merged: Merged, wanted: Sequence[Stored], scratch: Path) -> dict[Stored, Path]:
    """Write files of an image into a scratch folder; each layer is read once more at most."""
    names = {(one.layer, one.entry.path) for one in wanted}
    times = Counter((one.layer, one.entry.path) for one in merged.stored if (one.layer, one.entry.path) in names)
    targets = {one: scratch / str(number) for number, one in enumerate(wanted)}
    for layer in sorted({one.layer for one in wanted}):
        own = {one.entry.path: target for one, target in targets.items() if one.layer == layer}
        take_out(
            opened.layers[layer],
            own,
            times={path: times[layer, path] for path in own},
            most_bytes=_MOST_PROGRAM_BYTES,
        )
    return targets


def _unread(paths: Iterator[str], reference: str) -> Iterator[Finding]:
    unread = tuple(f"/{folder}" for folder in UNREAD)
    if any(path.startswith(unread) for path in paths):
        yield Finding(
            id=UNREAD_PACKAGES,
            message=f"{reference} has its packages in rpm's own database, which is not read: they are not compared",
        )


def _version(config: Config) -> str:
    labels = (config.config and config.config.labels) or {}
    found = next((labels[name] for name in _VERSION_LABELS if labels.get(name)), "")
    return found[:12] if _COMMIT.fullmatch(found) else found


def _digest(file: Path) -> str:
    import hashlib

    with disk_errors(file), file.open("rb") as stream:
        return f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
