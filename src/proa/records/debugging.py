"""A debug file as it was found again, and where."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

_BUILD_ID = re.compile(r"(?:[0-9a-f]{2}){2,64}")
_START = re.compile(r"[0-9a-fA-F]{8,128}")


class Symbols(msgspec.Struct, frozen=True, kw_only=True):
    """A debug file kept beside an image: what ``proa debug --format json`` prints."""

    schema: Literal["proa/debug/v1"] = "proa/debug/v1"
    build_id: str
    """The GNU build-id in hexadecimal; empty where the linker wrote none."""
    digest: str
    bytes: int
    name: str
    """The name ``.gnu_debuglink`` gives it."""
    program: str = ""
    """The program's path in the image, or its name."""
    program_digest: str = ""
    """Of the shipped program's file."""
    platform: str = ""
    image: str = ""
    """The digest of the image's manifest; empty for a program that was only built."""
    place: str = ""
    """Where it was found: ``the local store``, or a reference."""
    path: str = ""
    """Where it was written."""
    program_path: str = ""
    """Where the shipped program was written, if it was asked for."""

    @property
    def file_name(self) -> str:
        """Return a name that is safe to write to, whatever the artifact called the file.

        >>> Symbols(build_id="ab12", digest="", bytes=0, name="../../etc/api.debug").file_name
        'api.debug'
        >>> Symbols(build_id="ab12", digest="", bytes=0, name="Makefile").file_name
        'Makefile.debug'
        """
        name = re.sub(r"[^A-Za-z0-9._+@-]", "_", self.name.rpartition("/")[2]).lstrip(".-")[:128]
        # Always of this ending: an artifact must not choose which of the user's files is written over.
        return f"{name.removesuffix('.debug') or self.build_id or 'program'}.debug"


def is_build_id(text: str) -> bool:
    """Say whether a text is a whole build-id as tools write it: pairs of lower-case hexadecimal digits.

    >>> is_build_id("8713b9c3fb8a7201"), is_build_id("../../etc")
    (True, False)
    """
    return _BUILD_ID.fullmatch(text) is not None


def is_build_id_start(text: str) -> bool:
    """Say whether a text may be a build-id or its beginning: eight hexadecimal digits or more.

    >>> is_build_id_start("8713B9c3"), is_build_id_start("shop")
    (True, False)
    """
    return _START.fullmatch(text) is not None


def build_id_path(build_id: str, ending: str = "") -> str:
    """Return where debuggers look below their debug file directory.

    Source: gdb's manual, "Debugging Information in Separate Files".

    >>> build_id_path("8713b9c3", ".debug")
    '.build-id/87/13b9c3.debug'
    """
    return f".build-id/{build_id[:2]}/{build_id[2:]}{ending}"
