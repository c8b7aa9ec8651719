"""What is compared: variants of a program built and packed, images fetched, commands found; each with its sizes."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from proa import compare
from proa.compare import Facts, Recipe
from proa.errors import (
    BinaryDamaged,
    BuildFailed,
    NoSpace,
    NotWritable,
    ProaError,
    SeveralMains,
    WrongUsage,
)
from proa.inspect.modules import read_build_info
from proa.inspect.started import program_of
from proa.inspect.system_packages import packages_in
from proa.outside import elf, machine_facts
from proa.outside.command import redact
from proa.outside.image_stream import opened_image
from proa.outside.images import fetch_any, fetch_image, located
from proa.outside.machine import this_platform
from proa.outside.manifests import read_config
from proa.pipeline import steps, trials
from proa.pipeline.compare_job import Asked, Job, Row, Standing, Subject
from proa.pipeline.compare_single_stage import pack_single_stage
from proa.pipeline.diff_read import databases_in, taken_out
from proa.pipeline.inspect import dissect_and_keep, without_collecting
from proa.pipeline.plan import Bench, Plan, lay_plans
from proa.pipeline.tune_step import with_libraries
from proa.records.comparison import Variant, VariantVerdict
from proa.records.oci import Descriptor, Manifest
from proa.records.reference import Name, Reference
from proa.records.trial import Probe
from proa.tune.chain import merged

_HOST_COMPILERS = ("gcc", "clang")
_HERE = (NoSpace, NotWritable)
"""What is wrong with this machine, and so with all variants alike."""


def find_subjects(job: Job) -> tuple[list[Subject], str]:
    """Return everything that is to be compared, in the order asked for, and the program's name where there is one.

    What cannot be built or found stays, with its reason. Raises what is wrong with the program as a whole.
    """
    found: list[Subject] = []
    program = ""
    if job.asked.has_source:
        plan, recipes = _recipes(job)
        program = plan.main.import_path
        for at, recipe in enumerate(recipes):
            found.append(_variant(job, recipe, f"{at + 1}/{len(recipes)} {recipe.name}"))
            _tell(job, found, f"{recipe.name}: {found[-1].variant.reason or 'built'}")
    for image in job.asked.images:
        found.append(_image(job, image))
        _tell(job, found, f"{image}: {found[-1].variant.reason or 'fetched'}")
    found += [_command(job, name, words) for name, words in job.asked.commands]
    return _named_apart(found), program


def _tell(job: Job, found: Sequence[Subject], doing: str) -> None:
    rows = tuple(Row(name=one.variant.name, state=one.variant.verdict if not one.can_run else "ready") for one in found)
    job.watch(Standing(rows=rows, doing=doing, is_milestone=True))


def _named_apart(subjects: Sequence[Subject]) -> list[Subject]:
    """Return subjects with names of their own: the same image twice is a test of the measuring itself."""
    seen: dict[str, int] = {}
    found = []
    for one in subjects:
        name = one.variant.name
        seen[name] = seen.get(name, 0) + 1
        named = name if seen[name] == 1 else f"{name} ({seen[name]})"
        found.append(msgspec.structs.replace(one, variant=msgspec.structs.replace(one.variant, name=named)))
    return found


# Variants of one program


def _recipes(job: Job) -> tuple[Plan, list[Recipe]]:
    """Return the plan of the program as it is, and what to make of it. Raises SeveralMains, WrongUsage."""
    asked, bench = job.asked, job.bench
    here = this_platform()
    request = msgspec.structs.replace(asked.request, platforms=(str(here),))
    plans = lay_plans(bench, request)
    if len(plans) > 1:
        names = "\n".join(plan.main.import_path for plan in plans)
        raise SeveralMains("compare takes the variants of one program", output=names, hint="name one of them")
    plan = plans[0]
    search = bench.environ.get("PATH", "")
    uses_c = False
    if plan.native is None:
        project = steps.analyze_source(steps.Work(bench=bench, plan=plan, log=steps.Log()))
        uses_c = plan.settings.build.cgo == "on" or (plan.settings.build.cgo == "auto" and bool(project.cgo))
    facts = Facts(
        language=plan.main.language,
        platform=here,
        settings=plan.settings.build,
        uses_c=uses_c,
        host_compiler=next((name for name in _HOST_COMPILERS if shutil.which(name, path=search)), ""),
        has_profile=plan.native is None and (Path(plan.main.directory) / "default.pgo").is_file(),
        levels=machine_facts.levels() if here.architecture == "amd64" else (),
        bases={**_bases_at_hand(bench), **asked.bases},
    )
    chosen = compare.names_of(facts, variants=asked.variants, preset=asked.preset)
    return plan, [compare.recipe(name, facts) for name in chosen]


def _bases_at_hand(bench: Bench) -> dict[str, str]:
    """Return the usual bases that the store has already: nothing is pulled unasked."""
    kept = {name for name, _ in bench.store.references()}
    return {name: text for name, text in compare.BASES.items() if str(steps.base_reference(text)) in kept}


def _variant(job: Job, recipe: Recipe, label: str) -> Subject:
    """Return one variant, built and packed as ``proa ship`` would with its settings."""
    variant = Variant(
        name=recipe.name, description=recipe.description, verdict="measured", settings=dict(recipe.settings)
    )
    if recipe.reason:
        return _without(variant, "left-out", recipe.reason)
    bench = msgspec.structs.replace(job.bench, say=lambda what: job.bench.say(f"{label}: {what}"))
    try:
        return _made(job, bench, recipe, variant)
    except _HERE:
        raise
    except BuildFailed as error:
        return _without(variant, "does-not-build", _said(error))
    except ProaError as error:
        return _without(variant, "left-out", _said(error))


def _made(job: Job, bench: Bench, recipe: Recipe, variant: Variant) -> Subject:
    platforms = tuple(recipe.overrides.get("platforms", ())) or (str(this_platform()),)
    laid = {key: value for key, value in recipe.overrides.items() if key != "platforms"}
    request = msgspec.structs.replace(
        job.asked.request, platforms=platforms, overrides=merged(job.asked.request.overrides, laid)
    )
    plan = lay_plans(bench, request)[0]
    work = steps.Work(bench=bench, plan=plan, log=steps.Log())
    project = steps.analyze_source(work)
    binary = with_libraries(work, steps.build_program(work, 0))
    needs = steps.find_needs(work, 0, binary)
    base = steps.fetch_base(work, binary.platform)
    image = steps.pack_image(work, binary, needs, project=project, base=base).image
    manifest = image.manifest
    if recipe.kind == "single-stage":
        manifest = pack_single_stage(work, image)
    settings = plan.settings.trial
    probe = trials.probe_of(
        settings,
        routes=tuple(dict.fromkeys(route.path for route in project.routes if route.is_health)),
        may_listen=bool(project.ports),
    )
    sized = _sized(bench, manifest, variant, job.folder)
    settled = msgspec.structs.replace(
        sized,
        binary_bytes=binary.bytes,
        needs_libc=not binary.is_static,
        settings={**sized.settings, "base": image.base, "compression": plan.settings.image.compression},
    )
    return Subject(variant=settled, identity=manifest.digest, manifest=manifest, probe=_asked_of(job.asked, probe))


def _without(variant: Variant, verdict: VariantVerdict, reason: str) -> Subject:
    return Subject(variant=msgspec.structs.replace(variant, verdict=verdict, reason=reason))


def _said(error: ProaError) -> str:
    """Return an error in one line: what happened, and the tool's own last word."""
    last = next((line.strip() for line in reversed(error.output.splitlines()) if line.strip()), "")
    return f"{error.what}: {last[:300]}" if last else error.what


