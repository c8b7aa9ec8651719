"""The graph of a module version, kept beside the module that requires it.

Under the same tool chain, platform and settings it never changes; a ``go list`` of caddy costs 0.25 s, this 0.02 s.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.errors import NotWritable
from proa.outside.gomodule import write_file
from proa.records.project import Graph

_FORMAT = "proa/graph/v1"
"""Changes with what a graph holds, so that an older one is not taken for a whole one."""


def graph_file(directory: Path, decides: Sequence[str]) -> Path:
    """Return where the graph for everything that decides it is, or would be."""
    digest = hashlib.sha256(msgspec.json.encode([_FORMAT, *decides])).hexdigest()
    return directory / f"graph-{digest[:32]}.json"


def read_graph(file: Path) -> Graph | None:
    """Return the graph that was kept; None where there is none, or a folder it names is gone from the cache."""
    try:
        graph = msgspec.json.decode(file.read_bytes(), type=Graph)
    except (OSError, msgspec.MsgspecError):
        return None
    places = {package.directory for package in graph.packages if not package.is_standard or package.name == "runtime"}
    return graph if all(Path(place).is_dir() for place in places if place) else None


def write_graph(file: Path, graph: Graph) -> None:
    """Keep a graph, where the folder can be written. Raises NoSpace."""
    with suppress(NotWritable):
        write_file(file, msgspec.json.encode(graph))
