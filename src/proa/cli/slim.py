"""``proa slim``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options
from proa.errors import WrongUsage


@click.command()
@click.argument("image")
@click.option("--to", multiple=True, metavar="REF", help="Where the result goes; default the local store, NAME-slim.")
@click.option(
    "--keep",
    "keep",
    multiple=True,
    metavar="WORD",
    help="A path, pattern, folder/, or a name from the list of what was left out: debian:perl-base.",
)
@click.option("--test", "tests", multiple=True, metavar="CMD", help="Run CMD here against the traced image, PROA_URL.")
@click.option("--route", "routes", multiple=True, metavar="PATH", help="A route to ask in the traced run.")
@click.option("--trial-env", multiple=True, metavar="KEY=VALUE", help="A variable for the runs.")
@click.option("--trial-arg", "trial_args", multiple=True, metavar="ARG", help="An argument for the runs.")
@click.option("--memory", metavar="SIZE", help="Memory limit of the runs, e.g. 512Mi.")
@click.option(
    "--start-timeout", type=click.FloatRange(min=0, min_open=True), metavar="S", help="How long it may take to answer."
)
@click.option(
    "--platform", "platforms", multiple=True, metavar="OS/ARCH", help="Which image of an index; default this machine's."
)
@click.option("--compression", type=click.Choice(["gzip", "zstd"]), help="How the layer is compressed.")
@click.option("--no-run", is_flag=True, help="Go by the files alone, and run nothing.")
@click.option("--dry-run", is_flag=True, help="Do all of it, but write nothing to a destination.")
@click.option(
    "--left-out", type=click.Path(dir_okay=False), metavar="FILE", help="Write every path that was left out to a file."
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Cores to use; default all.")
@options.format_option
def slim(image: str, **flags: Any) -> None:
    """Make an existing image small: what it needs in one layer, tried before and after.

    IMAGE is of any language, and wherever `proa inspect` finds one. Needed is what its files show (libraries,
    interpreters and their modules, configuration, certificates), what traced runs touched, and what you keep. What was
    left out is listed, and brought back by name. The slimmed image must do in its trial what the original does, or
    nothing is written and the exit status is 1.

    Destinations are written as for `proa ship`. Settings come from proa.yaml's `slim` and `trial` as well.
    """
    from proa.cli import screen, slim_table
    from proa.pipeline.slim import Wish, slim
    from proa.records.slimming import encode_slimming

    if len(flags["platforms"]) > 1 or any("," in text for text in flags["platforms"]):
        raise WrongUsage("--platform names one image of an index; slim them one by one")
    wish = Wish(should_run=not flags["no_run"], is_dry=flags["dry_run"], left_out_file=flags["left_out"] or "")
    with screen.progress() as progress:
        slimming = slim(image, _request(flags), wish, environ=os.environ, progress=progress)
    slim_table.show(slimming)
    if flags["form"] == "json":
        click.echo(encode_slimming(slimming), nl=False)
    elif slimming.reference:
        click.echo(slimming.reference)


def _request(flags: dict[str, Any]) -> Any:
    import msgspec

    request = options.request(**flags)
    laid = dict(request.overrides)
    if flags["start_timeout"]:
        laid["trial"] = {**laid.get("trial", {}), "start_timeout_s": flags["start_timeout"]}
    laid["slim"] = {name: flags[name] for name in ("keep", "tests", "routes") if flags[name]}
    return msgspec.structs.replace(request, overrides={part: fields for part, fields in laid.items() if fields})
