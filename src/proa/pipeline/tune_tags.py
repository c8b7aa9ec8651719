"""``proa tune tags``: find the build tags of a program, build it with each that may shrink it, and measure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from proa import analyze, pack
from proa.build.flags import tags_of
from proa.errors import BinaryDamaged, ProaError, WrongUsage
from proa.outside.configuration import NAMES, find_configuration
from proa.outside.configuration_writing import plan_change, write_change
from proa.pipeline import steps
from proa.pipeline.care import keep_within
from proa.pipeline.plan import Bench, Plan, Say, lay_plans, open_bench
from proa.pipeline.tag_listing import (
    REFUSALS,
    Candidate,
    constraints_of,
    context_of,
    first_line,
    list_tags,
    own_tags,
    plan_with,
)
from proa.records.binary import Binary
from proa.records.evidence import Finding
from proa.records.project import Package
from proa.records.request import Request
from proa.records.tuning import Tag, TagTuning
from proa.tune import tags as judge
from proa.tune.weights import Weights, weigh

_MOST_ASKED = 100
"""Tags the go command is asked about, at half a second each (arbitrary; prometheus has 30)."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one build came to."""

    bytes: int
    compressed_bytes: int


def tune_tags(
    request: Request,
    *,
    limit: int,
    only: Sequence[str] = (),
    wanted: Sequence[str] = (),
    environ: Mapping[str, str],
    progress: Say,
) -> tuple[TagTuning, ...]:
    """Return the tags of every program asked for, on its first platform, with what each saves.

    At most ``limit`` tags are built one by one, those first that promise most; with ``only``, just these.
    Raises WrongUsage where ``only`` or ``wanted`` name what is no tag of the program, before anything is built, and
    any ProaError of building without tags.
    """
    bench = open_bench(request, environ, progress)
    with bench.store.using():
        plans = lay_plans(bench, request)
        tuned = tuple(_tune(bench, plan, limit=limit, only=only, wanted=wanted) for plan in plans)
    keep_within(bench.store, environ=environ)
    return tuned


def _tune(bench: Bench, plan: Plan, *, limit: int, only: Sequence[str], wanted: Sequence[str]) -> TagTuning:
    if plan.native is not None or plan.main.language != "go":
        raise WrongUsage(f"{plan.main.import_path} is not built from Go source: build tags are the go command's")
    before = analyze.packages_of(plan.main, plan.graphs[0])
    context, own = context_of(plan), own_tags(plan)
    bench.say("reading the build constraints")
    found = judge.find_tags(constraints_of(plan, before), words=context.words, own=context.tags)
    _check_names([*only, *wanted], [one.name for one in found])
    plain = steps.build_program(_work(bench, plan), 0)
    base = _measured(bench, plan, plain)
    asked = sorted((one for one in found if not one.reason), key=lambda one: (one.name not in only, -one.leaves))
    listed = list_tags(bench, plan, asked[:_MOST_ASKED], before, own)
    candidates = {one.found.name: one for one in listed.values() if isinstance(one, Candidate)}
    expected = _expected(bench, plan, plain, before, candidates)
    chosen = [name for name in judge.in_order(expected) if not only or name in only]
    chosen = chosen if only else chosen[:limit]
    tags = [
        _settled(plan, one, listed.get(one.name), expected, is_chosen=one.name in chosen, has_only=bool(only))
        for one in found
    ]
    results = [
        _built(_numbered(bench, f"{name} ({number} of {len(chosen)})"), candidates[name], base, expected[name])
        for number, name in enumerate(chosen, 1)
    ]
    by_name = {tag.name: tag for tag in (*tags, *results)}
    ordered = sorted(by_name.values(), key=_rank)
    joined, reasons = _joined(bench, plan, ordered, own=own, program_bytes=base.bytes)
    together, findings = _together(bench, plan, [by_name[name] for name in joined], own=own)
    noted = [
        msgspec.structs.replace(tag, reason="; ".join(filter(None, (tag.reason, reasons.get(tag.name)))))
        for tag in ordered
    ]
    return TagTuning(
        program=plan.main.import_path,
        platform=plan.platforms[0],
        bytes=base.bytes,
        compressed_bytes=base.compressed_bytes,
        tags=tuple(noted),
        together=joined if together else (),
        together_saving_bytes=base.bytes - together.bytes if together else 0,
        together_saving_compressed_bytes=base.compressed_bytes - together.compressed_bytes if together else 0,
        own=own,
        findings=(*plan.findings, *findings),
    )


