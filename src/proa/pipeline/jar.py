"""``--binary app.jar``: a jar planned, given a run time, and tried until no module of the JDK is missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from proa import pack
from proa.build import jar, java
from proa.errors import WrongUsage
from proa.outside.configuration import load_configuration
from proa.outside.go import Go
from proa.outside.jdk import find_jdk, packages
from proa.pipeline import steps, trials
from proa.pipeline.plan import Bench, Plan
from proa.pipeline.steps import Work, key_of
from proa.records.binary import Binary
from proa.records.configuration import settings_of
from proa.records.evidence import Needs
from proa.records.platform import Platform
from proa.records.project import Git, Graph, Main, Native, Project
from proa.records.request import Request
from proa.records.trial import Trial

MOST_ROUNDS = 5
"""A program that found one module may miss the next: each round names at least one more."""


def lay_jar_plan(bench: Bench, request: Request, file: Path) -> Plan:
    """Return the plan for one executable jar; the JDK at hand says for which platform.

    Raises WrongUsage, JarUnfit, JdkMissing, LibraryMissing, WrongConfiguration.
    """
    loaded = load_configuration(file.parent, environ=bench.environ)
    settings, origins = settings_of(loaded.configuration, (file.name,), request.overrides)
    if settings.build.sysroot:
        raise WrongUsage("--sysroot is for a program in ELF format", hint="a jar's run time is made from the JDK here")
    jdk = find_jdk(bench.environ)
    program = jar.inspect_jar(file, jdk)
    here = jar.platform_of_jdk(jdk)
    for one in dict.fromkeys(Platform.parse(word) for word in request.platforms):
        if (one.os, one.architecture) != (here.os, here.architecture):
            raise WrongUsage(
                f"the JDK in {jdk.home} makes run times for {here}, and --platform asks for {one}",
                hint="name a JDK for that platform in JAVA_HOME",
            )
    main = Main(
        name=file.name,
        import_path=file.name,
        directory=str(file.parent),
        module="",
        module_directory=str(file.parent),
        language="java",
    )
    return Plan(
        main=main,
        directory=loaded.file.parent if loaded.file else file.parent,
        go=Go(),
        git=Git(),
        settings=settings,
        origins=origins,
        platforms=(here,),
        graphs=(Graph(mains=(main,), packages=(), modules=(), platform=str(here)),),
        keys=(key_of("jar/v1", file.name, jar.identity_of(program, jdk)),),
        findings=loaded.findings,
        native=Native(system="jar", directory=str(file.parent), file=str(file)),
    )


def build_jar(bench: Bench, plan: Plan, added: Sequence[java.Module] = ()) -> Binary:
    """Take a jar into the store with a run time of the modules it uses, and those in ``added``."""
    jdk = find_jdk(bench.environ)
    bench.say(f"making a run time for {plan.main.name} with jlink")
    return jar.finish_jar(jar.inspect_jar(_file(plan), jdk), jdk, added=added, store=bench.store)


def _file(plan: Plan) -> Path:
    return Path(plan.native.file if plan.native else "")


def pack_and_try(
    work: Work, binary: Binary, needs: Needs, *, project: Project, base: pack.Base | None, should_try: bool
) -> tuple[Binary, pack.Packed, Trial | None]:
    """Return the image and its trial; a module that the trial died without is added and tried again.

    What was added is kept, so that the same jar has it at once.
    """
    bench, key = work.bench, key_of("modules", work.plan.keys[0], work.plan.settings.trial)
    added = _kept(work, key)
    whole = _extended(work, binary, added)
    for rounds_left in range(MOST_ROUNDS, -1, -1):
        packed = steps.pack_image(work, whole, needs, project=project, base=base)
        if not should_try:
            return whole, packed, None
        tried = trials.try_program(work, packed.image, project, needs)
        if tried.verdict in ("ready", "started", "skipped") or not rounds_left:
            return whole, packed, tried
        lost = java.lost_modules(tried.output, packages(find_jdk(bench.environ)))
        more = tuple(one for one in lost if one.name not in {known.name for known in added})
        extended = _extended(work, binary, (*added, *more)) if more else whole
        # A run time that has the module already is the same run time: something else is wrong.
        if extended.runtime_files == whole.runtime_files:
            return whole, packed, tried
        added, whole = (*added, *more), extended
        bench.store.set_stage("modules", key, msgspec.json.encode(added))
    raise AssertionError("the last round returns")


def _kept(work: Work, key: str) -> tuple[java.Module, ...]:
    content = work.bench.store.stage("modules", key)
    try:
        return msgspec.json.decode(content, type=tuple[java.Module, ...]) if content else ()
    except msgspec.MsgspecError:
        return ()


def _extended(work: Work, binary: Binary, added: Sequence[java.Module]) -> Binary:
    if not added:
        return binary
    return steps.kept(
        work,
        "build",
        key_of("jar with modules", work.plan.keys[0], added),
        kind=Binary,
        make=lambda: build_jar(work.bench, work.plan, added),
        is_whole=lambda one: steps.has_all_blobs(work.bench.store, one),
    )
