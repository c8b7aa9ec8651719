"""``proa tune tags``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import click

from proa.cli import options
from proa.cli.amounts import bytes_text
from proa.records.tuning import Tag, TagTuning


@click.command()
@options.source_options
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=12,
    show_default=True,
    metavar="N",
    help="Build with at most N tags one by one, those first that promise most; 0 only lists them.",
)
@click.option("--tag", "only", multiple=True, metavar="TAG,…", help="Build with these tags only, whatever the limit.")
@click.option("--write", metavar="TAG,…", help="Add these tags to build.tags in proa.yaml.")
@options.format_option
def tags(**flags: Any) -> None:
    """List the build tags that the packages of the program in SOURCE know, and what each saves.

    Tags come from the constraints in the files of every package it imports. The program is built once without and
    once with each tag that leaves something out. Tags remove features: none is set unless --write names it.
    """
    from proa.cli import screen
    from proa.pipeline.tune_tags import tune_tags, write_tags
    from proa.records.tuning import encode_tunings

    request = options.request(**flags)
    only, wanted = _split(flags["only"]), _split([flags["write"] or ""])
    with screen.progress() as progress:
        tuned = tune_tags(
            request, limit=flags["limit"], only=only, wanted=wanted, environ=os.environ, progress=progress
        )
    if flags["form"] == "json":
        click.echo(encode_tunings(tuned), nl=False)
    else:
        for tuning in tuned:
            click.echo("\n".join(lines(tuning)))
    if flags["write"] is not None:
        with screen.progress() as progress:
            written = write_tags(request, wanted, tuned, environ=os.environ, progress=progress)
        click.echo(f"wrote {', '.join(wanted)} to build.tags in {written}", err=True)


def _split(texts: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for text in texts for part in text.split(",") if part.strip()))


def lines(tuning: TagTuning) -> Iterator[str]:
    """Yield what people read: measured tags with what they save, then what was not measured and why."""
    own = f" with -tags {','.join(tuning.own)}" if tuning.own else ""
    yield (
        f"{tuning.program} for {tuning.platform}{own}: {bytes_text(tuning.bytes)}, "
        f"{bytes_text(tuning.compressed_bytes)} compressed"
    )
    if not tuning.tags:
        yield "  nothing found: no file of its packages knows a tag of its own"
    elif all(tag.state == "skipped" and not (tag.left_out or tag.files_left_out) for tag in tuning.tags):
        yield "  nothing found: no tag leaves anything out of this program"
    for tag in tuning.tags:
        if tag.state == "measured":
            yield from _measured(tag)
    if len(tuning.together) > 1:
        yield f"  {_saving(tuning.together_saving_bytes, tuning.together_saving_compressed_bytes)}  together"
        yield f"      {', '.join(tuning.together)}"
    for tag in tuning.tags:
        if tag.state == "failed":
            yield f"  does not build with {tag.name}: {tag.reason} ({', '.join(tag.modules)})"
    waiting = [tag for tag in tuning.tags if tag.state == "skipped" and tag.expected_bytes]
    for tag in waiting:
        yield f"  not measured: {tag.name}, about {bytes_text(tag.expected_bytes)} ({', '.join(tag.modules)})"
    yield from _skipped([tag for tag in tuning.tags if tag.state == "skipped" and not tag.expected_bytes])
    for finding in tuning.findings:
        yield f"  {finding.severity}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")


def _measured(tag: Tag) -> Iterator[str]:
    yield f"  {_saving(tag.saving_bytes, tag.saving_compressed_bytes)}  {tag.name}"
    parts = [
        _counted(len(tag.left_out), "package") if tag.left_out else "",
        _counted(tag.files_left_out, "file") if tag.files_left_out else "",
    ]
    where = f"{tag.evidence[0].file}:{tag.evidence[0].line}" if tag.evidence else ""
    yield f"      leaves out {' and '.join(part for part in parts if part)} · {', '.join(tag.modules)} · {where}"
    if tag.meaning:
        yield f"      {tag.meaning}"


def _counted(count: int, noun: str) -> str:
    """Return a number with its noun.

    >>> _counted(1, "file"), _counted(2, "file")
    ('1 file', '2 files')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _saving(raw: int, compressed: int) -> str:
    return f"{_signed(raw):>9} {_signed(compressed):>9} compressed"


def _signed(saved: int) -> str:
    """Return a saving as a change in size.

    >>> _signed(4_396_000), _signed(-20), _signed(0)
    ('-4.40 MB', '+20 B', '0 B')
    """
    return f"{'-' if saved > 0 else '+' if saved < 0 else ''}{bytes_text(abs(saved))}"


def _skipped(tags: list[Tag]) -> Iterator[str]:
    """Yield one line for each reason, with the tags it holds for."""
    by_reason: dict[str, list[str]] = {}
    for tag in tags:
        by_reason.setdefault(tag.reason, []).append(tag.name)
    for reason, names in by_reason.items():
        yield f"  {', '.join(names)}: {reason}"
