"""A neighbouring program as it was found on this machine."""

from __future__ import annotations

import msgspec


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """One neighbour: whether it is here, and what that means."""

    name: str
    is_found: bool
    version: str = ""
    path: str = ""
    gives: str
    """What proa does with it."""
    without: str
    """What happens where it is missing."""
