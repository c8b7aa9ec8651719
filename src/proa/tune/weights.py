"""What each package, and each file of some packages, takes of a linked Go program: an estimate to choose by.

Functions and named data are counted for their package; type descriptions, line tables and constants grow with them,
so both are scaled up to the size that ships. Embedded files count as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from proa.outside.elf import STT_OBJECT, string_at, symbols
from proa.outside.gobinary import GoBinary, open_go, package_of
from proa.records.project import Main, Package


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes by import path, and by import path and file name."""

    packages: Mapping[str, int]
    files: Mapping[tuple[str, str], int]


def weigh(
    program: Path, packages: Iterable[Package], *, main: Main, shipped_bytes: int, in_files: Collection[str]
) -> Weights:
    """Return the weights of a linked program's packages; files are told apart in the packages ``in_files``.

    Raises BinaryDamaged, ImageMissing.
    """
    binary = open_go(program)
    # The linker calls the main package so, whatever its import path.
    code, by_file = _code(binary, {"main": main.import_path}, frozenset(in_files))
    for path, size in _data(binary, {"main": main.import_path}).items():
        code[path] = code.get(path, 0) + size
    embedded = {package.import_path: _embedded(package) for package in packages}
    linked = {path: size for path, size in embedded.items() if path in code}
    scale = max(0, shipped_bytes - sum(sum(one.values()) for one in linked.values())) / max(1, sum(code.values()))
    weights = {path: int(size * scale) + sum(linked.get(path, {}).values()) for path, size in code.items()}
    files = {place: int(size * scale) for place, size in by_file.items()}
    for path, names in linked.items():
        files |= {(path, name): size for name, size in names.items()}
    return Weights(packages=weights, files=files)


def _code(
    binary: GoBinary, renamed: Mapping[str, str], in_files: frozenset[str]
) -> tuple[dict[str, int], dict[tuple[str, str], int]]:
    entries = binary.entries.tolist()
    packages: dict[str, int] = {}
    files: dict[tuple[str, str], int] = {}
    for name, start, end in zip(binary.names, entries, [*entries[1:], binary.end_address], strict=True):
        path = package_of(name)
        path = renamed.get(path, path)
        packages[path] = packages.get(path, 0) + end - start
        if path in in_files and (stack := binary.stack(start)):
            place = path, PurePosixPath(stack[-1].file).name
            files[place] = files.get(place, 0) + end - start
    return packages, files


def _data(binary: GoBinary, renamed: Mapping[str, str]) -> dict[str, int]:
    """Return the bytes of named data that are in the file; nothing for a program without symbols."""
    import numpy as np

    section = binary.elf.section(".symtab")
    if section is None or not 0 < section.link < len(binary.elf.sections):
        return {}
    in_file = [number for number, one in enumerate(binary.elf.sections) if one.is_allocated and one.file_bytes]
    strings = binary.elf.content(binary.elf.sections[section.link])
    table = symbols(binary.elf, section)
    sizes: dict[str, int] = {}
    for row in table[np.isin(table["section"], in_file) & ((table["info"] & 0xF) == STT_OBJECT)]:
        path = package_of(string_at(strings, int(row["name"])))
        # The runtime's own hold the line tables and types of all.
        if path not in ("", "runtime"):
            path = renamed.get(path, path)
            sizes[path] = sizes.get(path, 0) + int(row["size"])
    return sizes


def _embedded(package: Package) -> dict[str, int]:
    """Return the size of each file that is not compiled: what ``go:embed`` names."""
    sizes = {}
    for name in package.other_files:
        if not name.endswith((".s", ".S", ".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".hxx", ".m", ".syso")):
            try:
                sizes[name] = Path(package.directory, name).stat().st_size
            except OSError:
                continue
    return sizes