# Images and commands


def _image(job: Job, text: str) -> Subject:
    variant = Variant(name=text, description="an image", verdict="measured")
    bench, here = job.bench, this_platform()
    try:
        reference = located(text)
        job.bench.say(f"fetching {text}")
        if reference.transport in ("docker", "store"):
            manifest = fetch_any(reference, store=bench.store, access=bench.access)
        else:
            manifest = fetch_image(reference, here, store=bench.store, access=bench.access)
        sized = _sized(bench, manifest, variant, job.folder)
    except (*_HERE, WrongUsage):
        raise
    except ProaError as error:
        return _without(variant, "left-out", _said(error))
    document = msgspec.json.decode(bench.store.read_blob(manifest.digest), type=Manifest)
    config = read_config(bench.store.read_blob(document.config.digest), place=text)
    exposed = (config.config.exposed_ports if config.config else None) or {}
    probe = Probe(is_server=True if any(not port.endswith("/udp") for port in exposed) else None)
    return Subject(variant=sized, identity=manifest.digest, manifest=manifest, probe=_asked_of(job.asked, probe))


def _command(job: Job, name: str, words: str) -> Subject:
    """Return a command of this machine; its program's bytes are all that is known of its size. Raises WrongUsage."""
    try:
        argv = shlex.split(words)
    except ValueError as error:
        raise WrongUsage(f"--command {name}: {error}") from error
    if not argv:
        raise WrongUsage(f"--command {name}= names no program")
    variant = Variant(name=name, description=redact(words), verdict="measured")
    directory = Path(job.asked.request.directory).absolute()
    path = job.bench.environ.get("PATH", "")
    program = directory / argv[0] if "/" in argv[0] else Path(shutil.which(argv[0], path=path) or "")
    if not program.is_file():
        return _without(variant, "does-not-start", f"{argv[0]} was not found")
    status = program.stat()
    return Subject(
        variant=msgspec.structs.replace(variant, binary_bytes=status.st_size, needs_libc=_needs_libc(program)),
        identity=f"{program.resolve()} {status.st_size} {status.st_mtime_ns} {directory}",
        argv=(str(program), *argv[1:]),
        probe=_asked_of(job.asked, Probe()),
    )


