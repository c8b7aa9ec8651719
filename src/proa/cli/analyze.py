"""``proa analyze``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@options.binary_options
@options.image_options
@options.trial_options
@click.option("--explain", is_flag=True, help="Show every setting and where its value came from.")
@options.format_option
def analyze(**flags: Any) -> None:
    """Say what the program in SOURCE is, and what it needs at run time and why.

    The program is linked for this (in proa's own cache): what it needs is read from what is really reachable in it.
    """
    from proa.cli import screen
    from proa.pipeline.stages import analyze_all, encode_records

    with screen.progress() as progress:
        analyses = analyze_all(options.request(**flags), environ=os.environ, progress=progress)
    if flags["form"] == "json":
        click.echo(encode_records(analyses), nl=False)
        return
    from proa.cli.prose import analysis_lines, origin_lines

    for analysis in analyses:
        click.echo("\n".join(analysis_lines(analysis)))
        if flags["explain"]:
            click.echo("\n".join(origin_lines(analysis)))
