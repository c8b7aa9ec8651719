"""``proa debug image``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options
from proa.cli.amounts import bytes_text


@click.command()
@click.argument("image")
@click.option("--to", metavar="REF", help="Where it goes; default the local store, as NAME:TAG-debug.")
@click.option("--shell", metavar="FILE", help="A static shell to put in; default a busybox on PATH, else built by go.")
@click.option("--from", "sources", multiple=True, metavar="REF", help="Where else to look for the debug file.")
@click.option("--platform", metavar="OS/ARCH", help="Which image of an index; default this machine's.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@options.format_option
def image(**flags: Any) -> None:
    """Make IMAGE again with one more layer: a static shell with the usual tools, and its debug file.

    All other layers and the way it starts are IMAGE's own. It is for `kubectl debug --image`, and stays in the local
    store unless --to says where it goes.
    """
    from proa.cli import screen
    from proa.pipeline.debug import Ask
    from proa.pipeline.debug_image import make_debug_image
    from proa.pipeline.stages import encode_records

    ask = Ask(
        target=flags["image"],
        sources=flags["sources"],
        platform=flags["platform"] or "",
        allows_any_insecure=flags["insecure_registry"],
    )
    with screen.progress() as progress:
        made = make_debug_image(
            ask, to=flags["to"] or "", shell=flags["shell"] or "", environ=os.environ, progress=progress
        )
    where = "" if flags["to"] else " · in the local store only"
    click.echo(f"  one layer more: {bytes_text(made.layer_bytes)} · shell: {made.shell}{where}", err=True)
    click.echo(encode_records([made]) if flags["form"] == "json" else made.reference, nl=flags["form"] != "json")
