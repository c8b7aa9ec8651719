"""An existing image made small: opened, looked at, run, written anew of what is needed, and tried again.

    open ─▶ list the layers ─▶ unpack ─▶ traced runs ─▶ closure ─▶ one layer ─▶ try again ─▶ destinations
                                                          ▲                         │
                                                          └── what it missed ───────┘  (three rounds at most)

Nothing is written to a destination before the slimmed image did what the original does.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proa import pack, publish
from proa.errors import SlimFailed, TrialFailed
from proa.outside.configuration import load_configuration
from proa.outside.image_stream import opened_image
from proa.outside.images import fetch_image, located, write_image
from proa.pack.compress import Blob
from proa.pipeline.care import keep_within
from proa.pipeline.plan import Bench, Say, open_bench
from proa.pipeline.slim_image import put_image
from proa.pipeline.slim_layer import copy_entries, write_layer
from proa.pipeline.slim_missed import brought_back, told
from proa.pipeline.slim_needed import Needed
from proa.pipeline.slim_record import attach_slimming, by_rule, kept_list, printed, write_left_out
from proa.pipeline.slim_runs import Again, Observed, missed_by_closure, observe, try_again
from proa.pipeline.slim_source import Source, open_source
from proa.pipeline.slim_view import displayed, readable, with_ways
from proa.pipeline.steps import source_date
from proa.records.configuration import Configuration, settings_of
from proa.records.evidence import Finding
from proa.records.oci import INDEX_TYPES, Descriptor, Execution
from proa.records.platform import Platform
from proa.records.project import Main
from proa.records.reference import Reference
from proa.records.request import Request
from proa.records.slimming import Kept, LeftOutGroup, Slimming
from proa.records.trial import Trial
from proa.slim.metadata import compact, reasons

_MOST_ROUNDS = 3
"""What is brought back may ask for more; after as many rounds it is not files that are missing (arbitrary)."""
_MOUNTED = ("dev", "etc", "proc", "run", "sys", "tmp", "var/tmp")
"""Folders that runtimes mount over or write into, and that every program takes for granted."""
_NOTICEABLE = 0.98
"""Of the original: another compressor's two hundredths are no reason for another digest (arbitrary)."""
_LIMITS = pack.Limits(total_bytes=64 << 30, skips_devices=True)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of one call beside the request."""

    should_run: bool = True
    is_dry: bool = False
    """Everything is done, but nothing is written to a destination."""
    left_out_file: str = ""
    """Where every path that was left out is written."""


class _Slimmed(msgspec.Struct, frozen=True, kw_only=True):
    """The new image in the store."""

    manifest: Descriptor
    kept: tuple[Kept, ...]
    left_out: tuple[str, ...] = ()
    compressed_bytes: int
    contents_bytes: int
    findings: tuple[Finding, ...] = ()
    is_original: bool = False


def slim(image: str, request: Request, wish: Wish, *, environ: Mapping[str, str], progress: Say) -> Slimming:
    """Make an image small, and write it to its destinations when it does what the original does.

    Without a platform in the request: of an index this machine's, of a single image whatever it is for. What is
    returned holds the largest files only; the whole record is kept beside the image.
    Raises SlimFailed, TrialFailed, BaseUnfit, WrongUsage, and whatever opening and writing an image raises.
    """
    bench = open_bench(request, environ, progress)
    loaded = load_configuration(Path(request.directory).absolute(), environ=environ)
    settings = _added_up(loaded.configuration, *settings_of(loaded.configuration, (), request.overrides))
    reference = located(image)
    places = _places(reference, request)
    platform = Platform.parse(request.platforms[0]) if request.platforms else None
    with bench.store.using():
        progress(f"opening {image}")
        with (
            opened_image(reference, platform, store=bench.store, access=bench.access) as opened,
            bench.store.folder() as scratch,
        ):
            source = open_source(bench, opened, reference, scratch / "root", settings)
            whole, manifest = _slim(bench, source, scratch, settings, wish, image=image)
        if wish.left_out_file:
            write_left_out(wish.left_out_file, whole.left_out)
        if not wish.is_dry:
            whole = _publish(bench, whole, manifest, places)
    keep_within(bench.store, environ=environ)
    return printed(whole)


def _added_up(written: Configuration, settings: Configuration, origins: Mapping[str, str]) -> Configuration:
    """Return settings in which the lists of flags come on top of proa.yaml's: more is kept, asked and tested."""
    fields = ("keep", "tests", "routes")
    more = {
        name: tuple(dict.fromkeys((*getattr(written.slim, name), *getattr(settings.slim, name))))
        for name in fields
        if origins.get(f"slim.{name}") == "flag"
    }
    return msgspec.structs.replace(settings, slim=msgspec.structs.replace(settings.slim, **more))


