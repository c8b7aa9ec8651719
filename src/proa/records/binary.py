"""A program as the tool chain left it."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding
from proa.records.platform import Platform

Strip = Literal["none", "dwarf", "all"]
"""What is left out of the shipped binary: nothing, DWARF (``-w``), or symbols as well (``-s -w``)."""


class Binary(msgspec.Struct, frozen=True, kw_only=True):
    """One program for one platform, built and proved."""

    name: str
    platform: Platform
    digest: str
    """Of the shipped (stripped) file; its bytes are in the store under this digest."""
    bytes: int
    unstripped_digest: str
    """Of the file as it was linked; kept in the store for later stages."""
    unstripped_bytes: int
    strip: Strip
    is_static: bool
    """Proved from the ELF headers: no PT_INTERP, no DT_NEEDED."""
    interpreter: str = ""
    libraries: tuple[str, ...] = ()
    build_id: str = ""
    """The GNU build-id in hexadecimal, where the linker wrote one."""
    go_version: str = ""
    uses_cgo: bool = False
    findings: tuple[Finding, ...] = ()
    """What is worth telling about the build: not stripped, not stamped."""
