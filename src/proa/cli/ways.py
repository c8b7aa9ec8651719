"""``proa ways``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@click.option("-o", "--output", metavar="DIR", default=".", help="Where the archive is written, default here.")
@click.option("--runs", type=click.IntRange(1, 100), default=9, show_default=True, help="Starts of each way.")
@click.option("--context", metavar="NAME", default="", help="Of the kubeconfig, default the current one.")
@options.format_or_markdown_option
def ways(form: str, *, output: str, runs: int, context: str, **flags: Any) -> None:
    """Build once and say what it takes to run it as a service of a machine, as a container, as a pod.

    Writes an archive with the program, a hardened systemd unit and how to install it. Service and container are
    started in turn and timed; files, commands and moving parts are counted.
    """
    from proa.cli import screen, ways_table
    from proa.pipeline.ways import Asked
    from proa.pipeline.ways import ways as weigh

    asked = Asked(request=options.request(**flags), output=output, runs=runs, context=context)
    with screen.progress() as progress:
        record = weigh(asked, environ=os.environ, progress=progress)
    match form:
        case "json":
            click.echo(ways_table.encoded(record), nl=False)
        case "markdown":
            click.echo(ways_table.markdown(record), nl=False)
        case _:
            for line in ways_table.lines(record):
                click.echo(line)
