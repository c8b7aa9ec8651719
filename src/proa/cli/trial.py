"""``proa trial``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@click.argument("image")
@options.trial_options
@click.option(
    "--platform", "platforms", multiple=True, metavar="OS/ARCH", help="Which image of an index; default this machine's."
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@options.format_option
def trial(image: str, **flags: Any) -> None:
    """Run IMAGE under the limits it is meant for and say what it did.

    Non-root, read-only root file system, no capabilities, no new privileges, its own network, a memory limit.
    Exit status 1 where the image fails through its own fault.
    """
    from proa.cli import screen
    from proa.pipeline.ship import judge
    from proa.pipeline.stages import encode_records, try_reference

    with screen.progress() as progress:
        tried = try_reference(image, options.request(**flags), environ=os.environ, progress=progress)
    screen.show_trial(tried)
    click.echo(encode_records([tried]) if flags["form"] == "json" else f"{tried.verdict}\n", nl=False)
    judge([(image, tried)], requires_trial=flags["requires_trial"])
