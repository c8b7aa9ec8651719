"""The import graph of the programs asked for, from one ``go list`` per module."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from proa.analyze.asked import what_decides
from proa.analyze.cgo import explain_excluded, needs_c, nested_c_files
from proa.analyze.kept import graph_file, read_graph, read_local_graph, write_graph, write_local_graph
from proa.analyze.mains import choose_mains, program_name
from proa.analyze.source import Place, Source, below, find_modules, split_source
from proa.errors import BuildFailed, NoMain, ProaError, WrongUsage
from proa.outside.go import Go, read_version
from proa.outside.golist import (
    Listed,
    ListedModule,
    build_environment,
    check_platform,
    list_flags,
    list_packages,
    read_complaint,
)
from proa.outside.gomodule import Fetched, fetch_module
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Graph, Main, Module, Package

_IMPLICIT = ("runtime", "runtime/cgo", "runtime/race", "runtime/msan", "runtime/asan")
"""What the linker adds to every program without an import. Source: cmd/go/internal/load, LinkerDeps."""


def list_graph(
    patterns: Sequence[str],
    *,
    directory: Path,
    platform: Platform,
    go: Go,
    settings: BuildSettings,
    modules_directory: Path | None = None,
    graphs_directory: Path | None = None,
) -> Graph:
    """Return the programs that the patterns mean, and every package in them.

    ``patterns`` are folders, packages, ``./...`` or ``path@version``; none stands for ``.``. Files for modules asked
    for by version are kept in ``modules_directory`` (default: proa's cache folder), and are the same at every call.
    Raises NoProject, NoMain, SeveralMains, UnknownPlatform, WrongUsage, LockBroken, ModuleMissing, NeedsC, ToolTooOld,
    BuildFailed.
    """
    check_platform(platform, go)
    environ = {**go.environment, **settings.env}
    source = split_source(patterns, directory=directory, environ=environ)
    ask = _Ask(go=go, platform=platform, settings=settings)
    file = ask.local_file(source, graphs_directory)
    known = read_local_graph(file) if file else None
    if known is not None:
        return known
    listed_ns = time.time_ns()
    graphs: list[Graph] = []
    was_found = True
    listings = [(place, ask.listed(place)) for place in source.places]
    if source.folder is not None and not any(_mains(listed, place) for place, listed in listings):
        listings = _look_below(listings, source.folder, directory, ask)
        was_found = False
    mains = [main for place, listed in listings for main in _mains(listed, place)]
    if source.places:
        chosen = set(choose_mains(mains, folder=source.folder)) if mains else _refuse(listings, source.folder, ask)
        for place, listed in listings:
            of_place = tuple(main for main in _mains(listed, place) if main in chosen)
            if of_place:
                graphs.append(ask.graph(of_place, listed, place))
    for path, version in source.versioned:
        fetched = fetch_module(path, version, go=go, environment=ask.environment, keep=modules_directory)
        graphs.append(ask.versioned(fetched))
    graph = joined(graphs)
    empty = [one.dir for _, listed in listings for one in listed if not one.dep_only and one.dir and _is_empty(one)]
    if empty:
        graph = msgspec.structs.replace(graph, empty=tuple(empty))
    if file and was_found:
        write_local_graph(file, graph, listed_ns=listed_ns)
    return graph


def kept_place(
    patterns: Sequence[str],
    *,
    directory: Path,
    platform: Platform,
    go: Go,
    settings: BuildSettings,
    graphs_directory: Path | None,
) -> Path | None:
    """Return where ``list_graph`` keeps the graph of exactly named packages; None where a search decides."""
    source = split_source(patterns, directory=directory, environ={**go.environment, **settings.env})
    return _Ask(go=go, platform=platform, settings=settings).local_file(source, graphs_directory)


def part_of(main: Main, graph: Graph) -> Graph:
    """Return the graph that one program is in, with that program alone."""
    part = _part(main, graph)
    if len(part.mains) == 1:
        return part
    cgo = tuple(use for use in part.cgo if use.chain[0] == main.import_path)
    return msgspec.structs.replace(
        part, mains=(main,), packages=packages_of(main, part), modules=modules_of(main, part), cgo=cgo
    )


def list_plainly(graph: Graph, *, go: Go, platform: Platform, settings: BuildSettings) -> Graph:
    """Return the packages of a graph's programs as they are with other settings, whatever is wrong with them."""
    ask = _Ask(go=go, platform=platform, settings=settings)
    groups: dict[tuple[object, ...], list[Main]] = {}
    for main in graph.mains:
        groups.setdefault((main.module_directory, main.go_flags, main.go_environment), []).append(main)
    parts = []
    for mains in groups.values():
        place = Place(
            directory=Path(mains[0].module_directory or mains[0].directory),
            patterns=tuple(main.import_path for main in mains),
            environment=dict(mains[0].go_environment),
        )
        parts.append(ask.unchecked(tuple(mains), ask.listed(place, mains[0].go_flags), place))
    return joined(parts)


def packages_of(main: Main, graph: Graph) -> tuple[Package, ...]:
    """Return the packages in one program of the graph, dependencies before their importers."""
    part = _part(main, graph)
    if len(part.mains) == 1:
        return part.packages
    return _reached([main.import_path], part.packages)


def modules_of(main: Main, graph: Graph) -> tuple[Module, ...]:
    """Return the modules that have a package in one program of the graph."""
    names = {package.module for package in packages_of(main, graph)}
    return tuple(module for module in _part(main, graph).modules if module.path in names)


class _Ask(msgspec.Struct, frozen=True, kw_only=True):
    """How the go command is asked for all of one graph."""

    go: Go
    platform: Platform
    settings: BuildSettings

    @property
    def environment(self) -> dict[str, str]:
        return build_environment(self.platform, self.settings)

    def listed(self, place: Place, extra_flags: Sequence[str] = ()) -> tuple[Listed, ...]:
        return list_packages(
            place.patterns,
            go=self.go,
            directory=place.directory,
            environment={**self.environment, **place.environment},
            flags=[*list_flags(self.settings), *extra_flags],
        )

    def graph(self, mains: tuple[Main, ...], listed: Sequence[Listed], place: Place) -> Graph:
        graph = self.unchecked(mains, listed, place)
        self._check(mains, graph.packages, listed, place)
        return graph

    def unchecked(self, mains: tuple[Main, ...], listed: Sequence[Listed], place: Place) -> Graph:
        packages = _reached([main.import_path for main in mains], [_package(one) for one in listed])
        return Graph(
            mains=mains,
            packages=packages,
            modules=_modules(packages, listed),
            platform=str(self.platform),
            toolchain=_toolchain(packages) or self.go.version,
            asked=what_decides(self.go.environment, self.environment, self.settings, place.directory),
        )

    def local_file(self, source: Source, directory: Path | None) -> Path | None:
        """Return where the graph of exactly named packages is kept; None where a search decides what is meant."""
        patterns = [pattern for place in source.places for pattern in place.patterns]
        if directory is None or not patterns or source.versioned or any("..." in pattern for pattern in patterns):
            return None
        decides = [self.go.program, self.go.version, str(source.folder)]
        for place in source.places:
            environment = [f"{name}={value}" for name, value in sorted(place.environment.items())]
            asked = what_decides(self.go.environment, self.environment, self.settings, place.directory)
            decides += [str(place.directory), *place.patterns, *environment, *asked]
        return graph_file(directory, decides)

    def versioned(self, fetched: Fetched) -> Graph:
        """Return the graph of a module version, from what was kept of it where that still holds."""
        asked = what_decides(self.go.environment, self.environment, self.settings, fetched.directory)
        file = graph_file(fetched.directory, [fetched.package, self.go.program, self.go.version, *asked])
        graph = read_graph(file)
        if graph is None:
            graph = self.listed_version(fetched)
            write_graph(file, graph)
        return graph

    def listed_version(self, fetched: Fetched) -> Graph:
        place = Place(directory=fetched.directory, patterns=(fetched.package,), environment=fetched.environment)
        listed = self.listed(place, fetched.flags)
        found = [one for one in listed if not one.dep_only and one.name == "main"]
        if not found:
            name = next((one.name for one in listed if not one.dep_only and one.name), "")
            self._check((), (), [one for one in listed if not one.dep_only], place)
            raise NoMain(f"{fetched.package}@{fetched.version} is package {name}, not a program")
        main = msgspec.structs.replace(
            _main(found[0], place),
            module=fetched.module,
            module_version=fetched.version,
            go_flags=fetched.flags,
        )
        return self.graph((main,), listed, place)

    def _check(
        self, mains: Sequence[Main], packages: Sequence[Package], listed: Sequence[Listed], place: Place
    ) -> None:
        """Raise what is wrong with any package that is part of a program."""
        names = {package.import_path for package in packages} or {one.import_path for one in listed}
        wrong = [one for one in listed if one.error is not None and one.import_path in names]
        if wrong:
            self.explain(wrong, mains, place)
            raise _complaint(wrong, listed)

    def explain(self, wrong: Sequence[Listed], mains: Sequence[Main], place: Place) -> None:
        """Raise NeedsC where a package is empty only because it is all C."""
        flags = mains[0].go_flags if mains else ()
        explain_excluded(wrong, mains, relist=lambda: self.listed_with_c(place, flags))

    def listed_with_c(self, place: Place, extra_flags: Sequence[str] = ()) -> tuple[Listed, ...]:
        with_c = msgspec.structs.replace(self.settings, cgo="on")
        return msgspec.structs.replace(self, settings=with_c).listed(place, extra_flags)


def _look_below(
    listings: Sequence[tuple[Place, Sequence[Listed]]], folder: Path, directory: Path, ask: _Ask
) -> list[tuple[Place, tuple[Listed, ...]]]:
    """List everything below a folder that is no program itself.

    Where nothing is there either, what is wrong with the folder itself is raised first.
    """
    environ = {**ask.go.environment, **ask.settings.env}
    wide = [(place, ask.listed(place)) for place in below(folder, directory=directory, environ=environ)]
    if any(_mains(listed, place) for place, listed in wide):
        return wide
    return [*((place, tuple(listed)) for place, listed in listings), *wide]


def _refuse(listings: Sequence[tuple[Place, Sequence[Listed]]], folder: Path | None, ask: _Ask) -> set[Main]:
    """Raise why there is no program: it is all C, what the go command complains of, or that there is none."""
    for place, _ in listings:
        for main in _mains(ask.listed_with_c(place), place):
            raise needs_c(main.import_path, [main.import_path])
    every = [one for _, listed in listings for one in listed if not one.dep_only]
    wrong = [one for one in every if one.error is not None and not _is_empty(one)]
    unknown = [one.import_path for one in wrong if one.error and "no required module provides" in one.error.err]
    if unknown:
        raise WrongUsage(
            f"{unknown[0]} is no package of this module or what it requires",
            hint=f"for a program of another module, name a version: {unknown[0]}@latest",
        )
    if wrong:
        raise _complaint(wrong, every)
    elsewhere = [module for module in find_modules(folder) if module != folder] if folder else []
    named = [f"{one.import_path} is package {one.name}" for one in every if one.name and not folder]
    raise NoMain(
        f"there is no main package in or below {folder}" if folder else "no main package is among those named",
        output="\n".join(named[:20]),
        hint=f"other modules lie below: `proa ship ./{elsewhere[0].relative_to(folder)}`"
        if elsewhere and folder
        else "a program is a folder with `package main`, built for this platform and these tags",
    )


def _is_empty(one: Listed) -> bool:
    said = one.error.err if one.error else ""
    return any(
        words in said for words in ("no Go files", "build constraints exclude all Go files", "matched no packages")
    )


def _complaint(wrong: Sequence[Listed], listed: Sequence[Listed]) -> ProaError:
    lines = [
        f"{one.error.pos}: {one.error.err}" if one.error.pos else one.error.err
        for one in wrong
        if one.error is not None
    ]
    text = "\n".join(lines)
    own = {one.module.path for one in listed if one.module is not None and one.module.main}
    if all(any(one.import_path.startswith(f"{path}/") for path in own) for one in wrong) and "go.sum" not in text:
        return BuildFailed("the project does not build", output=text)
    return read_complaint(text, "\n".join(text.splitlines()[:20]))


def _mains(listed: Iterable[Listed], place: Place) -> tuple[Main, ...]:
    """Return the programs among those named; a folder with nothing but tests is none."""
    return tuple(
        _main(one, place)
        for one in listed
        if one.name == "main" and not one.dep_only and one.dir and (one.go_files or one.cgo_files or one.error)
    )


def _main(one: Listed, place: Place) -> Main:
    return Main(
        name=program_name(one.import_path),
        import_path=one.import_path,
        directory=one.dir,
        module=one.module.path if one.module else "",
        module_directory=str(place.directory),
        go_environment=tuple(place.environment.items()),
    )


def _package(one: Listed) -> Package:
    module = one.module
    is_local = not one.standard and not _is_immutable(module)
    nested = nested_c_files(Path(one.dir)) if is_local and one.cgo_files else ()
    return Package(
        import_path=one.import_path,
        directory=one.dir,
        name=one.name,
        module=module.path if module else "",
        module_version=module.version if module else "",
        is_standard=one.standard,
        is_local=is_local,
        files=tuple(one.go_files),
        other_files=(*one.other_files, *nested),
        imports=tuple(one.imports),
        cgo_files=tuple(one.cgo_files),
    )


def _is_immutable(module: ListedModule | None) -> bool:
    """Say whether files come from the module cache, where a version never changes. A vendored one has no folder."""
    if module is None or module.main:
        return False
    source = module.replace or module
    return bool(source.version) and bool(module.dir)


def _modules(packages: Sequence[Package], listed: Sequence[Listed]) -> tuple[Module, ...]:
    used = {package.import_path for package in packages}
    found: dict[str, Module] = {}
    for one in listed:
        if one.module is not None and one.import_path in used and one.module.path not in found:
            found[one.module.path] = _module(one.module)
    return tuple(found[path] for path in sorted(found))


def _module(module: ListedModule) -> Module:
    other = module.replace
    return Module(
        path=module.path,
        version=module.version if other is None or other.version else "",
        directory=module.dir,
        is_main=module.main,
        go_version=module.go_version,
        replacement="@".join(part for part in (other.path, other.version) if part) if other else "",
    )


def _reached(starts: Iterable[str], packages: Sequence[Package]) -> tuple[Package, ...]:
    """Return the packages that some start imports, directly or not, in the order they were listed."""
    known = {package.import_path: package for package in packages}
    queue = [*starts, *_IMPLICIT]
    reached: set[str] = set()
    while queue:
        path = queue.pop()
        if path in known and path not in reached:
            reached.add(path)
            queue.extend(known[path].imports)
    return tuple(package for package in packages if package.import_path in reached)


def _toolchain(packages: Iterable[Package]) -> str:
    """Return the version of the tool chain that answered, from where its standard library lies."""
    for package in packages:
        if package.import_path == "runtime" and package.is_standard:
            return read_version(Path(package.directory).parents[1])
    return ""


def joined(graphs: Sequence[Graph]) -> Graph:
    """Return several graphs as one; ``packages_of`` finds what belongs to a program."""
    if len(graphs) == 1:
        return graphs[0]
    parts = tuple(part for graph in graphs for part in (graph.parts or (graph,)))
    return msgspec.structs.replace(
        graphs[0],
        mains=tuple(main for graph in graphs for main in graph.mains),
        packages=tuple(dict.fromkeys(package for graph in graphs for package in graph.packages)),
        modules=tuple(dict.fromkeys(module for graph in graphs for module in graph.modules)),
        parts=parts,
        cgo=tuple(use for graph in graphs for use in graph.cgo),
        empty=tuple(folder for graph in graphs for folder in graph.empty),
    )


def _part(main: Main, graph: Graph) -> Graph:
    return next((part for part in graph.parts if main in part.mains), graph)
