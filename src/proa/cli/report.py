"""``proa report``."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import Any

import click

from proa.cli import options, page_file, screen
from proa.errors import WrongUsage


@click.command()
@click.argument("targets", nargs=-1, required=True, metavar="IMAGE|COMPARISON.json...")
@click.option("-o", "--output", metavar="FILE", help="Where it goes; - is standard output.")
@click.option(
    "--format", "form", type=click.Choice(["html", "markdown", "json"]), default="html", help="What is written."
)
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH", help="Which image of an index.")
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Layers to read at a time, default 2.")
def report(targets: tuple[str, ...], output: str | None, form: str, **flags: Any) -> None:
    """Write one page about an image, a comparison, or both, to show to others.

    The page is one file of at most 5 MB that asks the network for nothing: size, start, memory and user; why this
    base and each file; the trial; what is in it; modules and packages; earlier shipments of the same program, from
    the local store and the registry. COMPARISON.json is what `proa compare --format json` printed.

    Without -o, standard output carries it; where that is a terminal, the page goes to a file named after the target.
    """
    from proa.pipeline.report import make_report

    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one image of an index; report on them one by one")
    place = _place(output, form, targets)
    with screen.progress() as progress:
        whole = make_report(targets, options.request(**flags), environ=os.environ, made_at=_now(), progress=progress)
    page_file.write_page(_text(whole, form), place)


def _place(output: str | None, form: str, targets: tuple[str, ...]) -> str:
    if output is None:
        return page_file.name_of(*targets) if form == "html" and sys.stdout.isatty() else "-"
    return output if output == "-" else page_file.place_of(output, "table", *targets)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(whole: Any, form: str) -> str:
    match form:
        case "json":
            from proa.records.report import encode_report

            return encode_report(whole.report).decode()
        case "markdown":
            from proa.report.markdown_report import markdown

            return markdown(whole.report)
        case _:
            from proa.report.report_page import report_page

            return report_page(whole.report, tree=whole.tree, program=whole.program, program_path=whole.program_path)
