"""The key of a program for the cache: a digest of everything that decides what is built.

Contents, never time stamps or places: the same source in another folder has the same key. Standard library and
module versions are named, not read, because neither ever changes under its name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa.analyze.graph import modules_of, packages_of
from proa.analyze.kept import LOCK_FILES
from proa.errors import BuildFailed
from proa.records.project import Graph, Main, Module, Package

_FORMAT = "proa/key/v1"
_THREADS = 2
"""Each with its share of the files: one task per file costs more than hashing it (35 ms against 12 for 300 files
with four threads, measured)."""


def content_key(graph: Graph, main: Main, *, extra: Sequence[str]) -> str:
    """Return the sha256, in hexadecimal, over everything that decides one program of the graph.

    ``extra`` is whatever else the caller lets decide: the version control state that is stamped in, its own version.
    Raises BuildFailed where a file went away since it was listed.
    """
    whole = hashlib.sha256()
    for part in _parts(graph, main, extra):
        # Lengths keep two lists from running into the same text.
        whole.update(f"{len(part)}:".encode() + part)
    return whole.hexdigest()


def _parts(graph: Graph, main: Main, extra: Sequence[str]) -> Iterator[bytes]:
    packages = packages_of(main, graph)
    modules = modules_of(main, graph)
    named = [_FORMAT, graph.toolchain, graph.platform, main.import_path, *main.go_flags, *graph.asked]
    # Each list ends where its length says, so that no two run into the same text.
    named += [str(len(named)), *extra, str(len(extra))]
    named += [f"{name}={value}" for name, value in main.go_environment]
    named += [f"{module.path}@{module.version}={module.replacement}" for module in modules if module.version]
    named += [package.import_path for package in packages]
    yield from (text.encode(errors="surrogateescape") for text in named)
    files = sorted(set(_files(main, packages, modules)))
    with ThreadPoolExecutor(_THREADS) as pool:
        shares = pool.map(_digests, (files[start::_THREADS] for start in range(_THREADS)))
        digests = {name: digest for share in shares for name, digest in share}
    for name, _, _ in files:
        yield name.encode(errors="surrogateescape")
        yield digests[name]


def _files(main: Main, packages: Iterable[Package], modules: Iterable[Module]) -> Iterator[tuple[str, str, bool]]:
    """Yield a name that does not depend on the place, the path, and whether the file must be there."""
    for package in packages:
        if package.is_local:
            for name in (*package.files, *package.cgo_files, *package.other_files):
                yield f"{package.import_path}/{name}", f"{package.directory}/{name}", True
    if not main.module_version:
        # Taken by go build without being listed, where the main package has one (-pgo=auto).
        yield f"{main.import_path}/default.pgo", f"{main.directory}/default.pgo", False
        folders = [("", main.module_directory)]
        folders += [(module.path, module.directory) for module in modules if not module.version and module.directory]
        for name, folder in folders:
            for lock in LOCK_FILES:
                yield f"{name}/{lock}", f"{folder}/{lock}", False


def _digests(files: Sequence[tuple[str, str, bool]]) -> list[tuple[str, bytes]]:
    return [(file[0], _digest(file)) for file in files]


def _digest(file: tuple[str, str, bool]) -> bytes:
    _, path, must_exist = file
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        if must_exist:
            raise BuildFailed(f"{path} was listed and is gone", hint="run the same command again") from error
        return b""
    except OSError as error:
        raise BuildFailed(f"{path} cannot be read: {error.strerror}") from error


def imports_key(graph: Graph, main: Main) -> str:
    """Return the sha256 over what the lock state and the use of C depend on: imports and lock files, not code.

    Test files are not among what is listed, so an import that only a test changed is not seen.
    """
    packages, modules = packages_of(main, graph), modules_of(main, graph)
    whole = hashlib.sha256()
    named = (graph.toolchain, graph.platform, graph.asked, main, packages, modules)
    whole.update(msgspec.json.encode(named, order="deterministic"))
    # Vendored files are compared with their modules; every other file counts by its imports alone.
    elsewhere = {module.path for module in modules if module.directory}
    vendored = [package for package in packages if package.is_local and package.module not in elsewhere]
    for file in sorted(set(_files(main, vendored, modules))):
        whole.update(file[0].encode())
        whole.update(_digest(file))
    return whole.hexdigest()
