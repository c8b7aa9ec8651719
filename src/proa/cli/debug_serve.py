"""``proa debug serve``."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

import click

from proa.cli import screen


@click.command()
@click.option(
    "--listen", default="127.0.0.1:8002", show_default=True, metavar="HOST:PORT", help="Port 0: any free one."
)
@click.option("--from", "sources", multiple=True, metavar="REF", help="A layout or repository to fetch from on demand.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
def serve(listen: str, sources: tuple[str, ...], insecure_registry: bool) -> None:
    """Serve debug files and programs by build-id, as debuginfod does, until Ctrl-C.

    gdb, delve, perf and elfutils ask for what they need once DEBUGINFOD_URLS holds the address, which is printed.
    What the local store has not is fetched from the places named by --from. Anyone who reaches the address may read.
    """
    from proa.pipeline.debug import Ask
    from proa.pipeline.debug_serve import open_server

    ask = Ask(target="", sources=sources, allows_any_insecure=insecure_registry)
    with open_server(ask, listen=listen, environ=os.environ, log=screen.warn) as server:
        click.echo(server.url)
        sys.stdout.flush()
        # To be ended by Ctrl-C or SIGTERM is what a server is for.
        with suppress(KeyboardInterrupt):
            server.serve_forever(poll_interval=0.2)
