"""The steps, each kept in the store under a key of everything that decides its result."""

from __future__ import annotations

import hashlib
import importlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, TypeVar

import msgspec

from proa import analyze, build, pack
from proa.errors import BuildFailed, WrongUsage
from proa.outside.images import fetch_image, located
from proa.outside.machine import code_identity
from proa.outside.store import Store
from proa.pipeline.plan import Bench, Plan
from proa.records.binary import Binary
from proa.records.evidence import Needs
from proa.records.image import Image
from proa.records.platform import Platform
from proa.records.project import Facts, Project
from proa.records.reference import Reference, parse_reference
from proa.records.shipment import CacheState

_Record = TypeVar("_Record")


class Log:
    """Seconds and cache states by stage, filled while one program is shipped."""

    def __init__(self, planned_s: float = 0.0, before: Log | None = None) -> None:
        self.timings_s: dict[str, float] = {"analyze": round(planned_s, 4)} if planned_s else {}
        self.timings_s.update(before.timings_s if before else {})
        self.cache: dict[str, CacheState] = dict(before.cache) if before else {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the block's time to a stage."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.timings_s[name] = round(self.timings_s.get(name, 0.0) + time.monotonic() - started, 4)

    def note(self, name: str, state: CacheState) -> None:
        """Note what happened; one miss makes the stage a miss."""
        if self.cache.get(name) != "miss":
            self.cache[name] = state


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One program on the bench, and what is noted of the work on it."""

    bench: Bench
    plan: Plan
    log: Log


_code_identity = lru_cache(code_identity)


def key_of(*parts: Any) -> str:
    """Return a key for what depends on these records and strings, and on proa's own code.

    >>> key_of("a", 1) == key_of("a", 1), key_of("a", 1) == key_of("a", 2)
    (True, False)
    """
    return hashlib.sha256(msgspec.json.encode([_code_identity(), *parts], order="deterministic")).hexdigest()


def kept(
    work: Work,
    stage: str,
    key: str,
    *,
    kind: type[_Record],
    make: Callable[[], _Record],
    is_whole: Callable[[_Record], bool] = lambda _record: True,
) -> _Record:
    """Return what a step returned for this key, or do it and keep the result.

    ``is_whole`` says whether the blobs a kept record names are still there.
    """
    store, log = work.bench.store, work.log
    with log.stage(stage):
        content = store.stage(stage, key)
        if content is not None:
            try:
                record = msgspec.json.decode(content, type=kind)
            except msgspec.MsgspecError:
                record = None
            if record is not None and is_whole(record):
                log.note(stage, "hit")
                return record
        record = make()
        store.set_stage(stage, key, msgspec.json.encode(record))
        log.note(stage, "miss")
        return record


def analyze_source(work: Work) -> Project:
    """Return all that the source says of the program, on its first platform."""
    plan = work.plan
    if plan.native is not None:
        from proa.pipeline.native import read_native

        return read_native(work.bench, plan)
    graph, packages = plan.graphs[0], analyze.packages_of(plan.main, plan.graphs[0])

    def read() -> Project:
        work.bench.say(f"analyzing {plan.main.import_path}")
        return analyze.read_project(plan.main, graph, go=plan.go, git=plan.git, settings=plan.settings.build)

    # Lock files and the use of C change with imports, not with every line of code.
    key = analyze.imports_key(graph, plan.main)
    project = kept(work, "analyze", key_of("project", key), kind=Project, make=read)
    facts = kept(
        work,
        "analyze",
        key_of("facts", plan.keys[0], plan.main),
        kind=Facts,
        make=lambda: analyze.read_facts(plan.main, packages),
    )
    return msgspec.structs.replace(
        project,
        main=plan.main,
        git=plan.git,
        environment=facts.environment,
        ports=facts.ports,
        routes=facts.routes,
        variables=facts.variables,
        findings=(*project.findings, *facts.findings),
    )


def build_together(bench: Bench, plans: Sequence[Plan], log: Log) -> None:
    """Build what is not kept yet: programs of one place by one go command, platforms side by side.

    The results are kept; ``build_program`` then finds them.
    """
    store = bench.store
    waiting: dict[str, list[Plan]] = {}
    for plan in plans:
        if plan.native is not None:
            continue
        if any(store.stage("build", _build_key(plan, number)) is None for number in range(len(plan.platforms))):
            waiting.setdefault(key_of(plan.settings.build, *plan.builds, plan.git, plan.go.program), []).append(plan)
    for group in waiting.values():
        first = group[0]
        # Settings that differ from platform to platform are left to build_program.
        if len(group) * len(first.platforms) == 1 or first.builds:
            continue
        bench.say(f"building {', '.join(plan.main.name for plan in group)} for {', '.join(map(str, first.platforms))}")
        with log.stage("build"), _explained([Work(bench=bench, plan=plan, log=Log()) for plan in group]):
            built = build.build_all(
                [plan.main for plan in group],
                first.platforms,
                first.settings.build,
                git=first.git,
                go=first.go,
                store=store,
                jobs=bench.jobs,
            )
        for plan in group:
            for number, platform in enumerate(plan.platforms):
                store.set_stage("build", _build_key(plan, number), msgspec.json.encode(built[plan.main, platform]))
        log.note("build", "miss")


@contextmanager
def _explained(works: Sequence[Work]) -> Iterator[None]:
    """Let a build that fails for want of C say which package is at fault, and how main comes to import it."""
    try:
        yield
    except BuildFailed as failed:
        for work in works:
            packages = work.plan.graphs[0].packages
            # With cgo on, a package in C fails for reasons of its own.
            uses = () if work.plan.settings.build.cgo == "on" else analyze_source(work).cgo
            explained = analyze.explain_failure(failed, uses, mains=[work.plan.main], packages=packages)
            if explained is not failed:
                raise explained from failed
        raise


def is_built(work: Work, number: int) -> bool:
    """Say whether the program for one of the plan's platforms is kept from an earlier run."""
    return work.bench.store.stage("build", _build_key(work.plan, number)) is not None


def build_program(work: Work, number: int) -> Binary:
    """Return the program for one of the plan's platforms, linked, proved and stripped."""
    bench, plan = work.bench, work.plan
    store, platform = bench.store, plan.platforms[number]

    def make() -> Binary:
        bench.say(f"building {plan.main.name} for {platform}")
        if plan.native is not None:
            from proa.pipeline.native import build_native

            return build_native(bench, plan, platform)
        with ThreadPoolExecutor(1) as pool, _explained([work]):
            # Reading the program needs libraries that take 0.1 s to import: hidden behind the linker's time.
            for name in ("numpy", "tree_sitter", "tree_sitter_go", "deflate"):
                pool.submit(importlib.import_module, name)
            return build.build(
                plan.main, platform, plan.build_settings(number), git=plan.git, go=plan.go, store=store, jobs=bench.jobs
            )

    return kept(
        work,
        "build",
        _build_key(plan, number),
        kind=Binary,
        make=make,
        is_whole=lambda binary: has_all_blobs(store, binary),
    )


def has_all_blobs(store: Store, binary: Binary) -> bool:
    """Say whether every file of a program is still in the store."""
    return all(map(store.has_blob, _blobs_of(binary)))


def _blobs_of(binary: Binary) -> list[str]:
    files = [file.digest for file in (*binary.runtime_files, binary.debug) if file is not None and file.digest]
    return [binary.digest, binary.unstripped_digest, *files]


def _build_key(plan: Plan, number: int) -> str:
    return key_of("binary", plan.keys[number])


def find_needs(work: Work, number: int, binary: Binary) -> Needs:
    """Return what the program needs at run time, read from the program as it was linked."""
    plan, store = work.plan, work.bench.store

    def make() -> Needs:
        work.bench.say(f"reading what {plan.main.name} needs at run time")
        if plan.native is not None:
            from proa.pipeline.native import find_native_needs

            return find_native_needs(work.bench, plan, binary)
        packages = analyze.packages_of(plan.main, plan.graphs[number])
        return analyze.find_needs(store.blob_path(binary.unstripped_digest), plan.main, packages)

    key = key_of("needs", binary.unstripped_digest, binary.runtime_files, plan.keys[number], plan.main)
    return kept(work, "analyze", key, kind=Needs, make=make)


class Linked(msgspec.Struct, frozen=True, kw_only=True):
    """A program of one platform, and what is known of it."""

    project: Project
    binary: Binary
    needs: Needs


def read_linked(work: Work) -> Linked:
    """Return the program for the plan's first platform, what its source says and what it needs at run time."""
    project = analyze_source(work)
    binary = build_program(work, 0)
    return Linked(project=named_as_built(project, binary), binary=binary, needs=find_needs(work, 0, binary))


def pack_program_early(work: Work, binary: Binary) -> None:
    """Make the program's layer while what it needs is still being read; ``pack_image`` then finds it."""
    plan = work.plan
    if plan.settings.image.base in ("auto", "scratch"):
        pack.pack_program(
            binary,
            plan.settings.image,
            store=work.bench.store,
            jobs=work.bench.jobs,
            created_epoch_s=source_date(work.bench.environ),
        )


def fetch_base(work: Work, platform: Platform) -> pack.Base | None:
    """Return the image to build on, fetched into the store; None for an empty one."""
    asked = work.plan.settings.image.base
    if asked in ("auto", "scratch"):
        return None
    work.bench.say(f"fetching {asked}")
    with work.log.stage("pack"):
        manifest = fetch_image(base_reference(asked), platform, store=work.bench.store, access=work.bench.access)
    return pack.Base(reference=asked, manifest=manifest)


def base_reference(text: str) -> Reference:
    """Return where a base is; a bare name is in a registry, as in a Dockerfile's FROM.

    >>> base_reference("alpine:3.22").transport, base_reference("oci:dir").transport
    ('docker', 'oci')
    """
    reference = located(text)
    return parse_reference(f"docker://{text}") if reference.transport == "store" else reference


def pack_image(work: Work, binary: Binary, needs: Needs, *, project: Project, base: pack.Base | None) -> pack.Packed:
    """Return the image of one program for one platform."""
    bench, plan = work.bench, work.plan
    store, settings = bench.store, plan.settings.image
    dated = source_date(bench.environ)
    project = named_as_built(project, binary)

    def make() -> pack.Packed:
        bench.say(f"packing {plan.main.name} for {binary.platform}")
        return pack.pack(
            binary,
            needs,
            settings,
            project=project,
            base=base,
            store=store,
            directory=plan.directory,
            jobs=bench.jobs,
            created_epoch_s=dated,
        )

    assets = pack.assets_digest(settings, needs, main=plan.main, directory=plan.directory, store=store)
    decides = (binary, needs, settings, base, plan.git, plan.main, project.ports, assets, dated)
    return kept(
        work,
        "pack",
        key_of("image", *decides, pack.data_versions(needs)),
        kind=pack.Packed,
        make=make,
        is_whole=lambda packed: _is_stored(store, packed.image),
    )


def named_as_built(project: Project, binary: Binary) -> Project:
    """Return a project whose program is called as its file: what make builds is known by its folder's name before."""
    if project.native is None:
        return project
    return msgspec.structs.replace(project, main=msgspec.structs.replace(project.main, name=binary.name))


def source_date(environ: Mapping[str, str]) -> int | None:
    """Return SOURCE_DATE_EPOCH, or None where it is not set. Raises WrongUsage.

    Source: https://reproducible-builds.org/specs/source-date-epoch/.
    """
    text = environ.get("SOURCE_DATE_EPOCH", "")
    if text and not (text.isascii() and text.isdigit() and len(text) <= 11):
        raise WrongUsage(f"SOURCE_DATE_EPOCH={text!r} is not a number of seconds")
    return int(text) if text else None


def _is_stored(store: Store, image: Image) -> bool:
    return store.has_blob(image.digest) and all(store.has_blob(layer.digest) for layer in image.layers)
