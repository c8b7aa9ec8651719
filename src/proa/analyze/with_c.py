"""Programs listed with cgo where they need it, and without where they do not.

A program needs C where a package of it does not exist without, does not compile without, or is only a stub without.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.analyze.cgo import import_chain, is_c_file, is_stand_in, may_use_cgo
from proa.analyze.graph import joined, kept_place, list_graph, list_plainly, packages_of, part_of
from proa.analyze.kept import graph_file, read_graph, read_local_graph, write_graph, write_local_graph
from proa.analyze.stub import lost_names, misses
from proa.errors import BuildFailed, NeedsC
from proa.outside.go import Go
from proa.records.configuration import BuildSettings
from proa.records.evidence import Evidence
from proa.records.platform import Platform
from proa.records.project import CgoUse, Graph, Main, Package


class WithC(msgspec.Struct, frozen=True, kw_only=True):
    """How programs are built with C, where a compiler is here."""

    settings: Callable[[Sequence[str]], BuildSettings]
    """The settings for programs of these import paths: cgo on, and the tags they ask for."""
    identity: str
    """Of everything beside the import paths that decides those settings."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What ``list_graph`` is asked, apart from the settings."""

    patterns: tuple[str, ...]
    directory: Path
    platform: Platform
    go: Go
    modules_directory: Path | None = None
    graphs_directory: Path | None = None

    def list(self, settings: BuildSettings, patterns: Sequence[str] = ()) -> Graph:
        """Return the graph for these settings."""
        return list_graph(
            patterns or self.patterns,
            directory=self.directory,
            platform=self.platform,
            go=self.go,
            settings=settings,
            modules_directory=self.modules_directory,
            graphs_directory=self.graphs_directory,
        )


def list_graph_with_c(asked: Asked, settings: BuildSettings, how: WithC) -> Graph:
    """Return the programs asked for, each with cgo on or off: ``settings.cgo`` says ``on`` or ``auto``.

    Where it is ``auto``, the programs listed with cgo have their reasons in ``Graph.cgo``.
    Raises what ``list_graph`` raises.
    """
    if settings.cgo == "on":
        return _with_tags(asked, how, how.settings(()))
    file = _file(asked, settings, how)
    known = (read_graph(file) if is_versioned(asked) else read_local_graph(file)) if file else None
    if known is not None:
        return known
    started_ns = time.time_ns()
    graph = _chosen(asked, settings, how)
    if file and is_versioned(asked):
        write_graph(file, graph)
    elif file and _is_exact(asked, graph):
        write_local_graph(file, graph, listed_ns=started_ns)
    return graph


def is_versioned(asked: Asked) -> bool:
    """Say whether programs of other modules are meant, ``path@version``."""
    return any("@" in pattern for pattern in asked.patterns)


_EXACT = re.compile(r"@v\d+\.\d+\.\d+[-+.\w]*\Z")


def _file(asked: Asked, settings: BuildSettings, how: WithC) -> Path | None:
    """Return where the choice is kept; None where a search or a query decides what is meant."""
    if asked.graphs_directory is None:
        return None
    if all(_EXACT.search(pattern) for pattern in asked.patterns) and asked.patterns:
        decides = [*asked.patterns, str(asked.platform), asked.go.program, asked.go.version]
        environment = [f"{name}={value}" for name, value in sorted(asked.go.environment.items()) if name[:2] == "GO"]
        plain = msgspec.json.encode(settings, order="deterministic").decode()
        return graph_file(asked.graphs_directory, ["c", how.identity, plain, *decides, *environment])
    place = kept_place(
        asked.patterns,
        directory=asked.directory,
        platform=asked.platform,
        go=asked.go,
        settings=settings,
        graphs_directory=asked.graphs_directory,
    )
    return graph_file(asked.graphs_directory, ["c", how.identity, place.name]) if place else None


def _is_exact(asked: Asked, graph: Graph) -> bool:
    """Say whether the programs are in the folders named, and were not searched for below them."""
    folders = {str((asked.directory / pattern).resolve()) for pattern in asked.patterns or (".",)}
    return all(main.directory in folders or main.import_path in asked.patterns for main in graph.mains)


