"""``proa analyze``."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from proa.cli import options, timeline
from proa.errors import WrongUsage
from proa.records.analysis import Analysis

_ALL = "\0settings"
"""``--explain`` without a value: all settings."""


@click.command()
@options.source_options
@options.binary_options
@options.image_options
@options.trial_options
@click.option(
    "--explain",
    metavar="FACT",
    is_flag=False,
    flag_value=_ALL,
    help="Where a fact came from and what it decides; without FACT every setting and its origin.",
)
@click.option("--trial/--no-trial", "should_try", default=True, help="Start it once, confined, and see what it does.")
@click.option("--connect", is_flag=True, help="Let that start reach its services, with network and .env.")
@click.option("--command", metavar="WORDS", default="", help="What that start runs, instead of what the files name.")
@timeline.timeline_option
@click.option("--env-example", "env_example", metavar="FILE", default="", help="Write the contract as a .env.example.")
@options.format_or_markdown_option
def analyze(**flags: Any) -> None:
    """Say what the project in SOURCE is made with, how it is laid out, what it talks to, and what it needs.

    Go, Node, Python, Java, Rust, C and C++. What proa builds (Go, Rust, C) is linked, in proa's own cache: what it
    needs at run time is read from what is really reachable. It is started once, confined and without network.
    FACT is a name in the tables (port, DATABASE_URL), or one with its group: environment.node, image.ports.
    """
    from proa.cli import screen
    from proa.pipeline.analysis import Wanted, analyze_all
    from proa.pipeline.stages import encode_records
    from proa.pipeline.startup import WantedStart

    if flags["connect"] and not flags["should_try"]:
        raise WrongUsage("--connect is for the start that --no-trial leaves out")
    timeline.check_place(flags["timeline_file"], should_try=flags["should_try"])
    fact = _fact(flags)
    wanted = Wanted(
        today=dt.datetime.now(tz=dt.UTC).date().isoformat(),
        should_start=flags["should_try"],
        start=WantedStart(command=flags["command"], connects=flags["connect"]),
    )
    with screen.progress() as progress:
        found = analyze_all(options.request(**flags), environ=os.environ, progress=progress, wanted=wanted)
    if fact not in ("", _ALL):
        _explain(found.analyses, fact, flags["form"])
    elif flags["form"] == "json":
        click.echo(encode_records(found.analyses), nl=False)
    else:
        _show(found.analyses, flags["form"], with_settings=fact == _ALL)
    if flags["env_example"]:
        from proa.pipeline.contract import write_example

        write_example(Path(flags["env_example"]), [one for each in found.analyses for one in each.variables])
    if flags["timeline_file"]:
        timeline.write_timeline(flags["timeline_file"], found.analyses)
    if found.fault is not None:
        raise found.fault


def _fact(flags: dict[str, Any]) -> str:
    """Return the fact that is asked for. A folder after --explain is the source, and all settings are meant."""
    said = flags["explain"] or ""
    if said not in ("", _ALL) and (said.startswith((".", "/")) or "@" in said or Path(said).is_dir()):
        flags["sources"] = (said, *flags["sources"])
        return _ALL
    return said


def _show(analyses: Sequence[Analysis], form: str, *, with_settings: bool) -> None:
    from proa.cli import prose, state_table

    for analysis in analyses:
        if form == "markdown":
            click.echo(state_table.markdown(analysis), nl=False)
            continue
        for line in prose.whole_lines(analysis, with_settings=with_settings):
            click.echo(line)


def _explain(analyses: Sequence[Analysis], fact: str, form: str) -> None:
    from proa.cli.explain_lines import explained
    from proa.pipeline.stages import encode_list

    records, lines = explained(analyses, fact)
    if form == "json":
        click.echo(encode_list(records), nl=False)
    else:
        click.echo("\n".join(lines))
