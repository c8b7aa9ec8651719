"""Groups of commands whose modules are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that knows its commands' names and first lines without importing them.

    ``table`` has them in the order they are shown; the command NAME is ``prefix`` + NAME in ``proa.cli``.
    """

    def __init__(self, *args: Any, table: Mapping[str, str], prefix: str = "", **fields: Any) -> None:
        super().__init__(*args, **fields)
        self.table = table
        self.prefix = prefix

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the work, not of the alphabet."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in self.table:
            return None
        command = getattr(importlib.import_module(f"proa.cli.{self.prefix}{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a promise of this package's own modules
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table instead of importing every command for its first line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.table.items()))
