"""What a user asked for on the command line, before any configuration is read."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Naming = Literal["hashed", "bare", "base", "preserve"]
"""How an image's name is made from the import path; ko's words: the default adds a hash of the path,
``--bare`` adds nothing, ``--base-import-paths`` the last part, ``--preserve-import-paths`` all of it."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call of ``proa ship`` or of one of its stages."""

    sources: tuple[str, ...] = (".",)
    binary: str = ""
    """A finished program that is shipped as it is; then there are no sources."""
    directory: str = "."
    platforms: tuple[str, ...] = ()
    """Empty: from the configuration, else linux on this machine's architecture."""
    overrides: dict[str, Any] = {}
    """Flags laid over proa.yaml, in its own structure: ``{"build": {"strip": "all"}}``."""
    to: tuple[str, ...] = ()
    """Destinations; ``{name}`` stands for the program's name. Empty: the local store."""
    should_push: bool = False
    naming: Naming = "hashed"
    tags: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    allows_any_insecure: bool = False
    with_referrers: bool = False
    should_try: bool = True
    requires_trial: bool = False
    jobs: int = 0
    """0: as many as this process may use."""
