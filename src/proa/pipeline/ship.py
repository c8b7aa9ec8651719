"""The main job, from the plans to the published digest."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proa.errors import TrialFailed, TrialRequired
from proa.outside.machine import this_platform, write_file
from proa.pipeline.plan import Bench, Say, lay_plans, open_bench
from proa.records.binary import Binary
from proa.records.evidence import Finding, Needs
from proa.records.image import Image
from proa.records.oci import Descriptor, Manifest
from proa.records.project import Project
from proa.records.reference import Reference
from proa.records.request import Request
from proa.records.shipment import Shipment, document
from proa.records.trial import Trial

if TYPE_CHECKING:
    from proa.analyze.environment import Found
    from proa.outside.store import Store
    from proa.pipeline.steps import Work

_LATER = ("proa.pipeline.steps", "proa.publish", "proa.pipeline.care", "rich.console", "rich.table", "rich.status")
"""What ``ship`` needs once it knows the project; see ``lay_plans``."""


def ship(
    request: Request, *, environ: Mapping[str, str], progress: Say, warn: Say | None = None
) -> tuple[Shipment, ...]:
    """Take every program asked for from source to its destinations.

    ``warn`` is told at once of what is wrong enough to make the image useless.
    Raises any ProaError. All programs are built and tried before the first one is published.
    """
    bench = open_bench(request, environ, progress, warn)
    started = time.monotonic()
    plans = lay_plans(bench, request, meanwhile=_LATER)
    from proa import publish
    from proa.pipeline import steps
    from proa.pipeline.care import keep_within

    places = publish.destinations(
        [plan.main for plan in plans],
        to=request.to,
        should_push=request.should_push,
        repository=publish.chosen_repository(environ, plans[0].settings.repo),
        naming=request.naming,
        tags=request.tags,
    )
    planned_s = time.monotonic() - started
    together = steps.Log()
    with bench.store.using():
        steps.build_together(bench, plans, together)
        ready = [
            prepare(
                steps.Work(bench=bench, plan=plan, log=steps.Log(planned_s, together)),
                should_try=request.should_try,
                requires_trial=request.requires_trial,
            )
            for plan in plans
        ]
        shipped = tuple(
            _publish(bench, shipment, whole, where, with_referrers=request.with_referrers)
            for (shipment, whole), where in zip(ready, places, strict=True)
        )
    if any("miss" in shipment.cache.values() for shipment in shipped):
        keep_within(bench.store, environ=environ)
    return shipped


def prepare(work: Work, *, should_try: bool, requires_trial: bool) -> tuple[Shipment, Descriptor]:
    """Analyze, build, pack and try one program; return what is known of it, and the image or index.

    Raises TrialFailed, TrialRequired.
    """
    from proa import pack
    from proa.pipeline import steps
    from proa.pipeline.opened import pack_and_try

    plan, store, log = work.plan, work.bench.store, work.log
    # A second run of the same content waits here and then finds everything kept.
    with store.lock(f"ship {plan.keys[0]}"):
        project, first = _analyzed_and_built(work)
        images: list[Image] = []
        findings = [*plan.findings, *project.findings]
        first_needs = Needs()
        for number, platform in enumerate(plan.platforms):
            binary = first if number == 0 else steps.build_program(work, number)
            with ThreadPoolExecutor(1) as pool:
                early = pool.submit(steps.pack_program_early, work, binary)
                needs = steps.find_needs(work, number, binary)
                base = steps.fetch_base(work, platform)
                early.result()
            binary, needs, packed, tried = pack_and_try(
                work, number, binary, needs, project=project, base=base, should_try=should_try
            )
            images.append(msgspec.structs.replace(packed.image, trial=tried, binary=binary))
            findings += [one for one in (*binary.findings, *packed.findings) if one not in findings]
            first_needs = needs if number == 0 else first_needs
    if not should_try:
        log.note("trial", "off")
    judge([(f"{plan.main.name} on {image.platform}", image.trial) for image in images], requires_trial=requires_trial)
    whole = images[0].manifest
    if len(images) > 1:
        whole = pack.index(images, annotations=_annotations(images, store), store=store)
    made_with = _made_with(project)
    shipment = Shipment(
        program=plan.main.import_path,
        reference="",
        digest=whole.digest,
        version=plan.main.module_version or plan.git.tag or (plan.native.version if plan.native else ""),
        images=tuple(images),
        trial=_representative(images),
        timings_s=log.timings_s,
        cache=log.cache,
        environment=made_with.versions,
        frameworks=made_with.frameworks,
        variables=project.variables,
        findings=tuple(findings),
        left_out=first_needs.left_out,
        needs=first_needs.needs,
        data_versions=pack.data_versions(first_needs),
    )
    return shipment, whole


def _analyzed_and_built(work: Work) -> tuple[Project, Binary]:
    """Return what the source says and the first platform's program, found at the same time.

    What is wrong with the source comes before what the compiler says of it.
    """
    from proa import analyze
    from proa.pipeline import steps

    def read() -> Project:
        project = steps.analyze_source(work)
        for finding in project.findings:
            if finding.severity == "error":
                work.bench.warn(f"proa: {finding.message}\n  {finding.hint}")
        return project

    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(read)
        packages = work.plan.graphs[0].packages
        if not steps.is_built(work, 0) and any(analyze.may_use_cgo(package) for package in packages):
            # A stub is told before the build, which will succeed.
            reading.result()
        binary = steps.build_program(work, 0)
        return reading.result(), binary


def _made_with(project: Project) -> Found:
    """Return run time and frameworks of a Go program by its own go.mod; the whole tree is `proa analyze`'s to read."""
    from proa.analyze.environment import Found, read_go_module
    from proa.outside.projecttree import Tree

    root = Path(project.main.module_directory)
    if project.native is not None or not project.main.module_directory or project.main.module_version:
        return Found()
    tree = Tree(root=root, sizes={"go.mod": 0})
    packages = tuple(one for one in project.packages if one.is_local)
    return read_go_module(tree, toolchain=project.toolchain, modules=project.modules, packages=packages)


