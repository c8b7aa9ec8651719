"""One linked program becomes two files: what is shipped, and what a debugger needs beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa.build import debugfile
from proa.build.checksums import crc32, sha256
from proa.build.pieces import write
from proa.build.strip import plan
from proa.outside import elf
from proa.outside.store import disk_errors
from proa.records.binary import Strip


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """What was written."""

    reason: str = ""
    """Why the program stays as it was linked; empty where it could be stripped, or there was nothing to leave out."""
    linked_digest: str = ""
    """Of the linked file, where it had to be known."""
    unmatched: tuple[str, ...] = ()
    """Words of ``keep`` that no symbol matches."""


def split(
    linked: Path, stripped: Path, level: Strip, *, debug: Path | None = None, link: str = "", keep: Sequence[str] = ()
) -> Split:
    """Write ``linked`` to ``stripped`` without what ``level`` leaves out, and that to ``debug``.

    ``link`` is the name under which the stripped file asks for the debug file. Where there is nothing to leave out,
    neither file is written. Raises BinaryDamaged, NoSpace, NotWritable.
    """
    if level == "none":
        return Split()
    if not elf.is_elf(linked):
        return Split(reason="it is not an ELF file")
    program = elf.open_elf(linked)
    made = plan(program, level, keep=keep, link=link if debug else "")
    if made is None or isinstance(made, str):
        return Split(reason=made or "")
    if debug is None:
        write(made.pieces, [linked], stripped)
        return Split(unmatched=made.unmatched)
    with ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(sha256, linked)
        write(made.pieces, [linked], stripped)
        linked_sha256 = hashing.result()
    write(debugfile.plan(program, made, linked_sha256), [linked], debug)
    checksum = crc32(debug).to_bytes(4, "little" if program.is_little else "big")
    with disk_errors(stripped), stripped.open("r+b") as file:
        os.pwrite(file.fileno(), checksum, made.crc_at)
    return Split(linked_digest=f"sha256:{linked_sha256}", unmatched=made.unmatched)
