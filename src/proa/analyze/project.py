"""Everything the source says of one program, beyond its graph: read only where something has changed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from proa.analyze.cgo import cgo_findings, find_cgo
from proa.analyze.graph import modules_of, packages_of
from proa.analyze.lock import lock_findings
from proa.outside.go import Go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git, Graph, Main, Project


def read_project(main: Main, graph: Graph, *, go: Go, git: Git, settings: BuildSettings) -> Project:
    """Return what is known of a program before it is built.

    The lock state and the packages in C are asked for at the same time, each with a go process of its own where it
    needs one. Raises LockBroken and what else listing with cgo can raise.
    """
    packages = packages_of(main, graph)
    modules = modules_of(main, graph)
    with ThreadPoolExecutor(2) as pool:
        locks = pool.submit(lock_findings, main, packages, modules, go=go, toolchain=graph.toolchain)
        platform = Platform.parse(graph.platform)
        uses = pool.submit(find_cgo, main, packages, platform=platform, go=go, settings=settings)
        cgo, findings = uses.result(), locks.result()
    if settings.cgo != "on":
        findings = (*cgo_findings(cgo), *findings)
    return Project(
        main=main,
        go_version=next((module.go_version for module in modules if module.path == main.module), ""),
        toolchain=graph.toolchain,
        packages=packages,
        modules=modules,
        cgo=cgo,
        git=git,
        findings=findings,
    )
