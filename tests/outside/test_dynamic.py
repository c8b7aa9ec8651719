"""What a file says to the loader."""

from __future__ import annotations

import pytest

from fakes.dynamic_files import FOLDERS, GLIBC, dynamic_file
from proa.errors import BinaryDamaged
from proa.outside.dynamic import defined_names, holds_text, imported_names, read_dynamic
from proa.outside.elf import read_elf


def test_all_that_is_told_is_read() -> None:
    data = dynamic_file(
        interpreter=GLIBC, needed=["b.so", "a.so", "b.so"], soname="s.so", rpath="/r", runpath="/x::/y", flags_1=0x800
    )
    found = read_dynamic(read_elf(data))
    assert (found.interpreter, found.needed, found.soname) == (GLIBC, ("b.so", "a.so"), "s.so")
    assert (found.rpath, found.runpath, found.has_no_default) == (("/r",), ("/x", "/y"), True)
    assert not found.is_pie


def test_imports_are_named_and_a_stripped_file_defines_nothing() -> None:
    program = read_elf(dynamic_file(imports=["puts", "exit"]))
    assert imported_names(program) == {"puts", "exit"}
    assert defined_names(program) == frozenset()


def test_text_counts_only_where_the_program_has_it() -> None:
    program = read_elf(dynamic_file(needed=["/tmp/liba.so"], text=FOLDERS))
    assert holds_text(program, b"/usr/lib/\0")
    assert not holds_text(program, b"/tmp/")


@pytest.mark.parametrize("offset", [0xFFFF, 0xFFFFFFFFFFFF])
def test_a_name_outside_its_table_is_refused(offset: int) -> None:
    data = bytearray(dynamic_file(needed=["liba.so"]))
    at = data.index((1).to_bytes(8, "little") + (1).to_bytes(8, "little"), 200)
    data[at + 8 : at + 16] = offset.to_bytes(8, "little")
    with pytest.raises(BinaryDamaged, match=f"{offset:#x}"):
        read_dynamic(read_elf(bytes(data)))
