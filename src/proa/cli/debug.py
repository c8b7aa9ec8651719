"""``proa debug``: the group; a word that is none of its commands is what to fetch the debug file of."""

from __future__ import annotations

import importlib

import click

_COMMANDS = {
    "get": "Fetch the debug file of an image, build-id, core or program (the default).",
    "serve": "Serve debug files to gdb, delve and others (debuginfod).",
    "rejoin": "Put a shipped program and its debug file together again.",
    "image": "Make the same image with a shell and the debug file in it.",
}


class _Default(click.Group):
    """A group that imports a command when it is called, and takes ``get`` as said where no command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"proa.cli.debug_{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a promise of this package's own modules
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``get`` in front of anything but a command or a call for help."""
        if args and args[0] not in (*_COMMANDS, *ctx.help_option_names):
            args = ["get", *args]
        return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table above instead of importing every command for its first line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Default, subcommand_metavar="TARGET | COMMAND ...")
def debug() -> None:
    """Read a crash of a stripped program: fetch or serve the debug file that was kept beside its image.

    `proa debug TARGET` fetches it: TARGET is an image in any notation, a build-id or its first 8 digits, an ELF core
    file, or the program itself. The local store is looked in first, then the places named by --from.
    """
