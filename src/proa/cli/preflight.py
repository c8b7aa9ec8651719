"""``proa preflight``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proa.cli.durations import Seconds

if TYPE_CHECKING:
    from proa.records.preflight import Preflight


@click.command()
@click.argument("environment", metavar="[ENV]", required=False, default="")
@click.option("--dir", "folder", metavar="DIR", default=".", help="The project's folder, default here.")
@click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Further variables; may be repeated.")
@click.option("--secret", "secrets", multiple=True, metavar="NAMESPACE/NAME", help="A Kubernetes secret's variables.")
@click.option("--config-map", "config_maps", multiple=True, metavar="NAMESPACE/NAME", help="A config map's variables.")
@click.option("--context", metavar="NAME", default="", help="Of the kubeconfig, default the current one.")
@click.option("--only", multiple=True, metavar="NAME", help="Contact this service alone; may be repeated.")
@click.option("--optional", multiple=True, metavar="NAME", help="A service that need not be there; may be repeated.")
@click.option(
    "--ca", metavar="FILE", default="", help="PEM of authorities to trust; default SSL_CERT_FILE, the system's."
)
@click.option("--timeout", "timeout_s", type=Seconds(), default="5s", show_default=True, help="For each contact.")
@click.option("--wait", "wait_s", type=Seconds(), default="0s", help="Try again until all required are there: 60s.")
@click.option("--job", is_flag=True, help="Contact nothing: print a Job that does, for kubectl apply.")
@click.option("--in-cluster", is_flag=True, help="Run that Job, show its answer, delete it.")
@click.option("--image", metavar="IMAGE", default="", help="Of the Job: an image with proa in it.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="What standard output carries.",
)
def preflight(form: str, *, job: bool, in_cluster: bool, **flags: Any) -> None:
    """Contact every service the program is configured for: whether it is there, and lets us in.

    Services are found in proa.yaml, in this process's environment, in .env and .env.ENV. Each is asked for its name,
    TCP, TLS, protocol, authentication and one harmless read; the first layer that fails is named with a remedy.
    Secrets are shown nowhere. Where a password was accepted without proof, a wrong one is tried once.
    """
    from proa.cli import preflight_table
    from proa.errors import WrongUsage
    from proa.pipeline.preflight import require

    if flags["timeout_s"] <= 0:
        raise WrongUsage("--timeout must be longer than nothing")
    if job and in_cluster:
        raise WrongUsage("--job prints what --in-cluster runs: choose one of them")
    found = _by_job(flags, runs=in_cluster) if job or in_cluster else _from_here(flags)
    if found is None:
        return
    match form:
        case "json":
            click.echo(preflight_table.encoded(found), nl=False)
        case "markdown":
            click.echo(preflight_table.markdown(found), nl=False)
        case _:
            for line in preflight_table.lines(found):
                click.echo(line)
    require(found)


def _from_here(flags: dict[str, Any]) -> Preflight:
    from proa.cli import screen
    from proa.errors import WrongUsage
    from proa.outside.kubectl import Cluster
    from proa.pipeline.preflight import Asked, preflight

    if flags.pop("image"):
        raise WrongUsage("--image belongs to --job and --in-cluster")
    cluster = Cluster(context=flags.pop("context"), environ=os.environ)
    flags["folder"] = Path(flags["folder"])
    flags["env_files"] = tuple(Path(file) for file in flags["env_files"])
    with screen.progress() as progress:
        return preflight(Asked(**flags), environ=os.environ, progress=progress, cluster=cluster)


def _by_job(flags: dict[str, Any], *, runs: bool) -> Preflight | None:
    """Run the Job, or print it and return nothing."""
    from proa.cli import preflight_table, screen
    from proa.errors import WrongUsage
    from proa.outside.kubectl import Cluster
    from proa.pipeline.preflight_job import in_cluster, printed, wanted

    if flags["environment"] or flags["env_files"] or flags["ca"]:
        raise WrongUsage("a Job has the variables of --secret and --config-map alone: leave out ENV, --env-file, --ca")
    names = ("image", "secrets", "config_maps", "only", "optional", "timeout_s", "wait_s")
    job = wanted(**{name: flags[name] for name in names})
    if not runs:
        click.echo(preflight_table.encoded(printed(job)), nl=False)
        return None
    with screen.progress() as progress:
        return in_cluster(job, cluster=Cluster(context=flags["context"], environ=os.environ), progress=progress)
