"""Graphs that were listed before, and whether they still hold.

A module version never changes under the same tool chain, platform and settings. The graph of a local program
changes only with what ``go list`` reads of it: the imports in its own packages' Go files, the names in their folders
and in those above them, embedded trees, and lock files. All of that is read again each time, so no time stamp is
trusted; it costs 5 ms for the example where ``go list`` costs 90 ms, and for caddy at a version 20 ms instead of 250.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from proa.analyze.header import header
from proa.errors import NotWritable
from proa.outside.machine import make_folder, write_file
from proa.records.project import Graph, Package

_FORMAT = "proa/graph/v3"
"""Changes with what a graph holds, so that an older one is not taken for a whole one."""
LOCK_FILES = ("go.mod", "go.sum", "go.work", "go.work.sum", "vendor/modules.txt")
_MOST_NAMES = 20_000
"""Above so many names in embedded trees asking the go command is as quick (arbitrary)."""


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A local program's graph and the name of all it was read from."""

    graph: Graph
    seen: str


def graph_file(directory: Path, decides: Sequence[str]) -> Path:
    """Return where the graph for everything that decides it is, or would be."""
    digest = hashlib.sha256(msgspec.json.encode([_FORMAT, *decides])).hexdigest()
    return directory / f"graph-{digest[:32]}.json"


def read_graph(file: Path) -> Graph | None:
    """Return a module version's graph; None where none was kept, or a folder it names is gone from the cache."""
    try:
        graph = msgspec.json.decode(file.read_bytes(), type=Graph)
    except (OSError, msgspec.MsgspecError):
        return None
    return graph if _has_folders(graph) else None


def write_graph(file: Path, graph: Graph) -> None:
    """Keep a module version's graph, where the folder can be written. Raises NoSpace."""
    _write(file, graph)


def read_local_graph(file: Path) -> Graph | None:
    """Return a local program's graph; None where none was kept, or what it was read from has changed."""
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=_Kept)
    except (OSError, msgspec.MsgspecError):
        return None
    return kept.graph if seen_digest(kept.graph) == kept.seen and _has_folders(kept.graph) else None


def write_local_graph(file: Path, graph: Graph, *, listed_ns: int) -> None:
    """Keep a local program's graph, unless a file changed since the listing began (``listed_ns``). Raises NoSpace."""
    seen = seen_digest(graph, newest_ns=listed_ns)
    if seen:
        _write(file, _Kept(graph=graph, seen=seen))


def seen_digest(graph: Graph, *, newest_ns: int | None = None) -> str:
    """Return the name of all that ``go list`` reads of a graph's local packages; empty where that cannot be said.

    With ``newest_ns``, also empty where something was written later than that.
    """
    local = [package for package in graph.packages if package.is_local]
    roots = {main.module_directory for main in graph.mains}
    roots |= {module.directory for module in graph.modules if module.directory and not module.version}
    whole = hashlib.sha256()
    count = 0
    try:
        for kind, path in sorted(set(_read_by_go(local, roots))):
            count += 1
            if count > _MOST_NAMES or (newest_ns is not None and _written_ns(path) > newest_ns):
                return ""
            content = _names(path) if kind == "names" else _content(path)
            whole.update(f"{kind}:{path}:{len(content)}:".encode(errors="surrogateescape") + content)
    except OSError:
        return ""
    return whole.hexdigest()


def _read_by_go(packages: Sequence[Package], roots: set[str]) -> Iterator[tuple[str, str]]:
    """Yield folders whose names count, and files whose content does."""
    for root in roots:
        yield "names", root
        yield from (("content", f"{root}/{lock}") for lock in LOCK_FILES)
    for package in packages:
        # A go.mod that appears in a folder between makes what lies below another module.
        yield from (("names", folder) for folder in _up_to_root(package.directory, roots))
        for name in os.listdir(package.directory):  # noqa: PTH208 - names alone, quickly
            if name.endswith(".go") and not name.endswith("_test.go"):
                yield "content", f"{package.directory}/{name}"
        if any(not name.endswith(".go") for name in package.other_files):
            for folder, _, _ in os.walk(package.directory):
                yield "names", folder


def _up_to_root(directory: str, roots: set[str]) -> Iterator[str]:
    yield directory
    folder = Path(directory)
    while str(folder) not in roots and folder != folder.parent:
        folder = folder.parent
        yield str(folder)


def _names(folder: str) -> bytes:
    return b"\0".join(sorted(os.fsencode(name) for name in os.listdir(folder)))  # noqa: PTH208


def _content(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - hundreds of files, and Path costs as much as reading
            content = stream.read()
        return hashlib.sha256(header(content) if file.endswith(".go") else content).digest()
    except FileNotFoundError:
        return b""


def _written_ns(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 - as above
    except FileNotFoundError:
        return 0


def _has_folders(graph: Graph) -> bool:
    places = {package.directory for package in graph.packages if not package.is_standard or package.name == "runtime"}
    return all(os.path.isdir(place) for place in places if place)  # noqa: PTH112 - as above


def _write(file: Path, kept: Graph | _Kept) -> None:
    with suppress(NotWritable):
        make_folder(file.parent)
        write_file(file, msgspec.json.encode(kept))