def _places(reference: Reference, request: Request) -> tuple[Reference, ...]:
    """Return where the result goes: by default into the local store, under the original's name and ``-slim``."""
    path = reference.name.path if reference.name and reference.name.path else reference.path
    name = Path(path).absolute().name.partition(".tar")[0] or "image"
    main = Main(name=f"{name}-slim", import_path=name, directory="", module="")
    return publish.destinations([main], to=request.to, tags=request.tags)[0]


def _slim(
    bench: Bench, source: Source, scratch: Path, settings: Configuration, wish: Wish, *, image: str
) -> tuple[Slimming, Descriptor]:
    """Return the record and the manifest of the slimmed image, tried. Raises SlimFailed, TrialFailed."""
    needed = Needed(source)
    asked = needed.asked_for(settings)
    observed = _observed(bench, source, settings, wish)
    seeds = (*asked, *observed.seeds)
    findings = [*_about(source, bench), *_about_runs(observed)]
    rounds_left = _MOST_ROUNDS
    while True:
        bench.say("finding what it needs")
        slimmed = _written(bench, source, needed.kept(seeds), settings, scratch)
        again = _tried_again(bench, slimmed, source, observed, settings=settings, scratch=scratch)
        if again is None or not again.reason:
            break
        more = brought_back(again, source.view, frozenset(displayed(one.path) for one in slimmed.kept))
        if not more or not rounds_left:
            raise _failed(again)
        findings.append(told(more, again))
        seeds = (*seeds, *more)
        rounds_left -= 1
    if observed.seeds:
        alone = needed.kept(asked)
        findings += missed_by_closure(observed, {one.path for one in alone})
    record = _record(source, slimmed, observed, again, image=image, groups=needed.groups(slimmed.left_out))
    return msgspec.structs.replace(record, findings=(*findings, *slimmed.findings)), slimmed.manifest


# The runs


def _observed(bench: Bench, source: Source, settings: Configuration, wish: Wish) -> Observed:
    """Run the original. Raises TrialFailed where it does not run: what it needs could not be seen."""
    if not wish.should_run:
        return Observed(before=Trial(verdict="skipped", reason="not run (--no-run)"))
    bench.say("running the original, traced")
    observed = observe(
        bench, source.root, source.config, source.opened.platform, trial=settings.trial, slim=settings.slim
    )
    before = observed.before
    if before.verdict in ("failed", "not-ready"):
        raise TrialFailed(
            f"the original does not get to work here, so what it needs cannot be seen: {before.reason}",
            output=before.output,
            hint=f"{before.remedy}{'; ' if before.remedy else ''}give it what it asks for with --trial-env, "
            "--trial-arg, --memory or --start-timeout; --no-run goes by the files alone",
        )
    return observed


def _tried_again(
    bench: Bench, slimmed: _Slimmed, source: Source, observed: Observed, *, settings: Configuration, scratch: Path
) -> Again | None:
    """Run the slimmed image as the original was run; None where the original was not, or is the result."""
    if observed.before.verdict == "skipped" or slimmed.is_original:
        return None
    bench.say("trying the slimmed image")
    root = scratch / "slimmed"
    pack.unpack(slimmed.manifest.digest, root, store=bench.store, limits=_LIMITS)
    again = try_again(
        bench, root, source.config, source.opened.platform, observed, trial=settings.trial, slim=settings.slim
    )
    shutil.rmtree(root, ignore_errors=True)
    return again


def _failed(again: Again) -> SlimFailed:
    missed = ", ".join(again.after.missed_files[:10])
    return SlimFailed(
        f"the slimmed image does not do what the original does: {again.reason}"
        + (f"; it asked for {missed}" if missed else ""),
        output=again.output or again.after.output,
    )


# The new image


def _written(bench: Bench, source: Source, kept: Sequence[Kept], settings: Configuration, scratch: Path) -> _Slimmed:
    """Store an image of what is kept; the original where that would be no smaller."""
    view, store, shown = source.view, bench.store, source.view.paths()
    wanted = {displayed(one.path) for one in kept} | set(_folders(source))
    # Devices are not unpacked, so nobody could find them needed; those below /dev are a runtime's own.
    wanted |= {path for path in shown if view.is_device(path) and not path.startswith("dev/")}
    files = {path for path in with_ways(source.merged, wanted) if path in shown}
    metadata = compact(view, files)
    final = with_ways(source.merged, wanted | metadata.whole.keys() | metadata.replaced.keys())
    left_out = tuple(sorted(path for path in shown if path not in final))
    bench.say(f"writing {len(final)} entries of {len(shown)}")
    entries = copy_entries(
        source.opened,
        source.read,
        source.merged,
        final,
        replaced=metadata.replaced,
        spool=scratch / "contents",
        place=str(source.reference),
    )
    blob, media_type = write_layer(
        entries, compression=settings.image.compression, level=settings.image.compression_level, store=store,
        jobs=bench.jobs,
    )  # fmt: skip
    if not _is_worth_it(source, blob, has_left_out=bool(left_out)):
        return _original(bench, source)
    sizes = {displayed(entry.path): entry.size_bytes for entry in entries}
    said = kept_list(kept, reasons(metadata.whole, metadata.replaced), sizes, view)
    manifest = put_image(
        source.opened,
        blob,
        media_type,
        reference=source.reference,
        comment=f"{len(shown) - len(left_out)} of {len(shown)} files, links and devices are kept",
        created_epoch_s=source_date(bench.environ),
        store=store,
    )
    return _Slimmed(
        manifest=manifest,
        kept=said,
        left_out=left_out,
        compressed_bytes=blob.bytes,
        contents_bytes=sum(sizes.values()),
        findings=metadata.findings,
    )


