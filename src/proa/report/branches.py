"""What is in a program or an image as a tree of sizes: modules, packages and symbols; folders and files.

Invariant: what is below a branch adds up to it, in bytes and compressed bytes, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, pairwise
from typing import Literal

import msgspec

from proa.records.binary_anatomy import BinaryAnatomy, PackageBytes, SymbolBytes
from proa.records.image_anatomy import ImageAnatomy
from proa.records.image_tree import ImageTree, TreeFile

Kind = Literal[
    "folder",
    "file",
    "symlink",
    "hardlink",
    "device",
    "module",
    "package",
    "code",
    "data",
    "rest",
    "sections",
    "section",
]
_MOST_FOLDERS = 100
"""Deeper names stay in one piece: nothing that walks the tree needs a deep stack."""


class Branch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One name of the tree."""

    name: str
    kind: Kind
    bytes: int
    compressed_bytes: int = 0
    """An estimate."""
    note: str = ""
    layer: int = 0
    """Of files: which layer shows it, the lowest is 0."""
    below: tuple[Branch, ...] = ()
    """The largest first."""


def shared_out(whole: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers in the proportion of ``weights`` that add up to ``whole``; zeros where nothing weighs.

    >>> shared_out(10, [1, 1, 1]), shared_out(5, [0, 0])
    ([3, 3, 4], [0, 0])
    """
    total = sum(weights)
    if not total:
        return [0 for _ in weights]
    ends = [whole * so_far // total for so_far in accumulate(weights, initial=0)]
    return [end - start for start, end in pairwise(ends)]


def binary_branches(anatomy: BinaryAnatomy) -> tuple[Branch, ...]:
    """Return modules with their packages and these with their symbols; packages without a module; sections."""
    symbols: dict[str, list[SymbolBytes]] = {}
    for symbol in anatomy.symbols:
        symbols.setdefault(symbol.package, []).append(symbol)
    modules: dict[tuple[str, str], list[Branch]] = {}
    for package in anatomy.packages:
        made = _package(package, symbols.get(package.name, ()))
        modules.setdefault((package.module, package.version), []).append(made)
    branches: list[Branch] = []
    for (module, version), packages in modules.items():
        branches += [_sum(module, "module", packages, note=version)] if module else packages
    return _sorted([*branches, *_sections(anatomy)])


def _sections(anatomy: BinaryAnatomy) -> Iterator[Branch]:
    below = [
        Branch(name=one.name, kind="section", bytes=one.bytes, compressed_bytes=one.compressed_bytes, note=one.meaning)
        for one in anatomy.sections
    ]
    if below:
        yield _sum("what no package owns", "sections", below)


def _package(package: PackageBytes, symbols: Sequence[SymbolBytes]) -> Branch:
    code = _parts(package, [one for one in symbols if one.kind == "text"], package.text, "code", "other code")
    data_bytes = package.rodata + package.data
    data = _parts(package, [one for one in symbols if one.kind != "text"], data_bytes, "data", "other data")
    parts = [*code, *data]
    if package.pclntab:
        parts.append(Branch(name="function and line tables", kind="rest", bytes=package.pclntab))
    left = package.bytes - sum(one.bytes for one in parts)
    if left > 0:
        parts.append(Branch(name="other bytes", kind="rest", bytes=left))
    # Without a symbol the parts say nothing a reader looks for in a map.
    if left < 0 or not symbols:
        parts = []
    shares = shared_out(package.compressed_bytes, [one.bytes for one in parts])
    below = [msgspec.structs.replace(one, compressed_bytes=share) for one, share in zip(parts, shares, strict=True)]
    return Branch(
        name=package.name,
        kind="package",
        bytes=package.bytes,
        compressed_bytes=package.compressed_bytes,
        note=package.version if not package.module else "",
        below=_sorted(below),
    )


def _parts(
    package: PackageBytes, symbols: Sequence[SymbolBytes], whole: int, kind: Literal["code", "data"], rest: str
) -> Iterator[Branch]:
    named = sum(one.bytes for one in symbols)
    if named > whole:
        # Some of them take no byte of the file (.bss), and the record does not say which.
        symbols, named = (), 0
    for one in symbols:
        yield Branch(name=one.name.removeprefix(f"{package.name}."), kind=kind, bytes=one.bytes)
    if whole > named:
        yield Branch(name=rest, kind="rest", bytes=whole - named)


def image_branches(
    anatomy: ImageAnatomy, tree: ImageTree, *, program: BinaryAnatomy | None = None, program_path: str = ""
) -> tuple[Branch, ...]:
    """Return the folders and files that an image shows; below a Go program's file its modules and packages.

    A file's compressed bytes are its share of its layer's, by its size.
    """
    costs = _compressed(anatomy, tree.files)
    root = _Folder()
    for file, cost in zip(tree.files, costs, strict=True):
        below: tuple[Branch, ...] = ()
        if program is not None and file.path == program_path and file.bytes == program.total_bytes:
            below = _inside(program, cost)
        *folders, name = file.path.strip("/").split("/", _MOST_FOLDERS)
        root.folder(folders).files.append(_file(file, name, cost, below))
    return root.branches()


def _file(file: TreeFile, name: str, cost: int, below: tuple[Branch, ...]) -> Branch:
    note = f"-> {file.content.decode(errors='backslashreplace')}" if file.kind == "symlink" else ""
    return Branch(
        name=name,
        kind=file.kind,
        bytes=file.bytes,
        compressed_bytes=cost,
        layer=file.layer,
        note=note[:200],
        below=below,
    )


def _compressed(anatomy: ImageAnatomy, files: Sequence[TreeFile]) -> list[int]:
    """Return for each file its share of what its layer takes compressed."""
    done = [0] * len(anatomy.layers)
    costs = []
    for file in files:
        if not 0 <= file.layer < len(done) or not (stored := anatomy.layers[file.layer].stored_bytes):
            costs.append(0)
            continue
        whole, start = anatomy.layers[file.layer].compressed_bytes, done[file.layer]
        done[file.layer] = start + file.bytes
        costs.append(whole * (start + file.bytes) // stored - whole * start // stored)
    return costs


def _inside(program: BinaryAnatomy, compressed_bytes: int) -> tuple[Branch, ...]:
    """Return a program's branches, their compressed bytes laid on what the whole file takes here."""
    return _scaled(binary_branches(program), compressed_bytes)


def _scaled(branches: Sequence[Branch], whole: int) -> tuple[Branch, ...]:
    shares = shared_out(whole, [one.compressed_bytes for one in branches])
    return tuple(
        msgspec.structs.replace(one, compressed_bytes=share, below=_scaled(one.below, share))
        for one, share in zip(branches, shares, strict=True)
    )


class _Folder:
    """A folder while the tree is made."""

    def __init__(self) -> None:
        self.files: list[Branch] = []
        self._folders: dict[str, _Folder] = {}

    def folder(self, names: Sequence[str]) -> _Folder:
        here = self
        for name in names:
            here = here._folders.setdefault(name, _Folder())
        return here

    def branches(self) -> tuple[Branch, ...]:
        below = [_sum(name, "folder", folder.branches()) for name, folder in self._folders.items()]
        return _sorted([*below, *self.files])


def _sum(name: str, kind: Kind, below: Iterable[Branch], *, note: str = "") -> Branch:
    branches = _sorted(below)
    return Branch(
        name=name,
        kind=kind,
        bytes=sum(one.bytes for one in branches),
        compressed_bytes=sum(one.compressed_bytes for one in branches),
        note=note,
        below=branches,
    )


def _sorted(branches: Iterable[Branch]) -> tuple[Branch, ...]:
    return tuple(sorted(branches, key=lambda one: (-one.bytes, one.name)))
