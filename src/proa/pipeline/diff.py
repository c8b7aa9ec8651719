"""From two words to what changed between them, and whether that is within budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa.errors import BudgetExceeded, BuildFailed, NoProject, ProaError, SeveralMains, WrongConfiguration, WrongUsage
from proa.inspect.budget_limits import Limit, laid_over, limits_from_words, limits_of
from proa.inspect.budgets import judge
from proa.inspect.difference import Contents, as_program, compare
from proa.outside.configuration import KO_NAMES, NAMES, find_configuration, read_configuration
from proa.outside.git_revision import Revision, check_out
from proa.outside.image_stream import opened_image
from proa.outside.images import fetch_any, fetch_image
from proa.pipeline.diff_read import read_image, read_program
from proa.pipeline.diff_targets import PUBLISHED, Target, target_of
from proa.pipeline.plan import Bench, Say, open_bench
from proa.records.difference import Difference
from proa.records.evidence import Finding
from proa.records.layer_entry import LayerEntries
from proa.records.place import Place
from proa.records.platform import Platform
from proa.records.reference import Name, Reference
from proa.records.request import Request
from proa.report.markdown_text import plain

_PROJECT_FILES = ("go.mod", "Cargo.toml", "meson.build", "CMakeLists.txt", "Makefile")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What ``proa diff`` was asked for."""

    words: tuple[str, ...]
    """None: the last published image and the project as it is; one: that is compared with the last published."""
    program: str = ""
    """Which of several programs of the project."""
    budgets: tuple[str, ...] = ()
    """``NAME=VALUE``."""
    configuration: str = ""
    """The file whose budgets hold; empty: the project's."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What changed, and where the budgets and dependencies it names are written."""

    difference: Difference
    places: Mapping[str, Place]
    """By a budget's name, or a dependency's; under the empty name the project's own file."""


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """One side, ready to be read: built or fetched where that was needed."""

    word: str
    file: Path | None = None
    reference: Reference | None = None
    version: str = ""
    findings: tuple[Finding, ...] = ()


def diff(asked: Asked, request: Request, *, environ: Mapping[str, str], progress: Say) -> Answer:
    """Return what changed between two things, judged by the budgets. ``request.directory`` is the project's folder.

    Raises WrongUsage, WrongConfiguration, ImageMissing, BinaryDamaged, BuildFailed (naming the revision), and
    whatever opening an image or building a project raises.
    """
    for platform in request.platforms:
        Platform.parse(platform)
    if len(asked.words) > 2:
        raise WrongUsage(f"proa diff compares two things, not {len(asked.words)}")
    words = (PUBLISHED, ".")[: 2 - len(asked.words)] + asked.words if len(asked.words) < 2 else asked.words
    limits, places = _limits(asked, Path(request.directory), environ)
    bench = open_bench(request, environ, progress)
    with bench.store.using(), bench.store.folder() as scratch:
        targets = [
            target_of(word, directory=Path(request.directory), store=bench.store, environ=environ) for word in words
        ]
        targets = [_published(bench, target, asked, request) for target in targets]
        opened = _opened(bench, targets, asked, request, scratch)
        known: dict[str, LayerEntries] = {}
        read = [_named_read(bench, one, request, scratch, known) for one in opened]
    findings = [finding for one in opened for finding in one.findings]
    findings += [finding for _, more in read for finding in more]
    before, after = _of_one_kind(read[0][0], read[1][0], findings)
    compared = compare(before, after, findings=findings)
    judged, unmatched = judge(compared, limits)
    difference = msgspec.structs.replace(
        compared.difference, budgets=judged, findings=(*compared.difference.findings, *unmatched)
    )
    directory = Path(request.directory)
    return Answer(difference=difference, places={"": _project_file(directory), **_required(directory), **places})


def gate(difference: Difference) -> None:
    """Let nothing pass that is over its budget. Raises BudgetExceeded."""
    over = difference.exceeded
    if not over:
        return
    number = difference.exceeded_budgets
    count = "a budget is" if number == 1 else f"{number} budgets are"
    # Names in an image are of others' making: none may steer a terminal, or be a command on a line of its own.
    lines = [plain(f"{one.budget}: {one.message}") for one in over[:20]]
    raise BudgetExceeded(f"{count} not kept", output="\n".join(lines))


