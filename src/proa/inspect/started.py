"""Which program an image starts: the file that its bytes are compared by."""

from __future__ import annotations

import posixpath

from proa.inspect.entrypoint import Start
from proa.inspect.merge import Merged, Stored
from proa.records.oci import Config

_LAUNCHERS = frozenset(
    {
        *("tini", "tini-static", "dumb-init", "catatonit", "su-exec", "gosu", "setpriv", "s6-svscan", "env", "nice"),
        *("sh", "bash", "dash", "ash", "busybox"),
    }
)
"""What starts another program, named by a later word."""
_MOST_WORDS = 50


def program_of(merged: Merged, config: Config) -> Stored | None:
    """Return the ELF file that the entrypoint and command name, through a launcher or a script; None for none."""
    execution = config.config
    words = [*((execution and execution.entrypoint) or ()), *((execution and execution.cmd) or ())]
    start = Start(merged, config, ())
    launcher: Stored | None = None
    for number, word in enumerate(words[:_MOST_WORDS]):
        stored, is_program = _named(merged, start, word)
        if stored is None:
            # Words after a launcher may be its flags; a first word that is not there starts nothing.
            if number == 0:
                return None
        elif is_program and posixpath.basename(stored.shown_at) not in _LAUNCHERS:
            return stored
        elif is_program:
            launcher = launcher or stored
    return launcher


def _named(merged: Merged, start: Start, word: str) -> tuple[Stored | None, bool]:
    """Return the file a word names, and whether it is an ELF program rather than a script."""
    if not word or word.startswith("-"):
        return None, False
    place = start.search(word)
    found = merged.find(place) if place else None
    stored = found[1].stored if found is not None else None
    program = stored.entry.seen.program if stored is not None and stored.entry.seen else None
    return (stored, program.format == "elf") if program is not None else (None, False)
