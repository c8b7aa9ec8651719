"""Before any work: which programs, for which platforms, with which settings, and what decides the result."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa import analyze
from proa.errors import NoMain, ToolTooOld, WrongUsage
from proa.outside.access import Access
from proa.outside.configuration import Loaded, load_configuration
from proa.outside.git import read_git
from proa.outside.go import Go, find_go, find_wanted
from proa.outside.machine import cores, store_root, this_platform
from proa.outside.store import Store
from proa.pipeline.with_c import c_findings, list_programs, resolve
from proa.records.configuration import BuildSettings, Configuration, settings_of
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.project import Git, Graph, Main, Native
from proa.records.request import Request

Say = Callable[[str], None]


class Bench(msgspec.Struct, frozen=True, kw_only=True):
    """What every step works with."""

    store: Store
    environ: Mapping[str, str]
    access: Access
    jobs: int
    say: Say
    warn: Say = lambda _what: None
    """Told at once what makes the result useless; ``say`` is told what is running."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """One program to ship, and everything that decides what comes out."""

    main: Main
    directory: Path
    """What asset paths are relative to and may not leave: the folder of proa.yaml, else the module's."""
    go: Go
    git: Git
    settings: Configuration
    asked: BuildSettings = BuildSettings()
    """``settings.build`` as the user has it, before cgo and tags were decided."""
    origins: dict[str, str]
    """Where each setting that is no default came from."""
    platforms: tuple[Platform, ...]
    builds: tuple[BuildSettings, ...] = ()
    """One per platform, only where cgo or tags differ from platform to platform; ``settings.build`` is the first."""
    graphs: tuple[Graph, ...]
    """One per platform, of this program alone."""
    keys: tuple[str, ...]
    """One per platform: the content of everything that is compiled."""
    findings: tuple[Finding, ...] = ()
    native: Native | None = None
    """Set where the go command does not build the program; then the graphs have no packages, and ``go`` is not used."""

    def build_settings(self, number: int) -> BuildSettings:
        """Return what the program for one of the platforms is built with: cgo on or off, and all tags."""
        return self.builds[number] if len(self.builds) == len(self.platforms) else self.settings.build


def open_bench(request: Request, environ: Mapping[str, str], say: Say, warn: Say | None = None) -> Bench:
    """Return the store and the cores to work with, and how images outside may be reached."""
    access = Access(
        environ=environ,
        insecure_registries=request.insecure_registries,
        allows_any_insecure=request.allows_any_insecure,
    )
    store = Store(store_root(environ))
    bench = Bench(store=store, environ=environ, access=access, jobs=request.jobs or cores(), say=say)
    return msgspec.structs.replace(bench, warn=warn) if warn else bench


def lay_plans(
    bench: Bench, request: Request, *, is_image: bool = True, meanwhile: Sequence[str] = ()
) -> tuple[Plan, ...]:
    """Find the programs asked for and everything that decides what comes out of them.

    This is all that runs where nothing changed: one ``go list`` per platform, git, and hashing local files.
    ``meanwhile`` are modules that are imported while those run.
    """
    if request.binary:
        from proa.pipeline.prebuilt import lay_binary_plan

        return (lay_binary_plan(bench, request),)
    bench.say("reading the project")
    directory = Path(request.directory).absolute()
    home = _home(directory, request.sources[0])
    loaded = load_configuration(home, environ=bench.environ)
    common, _ = settings_of(loaded.configuration, (), request.overrides)
    if (system := analyze.find_system(request.sources, directory=directory, wanted=common.build.system)) is not None:
        from proa.pipeline.native import lay_native_plans

        platforms = chosen_platforms(request.platforms or common.platforms, is_image=True)
        return lay_native_plans(bench, request, system=system, directory=directory, platforms=platforms)
    platforms = chosen_platforms(request.platforms or common.platforms, is_image=is_image)
    is_local = any("@" not in source for source in request.sources)
    go = find_go(bench.environ, wanted=find_wanted(home, bench.environ) if is_local else "")
    with ThreadPoolExecutor(max_workers=len(platforms) + 1) as pool:
        git = pool.submit(read_git, home, environ=bench.environ)

        def listed(platform: Platform) -> Graph:
            return _graph(bench, request.sources, directory, platform, settings=common.build, go=go)

        waiting = pool.map(listed, platforms)
        # All that comes after takes 0.1 s to import: hidden behind the go command's time.
        for name in meanwhile:
            importlib.import_module(name)
        try:
            graphs = tuple(waiting)
        except ToolTooOld as error:
            if not error.wanted:
                raise
            # What a module version asks for is known only now; another tool chain at hand may do.
            go = find_go(bench.environ, wanted=error.wanted)
            graphs = tuple(pool.map(listed, platforms))
    # One git for all: programs of one call share a repository, and those of a module version have none.
    return tuple(
        _plan(
            main,
            bench=bench,
            loaded=loaded,
            common=common.build,
            overrides=request.overrides,
            go=go,
            git=Git() if main.module_version else git.result(),
            platforms=platforms,
            graphs=graphs,
        )
        for main in graphs[0].mains
    )


