"""What the go command compiles of a program with other build tags: its import graph, listed once for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa import analyze, build
from proa.build.flags import split, tags_of, without
from proa.errors import BuildFailed, ModuleMissing, ProaError, ToolTooOld, WrongInput
from proa.outside.build_constraints import Context, read_context, read_folder
from proa.outside.go import module_cache, read_setting
from proa.outside.golist import build_environment, list_flags
from proa.pipeline.plan import Bench, Plan
from proa.pipeline.with_c import list_programs, resolve
from proa.records.project import Package
from proa.tune import tags as judge

_MOST_AT_ONCE = 4
"""Calls of ``go list`` side by side; each keeps one to two cores busy (arbitrary)."""
REFUSALS = (BuildFailed, WrongInput, ModuleMissing, ToolTooOld)
"""What a tag can make of a program that builds without it; anything else ends the whole."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A tag that changes what is compiled, and the plan with it."""

    found: judge.Found
    plan: Plan
    change: judge.Difference
    meaning: str


def context_of(plan: Plan) -> Context:
    """Return which tags and words the go command knows already."""
    main, settings = plan.main, plan.settings.build
    return read_context(
        main.import_path,
        go=plan.go,
        directory=Path(main.module_directory or main.directory),
        environment={**build_environment(plan.platforms[0], settings), **dict(main.go_environment)},
        flags=[*list_flags(settings), *main.go_flags],
    )


def constraints_of(plan: Plan, packages: Iterable[Package]) -> list[judge.Constrained]:
    """Return the files of the packages that have a build constraint."""
    found = []
    for package in packages:
        lines = {
            name: [(line.line, line.text) for line in lines] for name, lines in read_folder(package.directory).items()
        }
        found += judge.constrained(package, lines, main=plan.main, root=plan.main.module_directory)
    return found


def list_tags(
    bench: Bench, plan: Plan, found: Sequence[judge.Found], before: Sequence[Package], own: Sequence[str]
) -> dict[str, Candidate | ProaError]:
    """Ask the go command for the import graph with each tag; what it refuses is the tag's answer."""

    def ask(one: judge.Found) -> Candidate | ProaError:
        bench.say(f"asking the go command what {one.name} leaves out")
        try:
            varied = plan_with(bench, plan, [*own, one.name])
        except REFUSALS as error:
            return error
        after = analyze.packages_of(varied.main, varied.graphs[0])
        change = judge.difference(before, after)
        return Candidate(
            found=one, plan=varied, change=change, meaning=judge.meaning_of(one.name, change, before, after)
        )

    with ThreadPoolExecutor(min(_MOST_AT_ONCE, bench.jobs)) as pool:
        waiting = {one.name: pool.submit(ask, one) for one in found}
        try:
            return {name: future.result() for name, future in waiting.items()}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def plan_with(bench: Bench, plan: Plan, tags: Sequence[str]) -> Plan:
    """Return the plan of the same program, on its first platform, with exactly these tags of the user's."""
    main, platform = plan.main, plan.platforms[0]
    flags = tuple(without(plan.asked.flags, "tags"))
    settings = msgspec.structs.replace(plan.asked, tags=tuple(dict.fromkeys(tags)), flags=flags)
    graph = list_programs(
        [f"{main.import_path}@{main.module_version}" if main.module_version else main.directory],
        directory=Path(main.directory),
        platform=platform,
        go=plan.go,
        settings=settings,
        store=bench.store,
    )
    same = [one for one in graph.mains if one.import_path == main.import_path]
    if not same:
        raise BuildFailed(f"{main.import_path} is no program with -tags {','.join(tags)}")
    # A tag may leave out the last package that is written in C.
    resolved = resolve(settings, graph, platform, go=plan.go, store=bench.store)
    words = build.words_of(resolved.settings, git=plan.git, go=plan.go, found=resolved.compilers)
    extra = [msgspec.json.encode(one, order="deterministic").decode() for one in (resolved.settings, words, plan.git)]
    key = analyze.content_key(graph, same[0], extra=[*extra, *build.compiler_identity(resolved.compilers)])
    return msgspec.structs.replace(
        plan,
        main=same[0],
        settings=msgspec.structs.replace(plan.settings, build=resolved.settings),
        asked=settings,
        builds=(),
        platforms=plan.platforms[:1],
        graphs=(graph,),
        keys=(key,),
    )


def own_tags(plan: Plan) -> tuple[str, ...]:
    """Return the tags the user sets: in flags, in proa.yaml, or in GOFLAGS, where the first of these sets any."""
    goflags = plan.asked.env.get("GOFLAGS", "") or read_setting("GOFLAGS", plan.go)
    return tags_of(plan.asked.flags) or plan.asked.tags or tags_of(split(goflags, where="GOFLAGS"))


def first_line(error: ProaError, plan: Plan) -> str:
    """Return the first line a tool said that is more than a heading, without the folders of this machine."""
    said = (line.strip() for line in error.output.splitlines())
    line = next((line for line in said if line and not line.startswith("#")), error.what)
    cache = module_cache(plan.go)
    return line.replace(f"{cache}/", "") if cache else line