def judge(tried: Sequence[tuple[str, Trial | None]], *, requires_trial: bool) -> None:
    """Let nothing pass that failed, nor, where a trial is required, what could not be tried.

    Raises TrialFailed, TrialRequired.
    """
    for name, trial in tried:
        if trial is not None and trial.verdict == "failed":
            raise TrialFailed(f"the trial of {name} failed: {trial.reason}", output=trial.output, hint=trial.remedy)
    for name, trial in tried:
        if requires_trial and (trial is None or trial.verdict == "skipped"):
            raise TrialRequired(f"{name} was not tried: {trial.reason if trial else 'trials are switched off'}")


def _representative(images: Sequence[Image]) -> Trial | None:
    here = this_platform()
    native = next(
        (image for image in images if (image.platform.os, image.platform.architecture) == (here.os, here.architecture)),
        images[0],
    )
    return native.trial


def _annotations(images: Sequence[Image], store: Store) -> dict[str, str]:
    """Return what all the images say of themselves alike; their index says the same."""
    manifests = [msgspec.json.decode(store.read_blob(image.digest), type=Manifest) for image in images]
    found = [manifest.annotations or {} for manifest in manifests]
    return {key: value for key, value in found[0].items() if all(one.get(key) == value for one in found)}


def _publish(
    bench: Bench, shipment: Shipment, whole: Descriptor, places: Sequence[Reference], *, with_referrers: bool
) -> Shipment:
    """Write one program's image to its destinations, and its record beside it."""
    from proa import publish
    from proa.outside.images import takes_one_platform, write_image
    from proa.pipeline.steps import Log

    store, log = bench.store, Log()
    with log.stage("publish"):
        named = msgspec.structs.replace(shipment, reference=_reference(places[0], whole))
        record = publish.attach_shipment(msgspec.json.encode(document(named)), whole, store=store)
        debug_files = tuple(_debug_files(shipment.images, store))
        references = []
        findings = list(shipment.findings)
        for place in places:
            if len(shipment.images) > 1 and takes_one_platform(place):
                findings.append(_one_platform(place))
            bench.say(f"publishing {place}")
            is_known = place.transport == "store" and store.reference(str(place.name)) == whole
            log.note("publish", "hit" if is_known else "miss")
            # An exported folder or archive is the same wherever it was made, so the record, with its times, stays out;
            # and other tools refuse one with more entries than the image's.
            is_plain = place.transport in ("oci", "oci-archive") and not with_referrers
            reference = write_image(
                whole,
                place,
                store=store,
                access=bench.access,
                referrers=debug_files if is_plain else (record, *debug_files),
                lists_referrers=with_referrers,
            )
            references.append(reference)
    return msgspec.structs.replace(
        named,
        reference=references[0],
        findings=tuple(findings),
        timings_s={**shipment.timings_s, **log.timings_s},
        cache={**shipment.cache, **log.cache},
    )


def _debug_files(images: Sequence[Image], store: Store) -> Iterator[Descriptor]:
    """Keep every platform's debug file beside its image, and yield the artifacts' descriptors."""
    from proa import publish

    for image in images:
        if image.binary is not None:
            program = image.entrypoint[0] if image.entrypoint else image.binary.name
            artifact = publish.attach_debug(image.binary, image.manifest, program=program, store=store)
            if artifact is not None:
                yield artifact


def _one_platform(place: Reference) -> Finding:
    return Finding(
        id="publish.one-platform",
        severity="info",
        message=f"{place} holds one platform and got {this_platform()}",
        hint="oci:, oci-archive: and registries hold all of them",
    )


def _reference(place: Reference, whole: Descriptor) -> str:
    """Return the name the record gives the image: where it goes first, and its digest."""
    name = str(place.name.repository) if place.name and place.name.path else place.path
    return f"{name}@{whole.digest}"


def write_references(file: str, references: str) -> None:
    """Write the references to a file, whole or not at all. Raises NotWritable, NoSpace."""
    write_file(Path(file), references.encode())
