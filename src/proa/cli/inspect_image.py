"""An image's anatomy as lines, as a tree, as Markdown, as JSON, and as a page."""

from __future__ import annotations

import os
from typing import Any

import click

from proa.cli import anatomy_table, options, page_file, screen
from proa.records.image_anatomy import ImageAnatomy, encode_anatomy
from proa.report.markdown_text import plain

_DEFAULT_TOP = 10
_DEFAULT_DEPTH = 3


def show(image: str, *, page: str, **flags: Any) -> None:
    """Inspect an image and print it; ``page`` is where its page goes, empty for none.

    Raises what ``pipeline.inspect.inspect_image`` raises.
    """
    top = _DEFAULT_TOP if flags["top"] is None else flags["top"]
    if not page and not flags["is_tree"]:
        from proa.pipeline.inspect import inspect_image

        with screen.progress() as progress:
            anatomy = inspect_image(image, options.request(**flags), environ=os.environ, progress=progress)
        _print(anatomy, flags["form"], top)
        return
    from proa.pipeline.inspect_whole import inspect_whole_image

    with screen.progress() as progress:
        whole = inspect_whole_image(
            image, options.request(**flags), environ=os.environ, progress=progress, with_program=bool(page)
        )
    if page:
        from proa.report.page import image_page

        text = image_page(whole.anatomy, whole.tree, program=whole.program, program_path=whole.program_path)
        page_file.write_page(text, page)
    if flags["is_tree"]:
        from proa.cli.tree_lines import tree_lines
        from proa.report.branches import image_branches

        branches = image_branches(whole.anatomy, whole.tree)
        for line in tree_lines(
            branches,
            top=top,
            depth=flags["depth"] or _DEFAULT_DEPTH,
            width=anatomy_table.terminal_width(),
            whole=plain(whole.anatomy.reference),
        ):
            click.echo(line)
    elif page != "-":
        _print(whole.anatomy, flags["form"], top)


def _print(anatomy: ImageAnatomy, form: str, top: int) -> None:
    match form:
        case "json":
            click.echo(encode_anatomy(anatomy), nl=False)
        case "markdown":
            click.echo(anatomy_table.markdown(anatomy, top=top), nl=False)
        case _:
            for line in anatomy_table.lines(anatomy, top=top, width=anatomy_table.terminal_width()):
                click.echo(line)
