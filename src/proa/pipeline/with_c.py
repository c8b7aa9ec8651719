"""Where a program needs C: which graph it is, with which settings it is then built, and that it is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from proa import analyze
from proa.errors import NeedsC
from proa.outside.go import Go, read_setting
from proa.outside.store import Store
from proa.outside.zig import Compilers, find_zig
from proa.records.configuration import BuildSettings
from proa.records.evidence import Evidence, Finding
from proa.records.platform import Platform
from proa.records.project import Graph


def list_programs(
    sources: Sequence[str], *, directory: Path, platform: Platform, go: Go, settings: BuildSettings, store: Store
) -> Graph:
    """Return the graph of the programs asked for, each with cgo on or off, as the settings and its packages say.

    Raises what ``analyze.list_graph`` raises, and ToolMissing for a compiler that is named and not here.
    """
    from proa import build

    asked = analyze.Asked(
        patterns=tuple(sources),
        directory=directory,
        platform=platform,
        go=go,
        modules_directory=store.root / "modules",
        graphs_directory=store.root / "stages" / "graph",
    )
    found = build.c_compilers(settings, platform, environ=go.environment, root=store.root)
    if found is None:
        try:
            return asked.list(settings)
        except NeedsC as needed:
            if settings.cgo == "auto" and find_zig(go.environment) is not None:
                raise NeedsC(
                    needed.what,
                    output=needed.output,
                    hint=f"there is no C compiler here for {platform}: name one in build.cc",
                ) from needed
            raise
    libc, goflags = found.libc, _goflags(settings, go)

    def with_paths(paths: Sequence[str]) -> BuildSettings:
        return build.with_c(settings, import_paths=paths, libc=libc, goflags=goflags)

    how = analyze.WithC(settings=with_paths, identity="\n".join(build.compiler_identity(found)))
    return analyze.list_graph_with_c(asked, settings, how)


class Resolved(msgspec.Struct, frozen=True, kw_only=True):
    """How one program is built on one platform."""

    settings: BuildSettings
    """With ``cgo`` on or off, and with all tags."""
    compilers: Compilers | None = None
    """None where no C is built, or by the go command's own compiler."""


def resolve(settings: BuildSettings, graph: Graph, platform: Platform, *, go: Go, store: Store) -> Resolved:
    """Return the settings a program's graph was listed with."""
    from proa import build

    if settings.cgo == "auto" and not graph.cgo:
        return Resolved(settings=msgspec.structs.replace(settings, cgo="off"))
    found = build.c_compilers(settings, platform, environ=go.environment, root=store.root)
    if found is None:
        return Resolved(settings=settings)
    paths = [package.import_path for package in graph.packages]
    with_c = build.with_c(settings, import_paths=paths, libc=found.libc, goflags=_goflags(settings, go))
    if digest := analyze.included_digest(graph.packages):
        # A definition that nothing reads: it makes the go command compile again where one of these files changed.
        with_c = msgspec.structs.replace(with_c, cflags=(*with_c.cflags, f"-DPROA_INCLUDED_{digest}"))
    return Resolved(settings=with_c, compilers=found)


def _goflags(settings: BuildSettings, go: Go) -> str:
    return settings.env.get("GOFLAGS", "") or read_setting("GOFLAGS", go)


def c_findings(graph: Graph, found: Compilers | None) -> tuple[Finding, ...]:
    """Return for each package that needs C that it was built with C, and how main comes to import it."""
    if found is None:
        return ()
    return tuple(
        Finding(
            id="build.cgo",
            severity="info",
            message=f"{use.package} needs C: built by {found.name}, linked statically with {found.libc or 'its libc'}",
            hint="build.cgo: off builds without it",
            evidence=tuple(Evidence(package=path) for path in use.chain),
        )
        for use in graph.cgo
    )
