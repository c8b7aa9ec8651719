"""The go command: found, started, and its answers parsed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import msgspec

from proa.outside.command import Ran, Run, run


class Go(msgspec.Struct, frozen=True, kw_only=True):
    """One go command: where it is, what environment it gets, how it is run."""

    program: str = "go"
    environment: Mapping[str, str] = MappingProxyType({})
    """The whole environment of every call; the door passes ``os.environ`` with the settings laid over it."""
    run: Run = run

    def call(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        accept: Sequence[int] | None = (0,),
        timeout_s: float | None = None,
    ) -> Ran:
        """Run ``go ARGUMENTS`` in a folder; ``environment`` is laid over this record's own."""
        return self.run(
            [self.program, *arguments],
            cwd=directory,
            env={**self.environment, **(environment or {})},
            accept=accept,
            timeout_s=timeout_s,
        )
