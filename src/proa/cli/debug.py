"""``proa debug``: the group; a word that is none of its commands is what to fetch the debug file of."""

from __future__ import annotations

import click

from proa.cli.groups import LazyGroup

_COMMANDS = {
    "get": "Fetch the debug file of an image, build-id, core or program (the default).",
    "serve": "Serve debug files to gdb, delve and others (debuginfod).",
    "rejoin": "Put a shipped program and its debug file together again.",
    "image": "Make the same image with a shell and the debug file in it.",
}


class _Default(LazyGroup):
    """A group that takes ``get`` as said where no command is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``get`` in front of anything but a command or a call for help."""
        if args and args[0] not in (*self.table, *ctx.help_option_names):
            args = ["get", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Default, table=_COMMANDS, prefix="debug_", subcommand_metavar="TARGET | COMMAND ...")
def debug() -> None:
    """Read a crash of a stripped program: fetch or serve the debug file that was kept beside its image.

    `proa debug TARGET` fetches it: TARGET is an image in any notation, a build-id or its first 8 digits, an ELF core
    file, or the program itself. The local store is looked in first, then the places named by --from.
    """