def _rank(tag: Tag) -> tuple[int, int, int, str]:
    """Sort measured tags first, the largest saving first; then failed ones; then those left unmeasured."""
    return ("measured", "failed", "skipped").index(tag.state), -tag.saving_bytes, -tag.expected_bytes, tag.name


def _check_names(names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            guess = f"did you mean {near[0]}?" if near else "`proa tune tags --limit 0` lists those there are"
            raise WrongUsage(f"no file of the program knows the tag {name!r}", hint=guess)


def _work(bench: Bench, plan: Plan) -> steps.Work:
    return steps.Work(bench=bench, plan=plan, log=steps.Log())


def _numbered(bench: Bench, what: str) -> Bench:
    return msgspec.structs.replace(bench, say=lambda said: bench.say(f"{what}: {said}"))


def _expected(
    bench: Bench, plan: Plan, binary: Binary, before: Sequence[Package], candidates: Mapping[str, Candidate]
) -> dict[str, int]:
    """Return about what each tag that leaves something out will save."""
    shrinking = {name: one for name, one in candidates.items() if one.change.can_shrink}
    in_files = {path for one in shrinking.values() for path, _ in one.change.files_left_out}
    bench.say("weighing the packages")
    try:
        weights = weigh(
            bench.store.blob_path(binary.unstripped_digest),
            before,
            main=plan.main,
            shipped_bytes=binary.bytes,
            in_files=in_files,
        )
    except BinaryDamaged:
        # Only the order of the builds hangs on it.
        weights = Weights(packages={}, files={})
    return {name: judge.expected_bytes(one.change, weights) for name, one in shrinking.items()}


def _settled(
    plan: Plan,
    found: judge.Found,
    listed: Candidate | ProaError | None,
    expected: Mapping[str, int],
    *,
    is_chosen: bool,
    has_only: bool,
) -> Tag:
    """Return a tag as it stands before anything is built with it."""
    if listed is None:
        known = judge.known_tag(found.name).meaning or found.meaning
        reason = found.reason or f"more than {_MOST_ASKED} tags change what is compiled, and others change more files"
        return _tag(found, state="skipped", reason=reason, beside=found.beside, meaning=known)
    if isinstance(listed, ProaError):
        return _tag(found, state="failed", reason=first_line(listed, plan), meaning=judge.known_tag(found.name).meaning)
    reason = "" if listed.change.can_shrink else "the go command compiles no file less with it"
    if not reason and not is_chosen:
        reason = "not asked for" if has_only else "not measured: --limit was reached, and others promise more"
    return _changed(listed, expected.get(found.name, 0), state="skipped", reason=reason)


def _tag(found: judge.Found, **fields: object) -> Tag:
    return msgspec.structs.replace(
        Tag(name=found.name, modules=found.modules, evidence=found.evidence),
        **fields,
    )


def _changed(one: Candidate, expected: int, **fields: object) -> Tag:
    return _tag(
        one.found,
        left_out=one.change.left_out,
        added=one.change.added,
        files_left_out=len(one.change.files_left_out),
        files_added=len(one.change.files_added),
        expected_bytes=expected,
        meaning=one.meaning,
        **fields,
    )


def _built(bench: Bench, one: Candidate, base: Measured, expected: int) -> Tag:
    """Build with one tag and measure; a build that fails is the tag's result."""
    try:
        size = _measured(bench, one.plan, steps.build_program(_work(bench, one.plan), 0))
    except REFUSALS as error:
        return _changed(one, expected, state="failed", reason=first_line(error, one.plan))
    return _changed(
        one,
        expected,
        bytes=size.bytes,
        compressed_bytes=size.compressed_bytes,
        saving_bytes=base.bytes - size.bytes,
        saving_compressed_bytes=base.compressed_bytes - size.compressed_bytes,
    )


def _measured(bench: Bench, plan: Plan, binary: Binary) -> Measured:
    layer = pack.pack_program(
        binary,
        plan.settings.image,
        store=bench.store,
        jobs=bench.jobs,
        created_epoch_s=steps.source_date(bench.environ),
    )
    return Measured(bytes=binary.bytes, compressed_bytes=layer.bytes)


def _joined(
    bench: Bench, plan: Plan, tags: Sequence[Tag], *, own: Sequence[str], program_bytes: int
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Return the tags worth setting together, and why some that save nothing alone are among them.

    A tag joins whose packages only the others' left-out ones still import, and one leaves that changes nothing
    beside the others.
    """
    bench.say("asking the go command what the tags leave out together")
    names = list(judge.join_together(tags, program_bytes=program_bytes))
    reasons: dict[str, str] = {}
    if not names:
        return (), reasons

    def packages(wanted: Sequence[str]) -> tuple[Package, ...] | None:
        try:
            varied = plan_with(bench, plan, [*own, *wanted])
        except REFUSALS:
            return None
        return analyze.packages_of(varied.main, varied.graphs[0])

    known = packages(names)
    for name in judge.may_join(tags, names):
        more = packages([*names, name])
        lost = judge.difference(known, more).left_out if known is not None and more is not None else ()
        if lost:
            names.append(name)
            known = more
            reasons[name] = judge.beside_others(lost)
    for name in reversed(names[:]):
        fewer = packages([one for one in names if one != name])
        if len(names) > 1 and known is not None and fewer is not None and judge.difference(known, fewer) == judge.SAME:
            names.remove(name)
    return tuple(names), reasons


def _together(
    bench: Bench, plan: Plan, tags: Sequence[Tag], *, own: Sequence[str]
) -> tuple[Measured | None, tuple[Finding, ...]]:
    """Build once with all these tags; None where there are none, or they do not build together."""
    names = tuple(tag.name for tag in tags)
    if len(tags) == 1 and tags[0].state == "measured":
        return Measured(bytes=tags[0].bytes, compressed_bytes=tags[0].compressed_bytes), ()
    if not names:
        return None, ()
    try:
        varied = plan_with(bench, plan, [*own, *names])
        binary = steps.build_program(_work(_numbered(bench, "together"), varied), 0)
        return _measured(bench, varied, binary), ()
    except REFUSALS as error:
        return None, (_not_together(names, first_line(error, plan)),)


def _not_together(names: Sequence[str], why: str) -> Finding:
    return Finding(
        id="tune.tags-not-together",
        severity="info",
        message=f"{', '.join(names)} do not build together: {why}",
        hint="set them one by one",
    )


def write_tags(
    request: Request, names: Sequence[str], tuned: Sequence[TagTuning], *, environ: Mapping[str, str], progress: Say
) -> Path:
    """Add tags to those in proa.yaml, once the program was built with all of them; return the file.

    Raises WrongUsage where that has no place or a tag is none of the program's, and what the build raises.
    """
    bench = open_bench(request, environ, progress)
    with bench.store.using():
        plans = lay_plans(bench, request)
        if len(plans) != 1 or not names:
            raise WrongUsage(
                "--write needs the names of tags" if not names else "--write is for one program, not several",
                hint="name the tags: --write a,b" if not names else "name one: proa tune tags ./cmd/api --write a,b",
            )
        plan, own = plans[0], tuned[0].own
        _check_names(names, [tag.name for tag in tuned[0].tags])
        file = _writable(plan, request, environ)
        tags = tuple(dict.fromkeys((*own, *names)))
        steps.build_program(_work(_numbered(bench, "as it will be written"), plan_with(bench, plan, tags)), 0)
        place = plan.origins.get("build.tags", "").partition(" programs.")[2]
        settings = {"build": {"tags": tags}}
        write_change(plan_change(file, {"programs": {place: settings}} if place else settings))
    return file


def _writable(plan: Plan, request: Request, environ: Mapping[str, str]) -> Path:
    """Return the proa.yaml to write to. Raises WrongUsage."""
    if plan.main.module_version:
        raise WrongUsage("--write has no proa.yaml to write to: the program is a published version")
    if tags_of(plan.asked.flags):
        raise WrongUsage("build.flags has -tags, which wins over build.tags", hint="move its tags to build.tags first")
    folder = Path(request.directory, request.sources[0])
    file = find_configuration(folder if folder.is_dir() else Path(request.directory), environ=environ)
    if file is not None and file.name not in NAMES:
        raise WrongUsage(f"the settings come from {file.name}", hint="a proa.yaml beside it would take its place")
    return file or plan.directory / NAMES[0]
