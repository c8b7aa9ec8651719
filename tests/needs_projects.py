"""The projects of tests/projects/needs: what each needs, built once per session."""

from __future__ import annotations

import os
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from proa.analyze import find_needs, list_graph
from proa.outside.go import Go, find_go
from proa.outside.machine import this_platform
from proa.records.configuration import BuildSettings
from proa.records.evidence import Needs
from proa.records.platform import Platform
from proa.records.project import Graph, Main

FOLDER = Path(__file__).parent / "projects" / "needs"


class Wanted(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the manifest says of one project."""

    needs: tuple[tuple[str, str], ...]
    arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    folders: tuple[str, ...] = ()


class Built(msgspec.Struct, frozen=True):
    """One project, linked and listed."""

    binary: Path
    main: Main
    graph: Graph

    def needs(self) -> Needs:
        return find_needs(self.binary, self.main, self.graph.packages)


def manifest() -> dict[str, Wanted]:
    return msgspec.convert(tomllib.loads((FOLDER / "manifest.toml").read_text()), dict[str, Wanted])


def go_or_skip() -> Go:
    from proa.errors import ProaError

    try:
        return find_go({**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false"})
    except ProaError as error:
        pytest.skip(f"real: {error.what}")


def build(folder: Path, into: Path, *, go: Go, platform: Platform | None = None, flags: tuple[str, ...] = ()) -> Built:
    """Link one project, as ``proa build`` does before it strips."""
    platform = platform or this_platform()
    graph = list_graph([], directory=folder, platform=platform, go=go, settings=BuildSettings())
    main = graph.mains[0]
    binary = into / f"{folder.name}-{platform.architecture}"
    go.call(
        ["build", "-trimpath", *flags, "-o", str(binary), main.import_path],
        directory=folder,
        environment=platform.go_environment,
    )
    return Built(binary, main, graph)


def build_all(into: Path) -> dict[str, Built]:
    go = go_or_skip()
    names = list(manifest())
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(lambda name: build(FOLDER / name, into, go=go), names), strict=True))
