"""``proa doctor``."""

from __future__ import annotations

import os

import click

from proa.cli import options


@click.command()
@options.format_option
def doctor(form: str) -> None:
    """Say which tools were found here, and what is possible without the rest."""
    from proa.pipeline.stages import encode_records
    from proa.pipeline.tools import examine

    tools = examine(environ=os.environ)
    if form == "json":
        click.echo(encode_records(tools), nl=False)
        return
    width = max(len(tool.name) for tool in tools)
    for tool in tools:
        state = tool.version if tool.is_found else "not found"
        click.echo(f"{'✓' if tool.is_found else '-'} {tool.name:<{width}}  {state}")
        click.echo(f"  {'':<{width}}  {tool.gives if tool.is_found else tool.without}")
