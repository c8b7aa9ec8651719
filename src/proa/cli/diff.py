"""``proa diff``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from proa.cli import options, page_file
from proa.errors import NotWritable, WrongUsage

if TYPE_CHECKING:
    from proa.pipeline.diff import Answer

_FORMS = ("table", "json", "markdown", "sarif", "junit")
_SUMMARY = "GITHUB_STEP_SUMMARY"


@click.command()
@click.argument("words", nargs=-1, metavar="[A] [B]")
@click.option("--format", "form", type=click.Choice(_FORMS), default="table", help="What standard output carries.")
@click.option(
    "--output",
    "outputs",
    multiple=True,
    metavar="FORM=FILE",
    help="Also write it to a file; - is standard output; `summary` alone is GitHub's job summary.",
)
@click.option("--html", metavar="FILE", help="Also write a page that works offline; - is standard output, alone.")
@click.option("--top", type=click.IntRange(min=0), default=10, metavar="N", help="Rows of each list; default 10.")
@click.option(
    "--budget",
    "budgets",
    multiple=True,
    metavar="NAME=VALUE",
    help="A budget: image=20MB, image.growth=5%, …",
)
@click.option("--gate/--no-gate", "is_gate", default=True, help="Exit 1 where a budget is exceeded; default yes.")
@click.option("--config", metavar="FILE", help="The proa.yaml whose budgets hold; default the project's.")
@click.option("--program", metavar="SOURCE", help="Which of several programs of the project: ./cmd/api.")
@click.option("--platform", "platforms", multiple=True, metavar="OS/ARCH", help="Default this machine's.")
@click.option("--bare", is_flag=True, help="What was published is named as the repository.")
@click.option(
    "--base-import-paths", "-B", is_flag=True, help="What was published is named by the import path's last part."
)
@click.option(
    "--preserve-import-paths", "-P", is_flag=True, help="What was published is named by the whole import path."
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option("-j", "--jobs", type=click.IntRange(min=1), help="Cores to use; default all.")
def diff(words: tuple[str, ...], **flags: Any) -> None:
    """Say what changed from A to B: bytes by layer, module, package and file, dependencies, configuration.

    A and B are images (docker://, oci:, docker-archive:, docker-daemon:, the local store), program files, folders with
    a project (`.`), git revisions of the project here (main, HEAD~1, git:v1.2.0), or what was published last
    (published:, published:TAG, @latest). Revisions and projects are built as `proa ship` does, without a trial.
    Without A: what was published last; without B: the project as it is.

    Budgets of proa.yaml and --budget make it a gate: exit status 1 where one is exceeded.
    """
    from proa.cli import screen
    from proa.cli.exits import close_output
    from proa.pipeline.diff import Asked, gate
    from proa.pipeline.diff import diff as compare
    from proa.report.markdown_text import plain

    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one platform; compare them one by one")
    places = [_place(text) for text in flags["outputs"]]
    page = page_file.place_of(flags["html"], flags["form"])
    _check_places([file for _, file in places] + ([page] if page else []))
    asked = Asked(
        words=words,
        program=flags["program"] or "",
        budgets=flags["budgets"],
        configuration=flags["config"] or "",
    )
    with screen.progress() as progress:
        answer = compare(asked, options.request(**flags), environ=os.environ, progress=progress)
    if page:
        from proa.report.page import difference_page

        page_file.write_page(difference_page(answer.difference), page)
    if page != "-" or places:
        try:
            _write(answer, places, form="" if page == "-" else flags["form"], top=flags["top"])
        except BrokenPipeError:
            # The budgets decide also where nobody reads to the end: proa diff … | head.
            close_output()
    for finding in answer.difference.findings:
        screen.warn(f"{finding.severity}: {plain(finding.message)}" + (f"\n  {finding.hint}" if finding.hint else ""))
    if flags["is_gate"]:
        gate(answer.difference)


def _place(text: str) -> tuple[str, str]:
    """Return the form and where it goes; an empty place is GitHub's summary. Raises WrongUsage."""
    form, equals, file = text.partition("=")
    if text == "summary":
        if not os.environ.get(_SUMMARY):
            raise WrongUsage(f"--output summary: {_SUMMARY} is not set", hint="elsewhere: markdown=FILE")
        return "markdown", ""
    if form not in _FORMS or not equals or not file:
        raise WrongUsage(f"--output {text!r} is not FORM=FILE", hint=f"FORM is one of {', '.join(_FORMS)}, or summary")
    return form, file


def _check_places(files: list[str]) -> None:
    """Say before anything is built what could not be written after it. Raises WrongUsage, NotWritable."""
    whole = [file and str(Path(file)) for file in files]
    for file in whole:
        if whole.count(file) > 1:
            where = {"-": "standard output", "": "the job's summary"}.get(file, file)
            raise WrongUsage(f"{where} cannot carry two results", hint="give each a file of its own")
        if file and not Path(file).parent.is_dir():
            raise NotWritable(f"{Path(file).parent} is no folder", hint="make the folder first")


def _write(answer: Answer, places: list[tuple[str, str]], *, form: str, top: int) -> None:
    """Write every form that was asked for; standard output has ``form``, if any, where nothing else goes there."""
    from proa.outside.machine import append_file, write_file

    if form and all(file != "-" for _, file in places):
        places = [*places, (form, "-")]
    for one, file in places:
        content = _content(answer, one, top, is_terminal=file == "-")
        if file == "-":
            click.echo(content, nl=False)
        elif file:
            write_file(Path(file), content)
        else:
            append_file(Path(os.environ[_SUMMARY]), content)


def _content(answer: Answer, form: str, top: int, *, is_terminal: bool) -> bytes:
    from proa import __version__

    difference = answer.difference
    match form:
        case "json":
            from proa.pipeline.stages import encode_records

            return encode_records([difference])
        case "markdown":
            from proa.report.markdown_difference import markdown

            return markdown(difference, top=top).encode()
        case "sarif":
            from proa.report.sarif import sarif

            return sarif(difference, version=__version__, places=answer.places)
        case "junit":
            from proa.report.junit import junit

            return junit(difference).encode()
        case _:
            from proa.cli import difference_table
            from proa.cli.anatomy_table import terminal_width

            width = terminal_width() if is_terminal else 120
            return "".join(f"{line}\n" for line in difference_table.lines(difference, top=top, width=width)).encode()
