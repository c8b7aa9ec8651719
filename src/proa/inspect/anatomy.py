"""One program taken apart into a record: language, owners, symbols, and what is to be told beside."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec

from proa.inspect.attribution import KINDS, KNOWN, Layers, Names, Ranges
from proa.inspect.attribution_go import Function, GoAttribution
from proa.inspect.attribution_native import language_of, lay_symbols
from proa.inspect.compression import compressed_shares, forget
from proa.inspect.modules import BuildInfo, module_of, read_build_info
from proa.inspect.sections import lay_sections, loaded_bytes
from proa.outside.dwarfunits import Units
from proa.outside.elf import Elf
from proa.outside.executables import Executable, SymbolTable, packer, symbol_table
from proa.outside.gobinary import MAGIC_GO_1_20, GoBinary
from proa.records.binary_anatomy import BinaryAnatomy, PackageBytes, SectionBytes, SymbolBytes
from proa.records.evidence import Finding

_ARCHITECTURES = {
    (3, 32): "386", (8, 32): "mips", (8, 64): "mips64", (20, 32): "ppc", (21, 64): "ppc64", (22, 64): "s390x",
    (40, 32): "arm", (62, 64): "amd64", (183, 64): "arm64", (243, 64): "riscv64", (258, 64): "loong64",
}  # fmt: skip
_LITTLE_ENDIAN = {"mips": "mipsle", "mips64": "mips64le", "ppc64": "ppc64le"}
_OLD_TABLES = (0xFFFFFFFB, 0xFFFFFFFA, 0xFFFFFFF0)
"""Magics of the function tables of Go 1.2, 1.16 and 1.18. Source: src/debug/gosym/pclntab.go of Go."""


class Dissected(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What each byte is, before it is summed up."""

    ranges: Ranges
    names: Names
    functions: Sequence[Function]
    language: Literal["go", "rust", "c++", "c", "unknown"]
    info: BuildInfo
    findings: tuple[Finding, ...]


def dissect(
    program: Executable,
    *,
    debug: SymbolTable | None = None,
    units: Callable[[], Units] = Units,
    most_symbols: int = 100,
) -> Dissected:
    """Attribute every byte of a program. Raises BinaryDamaged. ``most_symbols`` 0 is all of them.

    ``units`` is called for the compile units by DWARF where the program is not Go's.
    """
    elf = program.elf
    layers, names = Layers(len(elf.data)), Names()
    own = symbol_table(program)
    symbols = debug or own
    info = read_build_info(elf)
    findings: list[Finding] = []
    functions: list[Function] = []
    language: Literal["go", "rust", "c++", "c", "unknown"] = "unknown"
    packed = packer(elf, elf.data)
    table = _table_magic(elf)
    if packed:
        findings.append(_packed(packed))
    elif table == MAGIC_GO_1_20:
        language = "go"
        attribution = GoAttribution(GoBinary(elf), layers, names, symbols)
        attribution.run()
        functions = attribution.functions(most_symbols)
        if symbols is not None:
            # C that was linked in.
            lay_symbols(elf, symbols, layers, names, language="c", only_code=True)
    elif table is not None or info.go_version:
        language = "go"
        findings.append(_unreadable(table, info))
    else:
        language = language_of(symbols, elf)  # type: ignore[assignment]
        if symbols is not None:
            functions = lay_symbols(elf, symbols, layers, names, language=language, units=units())
            functions = functions[: most_symbols or None]
        if not names.packages:
            findings.append(_stripped())
    lay_sections(program, layers, names)
    forget(elf.data, 0, len(elf.data))
    return Dissected(
        ranges=layers.resolved(),
        names=names,
        functions=functions,
        language=language,
        info=info,
        findings=tuple(findings),
    )


