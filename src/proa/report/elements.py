"""Markup made by functions: every text is escaped where it goes in, so no name is ever read as markup."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

from proa.report.markdown_text import plain


class Markup(str):
    """Text that is markup already, made by ``tag``."""

    __slots__ = ()


Child = str | None
_VOID = frozenset({"br", "hr", "line", "rect", "circle", "path"})


def tag(name: str, attributes: Mapping[str, str | None] | str = "", *children: Child) -> Markup:
    r"""Return an element; ``attributes`` alone as a text is its class. Plain text is escaped.

    >>> tag("p", "quiet", "a < b & c", tag("br"))
    '<p class="quiet">a &lt; b &amp; c<br></p>'
    >>> tag("a", {"href": "#x\"", "id": None}, "y")
    '<a href="#x&quot;">y</a>'
    """
    given = {"class": attributes or None} if isinstance(attributes, str) else attributes
    written = "".join(f' {key}="{html.escape(plain(value))}"' for key, value in given.items() if value is not None)
    if name in _VOID and not children:
        return Markup(f"<{name}{written}>" if name in ("br", "hr") else f"<{name}{written}/>")
    return Markup(f"<{name}{written}>{together(children)}</{name}>")


def together(children: Iterable[Child]) -> Markup:
    """Return children one after the other."""
    return Markup("".join(text(child) for child in children if child))


def text(child: str) -> Markup:
    r"""Return markup as it is, and text escaped, signs that steer written out.

    >>> text("<b>"), text("a\u202eb"), text(tag("b", "", "x"))
    ('&lt;b&gt;', 'a\\u202eb', '<b>x</b>')
    """
    return child if isinstance(child, Markup) else Markup(html.escape(plain(child)))


def broken(name: str) -> Markup:
    """Return a name that breaks after its slashes.

    >>> broken("a/b")
    'a/<wbr>b'
    """
    return Markup(text(name).replace("/", "/<wbr>"))


def section(title: str, anchor: str, *children: Child) -> Markup:
    """Return a part of the page with its heading."""
    heading = tag("h2", {"id": f"{anchor}-title"}, title)
    return tag("section", {"id": anchor, "aria-labelledby": f"{anchor}-title"}, heading, *children)


def table(
    caption: str, heads: Sequence[str], rows: Iterable[Sequence[Child]], *, numbers: Iterable[int] = ()
) -> Markup:
    """Return a table that becomes a list of cards on a phone; the first cell of a row is its heading.

    The roles stay what they are where the style makes blocks of cells. Source: HTML Accessibility API Mappings.
    """
    right = frozenset(numbers)
    style = ["number" if at in right else "" for at in range(len(heads))]
    head = [tag("th", {"scope": "col", "role": "columnheader", "class": style[at] or None}, name)
            for at, name in enumerate(heads)]  # fmt: skip
    body = []
    for row in rows:
        first, *rest = row
        cells = [tag("th", {"scope": "row", "role": "rowheader"}, first)]
        for at, cell in enumerate(rest, 1):
            given = {"role": "cell", "data-head": heads[at], "class": style[at] or None}
            cells.append(tag("td", given, cell or "\N{EN DASH}"))
        body.append(tag("tr", {"role": "row"}, *cells))
    return tag(
        "table",
        {"role": "table", "class": "cards"},
        tag("caption", "", caption),
        tag("thead", {"role": "rowgroup"}, tag("tr", {"role": "row"}, *head)),
        tag("tbody", {"role": "rowgroup"}, *body),
    )


def folded(summary: str, *children: Child, is_open: bool = False) -> Markup:
    """Return what opens by a click, and in print by itself."""
    return tag("details", {"open": "" if is_open else None}, tag("summary", "", summary), *children)


def facts(pairs: Iterable[tuple[str, Child]], *, columns: str = "") -> Markup:
    """Return names with their values, those that have one; ``two`` columns where there is room."""
    rows = (tag("div", "", tag("dt", "", name), tag("dd", "", value)) for name, value in pairs if value)
    return tag("dl", f"facts {columns}".strip(), *rows)