# Budgets


def _limits(asked: Asked, directory: Path, environ: Mapping[str, str]) -> tuple[tuple[Limit, ...], dict[str, Place]]:
    """Return the budgets, and where those of the file stand."""
    given = limits_from_words(asked.budgets)
    named = Path(asked.configuration) if asked.configuration else None
    file = named or find_configuration(directory, environ=environ)
    if file is None:
        return given, {}
    is_ko = file.name not in NAMES and (named is None or file.name in KO_NAMES)
    loaded, lines = read_configuration(file, is_ko=is_ko)
    shown = _relative(file)
    try:
        configured = limits_of(loaded.configuration.budgets)
    except WrongConfiguration as error:
        # It begins with the dotted name of what is wrong.
        found = (line for path, line in lines.items() if error.what.startswith(f"{'.'.join(map(str, path))}: "))
        error.what = f"{shown}:{next(found, 1)}: {error.what}"
        raise
    places = {one.name: Place(file=shown, line=lines.get(one.path, 1)) for one in configured}
    return laid_over(configured, given), places


def _relative(file: Path) -> str:
    """Return a path below the repository's top, or below the current folder where there is none; else as it is."""
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    try:
        return file.absolute().relative_to(top).as_posix()
    except ValueError:
        return file.as_posix()


def _project_file(directory: Path) -> Place:
    """Return the file that stands for the project where nothing more exact is known."""
    found = (directory / name for name in (*NAMES, *_PROJECT_FILES) if (directory / name).is_file())
    return Place(file=_relative(next(found, directory / NAMES[0])))


def _required(directory: Path) -> dict[str, Place]:
    """Return where go.mod requires its modules."""
    file = directory / "go.mod"
    try:
        text = file.read_bytes()[: 1 << 20].decode("utf-8", "replace") if file.is_file() else ""
    except OSError:
        return {}
    found: dict[str, Place] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("//")[0].removeprefix("require").split()
        if len(words) == 2 and words[1].startswith("v"):
            found[words[0]] = Place(file=_relative(file), line=number)
    return found


# Sides


def _opened(
    bench: Bench, targets: Sequence[Target], asked: Asked, request: Request, scratch: Path
) -> tuple[_Opened, ...]:
    """Build what is to be built, one after the other, and fetch the rest meanwhile and at once."""
    with ThreadPoolExecutor(2) as pool:
        waiting = [
            pool.submit(_fetched, bench, target, request) if target.kind not in ("project", "revision") else None
            for target in targets
        ]
        built = [
            _built(bench, target, asked, request, scratch / f"side{number}")
            if target.kind in ("project", "revision")
            else None
            for number, target in enumerate(targets)
        ]
        return tuple(
            one if one is not None else wait.result()  # type: ignore[union-attr]
            for one, wait in zip(built, waiting, strict=True)
        )


def _published(bench: Bench, target: Target, asked: Asked, request: Request) -> Target:
    """Return an image for what was published; asked for before anything is built, for it may not be there."""
    if target.kind != "published":
        return target
    from proa.pipeline.diff_published import published

    own = msgspec.structs.replace(request, sources=(asked.program or ".",))
    reference = published(bench, own, target.tag)
    return Target(word=str(reference), kind="image", reference=reference)


def _fetched(bench: Bench, target: Target, request: Request) -> _Opened:
    if target.kind == "program":
        return _Opened(word=target.word, file=Path(target.path))
    assert target.reference is not None  # noqa: S101 - images have one
    if target.reference.transport != "docker":
        return _Opened(word=target.word, reference=target.reference)
    bench.say(f"fetching {target.word}")
    if request.platforms:
        platform = Platform.parse(request.platforms[0])
        found = fetch_image(target.reference, platform, store=bench.store, access=bench.access)
    else:
        found = fetch_any(target.reference, store=bench.store, access=bench.access)
    return _Opened(word=target.word, reference=_in_store(found.digest))


def _in_store(digest: str) -> Reference:
    return Reference(transport="store", name=Name(registry="", path="diff", digest=digest))


