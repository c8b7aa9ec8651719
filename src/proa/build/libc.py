"""What changes for the C in a program once its C library is linked in: told only where the program calls it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proa.outside import elf
from proa.records.binary import Libc
from proa.records.evidence import Evidence, Finding

if TYPE_CHECKING:
    from proa.outside.elf import Elf


class _Behaviour(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    symbols: tuple[str, ...]
    musl: str
    glibc: str


@lru_cache
def _behaviours() -> tuple[_Behaviour, ...]:
    import tomllib
    from importlib.resources import files

    text = (files("proa.build") / "data" / "libc.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text)["behaviour"], tuple[_Behaviour, ...])


def libc_findings(linked: Path, libc: Libc) -> tuple[Finding, ...]:
    """Return what a static program's C library does differently, of what its C really calls.

    ``linked`` still has its symbols; one without them, or no ELF file, has no findings. Raises BinaryDamaged.
    """
    if not libc or not elf.is_elf(linked):
        return ()
    behaviours = _behaviours()
    defined = defined_symbols(elf.open_elf(linked), {name for one in behaviours for name in one.symbols})
    return tuple(_findings(behaviours, defined, libc))


def _findings(behaviours: Collection[_Behaviour], defined: Collection[str], libc: Libc) -> Iterator[Finding]:
    for one in behaviours:
        called = [name for name in one.symbols if name in defined]
        if called:
            yield Finding(
                id=f"build.{libc}-{one.id}",
                severity="info" if libc == "musl" else "warning",
                message=f"C in the program calls {', '.join(called)}: {one.musl if libc == 'musl' else one.glibc}",
                hint="" if libc == "musl" else "leave build.cc out to link with musl: pip install 'proa[c]'",
                evidence=tuple(Evidence(symbol=name) for name in called),
            )


def defined_symbols(program: Elf, names: Collection[str]) -> frozenset[str]:
    """Return which of these names are functions or data that the program itself holds. Raises BinaryDamaged."""
    table = program.section(".symtab")
    if table is None or not 0 <= table.link < len(program.sections):
        return frozenset()
    import numpy as np

    strings = bytes(program.content(program.sections[table.link]))
    symbols = elf.symbols(program, table)
    defined = np.unique(symbols["name"][symbols["section"] != 0])
    return frozenset(
        name for name in names if bool(np.isin(list(_offsets(strings, name.encode() + b"\0")), defined).any())
    )


def _offsets(strings: bytes, name: bytes) -> Iterator[int]:
    """Yield where a name begins in a table of strings, at the end of a longer one too: linkers share those."""
    at = strings.find(name)
    while at >= 0:
        yield at
        at = strings.find(name, at + 1)
