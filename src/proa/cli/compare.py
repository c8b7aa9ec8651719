"""``proa compare``."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from proa.cli import options
from proa.cli.durations import Seconds
from proa.errors import WrongUsage
from proa.outside.command import redact


@click.command()
@click.argument("targets", nargs=-1, metavar="[SOURCE|IMAGE]...")
@click.option("--variants", metavar="NAME,…", help="Of the program: dynamic, static, stripped, tags:netgo, …")
@click.option("--preset", type=click.Choice(["libc", "static", "packaging"]), help="A pair or triple of variants.")
@click.option("--command", "commands", multiple=True, metavar="NAME=CMD", help="A command of this machine, unconfined.")
@click.option("--baseline", metavar="NAME", default="", help="What the others are compared with; default the first.")
@click.option("--ready", metavar="URL", default="", help="http://:8080/healthz, tcp://:5432, or exit.")
@click.option("--arg", "args", multiple=True, metavar="ARG", help="An argument for every program and image.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="A variable for all of them.")
@click.option("--base", "bases", multiple=True, metavar="NAME=REF", help="An image to build on: debian=oci:DIR.")
@click.option("--runs", type=click.IntRange(5, 500), help="Exactly so many rounds; default: as many as it takes.")
@click.option("--budget", "budget_s", type=Seconds(), default="2m", show_default=True, help="For all rounds.")
@click.option(
    "--precision",
    type=click.FloatRange(0.1, 100),
    default=5.0,
    show_default=True,
    metavar="%",
    help="Half the width of the start-up ratio's interval that is enough.",
)
@click.option("--cold", "is_cold", is_flag=True, help="Drop the files from the page cache before each cold start.")
@click.option("--load", "load_s", type=Seconds(), default="400ms", show_default=True, help="Of requests; 0: none.")
@click.option("--memory", metavar="SIZE", default="", help="Memory limit, default 2Gi.")
@click.option("--cpus", type=click.FloatRange(0.01, 1024), default=None, help="Limit of processor time, in cores.")
@click.option("--timeout", "timeout_s", type=Seconds(), default="30s", show_default=True, help="To be ready.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the order of runs.")
@click.option("--resume", "resumes", is_flag=True, help="Go on with the finished rounds of an interrupted run.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Cores to build with; default all.")
@options.format_or_markdown_option
def compare(targets: tuple[str, ...], form: str, **flags: Any) -> None:
    """Measure variants of a program, images and commands side by side: size, start-up, memory, load.

    SOURCE is a folder, a package in it, or a module with its version; without any target it is the folder here. All
    are started in turn, in rounds, so that what else the machine does hits all alike; a difference is told where the
    figures show one. Finished rounds are kept: --resume goes on after an interruption.
    """
    from proa.cli import compare_live, comparison_table
    from proa.pipeline.compare import compare as measure

    asked = _asked(targets, flags)
    with compare_live.screen() as screen:
        record = measure(asked, environ=os.environ, progress=screen.say, warn=screen.warn, watch=screen.watch)
    match form:
        case "json":
            click.echo(comparison_table.encoded(record), nl=False)
        case "markdown":
            click.echo(comparison_table.markdown(record), nl=False)
        case _:
            click.echo(comparison_table.table(record), nl=False)


def _asked(targets: tuple[str, ...], flags: dict[str, Any]) -> Any:
    """Return what the words ask for. Raises WrongUsage."""
    from proa.compare import Pace
    from proa.pipeline.compare_job import Asked

    commands = options.pairs("--command", flags["commands"])
    sources = [one for one in targets if is_source(one)]
    wants_variants = bool(flags["variants"] or flags["preset"])
    if not targets and (wants_variants or not commands):
        sources = ["."]
    if len(sources) > 1:
        raise WrongUsage(f"compare takes the variants of one program, and there are {' and '.join(sources)}")
    if wants_variants and not sources:
        raise WrongUsage("--variants and --preset are for a program's source, and none is named")
    if flags["variants"] and flags["preset"]:
        raise WrongUsage("--variants and --preset exclude each other")
    return Asked(
        request=options.request(sources=sources, insecure_registry=flags["insecure_registry"], jobs=flags["jobs"]),
        has_source=bool(sources),
        images=tuple(one for one in targets if one not in sources),
        commands=tuple(commands.items()),
        variants=tuple(part.strip() for part in (flags["variants"] or "").split(",") if part.strip()),
        preset=flags["preset"],
        bases=options.pairs("--base", flags["bases"]),
        baseline=flags["baseline"],
        ready=flags["ready"],
        arguments=flags["args"],
        environment=tuple(options.pairs("--env", flags["env"]).items()),
        pace=Pace(budget_s=flags["budget_s"], precision=flags["precision"] / 100, runs=flags["runs"] or 0),
        is_cold=flags["is_cold"],
        load_s=flags["load_s"],
        memory=flags["memory"],
        cpus=flags["cpus"] or 0.0,
        timeout_s=flags["timeout_s"],
        seed=flags["seed"],
        resumes=flags["resumes"],
        command=repeating(sys.argv[1:]),
    )


def repeating(words: Sequence[str]) -> str:
    """Return the words that repeat a call, without the values of variables, which may be secrets.

    >>> repeating(["compare", "--env", "TOKEN=x", "--env=A=b"])
    'proa compare --env TOKEN=… --env=A=…'
    """
    shown = []
    for before, word in zip(["", *words], words, strict=False):
        start = "--env=" if word.startswith("--env=") else ""
        name, equals, _ = word.removeprefix(start).partition("=")
        shown.append(f"{start}{name}=…" if equals and (start or before == "--env") else shlex.quote(redact(word)))
    return " ".join(["proa", *shown])


def is_source(target: str) -> bool:
    """Say whether a word names a program's source rather than an image.

    >>> is_source("./cmd/api"), is_source("example.com/a@v1.2.3"), is_source("docker://r.example/a@sha256:0")
    (True, True, False)
    """
    path = Path(target)
    if path.exists():
        return path.is_dir() and not (path / "index.json").is_file()
    name, at, version = target.rpartition("@")
    is_module = bool(at) and ":" not in name and "." in name.partition("/")[0] and not version.startswith("sha256")
    return target.startswith(("./", "../", "/")) or is_module
