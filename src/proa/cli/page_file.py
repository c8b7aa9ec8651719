"""Where a page goes: standard output, the file that was named, or one named after what it shows."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from proa.cli.amounts import bytes_text
from proa.errors import WrongUsage

NO_NAME = ":"
"""What ``--html`` without FILE gives."""
html_option = click.option(
    "--html",
    "html",
    is_flag=False,
    flag_value=NO_NAME,
    metavar="[FILE]",
    help="Write a page that works offline, beside what is printed; - or no FILE: to standard output alone.",
)


def place_of(html: str | None, form: str, *subjects: str) -> str:
    """Return ``-`` or the file's path, empty for no page. Without FILE a terminal gets a file, all else the page.

    Raises WrongUsage where two results would go to standard output.
    """
    if html is None:
        return ""
    if not html or (html != "-" and Path(html).is_dir()):
        raise WrongUsage(f"--html {html!r} is no file", hint="--html FILE, or - for standard output")
    if html == NO_NAME and sys.stdout.isatty():
        return name_of(*subjects)
    if html in (NO_NAME, "-"):
        if form != "table":
            raise WrongUsage(f"standard output cannot carry both --format {form} and the page", hint="--html FILE")
        return "-"
    return html


def name_of(*subjects: str) -> str:
    """Return a plain file name for a page about these.

    >>> name_of("docker://ghcr.io/o/shop:1.4"), name_of("bin/old", "../new/"), name_of("..")
    ('shop-1.4.html', 'old-new.html', 'proa.html')
    """
    words = (re.sub(r"[^\w.]+", "-", one.rstrip("/").rpartition("/")[2]).strip("-.") for one in subjects)
    return ("-".join(word[:80] for word in words if word) or "proa") + ".html"


def write_page(text: str, place: str) -> None:
    """Write a page to ``-`` or, whole or not at all, to a file. Raises NoSpace, NotWritable."""
    from proa.cli import screen
    from proa.outside.machine import write_file

    content = text.encode()
    if place == "-":
        click.echo(content, nl=False)
        return
    write_file(Path(place), content)
    screen.warn(f"wrote {place}: {bytes_text(len(content))}")