def summed(
    program: Executable,
    parts: Dissected,
    *,
    file: str,
    build_id: str,
    debug_file: str,
    blocks: Sequence[int],
    jobs: int,
) -> BinaryAnatomy:
    """Return the record. Every byte of the file is in exactly one package or section of it.

    ``blocks`` are the compressed sizes of ``compression.block_sizes``.
    """
    import numpy as np

    ranges, names = parts.ranges, parts.names
    packages, sections = list(names.packages), list(names.sections)
    count = len(packages) + len(sections)
    index = np.where(ranges.owners >= 0, ranges.owners, len(packages) - 2 - ranges.owners).astype("i8")
    sizes = ranges.sizes
    totals = _sums(index, sizes, count)
    compressed = compressed_shares(program.elf.data, ranges, count, index, sizes=blocks, jobs=jobs)
    kinds = _table(index, ranges.kinds, sizes, count, len(KINDS))
    known = _table(index, ranges.known, sizes, count, len(KNOWN))
    owned = [
        _package(name, parts.info, int(totals[i]), int(compressed[i]), kinds[i].tolist(), known[i].tolist())
        for i, name in enumerate(packages)
        if totals[i]
    ]
    first = len(packages)
    rest = [
        SectionBytes(
            name=name,
            bytes=int(totals[first + i]),
            compressed_bytes=int(compressed[first + i]),
            meaning=names.meanings[name],
        )
        for i, name in enumerate(sections)
        if totals[first + i]
    ]
    return BinaryAnatomy(
        file=file,
        format=program.format,
        architecture=architecture(program.elf),
        language=parts.language,
        go_version=parts.info.go_version,
        build_id=build_id,
        debug_file=debug_file,
        total_bytes=len(program.elf.data),
        compressed_bytes=int(compressed.sum()),
        attributed_bytes=int(totals[:first].sum()),
        loaded_bytes=loaded_bytes(program.elf),
        packages=tuple(sorted(owned, key=lambda one: (-one.bytes, one.name))),
        sections=tuple(sorted(rest, key=lambda one: (-one.bytes, one.name))),
        symbols=tuple(
            SymbolBytes(
                name=one.name,
                package=packages[one.owner] if one.owner >= 0 else "",
                bytes=one.size,
                kind=one.kind,  # type: ignore[arg-type]
            )
            for one in parts.functions
        ),
        findings=parts.findings,
    )


def _sums(index: Any, sizes: Any, count: int) -> Any:
    import numpy as np

    # Whole numbers below 2**53 stay exact as weights.
    return np.bincount(index, sizes, minlength=count).astype("i8")


def _table(index: Any, columns: Any, sizes: Any, rows: int, width: int) -> Any:
    return _sums(index * width + columns, sizes, rows * width).reshape(rows, width)


def _package(  # noqa: PLR0917 - columns of one row
    name: str, info: BuildInfo, size: int, compressed: int, kinds: list[int], known: list[int]
) -> PackageBytes:
    module, version = module_of(name, info) if info.go_version else ("", "")
    by_kind = dict(zip(KINDS, kinds, strict=True))
    return PackageBytes(
        name=name,
        module=module,
        version=version,
        bytes=size,
        compressed_bytes=compressed,
        known_by=KNOWN[known.index(max(known))],  # type: ignore[arg-type]
        text=by_kind["text"],
        rodata=by_kind["rodata"],
        data=by_kind["data"],
        pclntab=by_kind["pclntab"],
        inferred_bytes=known[KNOWN.index("inferred")],
    )


def architecture(elf: Elf) -> str:
    """Return the architecture as GOARCH writes it."""
    name = _ARCHITECTURES.get((elf.machine, 64 if elf.is_64 else 32), f"machine {elf.machine}")
    return _LITTLE_ENDIAN.get(name, name) if elf.is_little else name


def _table_magic(elf: Elf) -> int | None:
    """Return the first word of Go's function table, or None where there is none."""
    section = elf.section(".gopclntab", ".data.rel.ro.gopclntab")
    if section is None or section.file_bytes < 8:
        return None
    (magic,) = struct.unpack(elf.order + "I", elf.content(section)[:4])
    return int(magic)


def _packed(packed: str) -> Finding:
    return Finding(
        id="inspect.packed",
        message=f"the program is packed by {packed}: what is in it shows only when it runs",
        hint="unpack a copy and inspect that: upx -d -o COPY FILE",
    )


def _unreadable(table: int | None, info: BuildInfo) -> Finding:
    if table in _OLD_TABLES:
        what = f"the function table is of Go {info.go_version or 'before 1.20'}; proa reads those of Go 1.20 and later"
        return Finding(id="inspect.old-go", message=what, hint="build it with a current Go")
    if table is None:
        what = "Go built this program, but its function table was not found, so it is attributed by section"
    else:
        what = f"the function table has the altered magic {table:#x}, as garble writes it: attributed by section"
    return Finding(id="inspect.obfuscated", message=what, hint="inspect a build without garble")


def _stripped() -> Finding:
    return Finding(
        id="inspect.stripped",
        message="the program has no symbols, so it is attributed by section",
        hint="give its debug file by --debug, or link it without -s",
    )
