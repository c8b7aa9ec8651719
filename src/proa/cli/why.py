"""``proa why``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from proa.cli import options
from proa.errors import WrongUsage


@click.command()
@click.argument("target", metavar="IMAGE|FILE")
@click.argument("name", metavar="PACKAGE|SYMBOL|FILE")
@click.option("--source", metavar="DIR|MODULE@VERSION", help="What the program was built from; found where it can be.")
@click.option("--verify", "should_verify", is_flag=True, help="Build it again without the package, and compare.")
@options.format_or_markdown_option
@click.option("--debug", metavar="FILE", help="The split debug file of the program; default the one in the store.")
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH", help="Which image of an index.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Layers to read at a time, default 2.")
def why(target: str, name: str, **flags: Any) -> None:
    """Say why something is in an image or a program, and what leaving it out would save.

    A PACKAGE is an import path or its end (text/language), a SYMBOL is written as Go does (net/http.(*Client).Do),
    a FILE is an absolute path in the image. Exclusive bytes would go with it; shared ones others need too.
    """
    from proa.cli import screen, why_table
    from proa.pipeline.why import why as explain
    from proa.pipeline.why_program import Ask

    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one image of an index; ask about them one by one")
    ask = Ask(
        target=target,
        name=name,
        source=flags.pop("source") or "",
        debug=Path(debug) if (debug := flags.pop("debug")) else None,
        should_verify=flags.pop("should_verify"),
    )
    form = flags.pop("form")
    with screen.progress() as progress:
        found = explain(ask, options.request(**flags), environ=os.environ, progress=progress)
    match form:
        case "json":
            click.echo(why_table.encoded(found), nl=False)
        case "markdown":
            click.echo(why_table.markdown(found), nl=False)
        case _:
            for line in why_table.lines(found):
                click.echo(line)
