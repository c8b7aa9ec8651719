"""``proa tune size``."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import options


@click.command()
@click.argument("sources", nargs=-1, metavar="[SOURCE]")
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH", help="The one to measure.")
@click.option("--build-tags", metavar="TAG,…", help="Go build tags.")
@click.option("--base", metavar="REF", help="auto, scratch or an image to build on.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Cores to use; default all.")
@options.ship_trial_options
@click.option(
    "--runs",
    type=click.IntRange(1, 100),
    default=3,
    show_default=True,
    help="How often each step is started, and the benchmark run, in turn with the others.",
)
@click.option("--bench", metavar="CMD", help="A command to time, run by sh with the program's path in $PROA_PROGRAM.")
@click.option("--write", "should_write", is_flag=True, help="Write the winner's settings into proa.yaml.")
@options.format_or_markdown_option
def size(**flags: Any) -> None:
    """Take the program in SOURCE through the chain of flags for its language, and measure each step on it.

    Every step is laid over those before it that made the program smaller, then built, packed, run and timed. What
    changes more than the size (a newer processor, a loader, what a panic does) is measured and never chosen. Results
    are kept: a second call is fast. Build tags have a command of their own, `proa tune tags`.
    """
    from proa.cli import screen, size_table
    from proa.pipeline.tune_size import plan_settings, settings_file, tune_size, write_settings
    from proa.records.tuning import encode_tuning

    request = options.request(**flags)
    if flags["should_write"]:
        # What stands in the way is better said before minutes of work than after.
        settings_file(request, environ=os.environ)
    with screen.progress() as progress:
        tuned = tune_size(
            request, environ=os.environ, progress=progress, runs=flags["runs"], command=flags["bench"] or ""
        )
    for finding in tuned.tuning.findings:
        screen.warn(f"{finding.severity}: {finding.message}" + (f" ({finding.hint})" if finding.hint else ""))
    match flags["form"]:
        case "json":
            click.echo(encode_tuning(tuned.tuning), nl=False)
        case "markdown":
            click.echo(size_table.markdown(tuned.tuning), nl=False)
        case _:
            click.echo(size_table.table(tuned.tuning), nl=False)
    if not tuned.tuning.settings:
        screen.warn(f"{tuned.file.name} needs no change: what is built already is the winner")
    elif flags["should_write"]:
        change = plan_settings(tuned)
        write_settings(change)
        screen.warn(f"{change.diff}\nwrote {change.file}")
    else:
        screen.warn(f"--write would put this into {tuned.file.name}: {size_table.settings_text(tuned.tuning.settings)}")