def _needs_libc(program: Path) -> bool | None:
    with suppress(ProaError, OSError, ValueError):
        return bool(elf.interpreter(elf.open_elf(program)))
    return None


def _asked_of(asked: Asked, probe: Probe) -> Probe:
    """Return what is asked of a program, as ``--ready`` says. Raises WrongUsage."""
    more = {**dict(probe.environment), **dict(asked.environment)}
    probe = msgspec.structs.replace(
        probe, arguments=asked.arguments or probe.arguments, environment=tuple(sorted(more.items()))
    )
    if not asked.ready:
        return probe
    if asked.ready == "exit":
        return msgspec.structs.replace(probe, ports=(), routes=(), is_server=False)
    port, route = parse_ready(asked.ready)
    return msgspec.structs.replace(
        probe, ports=(port,) if port else (), routes=(route,) if route else (), is_server=True
    )


def parse_ready(text: str) -> tuple[int, str]:
    """Return port (0: any) and route (empty: listening is enough) of ``--ready``. Raises WrongUsage.

    >>> parse_ready("http://:8080/healthz"), parse_ready("tcp://:5432"), parse_ready("/ready")
    ((8080, '/healthz'), (5432, ''), (0, '/ready'))
    """
    wrong = WrongUsage(f"--ready {text!r} says nothing to ask", hint="write http://:8080/healthz, tcp://:5432 or exit")
    try:
        parts = urlsplit(text)
        port = parts.port or 0
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in ("http", "https", "tcp", "") or parts.hostname not in (None, "localhost", "127.0.0.1"):
        raise wrong
    if parts.scheme == "tcp":
        if not port or parts.path:
            raise wrong
        return port, ""
    if not parts.scheme and not text.startswith("/"):
        raise wrong
    route = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return port, route


def _sized(bench: Bench, manifest: Descriptor, variant: Variant, folder: Path) -> Variant:
    """Return a variant with what its image weighs and what a scanner can name in it."""
    known = Reference(transport="store", name=Name(registry="", path="compared", digest=manifest.digest))
    with opened_image(known, None, store=bench.store, access=bench.access) as opened:
        with without_collecting():
            anatomy, view = dissect_and_keep(opened, variant.name, None, 1)
        program, databases = program_of(view, opened.config), databases_in(view)
        taken = taken_out(opened, view, [*([program] if program else []), *databases], folder)
    names: set[str] = set()
    for one in databases:
        names |= packages_in(one.shown_at, taken[one].read_bytes()).keys()
    size, needs_libc = None, None
    if program is not None:
        size, needs_libc = program.entry.size_bytes, _needs_libc(taken[program])
        with suppress(BinaryDamaged, OSError, ValueError, IndexError):
            names |= read_build_info(elf.open_elf(taken[program])).modules.keys()
    for file in taken.values():
        file.unlink(missing_ok=True)
    return msgspec.structs.replace(
        variant,
        digest=manifest.digest,
        binary_bytes=size,
        needs_libc=needs_libc,
        unpacked_bytes=anatomy.stored_bytes,
        compressed_bytes=anatomy.compressed_bytes,
        layers=len(anatomy.layers),
        packages_seen=len(names),
    )
