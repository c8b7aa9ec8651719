"""What is in a program's file: every byte once, with its package or its section."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding

KnownBy = Literal["symbols", "dwarf", "pclntab", "inferred"]
"""The symbol table, a compile unit's debug data, Go's own function table, or a reference from code or data."""
Kind = Literal["text", "rodata", "data", "pclntab"]


class PackageBytes(msgspec.Struct, frozen=True, kw_only=True):
    """One package (Go), crate (Rust), namespace (C++) or compile unit (C), and what it takes."""

    name: str
    module: str = ""
    """``std`` for Go's own packages; empty where the program does not say."""
    version: str = ""
    bytes: int
    compressed_bytes: int = 0
    """Its share of the compressed file: an estimate, see docs/decisions/0019."""
    known_by: KnownBy
    """How most of its bytes are known."""
    text: int = 0
    rodata: int = 0
    data: int = 0
    pclntab: int = 0
    """Its part of Go's function and line tables."""
    inferred_bytes: int = 0
    """Those of all these that are known by references only."""


class SectionBytes(msgspec.Struct, frozen=True, kw_only=True):
    """What no package owns of one section, or of the file between its sections."""

    name: str
    bytes: int
    compressed_bytes: int = 0
    meaning: str


class SymbolBytes(msgspec.Struct, frozen=True, kw_only=True):
    """One function or variable."""

    name: str
    package: str
    bytes: int
    kind: Kind


class BinaryAnatomy(msgspec.Struct, frozen=True, kw_only=True):
    """One program: the bytes of ``packages`` and of ``sections`` add up to ``total_bytes`` exactly."""

    schema: Literal["proa/binary-anatomy/v1"] = "proa/binary-anatomy/v1"
    file: str
    format: Literal["elf", "macho", "pe"]
    architecture: str
    """As GOARCH writes it; ``machine 247`` for one that Go does not have."""
    language: Literal["go", "rust", "c++", "c", "unknown"] = "unknown"
    go_version: str = ""
    build_id: str = ""
    debug_file: str = ""
    """The split debug file whose symbols were read as well."""
    total_bytes: int
    compressed_bytes: int = 0
    attributed_bytes: int
    """Those that a package owns."""
    loaded_bytes: int = 0
    """Those that are mapped when the program runs."""
    packages: tuple[PackageBytes, ...] = ()
    """The largest first."""
    sections: tuple[SectionBytes, ...] = ()
    """The largest first."""
    symbols: tuple[SymbolBytes, ...] = ()
    """The largest first."""
    findings: tuple[Finding, ...] = ()
