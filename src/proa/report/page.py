"""Records as one self-contained HTML page that works offline: ``proa inspect --html``, ``proa diff --html``.

The page is a template, a stylesheet and a script of our own, and the data as JSON. Its Content-Security-Policy allows
this one script and this one stylesheet, by their hashes, and nothing else: no request can leave it. Names from images
and programs reach the page only inside the JSON, and the script writes them as text.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any

from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.difference import Difference
from proa.records.image_anatomy import ImageAnatomy
from proa.records.image_tree import ImageTree
from proa.report import page_data
from proa.report.branches import binary_branches, image_branches


def binary_page(anatomy: BinaryAnatomy) -> str:
    """Return the page of a program: modules, packages and as many symbols as the record has."""
    return _page(page_data.binary_data(anatomy, binary_branches(anatomy)))


def image_page(
    anatomy: ImageAnatomy, tree: ImageTree, *, program: BinaryAnatomy | None = None, program_path: str = ""
) -> str:
    """Return the page of an image: its files, its layers, and what is in the program at ``program_path``."""
    branches = image_branches(anatomy, tree, program=program, program_path=program_path)
    return _page(page_data.image_data(anatomy, branches))


def difference_page(difference: Difference) -> str:
    """Return the page of a comparison."""
    return _page(page_data.difference_data(difference))


def _page(data: dict[str, Any]) -> str:
    script, style = part("page.js"), part("page.css")
    title = html.escape(f"proa: {data['title']}").encode("ascii", "xmlcharrefreplace").decode()
    parts = {
        "title": title,
        "policy": f"default-src 'none'; script-src '{hash_of(script)}'; style-src '{hash_of(style)}'; "
        "base-uri 'none'; form-action 'none'",
        "style": style,
        "script": script,
        "data": embedded(data),
        "map": part("map.html"),
    }
    return filled("page.html", parts)


def filled(template: str, parts: Mapping[str, str]) -> str:
    """Return a template with its parts put in; what stands in the parts is not looked at again."""
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], part(template))


def embedded(data: Any) -> str:
    r"""Return JSON that ends no script element, whatever the names in it are; ASCII only.

    >>> embedded(["</script><!--", "\u2028"])
    '["\\u003c/script\\u003e\\u003c!--","\\u2028"]'
    """
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def style_and_policy(*names: str) -> tuple[str, str]:
    """Return stylesheets as one, and the policy of a page that has it and no script."""
    style = "".join(part(name) for name in names)
    return style, f"default-src 'none'; style-src '{hash_of(style)}'; base-uri 'none'; form-action 'none'"


def part(name: str) -> str:
    """Return one of the files that pages are made of."""
    return resources.files("proa.report").joinpath("data", name).read_text("utf-8")


def hash_of(text: str) -> str:
    """Return what a policy calls a script or a stylesheet by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
