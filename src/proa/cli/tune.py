"""``proa tune``: the group; each of its commands is a module of its own."""

from __future__ import annotations

import importlib

import click

_COMMANDS: dict[str, str] = {
    "size": "Take the program through the chain of flags, one by one, and measure each.",
    "tags": "List the build tags its packages know, and what each saves.",
    "deadcode": "Find what makes the linker keep methods that nobody calls.",
}


class _Lazy(click.Group):
    """A group that imports a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"proa.cli.tune_{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a promise of this package's own modules
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table above instead of importing every command for its first line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy)
def tune() -> None:
    """Find what would make the program smaller: every step built, run and measured on this very program.

    Nothing is changed unless --write is given, and nothing that changes what the program does is chosen silently.
    """
