"""The door: run one command and turn every ending into an exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from proa import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``proa`` with these words and return the exit status (design: 0, 1, 2, 3, 4, 70, 130)."""
    words = list(sys.argv[1:] if argv is None else argv)
    # Nothing is imported for this one: people and scripts ask it all the time.
    if words == ["--version"]:
        sys.stdout.write(f"proa {__version__}\n")
        return 0
    from proa.cli.exits import ignore_signals, run_guarded

    status = run_guarded(words)
    if argv is None:
        ignore_signals()
    return status
