"""``proa pack``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@options.binary_options
@options.image_options
@click.option("--dockerfile", is_flag=True, help="Print the equivalent multi-stage Dockerfile instead.")
@options.format_option
def pack(**flags: Any) -> None:
    """Put the program in SOURCE and exactly what it needs into an image in the local store, without running it."""
    from proa.cli import screen
    from proa.pipeline.ship import ship
    from proa.pipeline.stages import dockerfiles
    from proa.records.shipment import encode_shipments

    request = options.request(**flags, should_try=False)
    with screen.progress() as progress:
        if flags["dockerfile"]:
            for text in dockerfiles(request, environ=os.environ, progress=progress):
                click.echo(text, nl=False)
            return
        shipments = ship(request, environ=os.environ, progress=progress, warn=screen.warn)
    for shipment in shipments:
        screen.show_shipment(shipment)
    references = "".join(f"{shipment.reference}\n" for shipment in shipments)
    click.echo(encode_shipments(shipments) if flags["form"] == "json" else references, nl=False)
