"""The way from a program to its base as questions and answers: what was shipped already says each of them."""

from __future__ import annotations

from collections.abc import Iterator

from proa.records.binary import Binary
from proa.records.evidence import Need, NeedKind
from proa.records.image import Image
from proa.records.report import Decision, DecisionStep, SourcedFile
from proa.records.shipment import Shipment

NAMES: dict[NeedKind, str] = {
    "certificates": "certificates",
    "zones": "time zones",
    "users": "users and groups",
    "tmp": "a temporary folder",
    "mime": "the table of media types",
    "program": "another program",
    "file": "a file",
    "libc": "a C library",
}
_SOURCES = (
    (("/etc/ssl/", "/etc/pki/"), "certificates", "Mozilla's list, {certifi}"),
    (("/usr/share/zoneinfo",), "zones", "the tz database, {tzdata}"),
    (("/etc/mime.types", "/usr/share/mime"), "mime", "the table that proa carries"),
)
_OWN = "written by proa, the same every time"
_SYSTEM_FILES = "system files"


def decision_of(image: Image, shipment: Shipment) -> Decision:
    """Return why this base and why each file; ``image`` is one of the shipment's."""
    return Decision(
        base=image.base,
        base_digest=image.base_digest,
        reason=image.base_reason,
        steps=tuple(_steps(image, shipment)),
        files=tuple(file for layer in image.layers for file in layer.files),
        left_out=shipment.left_out,
    )


def sources_of(image: Image, shipment: Shipment) -> tuple[SourcedFile, ...]:
    """Return what each system file and library of an image was made from, as far as the record says."""
    versions = dict(one.split(" ", 1) for one in shipment.data_versions if " " in one)
    words = {name: f"{name} {versions[name]}" if name in versions else name for name in ("certifi", "tzdata")}
    found = [
        SourcedFile(path=file.path, source=_source(file.path).format(**words))
        for layer in image.layers
        if layer.holds == _SYSTEM_FILES
        for file in layer.files
    ]
    libraries = image.binary.runtime_files if image.binary else ()
    return (*found, *(SourcedFile(path=one.path, source=f"taken as it was: {one.reason}") for one in libraries))


def _source(path: str) -> str:
    return next((source for starts, _, source in _SOURCES if path.startswith(starts)), _OWN)


def _steps(image: Image, shipment: Shipment) -> Iterator[DecisionStep]:
    binary = image.binary
    name = shipment.program or (binary.name if binary else "the program")
    yield DecisionStep(kind="start", title=name, because=_made(binary) if binary else "")
    if binary is not None:
        yield _linked(binary)
    yield DecisionStep(
        kind="question",
        title="What does it need beside itself?",
        answer=_counted(shipment, image),
        because="read from the linked program: what main can reach counts",
    )
    for need in shipment.needs:
        yield DecisionStep(
            kind="need",
            title=" ".join(word for word in (NAMES[need.kind], need.what) if word),
            answer="yes",
            because=need.reason,
            path=tuple(str(one) for one in need.evidence),
        )
    for left in shipment.left_out:
        yield DecisionStep(kind="unneeded", title=NAMES[left.kind], answer="no", because=left.reason)
    yield _base(image)
    yield DecisionStep(kind="end", title=f"base: {image.base}", because=image.base_reason)


def _made(binary: Binary) -> str:
    tools = binary.go_version if binary.language == "go" else binary.compiler
    return ", ".join(word for word in (tools or binary.language, str(binary.platform)) if word)


def _linked(binary: Binary) -> DecisionStep:
    if binary.is_static:
        return DecisionStep(
            kind="question",
            title="Does it need a loader?",
            answer="no",
            because="its ELF headers name no interpreter and no library: it is static",
            instead="yes: the loader and its libraries would go along, or a base with a C library",
        )
    named = ", ".join((binary.interpreter, *binary.libraries)[:8]).strip(", ")
    return DecisionStep(
        kind="question",
        title="Does it need a loader?",
        answer="yes",
        because=f"its ELF headers name {named}",
        instead="no: it would stand alone",
    )


def _base(image: Image) -> DecisionStep:
    title = "Is an empty base enough?"
    if image.base == "scratch":
        return DecisionStep(
            kind="question",
            title=title,
            answer="yes",
            because="what it needs is small, known, and made by proa itself",
            instead="no: a base image with a system in it",
        )
    return DecisionStep(
        kind="question", title=title, answer="not asked", because=image.base_reason, instead="an empty base"
    )


def _counted(shipment: Shipment, image: Image) -> str:
    if shipment.needs:
        return _many(len(_kinds(shipment.needs)), "kind of thing", "kinds of things")
    files = sum(len(layer.files) for layer in image.layers if layer.holds == _SYSTEM_FILES)
    return _many(files, "file", "files") if files else "nothing"


def _kinds(needs: tuple[Need, ...]) -> set[NeedKind]:
    return {need.kind for need in needs}


def _many(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"
