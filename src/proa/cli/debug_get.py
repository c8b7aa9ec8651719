"""``proa debug TARGET``."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from proa.cli import options
from proa.errors import WrongUsage


@click.command()
@click.argument("target")
@click.option("--output", "-o", metavar="PATH", help="A file or folder; default the debug file's own name here.")
@click.option(
    "--install", metavar="DIR", help="Write below DIR as .build-id/xx/rest.debug: a debug file directory of gdb."
)
@click.option(
    "--from", "sources", multiple=True, metavar="REF", help="A layout, archive, repository or image to look in."
)
@click.option("--platform", metavar="OS/ARCH", help="Which image of an index; default this machine's.")
@click.option("--with-program", is_flag=True, help="Also write the shipped program, beside the debug file.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@options.format_option
def get(**flags: Any) -> None:
    """Fetch the debug file of TARGET and print where it was written.

    TARGET is an image in any notation, a build-id or its first 8 digits, an ELF core file, or the program itself.
    gdb finds the file beside the program, or below `set debug-file-directory DIR` after --install DIR.
    """
    from proa.cli import screen
    from proa.pipeline.debug import Ask, get_debug
    from proa.pipeline.stages import encode_records

    output = flags["output"] or ""
    if output and flags["install"]:
        raise WrongUsage("--output and --install exclude each other")
    is_stream = output == "-"
    if is_stream and (flags["with_program"] or flags["form"] == "json" or sys.stdout.isatty()):
        raise WrongUsage("--output - is for the debug file alone, into a pipe or a file")
    ask = Ask(
        target=flags["target"],
        sources=flags["sources"],
        platform=flags["platform"] or "",
        allows_any_insecure=flags["insecure_registry"],
    )
    with screen.progress() as progress:
        symbols = get_debug(
            ask,
            output="/dev/stdout" if is_stream else output,
            install=flags["install"] or "",
            with_program=flags["with_program"],
            environ=os.environ,
            progress=progress,
        )
    screen.show_symbols(symbols)
    if flags["form"] == "json":
        click.echo(encode_records([symbols]), nl=False)
    elif not is_stream:
        click.echo("\n".join(path for path in (symbols.path, symbols.program_path) if path))
