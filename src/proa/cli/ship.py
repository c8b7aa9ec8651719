"""``proa ship``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@options.binary_options
@options.image_options
@options.ship_trial_options
@click.option("--to", multiple=True, metavar="REF", help="Where the image goes; {name} stands for the program's name.")
@click.option("--push", is_flag=True, help="Push to PROA_REPO, KO_DOCKER_REPO or proa.yaml's repo.")
@click.option("--tags", "-t", multiple=True, metavar="TAG,…", help="Tags of the image; default latest.")
@click.option("--bare", is_flag=True, help="Name the image as the repository, nothing added.")
@click.option("--base-import-paths", "-B", is_flag=True, help="Name it by the import path's last part.")
@click.option("--preserve-import-paths", "-P", is_flag=True, help="Name it by the whole import path.")
@click.option(
    "--image-refs", type=click.Path(dir_okay=False), metavar="FILE", help="Also write the references to a file."
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("--with-referrers", is_flag=True, help="Put the records about the image into an oci: folder as well.")
@click.option("--sbom", type=click.Choice(["none"]), default="none", hidden=True, help="Accepted for ko's scripts.")
@options.format_option
def ship(**flags: Any) -> None:
    """Take the program in SOURCE from source to an image that has been run.

    SOURCE is a folder (default: this one), a package (./cmd/api), ./... for every main package, or a module path
    with its version (github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin@v2.26.0). A folder with Cargo.toml,
    meson.build, CMakeLists.txt or Makefile is built by cargo, meson, CMake or make.

    Without --to or --push the image stays in the local store. Destinations are written as skopeo does:
    oci:DIR[:TAG], oci-archive:FILE, docker-archive:FILE, docker-daemon:NAME:TAG, docker://REGISTRY/NAME:TAG.
    """
    from proa.cli import screen
    from proa.pipeline.ship import ship, write_references
    from proa.records.shipment import encode_shipments

    request = options.request(**flags)
    with screen.progress() as progress:
        shipments = ship(request, environ=os.environ, progress=progress, warn=screen.warn)
    for shipment in shipments:
        screen.show_shipment(shipment)
    references = "".join(f"{shipment.reference}\n" for shipment in shipments)
    if flags["image_refs"]:
        write_references(flags["image_refs"], references)
    click.echo(encode_shipments(shipments) if flags["form"] == "json" else references, nl=False)
