"""Why something is in an image: in the program it starts, or one of its files."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from proa.errors import NotInTarget, ProaError, WrongUsage
from proa.inspect.file_reasons import find_file, is_named, needed_by, owning_package, way_from
from proa.inspect.heads import look
from proa.inspect.history import instructions
from proa.inspect.merge import Merged, Stored, merge_layers
from proa.inspect.started import program_of
from proa.outside import elf
from proa.outside.dynamic import read_dynamic
from proa.outside.image_stream import StreamedImage, opened_image
from proa.outside.images import located
from proa.outside.layer_files import take_out
from proa.outside.layer_workers import read_apart
from proa.pipeline.inspect import without_collecting
from proa.pipeline.plan import Bench
from proa.pipeline.why_program import Ask, explain_program
from proa.pipeline.why_records import left_out, noted_of
from proa.records.layer_entry import LayerEntries
from proa.records.platform import Platform
from proa.records.why import Placed, Why

_MOST_PROGRAM_BYTES = 2 << 30
_MOST_ELF_BYTES = 512 << 20
"""Of programs and libraries whose headers are read for one answer."""
_LISTS = ("var/lib/dpkg/info/",)
_APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_MOST_LIST_BYTES = 16 << 20


class _Opened:
    """One image, read once: its view of all layers, and files of it on demand."""

    def __init__(self, image: StreamedImage, read: Sequence[LayerEntries], scratch: Path) -> None:
        self.image, self.scratch = image, scratch
        self.digests = [layer.digest for layer in read]
        self.merged: Merged = merge_layers([layer.entries for layer in read])
        self._taken = 0

    def take(self, wanted: Sequence[Stored]) -> dict[Stored, Path]:
        """Write files into the scratch folder; each layer is read once more at most."""
        names = {(one.layer, one.entry.path) for one in wanted}
        times = Counter(
            (one.layer, one.entry.path) for one in self.merged.stored if (one.layer, one.entry.path) in names
        )
        self._taken += 1
        targets = {one: self.scratch / f"{self._taken}-{number}" for number, one in enumerate(wanted)}
        for layer in sorted({one.layer for one in wanted}):
            own = {one.entry.path: target for one, target in targets.items() if one.layer == layer}
            take_out(
                self.image.layers[layer],
                own,
                times={path: times[layer, path] for path in own},
                most_bytes=_MOST_PROGRAM_BYTES,
            )
        return targets


def explain_in_image(ask: Ask, platform: Platform | None, *, bench: Bench, jobs: int = 0) -> Why:
    """Return why something is in an image. Raises NotInTarget, WrongUsage, HostileArchive, ImageMissing and others."""
    reference = located(ask.target)
    with (
        bench.store.using(),
        tempfile.TemporaryDirectory() as scratch,
        opened_image(reference, platform, store=bench.store, access=bench.access) as image,
    ):
        bench.say(f"reading {len(image.layers)} layers")
        with without_collecting():
            read = read_apart(image.layers, look, place=str(reference), limits=None, processes=jobs or 2)
            opened = _Opened(image, read, Path(scratch))
        if ask.name.startswith("/"):
            return _explain_file(ask, opened, bench)
        program = program_of(opened.merged, image.config)
        if program is None:
            return _file_at_least(ask, opened, bench, NotInTarget(f"{ask.target} starts no program that could be read"))
        try:
            file = opened.take([program])[program]
            named = opened.scratch / Path(program.shown_at).name
            if not named.exists():
                file = file.rename(named)
            return explain_program(file, ask, bench=bench)
        except NotInTarget as error:
            return _file_at_least(ask, opened, bench, error)


def _file_at_least(ask: Ask, opened: _Opened, bench: Bench, error: ProaError) -> Why:
    """Answer for the only file of that name; else the error stands."""
    if any(
        is_named(path, ask.name) for path, node in opened.merged.walk() if node.entry and node.entry.kind != "folder"
    ):
        return _explain_file(ask, opened, bench)
    raise error


def _explain_file(ask: Ask, opened: _Opened, bench: Bench) -> Why:
    if ask.should_verify:
        raise WrongUsage("--verify leaves packages of a program out, not files of an image")
    merged, config = opened.merged, opened.image.config
    reference = located(ask.target)
    try:
        path = find_file(merged, ask.name, image=ask.target)
    except NotInTarget as error:
        if left_out(ask.name, reference, opened.image.digest, bench):
            what = f"{ask.target} has no {ask.name}: `proa slim` left it out"
            raise NotInTarget(what, hint=f"bring it back: proa slim … --keep {ask.name}") from error
        raise
    found = merged.find(path.strip("/"))
    if found is None:
        raise NotInTarget(f"{ask.target} has no {path}")
    real, node = found
    made = instructions(config.history or (), len(opened.digests))
    needs = _needs(opened)
    program = program_of(merged, config)
    start = f"/{program.shown_at}" if program else ""
    chain = way_from(start, f"/{real}", needs, merged) if start else ()
    rule, reason = noted_of((path, f"/{real}"), reference, opened.image.digest, bench)
    placed = Placed(
        layer=opened.digests[node.layer] if 0 <= node.layer < len(opened.digests) else "",
        instruction=made[node.layer] if 0 <= node.layer < len(made) else "",
        rule=rule or ("program" if f"/{real}" == start else ""),
        reason=reason or ("the image starts it" if f"/{real}" == start else ""),
        package=owning_package(list(dict.fromkeys([path, f"/{real}"])), _databases(opened)),
        needed_by=needed_by(f"/{real}", merged, needs),
    )
    size = node.stored.entry.size_bytes if node.stored else 0
    return Why(
        target=ask.target,
        name=path,
        subject="file",
        known_by="record",
        chain=chain,
        bytes=size,
        exclusive_bytes=size,
        shared_bytes=0,
        placed=placed,
    )


def _needs(opened: _Opened) -> dict[str, tuple[str, ...]]:
    """Return what the programs, libraries and scripts of an image need by their headers, by absolute path."""
    found: dict[str, tuple[str, ...]] = {}
    binaries: list[Stored] = []
    total = 0
    for path, node in opened.merged.walk():
        head = node.stored.entry.seen.program if node.stored and node.stored.entry.seen else None
        if head is None or node.stored is None:
            continue
        if head.interpreter:
            found[f"/{path}"] = (head.interpreter,)
        if head.format == "elf" and node.stored.shown_at == path:
            total += node.stored.entry.size_bytes
            if total <= _MOST_ELF_BYTES:
                binaries.append(node.stored)
    for stored, file in opened.take(binaries).items() if len(binaries) > 1 else ():
        with suppress(ProaError, OSError):
            dynamic = read_dynamic(elf.open_elf(file))
            path = f"/{stored.shown_at}"
            found[path] = (*found.get(path, ()), *dynamic.needed)
        file.unlink(missing_ok=True)
    return found


def _databases(opened: _Opened) -> dict[str, bytes]:
    wanted = [
        one
        for one in opened.merged.stored
        if one.shown_at
        and ((one.shown_at.startswith(_LISTS) and one.shown_at.endswith(".list")) or one.shown_at in _APK)
        and one.entry.size_bytes <= _MOST_LIST_BYTES
    ]
    return {one.shown_at: file.read_bytes() for one, file in opened.take(wanted).items()} if wanted else {}
