"""From an image, a comparison's record, or both, to one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import ProaError, WrongUsage
from proa.inspect.modules import BuildInfo
from proa.inspect.system_packages import UNREAD
from proa.outside.images import located
from proa.pipeline.inspect_whole import WholeImage, inspect_whole_image
from proa.pipeline.plan import Bench, Say, open_bench
from proa.pipeline.report_shipments import Kept, shipments_beside, shipments_of_repository, stored_shipments
from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.comparison import Comparison
from proa.records.evidence import Finding
from proa.records.image import Image
from proa.records.image_anatomy import ImageAnatomy
from proa.records.image_tree import ImageTree
from proa.records.reference import Reference
from proa.records.report import Bill, ImageReport, Module, Release, Report, SystemPackage
from proa.records.request import Request
from proa.report.decision import decision_of, sources_of
from proa.report.releases import in_order, release_of

_OCI = "org.opencontainers.image."
_MOST_RECORD_BYTES = 256 << 20
_NO_DATE = "1970-01-01T00:00:00Z"
_LANGUAGES = {"go": "Go", "rust": "Rust", "c++": "C++", "c": "C"}


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """A report, and what only its page shows."""

    report: Report
    tree: ImageTree | None = None
    program: BinaryAnatomy | None = None
    """With its symbols."""
    program_path: str = ""


def make_report(
    targets: Sequence[str], request: Request, *, environ: Mapping[str, str], made_at: str, progress: Say
) -> Whole:
    """Return the report of an image, of a comparison's JSON file, or of one of each.

    Raises WrongUsage, and what reading an image raises.
    """
    comparisons = [one for one in targets if is_record(one)]
    images = [one for one in targets if one not in comparisons]
    if len(comparisons) > 1 or len(images) > 1 or not targets:
        raise WrongUsage(
            "a report is of one image, one comparison, or one of each",
            hint="proa compare measures several images side by side; proa report shows its record",
        )
    comparison = read_comparison(Path(comparisons[0])) if comparisons else None
    if not images:
        return Whole(report=Report(made_at=made_at, comparison=comparison))
    whole = inspect_whole_image(images[0], request, environ=environ, progress=progress, with_program=True)
    bench = open_bench(request, environ, progress)
    with bench.store.using():
        image = _image(whole, located(images[0]), bench)
    return Whole(
        report=Report(made_at=made_at, image=image, comparison=comparison),
        tree=whole.tree,
        program=whole.program,
        program_path=whole.program_path,
    )


def is_record(target: str) -> bool:
    """Say whether a target is a file that begins as JSON does, or is named so: also one that is empty or missing.

    >>> is_record("missing.json"), is_record("docker://registry.example/app.json")
    (True, False)
    """
    if target.endswith(".json") and ":" not in target:
        return True
    try:
        with Path(target).open("rb") as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[")
    except (OSError, ValueError):
        return False


class _Headed(msgspec.Struct):
    schema: str = ""


def read_comparison(path: Path) -> Comparison:
    """Return the record of a file that `proa compare --format json` wrote. Raises WrongUsage."""
    try:
        if path.stat().st_size > _MOST_RECORD_BYTES:
            raise WrongUsage(f"{path} has {path.stat().st_size >> 20} MiB, and is no record of a comparison")
        content = path.read_bytes()
        schema = msgspec.json.decode(content, type=_Headed).schema
        if schema != "proa/comparison/v1":
            what = f"holds {schema!r}" if schema else "is no record of proa's"
            raise WrongUsage(f"{path} {what}", hint="proa compare --format json writes proa/comparison/v1")
        return msgspec.json.decode(content, type=Comparison)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WrongUsage(
            f"{path} is no record of a comparison: {error}", hint="proa compare --format json writes one"
        ) from error
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}") from error


def _image(whole: WholeImage, reference: Reference, bench: Bench) -> ImageReport:
    anatomy, config = whole.anatomy, whole.config
    bench.say("looking for what was written down beside it")
    stored = list(stored_shipments(bench))
    kept = _own(stored, anatomy.digest) or _own(shipments_beside(reference, bench), anatomy.digest)
    image = _image_of(kept, anatomy.digest)
    execution = (config and config.config) or None
    labels = (execution and execution.labels) or {}
    history, places = _history(kept, stored, anatomy, reference, bench)
    version = (kept and kept.shipment.version) or labels.get(f"{_OCI}version", "")
    created = (config and config.created) or ""
    source = labels.get(f"{_OCI}source", "")
    revision = labels.get(f"{_OCI}revision", "")
    return ImageReport(
        reference=anatomy.reference,
        digest=anatomy.digest,
        platform=str(anatomy.platform),
        program=kept.shipment.program if kept else "",
        version=version,
        source=f"{source}@{revision[:12]}" if source and revision else source or revision,
        created="" if created == _NO_DATE else created,
        user=(execution and execution.user) or "",
        start=(*((execution and execution.entrypoint) or ()), *((execution and execution.cmd) or ())),
        compressed_bytes=anatomy.compressed_bytes,
        unpacked_bytes=sum(layer.unpacked_bytes for layer in anatomy.layers),
        is_shipped=kept is not None,
        decision=decision_of(image, kept.shipment) if kept and image else None,
        trial=(image.trial or kept.shipment.trial) if kept and image else None,
        anatomy=msgspec.structs.replace(anatomy, findings=()),
        binary=msgspec.structs.replace(whole.program, symbols=()) if whole.program else None,
        bill=_bill(whole, image, kept),
        findings=tuple(_findings(whole, kept)),
        history=history,
        history_places=places,
        unknown=tuple(_unknown(whole, kept, reference)),
    )


def _own(found: Sequence[Kept], digest: str) -> Kept | None:
    """Return the record of this image; of several one that has a trial."""
    own = [one for one in found if any(image.digest == digest for image in one.shipment.images)]
    return next((one for one in own if one.shipment.trial), own[0] if own else None)


def _image_of(kept: Kept | None, digest: str) -> Image | None:
    return next((one for one in kept.shipment.images if one.digest == digest), None) if kept else None


def _history(
    kept: Kept | None, stored: Sequence[Kept], anatomy: ImageAnatomy, reference: Reference, bench: Bench
) -> tuple[tuple[Release, ...], tuple[str, ...]]:
    if kept is None:
        return (), ()
    places = ["the local store"]
    found = [one for one in stored if one.shipment.program == kept.shipment.program]
    if reference.transport in ("docker", "oci") and reference.name:
        where = f"docker://{reference.name.repository}" if reference.transport == "docker" else f"oci:{reference.path}"
        bench.say(f"looking for earlier shipments in {where}")
        try:
            there = shipments_of_repository(reference, bench)
            found += [one for one in there if one.shipment.program == kept.shipment.program]
            places.append(where)
        except ProaError as error:
            places.append(f"{where} (which could not be read: {error.what})")
    releases = [
        release_of(
            one.shipment,
            digest=one.subject,
            platform=str(anatomy.platform),
            name=one.name,
            created=one.created,
            is_this=any(image.digest == anatomy.digest for image in one.shipment.images),
        )
        for one in (kept, *found)
    ]
    return in_order(one for one in releases if one is not None), tuple(places)


def _bill(whole: WholeImage, image: Image | None, kept: Kept | None) -> Bill:
    program = whole.program
    language = ""
    if program is not None:
        language = f"Go {program.go_version}" if program.go_version else _LANGUAGES.get(program.language, "")
    notes = []
    unread = tuple(f"/{folder}" for folder in UNREAD)
    if any(file.path.startswith(unread) for file in whole.tree.files):
        notes.append("Its packages are in rpm's own database, which is not read.")
    if program is None:
        notes.append("It starts no program that could be read, so nothing is known of modules.")
    elif not (whole.build and whole.build.modules):
        notes.append("The program carries no list of what it was built from.")
    return Bill(
        language=language,
        modules=tuple(_modules(whole.build, program)) if whole.build else (),
        system_packages=tuple(
            SystemPackage(name=name, version=version) for name, version in sorted(whole.system_packages.items())
        ),
        system_files=sources_of(image, kept.shipment) if image and kept else (),
        notes=tuple(notes),
    )


def _modules(build: BuildInfo, program: BinaryAnatomy | None) -> Iterator[Module]:
    linked: dict[str, int] = {}
    for package in program.packages if program else ():
        linked[package.module] = linked.get(package.module, 0) + package.bytes
    for path in sorted(build.modules, key=lambda one: (one != build.main, one)):
        yield Module(
            path=path,
            version=build.modules[path],
            replacement=build.replacements.get(path, ""),
            bytes=linked.get(path, 0),
            is_main=path == build.main,
        )


def _findings(whole: WholeImage, kept: Kept | None) -> Iterator[Finding]:
    if kept is not None:
        yield from kept.shipment.findings
    for one in whole.anatomy.findings:
        yield Finding(id=one.id, severity=one.severity, message=one.message, hint=one.hint)
    yield from whole.program.findings if whole.program else ()


def _unknown(whole: WholeImage, kept: Kept | None, reference: Reference) -> Iterator[str]:
    if kept is None:
        where = "the local store" if reference.transport == "store" else f"the local store or {reference}"
        yield (
            f"No record of `proa ship` is kept beside this image, in {where}: why this base and each file, its trial "
            "and earlier shipments are not known. `proa trial IMAGE` runs it under limits; `proa why IMAGE FILE` asks "
            "for one file."
        )
    if kept is not None and kept.shipment.trial is None:
        yield "It was shipped without a trial, so its start and memory are not known."
    if whole.program is None:
        yield "What is in its program is not known: it starts none that could be read."
