"""``proa inspect``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options
from proa.errors import WrongUsage


@click.command()
@click.argument("target", metavar="IMAGE|FILE")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="What standard output carries.",
)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many files of an image to show, default 10, or packages of a program, default 20.",
)
@click.option("--debug", metavar="FILE", help="The split debug file of a program; default the one in the store.")
@click.option("--symbols", is_flag=True, help="Every symbol of a program, not the 100 largest.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="Which image of an index; default this machine's, and a single image whatever it is for.",
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Layers to read at a time, default 2; for a program: cores to use."
)
def inspect(target: str, **flags: Any) -> None:
    """Say what is in an image, layer by layer, or in a program, package by package.

    IMAGE is a registry's (docker://), the docker daemon's, an OCI layout or archive, an archive of `docker save`, or
    the local store's; it is read as a stream. Wasted are the stored bytes of files that the final image does not
    show. Findings inform: the exit status is 0.

    FILE is an ELF, Mach-O or PE program: every byte of it is attributed once, to a package, or to a section.
    """
    from proa.cli import anatomy_table, inspect_binary, screen
    from proa.pipeline.inspect import inspect_image, is_program
    from proa.pipeline.inspect_binary import is_other_program
    from proa.records.image_anatomy import encode_anatomy

    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one image of an index; inspect them one by one")
    if is_program(target) or is_other_program(target):
        if flags["platforms"]:
            raise WrongUsage("--platform is for images; a program has one")
        inspect_binary.show(
            target,
            form=flags["form"],
            debug=flags["debug"] or "",
            top=flags["top"],
            every_symbol=flags["symbols"],
            jobs=flags["jobs"] or 0,
        )
        return
    if flags["debug"] or flags["symbols"]:
        raise WrongUsage("--debug and --symbols are for programs, and this is none")
    top = 10 if flags["top"] is None else flags["top"]
    with screen.progress() as progress:
        anatomy = inspect_image(target, options.request(**flags), environ=os.environ, progress=progress)
    if flags["form"] == "json":
        click.echo(encode_anatomy(anatomy), nl=False)
    elif flags["form"] == "markdown":
        click.echo(anatomy_table.markdown(anatomy, top=top), nl=False)
    else:
        for line in anatomy_table.lines(anatomy, top=top, width=anatomy_table.terminal_width()):
            click.echo(line)
