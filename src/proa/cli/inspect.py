"""``proa inspect``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options
from proa.errors import WrongUsage


@click.command()
@click.argument("target", metavar="IMAGE")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="What standard output carries.",
)
@click.option(
    "--top", type=click.IntRange(min=0), default=10, show_default=True, metavar="N", help="How many files to show."
)
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="Which image of an index; default this machine's, and a single image whatever it is for.",
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Layers to read at a time; default 2.")
def inspect(target: str, **flags: Any) -> None:
    """Say what is in IMAGE, layer by layer, and what of it nobody can see.

    IMAGE is a registry's (docker://), the docker daemon's, an OCI layout or archive, an archive of `docker save`, or
    the local store's; it is read as a stream. Wasted are the stored bytes of files that the final image does not
    show. Findings inform: the exit status is 0.
    """
    from proa.cli import anatomy_table, screen
    from proa.pipeline.inspect import inspect_image, is_program
    from proa.records.image_anatomy import encode_anatomy

    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one image of an index; inspect them one by one")
    if is_program(target):
        raise WrongUsage(
            f"{target} is a program, and this version of proa inspects images",
            hint="name an image, a layout or an archive",
        )
    with screen.progress() as progress:
        anatomy = inspect_image(target, options.request(**flags), environ=os.environ, progress=progress)
    if flags["form"] == "json":
        click.echo(encode_anatomy(anatomy), nl=False)
    elif flags["form"] == "markdown":
        click.echo(anatomy_table.markdown(anatomy, top=flags["top"]), nl=False)
    else:
        for line in anatomy_table.lines(anatomy, top=flags["top"], width=anatomy_table.terminal_width()):
            click.echo(line)