def _is_worth_it(source: Source, layer: Blob, *, has_left_out: bool) -> bool:
    """Say whether the new layer is smaller; noticeably so, where it only has no waste."""
    before, after = source.compressed_bytes, layer.bytes
    if source.is_plain:
        before, after = source.unpacked_bytes, layer.unpacked_bytes
    return after < before * (1 if has_left_out else _NOTICEABLE)


def _folders(source: Source) -> Iterator[str]:
    """Yield folders that a container needs though nothing is in them."""
    execution = source.opened.config.config or Execution()
    for folder in (*_MOUNTED, execution.working_dir or "", *(execution.volumes or ())):
        path = displayed(folder)
        if path and source.view.has_folder(path):
            yield path


def _original(bench: Bench, source: Source) -> _Slimmed:
    """Return the original itself, its layers in the store."""
    platform = source.opened.platform
    manifest = fetch_image(source.reference, platform, store=bench.store, access=bench.access)
    kept = tuple(
        Kept(path=f"/{path}", bytes=source.view.bytes_of(path), rule="unsure", because="nothing is left out")
        for path in sorted(source.view.paths())
    )
    return _Slimmed(
        manifest=manifest,
        kept=kept,
        compressed_bytes=source.compressed_bytes,
        contents_bytes=source.view.contents_bytes(source.view.paths()),
        findings=(Finding(id="slim.nothing", severity="info", message="there is nothing to leave out"),),
        is_original=True,
    )


# The record


def _record(
    source: Source,
    slimmed: _Slimmed,
    observed: Observed,
    again: Again | None,
    *,
    image: str,
    groups: tuple[LeftOutGroup, ...],
) -> Slimming:
    view = source.view
    return Slimming(
        source=readable(image),
        source_digest=source.opened.digest,
        reference="",
        digest=slimmed.manifest.digest,
        platform=source.opened.platform,
        before_bytes=source.compressed_bytes,
        after_bytes=slimmed.compressed_bytes,
        before_unpacked_bytes=view.contents_bytes(view.paths()),
        after_unpacked_bytes=slimmed.contents_bytes,
        kept_files=len(view.paths()) - len(slimmed.left_out),
        left_out_files=len(slimmed.left_out),
        kept=slimmed.kept,
        rules=by_rule(slimmed.kept),
        left_out=groups,
        runs=observed.runs,
        before=observed.before,
        after=again.after if again else None,
    )


def _about(source: Source, bench: Bench) -> Iterator[Finding]:
    named = bench.store.reference(str(source.reference))
    if source.opened.is_one_of_several or (named is not None and named.media_type in INDEX_TYPES):
        yield Finding(
            id="slim.one-platform",
            severity="info",
            message=f"the source holds several platforms; this is {source.opened.platform}",
            hint="slim them one by one with --platform",
        )


def _about_runs(observed: Observed) -> Iterator[Finding]:
    if observed.before.verdict == "skipped":
        yield Finding(
            id="slim.not-tried",
            message=f"the slimmed image was not tried: {observed.before.reason}",
            hint="what is kept was found by the files alone; try it before you rely on it",
        )


def _publish(bench: Bench, record: Slimming, manifest: Descriptor, places: Sequence[Reference]) -> Slimming:
    """Write the image to its destinations, the record beside it; return the record with the first reference."""
    name = places[0].name
    called = name.repository if name and name.path else places[0].path
    record = msgspec.structs.replace(record, reference=f"{called}@{manifest.digest}")
    artifact = attach_slimming(record, manifest, store=bench.store)
    references = []
    for place in places:
        bench.say(f"publishing {place}")
        references.append(
            write_image(
                manifest,
                place,
                store=bench.store,
                access=bench.access,
                referrers=(artifact,),
                lists_referrers=False,
                platform=record.platform,
            )
        )
    return msgspec.structs.replace(record, reference=references[0])
