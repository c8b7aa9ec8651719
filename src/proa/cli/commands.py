"""The table of commands; each module is imported when its command is called."""

from __future__ import annotations

import importlib

import click

from proa import __version__

_COMMANDS = {
    "ship": "Analyze, build, pack, try and publish: the main job.",
    "analyze": "Say what a project is and what it needs at run time.",
    "build": "Build the program, static and proved so.",
    "pack": "Put the program and what it needs into an image.",
    "trial": "Run an image under the limits it is meant for.",
    "tune": "Find what would make the program smaller, measured.",
    "debug": "Read a crash: fetch or serve the debug file kept beside an image.",
    "store": "Look after the local store.",
    "doctor": "Say which tools were found and what is possible.",
}


class _Lazy(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names in the order of the work, not of the alphabet."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(importlib.import_module(f"proa.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # noqa: S101 - a promise of this package's own modules
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table above instead of importing every command for its first line."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="proa %(version)s")
def proa() -> None:
    """Take a Go project from source to the smallest image that provably runs.

    Start with `proa ship` in the folder of a Go module. Results go to standard output, everything else to
    standard error. Exit status: 0 done, 1 a gate said no, 2 wrong usage or source, 3 something is missing here,
    4 the project does not build, 70 a bug in proa, 130 interrupted.
    """
