"""``proa build``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@options.binary_options
@click.option(
    "--output",
    "-o",
    type=click.Path(),
    metavar="PATH",
    help="A file, or a folder for several; default the program's name here.",
)
@options.format_option
def build(**flags: Any) -> None:
    """Build the program in SOURCE: static, without paths of this machine, proved from the ELF file."""
    from proa.cli import screen
    from proa.pipeline.stages import build_all, encode_records

    with screen.progress() as progress:
        built = build_all(options.request(**flags), output=flags["output"] or "", environ=os.environ, progress=progress)
    if flags["form"] == "json":
        click.echo(encode_records([binary for binary, _ in built]), nl=False)
        return
    for binary, path in built:
        screen.show_binary(binary)
        click.echo(path)
