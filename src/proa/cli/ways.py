"""``proa ways``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@options.source_options
@click.option("-o", "--output", metavar="DIR", default=".", help="Where the archive is written, default here.")
@click.option("--runs", type=click.IntRange(1, 100), default=9, show_default=True, help="Starts of each way.")
@click.option(
    "--systemd", "with_systemd", is_flag=True, help="Start the service under this machine's systemd, as root."
)
@click.option("--context", metavar="NAME", default="", help="Of the kubeconfig, default the current one.")
@click.option("--pod", metavar="IMAGE", default="", help="This build in a registry, NAME@sha256:…; started as a pod.")
@click.option("--namespace", metavar="NAME", default="default", show_default=True, help="Of the pod.")
@options.format_or_markdown_option
def ways(
    form: str, *, output: str, runs: int, with_systemd: bool, context: str, pod: str, namespace: str, **flags: Any
) -> None:
    """Build once and say what it takes to run it as a service of a machine, as a container, as a pod.

    Writes an archive with the program, a hardened systemd unit and how to install it. Service and container are
    started in turn and timed; files, commands and moving parts are counted. What is started is removed again.
    """
    from proa.cli import screen, ways_table
    from proa.errors import WrongUsage
    from proa.outside.kubectl import Cluster, is_name
    from proa.pipeline.ways import Asked
    from proa.pipeline.ways import ways as weigh

    if not is_name(namespace):
        raise WrongUsage(f"{namespace!r} is no namespace")
    asked = Asked(
        request=options.request(**flags),
        output=output,
        runs=runs,
        with_systemd=with_systemd,
        cluster=Cluster(context=context, environ=os.environ),
        pod=pod,
        namespace=namespace,
    )
    with screen.progress() as progress:
        record = weigh(asked, environ=os.environ, progress=progress)
    match form:
        case "json":
            click.echo(ways_table.encoded(record), nl=False)
        case "markdown":
            click.echo(ways_table.markdown(record), nl=False)
        case _:
            for line in ways_table.lines(record):
                click.echo(line)
