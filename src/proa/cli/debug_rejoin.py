"""``proa debug rejoin``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@click.argument("program")
@click.argument("debug_file", required=False, metavar="[DEBUG]")
@click.option("--output", "-o", required=True, metavar="FILE", help="Where the unstripped program is written.")
@click.option(
    "--from", "sources", multiple=True, metavar="REF", help="A layout, archive, repository or image to look in."
)
@click.option("--platform", metavar="OS/ARCH", help="Which image of an index; default this machine's.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@options.format_option
def rejoin(**flags: Any) -> None:
    """Put PROGRAM and its debug file together again, for tools that want one file.

    PROGRAM is the shipped file, an image in any notation, a core file or a build-id. DEBUG is its debug file, as
    `proa debug` fetched it; without it, it is searched for. Files of different builds are refused by their build-id.
    """
    from proa.cli import screen
    from proa.pipeline.debug import Ask
    from proa.pipeline.debug_rejoin import rejoin
    from proa.pipeline.stages import encode_records

    ask = Ask(
        target=flags["program"],
        sources=flags["sources"],
        platform=flags["platform"] or "",
        allows_any_insecure=flags["insecure_registry"],
    )
    with screen.progress() as progress:
        made = rejoin(ask, flags["debug_file"] or "", output=flags["output"], environ=os.environ, progress=progress)
    same = "the bytes the linker wrote" if made.is_exact else "its symbols and DWARF, not the linker's own bytes"
    click.echo(f"  rejoined: {same}", err=True)
    click.echo(encode_records([made]) if flags["form"] == "json" else flags["output"], nl=flags["form"] != "json")
