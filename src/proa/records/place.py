"""Where something is written: a file of the project and a line."""

from __future__ import annotations

import msgspec


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A line of a file."""

    file: str
    """Relative to the repository's top, with ``/``."""
    line: int = 1