def _built(bench: Bench, target: Target, asked: Asked, request: Request, folder: Path) -> _Opened:
    """Build and pack a project as ``proa ship`` would, for one platform and without a trial."""
    revision = target.revision
    if revision is None:
        return _packed(bench, target.word, Path(target.path), asked, request)
    try:
        folder.mkdir()
        bench.say(f"laying out {revision}")
        place = check_out(revision, folder, environ=bench.environ)
        made = _packed(bench, target.word, place, asked, request)
        return msgspec.structs.replace(made, version=_version(made.version, revision))
    except ProaError as error:
        _name(error, revision, folder)
        raise


def _name(error: ProaError, revision: Revision, folder: Path) -> None:
    """Let an error say the revision it happened in."""
    # Where it was laid out is nothing to know, and soon gone.
    for place in (folder.resolve(), folder):
        error.what = error.what.replace(str(place), "its top folder")
    if str(revision) not in error.what:
        error.what = f"revision {revision}: {error.what}"
    if isinstance(error, BuildFailed) and (folder / ".gitmodules").exists():
        error.hint = "git submodules are not laid out; build both and compare the images: proa diff A B"


def _version(version: str, revision: Revision) -> str:
    return version or revision.commit[:12]


def _packed(bench: Bench, word: str, directory: Path, asked: Asked, request: Request) -> _Opened:
    from proa.outside.machine import this_platform
    from proa.pipeline import ship, steps
    from proa.pipeline.diff_published import only_plan

    own = msgspec.structs.replace(
        request,
        directory=str(directory),
        sources=(asked.program or ".",),
        platforms=request.platforms or (str(this_platform()),),
    )
    try:
        plan = only_plan(bench, own)
    except SeveralMains as error:
        error.hint = "choose one with --program"
        raise
    except NoProject as error:
        error.hint = error.hint.replace("proa ship ", "proa diff --program ")
        raise
    log = steps.Log()
    steps.build_together(bench, (plan,), log)
    work = steps.Work(bench=bench, plan=plan, log=log)
    shipment, whole = ship.prepare(work, should_try=False, requires_trial=False)
    return _Opened(
        word=word,
        reference=_in_store(whole.digest),
        version=shipment.version,
        findings=tuple(one for one in shipment.findings if one.severity == "error"),
    )


def _named_read(
    bench: Bench, opened: _Opened, request: Request, scratch: Path, known: dict[str, LayerEntries]
) -> tuple[Contents, tuple[Finding, ...]]:
    """Read a side; what is wrong with it says which of the two it is."""
    try:
        return _read(bench, opened, request, scratch, known)
    except ProaError as error:
        if Path(opened.word).name not in error.what:
            error.what = f"{opened.word}: {error.what}"
        raise


def _read(
    bench: Bench, opened: _Opened, request: Request, scratch: Path, known: dict[str, LayerEntries]
) -> tuple[Contents, tuple[Finding, ...]]:
    bench.say(f"reading {opened.word}")
    if opened.file is not None:
        return read_program(opened.file, reference=opened.word, environ=bench.environ, jobs=request.jobs), ()
    assert opened.reference is not None  # noqa: S101 - what is no file has one
    platform = Platform.parse(request.platforms[0]) if request.platforms else None
    with opened_image(opened.reference, platform, store=bench.store, access=bench.access) as image:
        return read_image(
            image,
            reference=opened.word,
            version=opened.version,
            scratch=scratch,
            # A layer of the store is one file for both sides; elsewhere each side's own bytes are what is judged.
            known=known if opened.reference.transport == "store" else {},
            environ=bench.environ,
            jobs=request.jobs,
        )


def _of_one_kind(before: Contents, after: Contents, findings: list[Finding]) -> tuple[Contents, Contents]:
    """Return both as they can be compared: of an image and a program, the image's program. Raises WrongUsage."""
    if before.side.kind == after.side.kind:
        return before, after
    image = before if before.side.kind == "image" else after
    program = as_program(image)
    if program is None:
        raise WrongUsage(
            f"{image.side.reference} is an image that starts no program which can be read, and the other is a program",
            hint="compare two images or two programs",
        )
    findings.append(
        Finding(
            id="diff.other-kinds",
            severity="warning",
            message=f"{image.side.reference} is an image and the other is a program: the programs are compared",
        )
    )
    return (program, after) if image is before else (before, program)
