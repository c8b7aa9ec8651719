"""``proa inspect``."""

from __future__ import annotations

from typing import Any

import click

from proa.cli import options, page_file
from proa.errors import WrongUsage


@click.command()
@click.argument("target", metavar="IMAGE|FILE", required=False)
@options.format_or_markdown_option
@click.option(
    "--top",
    type=click.IntRange(min=0),
    metavar="N",
    help="How many files of an image to show, default 10, or packages of a program, default 20; of each level of a"
    " tree, default 10.",
)
@click.option("--tree", "is_tree", is_flag=True, help="Folders and files, or modules and packages, as a tree of sizes.")
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many levels of the tree to show, default 3 for images, 2 for programs; 3 has a program's symbols.",
)
@page_file.html_option
@click.option("--debug", metavar="FILE", help="The split debug file of a program; default the one in the store.")
@click.option("--symbols", is_flag=True, help="Every symbol of a program, not the 100 largest.")
@click.option(
    "--platform",
    "platforms",
    multiple=True,
    metavar="OS/ARCH",
    help="Which image of an index; default this machine's, and a single image whatever it is for.",
)
@click.option("--insecure-registry", is_flag=True, help="Accept plain http and unknown certificates.")
@click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Layers to read at a time, default 2; for a program: cores to use."
)
def inspect(target: str | None, **flags: Any) -> None:
    """Say what is in an image, layer by layer, or in a program, package by package.

    IMAGE is a registry's (docker://), the docker daemon's, an OCI layout or archive, an archive of `docker save`, or
    the local store's; it is read as a stream. Wasted are the stored bytes of files that the final image does not
    show. Findings inform: the exit status is 0.

    FILE is an ELF, Mach-O or PE program: every byte of it is attributed once, to a package, or to a section.
    """
    from proa.cli import inspect_binary, inspect_image
    from proa.pipeline.inspect import is_program
    from proa.pipeline.inspect_binary import is_other_program

    if target is None and flags["html"] not in (None, page_file.NO_NAME, "-"):
        # `proa inspect --html IMAGE`: the word is what to inspect.
        target, flags["html"] = flags["html"], page_file.NO_NAME
    if target is None:
        raise click.UsageError("Missing argument 'IMAGE|FILE'.", click.get_current_context())
    if len(flags["platforms"]) > 1:
        raise WrongUsage("--platform names one image of an index; inspect them one by one")
    if flags["depth"] and not flags["is_tree"]:
        raise WrongUsage("--depth is for --tree")
    if flags["is_tree"] and flags["form"] != "table":
        raise WrongUsage(f"--tree is drawn for the terminal, and --format {flags['form']} is not")
    page = page_file.place_of(flags["html"], flags["form"], target)
    if page == "-" and flags["is_tree"]:
        raise WrongUsage("standard output cannot carry both the tree and the page", hint="--html FILE")
    if not (is_program(target) or is_other_program(target)):
        if flags["debug"] or flags["symbols"]:
            raise WrongUsage("--debug and --symbols are for programs, and this is none")
        inspect_image.show(target, page=page, **flags)
        return
    if flags["platforms"]:
        raise WrongUsage("--platform is for images; a program has one")
    inspect_binary.show(
        target,
        form=flags["form"],
        debug=flags["debug"] or "",
        top=flags["top"],
        every_symbol=flags["symbols"],
        jobs=flags["jobs"] or 0,
        depth=(flags["depth"] or 2) if flags["is_tree"] else 0,
        page=page,
    )
