"""``proa store``."""

from __future__ import annotations

import os
import time

import click

from proa.cli import options
from proa.cli.amounts import bytes_text


@click.group()
def store() -> None:
    """Look after the local store: images by digest, and what earlier runs need not do again.

    It is in PROA_CACHE, else in XDG_CACHE_HOME/proa or ~/.cache/proa.
    """


@store.command()
@options.format_option
def ls(form: str) -> None:
    """List the images in the store, and how much it holds."""
    from proa.pipeline.care import list_store
    from proa.pipeline.stages import encode_records

    listing = list_store(environ=os.environ)
    if form == "json":
        click.echo(encode_records([listing]), nl=False)
        return
    width = max((len(image.name) for image in listing.images), default=0)
    for image in listing.images:
        click.echo(f"{image.name:<{width}}  {image.digest}  {bytes_text(image.bytes):>8}  {', '.join(image.platforms)}")
    usage = listing.usage
    click.echo(
        f"{usage.blobs} blobs, {bytes_text(usage.blob_bytes)}; {usage.stages} kept results, "
        f"{bytes_text(usage.stage_bytes)}; {bytes_text(usage.compiled_bytes)} compiled by cargo and zig "
        f"for the next build; in {listing.root}",
        err=True,
    )


@store.command()
@click.option("--repair", is_flag=True, help="Remove what is damaged; it is made anew when needed.")
@options.format_option
def check(repair: bool, form: str) -> None:
    """Read every blob and compare it with its digest; exit status 1 where something is wrong."""
    from proa.errors import GateRefused
    from proa.pipeline.care import check_store
    from proa.pipeline.stages import encode_list

    findings = check_store(environ=os.environ, repair=repair)
    if form == "json":
        click.echo(encode_list(findings), nl=False)
    else:
        for finding in findings:
            click.echo(f"{finding.id}: {finding.message} ({finding.hint})")
    if findings and not repair:
        raise GateRefused(f"{len(findings)} things are wrong in the store", hint="`proa store check --repair` mends it")
    click.echo("the store is sound" if not findings else f"removed {len(findings)}", err=True)


@store.command()
@click.option("--limit", default="10Gi", show_default=True, metavar="SIZE", help="How much may stay.")
@click.option("--all", "everything", is_flag=True, help="Forget the images' names as well.")
def prune(limit: str, everything: bool) -> None:
    """Remove what has not been used for longest until the store fits into a size.

    What cargo compiled goes first; the C libraries that zig compiled go with --all.
    """
    from proa.pipeline.care import prune_store

    pruned = prune_store(environ=os.environ, limit=limit, everything=everything, now_s=time.time())
    click.echo(f"freed {bytes_text(pruned.freed_bytes)}: {pruned.blobs} blobs, {pruned.stages} kept results", err=True)