def _graph(
    bench: Bench, sources: Sequence[str], directory: Path, platform: Platform, *, settings: BuildSettings, go: Go
) -> Graph:
    return list_programs(sources, directory=directory, platform=platform, go=go, settings=settings, store=bench.store)


def _own_graph(
    bench: Bench, main: Main, listed: Graph, platform: Platform, *, is_as_listed: bool, settings: BuildSettings, go: Go
) -> Graph:
    """Return the graph of one program, listed again where its settings are not those of the others."""
    if is_as_listed:
        return analyze.part_of(main, listed)
    source = f"{main.import_path}@{main.module_version}" if main.module_version else main.directory
    return _graph(bench, [source], Path(main.directory), platform, settings=settings, go=go)


def _plan(
    main: Main,
    *,
    bench: Bench,
    loaded: Loaded,
    common: BuildSettings,
    overrides: Mapping[str, object],
    go: Go,
    git: Git,
    platforms: tuple[Platform, ...],
    graphs: tuple[Graph, ...],
) -> Plan:
    from proa import build

    settings, origins = settings_of(loaded.configuration, _names(main), overrides)
    for platform, graph in zip(platforms, graphs, strict=True):
        if all(one.import_path != main.import_path for one in graph.mains):
            raise NoMain(f"{main.import_path} is no main package on {platform}", hint="look at its build constraints")
    is_as_listed = settings.build == common
    graphs = tuple(
        _own_graph(bench, main, graph, platform, is_as_listed=is_as_listed, settings=settings.build, go=go)
        for graph, platform in zip(graphs, platforms, strict=True)
    )
    resolved = tuple(
        resolve(settings.build, graph, platform, go=go, store=bench.store)
        for graph, platform in zip(graphs, platforms, strict=True)
    )
    builds = [one.settings for one in resolved]
    keys = []
    for graph, one in zip(graphs, resolved, strict=True):
        # Templates are filled in here; a revision decides the program only where it is stamped in.
        words = build.words_of(one.settings, git=git, go=go, found=one.compilers)
        extra = [_encoded(one.settings), _encoded(words), *([_encoded(git)] if settings.build.stamp else [])]
        keys.append(analyze.content_key(graph, main, extra=[*extra, *build.compiler_identity(one.compilers)]))
    roots = {module.path: module.directory for module in graphs[0].modules}
    # The program of a module version opens files of that module, wherever the cache has it.
    folder = roots.get(main.module, main.directory) if main.module_version else main.module_directory
    return Plan(
        main=main,
        directory=loaded.file.parent if loaded.file and not main.module_version else Path(folder),
        go=go,
        git=git,
        settings=msgspec.structs.replace(settings, build=resolved[0].settings),
        asked=settings.build,
        builds=() if all(one.settings == resolved[0].settings for one in resolved) else tuple(builds),
        origins=origins,
        platforms=platforms,
        graphs=graphs,
        keys=tuple(keys),
        findings=(
            *loaded.findings,
            *analyze.unused_settings(settings.build, "go"),
            *c_findings(graphs[0], resolved[0].compilers),
        ),
    )


def _home(directory: Path, source: str) -> Path:
    """Return the folder whose proa.yaml, go.mod and repository hold: the source's own where it is a folder."""
    folder = directory / source.removesuffix("...").rstrip("/")
    return folder.resolve() if "@" not in source and folder.is_dir() else directory


def chosen_platforms(words: Sequence[str], *, is_image: bool) -> tuple[Platform, ...]:
    """Return the platforms asked for, this machine's where there are none. Raises WrongUsage."""
    platforms = tuple(dict.fromkeys(Platform.parse(word) for word in words)) or (this_platform(),)
    for platform in platforms:
        if is_image and platform.os != "linux":
            raise WrongUsage(
                f"{platform} has no image: its containers do not start from an empty base",
                hint="use linux/…; `proa build --platform` makes a bare program for any platform",
            )
    return platforms


def _names(main: Main) -> tuple[str, ...]:
    """Return what a program may be called in proa.yaml, the most exact last."""
    if not main.module_directory:
        return (main.name,)
    return (main.name, main.import_path, "./" + os.path.relpath(main.directory, main.module_directory))


def _encoded(record: msgspec.Struct) -> str:
    return msgspec.json.encode(record, order="deterministic").decode()
