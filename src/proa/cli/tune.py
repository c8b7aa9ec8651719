"""``proa tune``: the group; each of its commands is a module of its own."""

from __future__ import annotations

import click

from proa.cli.groups import LazyGroup

_COMMANDS = {
    "size": "Take the program through the chain of flags, one by one, and measure each.",
    "tags": "List the build tags its packages know, and what each saves.",
    "deadcode": "Find what makes the linker keep methods that nobody calls.",
}


@click.group(cls=LazyGroup, table=_COMMANDS, prefix="tune_")
def tune() -> None:
    """Find what would make the program smaller: every step built, run and measured on this very program.

    Nothing is changed unless --write is given, and nothing that changes what the program does is chosen silently.
    """