def _chosen(asked: Asked, settings: BuildSettings, how: WithC) -> Graph:
    off = msgspec.structs.replace(settings, cgo="off")
    try:
        plain: Graph | None = asked.list(off)
    except (NeedsC, BuildFailed):
        plain = None
    # A search passes over programs that are all C without a word.
    is_search = plain is not None and not is_versioned(asked) and not _is_exact(asked, plain)
    if plain is not None and not is_search and not _may_need_c(plain, asked.platform):
        return plain
    paths = [package.import_path for package in plain.packages] if plain else []
    try:
        with_c = _with_tags(asked, how, how.settings(paths))
    except BuildFailed:
        if plain is not None:
            return plain
        # What is wrong has nothing to do with C: said as it is said without.
        return asked.list(off)
    listed = plain or list_plainly(with_c, go=asked.go, platform=asked.platform, settings=off)
    if any(_same(main, listed) is None for main in with_c.mains):
        listed = list_plainly(with_c, go=asked.go, platform=asked.platform, settings=off)
    needing = {main: uses for main in with_c.mains if (uses := uses_of(main, with_c, listed))}
    parts = [
        msgspec.structs.replace(part_of(main, with_c), cgo=needing[main])
        if main in needing
        else part_of(_same(main, listed) or main, listed)
        for main in with_c.mains
    ]
    return joined(parts)


def _may_need_c(plain: Graph, platform: Platform) -> bool:
    """Say whether a package, or a folder that was asked for and is no program without C, has a file in C."""
    folders = (Package(import_path=folder, directory=folder) for folder in plain.empty)
    return any(may_use_cgo(package, system=platform.os) for package in (*plain.packages, *folders))


def included_digest(packages: Sequence[Package]) -> str:
    """Return a digest of the C files below local packages' folders; empty where there are none.

    The go command does not look at them, and would keep what it compiled from them before.
    """
    whole = hashlib.sha256()
    count = 0
    for package in packages:
        if not package.is_local or not package.cgo_files:
            continue
        for name in package.other_files:
            if "/" in name and is_c_file(name):
                count += 1
                with suppress(OSError), Path(package.directory, name).open("rb") as stream:
                    whole.update(f"{package.import_path}/{name}:".encode(errors="surrogateescape"))
                    whole.update(hashlib.file_digest(stream, "sha256").digest())
    return whole.hexdigest()[:16] if count else ""


def _same(main: Main, graph: Graph) -> Main | None:
    return next((one for one in graph.mains if one.import_path == main.import_path), None)


def _with_tags(asked: Asked, how: WithC, settings: BuildSettings) -> Graph:
    """Return the graph with cgo on, listed again where its packages ask for more tags."""
    graph = asked.list(settings)
    final = how.settings([package.import_path for package in graph.packages])
    return graph if set(final.tags) <= set(settings.tags) else asked.list(final)


def uses_of(main: Main, with_c: Graph, without: Graph) -> tuple[CgoUse, ...]:
    """Return the packages for which a program needs C; ``without`` is the graph as it is with cgo off."""
    packages = packages_of(main, with_c)
    imports = {package.import_path: package.imports for package in packages}
    plain = {package.import_path: package for package in _plain_packages(main, without)}
    return tuple(
        CgoUse(
            package=one.import_path,
            chain=import_chain([main.import_path], one.import_path, imports),
            is_stub_without=bool(plain[one.import_path].files),
            evidence=Evidence(package=one.import_path, file=one.cgo_files[0]),
        )
        for one in packages
        if one.cgo_files and not one.is_standard and one.import_path in plain and _is_needed(one, plain)
    )


def _plain_packages(main: Main, without: Graph) -> tuple[Package, ...]:
    found = _same(main, without)
    return packages_of(found, without) if found else ()


def _is_needed(one: Package, plain: Mapping[str, Package]) -> bool:
    """Say whether a package is missing, a stub or broken without its cgo files."""
    here = plain[one.import_path]
    if not here.files:
        return True
    if is_stand_in(one, here):
        return True
    folder = Path(one.directory)
    lost = lost_names(folder, cgo_files=one.cgo_files, others=here.files)
    if misses(folder, here.files, lost):
        return True
    exported = frozenset(name for name in lost if name[:1].isupper())
    return any(
        misses(Path(other.directory), other.files, exported, qualifier=one.name)
        for other in plain.values()
        if one.import_path in other.imports
    )
