"""``proa report`` as one self-contained HTML page of at most 5 MB.

Everything but the map is markup, so it is there without a script, in print and for a reader by ear; the map is the
page of ``proa inspect``. The policy allows that one script and this one stylesheet and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.image_tree import ImageTree
from proa.records.report import Report
from proa.report import page_data
from proa.report.branches import Branch, image_branches
from proa.report.comparison_sections import comparison_sections
from proa.report.elements import Markup, broken, tag, text
from proa.report.image_sections import VERDICTS, image_sections, later_sections, tiles
from proa.report.page import embedded, filled, hash_of, part

MOST_BYTES = 5_000_000
_LEAST_NAMES = 50
_Parts = list[tuple[str, str, Markup]]


def report_page(
    report: Report, *, tree: ImageTree | None = None, program: BinaryAnatomy | None = None, program_path: str = ""
) -> str:
    """Return the page; ``tree`` and ``program`` are for the map.

    At most 5 MB: where it would be more, the smallest names of each folder go together.
    """
    before, after = list(_before(report)), list(_after(report))
    if report.image is None or tree is None:
        return _page(report, before, after, "", [])
    image = report.image
    branches = image_branches(image.anatomy, tree, program=program, program_path=program_path)
    most = sum(_count(one) for one in branches)
    while True:
        data = page_data.image_data(image.anatomy, branches)
        # Told above, with what proa itself found.
        data |= {"title": "What is in it", "about": "every file and package by its size", "findings": []}
        page = _page(report, before, after, embedded(data), [("inside", "What is in it")])
        if len(page.encode()) <= MOST_BYTES or most <= _LEAST_NAMES:
            return page
        most //= 2
        branches = _trimmed(branches, most)


def _page(report: Report, before: _Parts, after: _Parts, data: str, inside: Sequence[tuple[str, str]]) -> str:
    style = part("page.css") + part("report.css")
    script = part("page.js") if data else ""
    allowed = f"script-src '{hash_of(script)}'; " if script else ""
    links = [*((anchor, title) for anchor, title, _ in before), *inside, *((one, title) for one, title, _ in after)]
    title = _title(report).encode("ascii", "xmlcharrefreplace").decode()
    parts = {
        "title": title,
        "policy": f"default-src 'none'; {allowed}style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'",
        "style": style,
        "head": _head(report),
        "parts": tag("ul", "", *(tag("li", "", tag("a", {"href": f"#{one}"}, name)) for one, name in links)),
        "before": "\n".join(markup for _, _, markup in before),
        "inside": _inside() if data else "",
        "after": "\n".join(markup for _, _, markup in after),
        "foot": text(_foot(report)),
        "scripts": _scripts(data, script) if data else "",
    }
    return filled("report.html", parts)


def _title(report: Report) -> Markup:
    return text(f"proa: {_subject(report)}")


def _subject(report: Report) -> str:
    if report.image is not None:
        return report.image.reference
    comparison = report.comparison
    if comparison is None:
        return "report"
    return comparison.subject or " / ".join(one.name for one in comparison.variants[:4])


def _head(report: Report) -> str:
    image, comparison = report.image, report.comparison
    subject = tag("h1", "", broken(_subject(report)))
    if image is None:
        count = len(comparison.variants) if comparison else 0
        about = tag("p", "quiet", f"{count} variants side by side")
        return tag("div", "", tag("p", "kicker", "Comparison"), subject, about)
    words = [image.platform, image.version, f"created {image.created[:10]}" if image.created else ""]
    verdict = tag("p", "badge", VERDICTS[image.trial.verdict], " in its trial") if image.trial else None
    about = tag("p", "quiet", " · ".join(word for word in words if word))
    return tag("div", "", tag("p", "kicker", "Image"), subject, about, verdict, tiles(image))


def _before(report: Report) -> Iterator[tuple[str, str, Markup]]:
    if report.image is not None:
        yield from image_sections(report.image)
    if report.comparison is not None:
        yield from comparison_sections(report.comparison)


def _after(report: Report) -> Iterator[tuple[str, str, Markup]]:
    if report.image is not None:
        yield from later_sections(report.image)


def _inside() -> str:
    return (
        '<section id="inside" aria-labelledby="title">\n<h2 id="title"></h2><p id="about"></p><dl id="facts"></dl>\n'
        "<noscript><p>The map is drawn by this page's own script. All else is here without it.</p></noscript>\n"
        f'{part("map.html")}<div id="sections"></div>\n</section>'
    )


def _scripts(data: str, script: str) -> str:
    return (
        '<div id="tip" role="tooltip" hidden></div>\n'
        f'<script id="data" type="application/json">{data}</script>\n<script>{script}</script>'
    )


def _foot(report: Report) -> str:
    return (
        f"Made by proa on {report.made_at}. Sizes are decimal: 1 MB = 1,000,000 bytes. Compressed bytes of one name "
        "are an estimate: its share of what is compressed together. This file asks the network for nothing."
    )


def _count(branch: Branch) -> int:
    return 1 + sum(_count(one) for one in branch.below)


def _trimmed(branches: Sequence[Branch], most: int) -> tuple[Branch, ...]:
    """Return about ``most`` names: of each level the largest, the rest together, so that all sums stay as they are."""
    room = max(most, 2)
    whole = sum(_count(one) for one in branches) or 1
    kept = []
    for one in branches[:room]:
        share = room * _count(one) // whole
        below = _trimmed(one.below, share) if one.below and share >= 2 else ()
        kept.append(msgspec.structs.replace(one, name=one.name[:200], below=below))
    return (*kept, *_together(branches[room:]))


def _together(branches: Sequence[Branch]) -> Iterator[Branch]:
    """Yield one branch for the leaves of each layer."""
    by_layer: dict[int, list[Branch]] = {}
    for leaf in _leaves(branches):
        by_layer.setdefault(leaf.layer, []).append(leaf)
    for layer, leaves in by_layer.items():
        is_file = leaves[0].kind not in ("code", "data", "rest", "section", "package")
        yield Branch(
            name=f"{len(leaves):,} smaller ones",
            kind="file" if is_file else "rest",
            layer=layer,
            bytes=sum(one.bytes for one in leaves),
            compressed_bytes=sum(one.compressed_bytes for one in leaves),
        )


def _leaves(branches: Sequence[Branch]) -> Iterator[Branch]:
    for one in branches:
        if one.below:
            yield from _leaves(one.below)
        else:
            yield one
