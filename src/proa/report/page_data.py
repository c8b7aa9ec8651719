"""What the page is told, as plain lists that stay small when there are 60,000 files.

A leaf is ``[name, first, second, mark, note]``, its last fields left out where they are 0 or empty; a branch is
``[name, [below…], note, mark]``. Inspecting, first and second are bytes and compressed bytes, and the mark is the layer
or the kind; comparing, they are bytes before and after, and the mark is the change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.difference import Delta, Difference
from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding, ImageAnatomy, LayerAnatomy, WastedFile
from proa.report.branches import Branch, Kind

KINDS: tuple[Kind, ...] = (
    "file", "symlink", "hardlink", "device", "folder",
    "module", "package", "code", "data", "rest", "sections", "section",
)  # fmt: skip
CHANGES = ("", "added", "removed", "changed")
_REASONS = {
    "removed": "removed",
    "overwritten": "overwritten",
    "metadata": "written again for its mode, owner or time",
    "replaced": "replaced by something else",
    "repeated": "stored twice in one layer",
}


def binary_data(anatomy: BinaryAnatomy, branches: Sequence[Branch]) -> dict[str, Any]:
    """Return what a program's page is told."""
    language = f"Go {anatomy.go_version}" if anatomy.go_version else anatomy.language
    about = [anatomy.format, anatomy.architecture, language]
    return {
        "kind": "binary",
        "title": anatomy.file,
        "about": ", ".join([*about, *([f"with {anatomy.debug_file}"] if anatomy.debug_file else [])]),
        "measures": ["in the file", "compressed"],
        "facts": [
            ["in the file", anatomy.total_bytes],
            ["compressed, about", anatomy.compressed_bytes],
            ["owned by packages", anatomy.attributed_bytes],
            ["loaded when it runs", anatomy.loaded_bytes],
        ],
        "views": [{"id": "packages", "label": "Modules and packages", "below": _nested(branches)}],
        "kinds": KINDS,
        "findings": [_finding(one) for one in anatomy.findings],
    }


def image_data(anatomy: ImageAnatomy, branches: Sequence[Branch]) -> dict[str, Any]:
    """Return what an image's page is told."""
    numbers = {layer.digest: number for number, layer in enumerate(anatomy.layers)}
    return {
        "kind": "image",
        "title": anatomy.reference,
        "about": f"{anatomy.platform}, {len(anatomy.layers)} layers",
        "measures": ["unpacked", "compressed"],
        "facts": [
            ["in a registry", anatomy.compressed_bytes],
            ["stored", anatomy.stored_bytes],
            ["visible", anatomy.visible_bytes],
            ["wasted", anatomy.wasted_bytes],
            ["double", anatomy.duplicate_bytes],
        ],
        "efficiency": anatomy.efficiency,
        "views": [{"id": "files", "label": "Files", "below": _nested(branches)}],
        "kinds": KINDS,
        "layers": [
            _layer(layer, [one for one in anatomy.files if one.layer == layer.digest], numbers)
            for layer in anatomy.layers
        ],
        "wasted_files": anatomy.wasted_files,
        "duplicates": [[one.wasted_bytes, one.copies, list(one.paths)] for one in anatomy.duplicates],
        "findings": [
            {**_finding(one), "path": one.path, "layer": numbers.get(one.layer, -1) + 1} for one in anatomy.findings
        ],
    }


def difference_data(difference: Difference) -> dict[str, Any]:
    """Return what the page of a comparison is told."""
    before, after = difference.before, difference.after
    facts = [("compressed", difference.compressed), ("unpacked" if difference.files else "in all", difference.total)]
    facts += [
        (name, delta) for name, delta in (("program", difference.program), ("wasted", difference.wasted)) if delta
    ]
    views = []
    if difference.files or "image" in (before.kind, after.kind):
        views.append({"id": "files", "label": "Files", "below": _folders(difference.files)})
    if difference.packages or difference.sections or not views:
        views.append({"id": "packages", "label": "Modules and packages", "below": _packages(difference)})
    return {
        "kind": "difference",
        "title": f"{before.reference} \N{RIGHTWARDS ARROW} {after.reference}",
        "about": "; ".join(text for text in (_side("before", before), _side("after", after)) if text),
        "measures": ["by change", "by size"],
        "facts": [[name, delta.before_bytes, delta.after_bytes] for name, delta in facts],
        "views": views,
        "deltas": [[one.name, one.before_bytes, one.after_bytes] for one in difference.layers],
        "changed_files": difference.changed_files,
        "dependencies": [[one.name, one.kind, one.before, one.after] for one in difference.dependencies],
        "settings": [[one.name, one.before, one.after] for one in difference.settings],
        "budgets": [[one.budget, one.is_within, one.message] for one in difference.budgets],
        "new_findings": [{**_finding(one), "path": one.path} for one in difference.new_findings],
        "gone_findings": [{**_finding(one), "path": one.path} for one in difference.gone_findings],
        "findings": [_finding(one) for one in difference.findings],
    }


def _side(word: str, side: Any) -> str:
    known = " ".join(text for text in (side.version, side.digest[:19]) if text)
    return f"{word}: {known}" if known else ""


def _nested(branches: Iterable[Branch]) -> list[Any]:
    return [_node(one) for one in branches]


def _node(branch: Branch) -> list[Any]:
    mark = branch.layer if branch.kind == "file" else 0
    kind = KINDS.index(branch.kind)
    if branch.below:
        return [branch.name, _nested(branch.below), *_short(branch.note, kind, mark)]
    return [branch.name, branch.bytes, branch.compressed_bytes, *_short(mark, kind, branch.note)]


def _short(*fields: Any) -> list[Any]:
    """Return fields without the empty ones at the end.

    >>> _short(0, "x", 0, "")
    [0, 'x']
    """
    kept = list(fields)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _layer(layer: LayerAnatomy, wasted: Sequence[WastedFile], numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "digest": layer.digest,
        "by": layer.instruction,
        "stored": layer.stored_bytes,
        "wasted": layer.wasted_bytes,
        "compressed": layer.compressed_bytes,
        "files": [layer.added.files, layer.changed.files, layer.removed.files],
        "largest": [[one.path, one.bytes] for one in layer.largest],
        "hidden": [
            [one.path, one.bytes, f"{_REASONS[one.reason]}, layer {numbers.get(one.hidden_by, -1) + 1}"]
            for one in wasted
        ],
    }


def _finding(finding: Finding | AnatomyFinding) -> dict[str, Any]:
    return {"id": finding.id, "severity": finding.severity, "message": finding.message, "hint": finding.hint}


def _leaf(name: str, delta: Delta) -> list[Any]:
    mark = CHANGES.index(delta.change)
    if not mark and not (delta.before_bytes and delta.after_bytes):
        mark = CHANGES.index("added" if delta.after_bytes else "removed")
    return [name, delta.before_bytes, delta.after_bytes, *_short(mark)]


_MOST_FOLDERS = 100


def _folders(deltas: Iterable[Delta]) -> list[Any]:
    """Return changed files by their folders."""
    top: list[Any] = []
    known: dict[tuple[str, ...], list[Any]] = {(): top}
    for delta in deltas:
        *folders, name = delta.name.strip("/").split("/", _MOST_FOLDERS)
        here = top
        for depth, folder in enumerate(folders, 1):
            key = tuple(folders[:depth])
            if key not in known:
                known[key] = []
                here.append([folder, known[key]])
            here = known[key]
        here.append(_leaf(name, delta))
    return top


def _packages(difference: Difference) -> list[Any]:
    """Return changed packages below the longest module name that begins theirs; last, sections."""
    modules = {delta.name for delta in difference.modules}
    top: list[Any] = []
    known: dict[str, list[Any]] = {}

    def place(module: str) -> list[Any]:
        if module not in known:
            known[module] = []
            top.append([module, known[module]])
        return known[module]

    for delta in difference.packages:
        module = _owner(delta.name, modules.__contains__)
        (place(module) if module else top).append(_leaf(delta.name, delta))
    for delta in difference.sections:
        place("what no package owns").append(_leaf(delta.name, delta))
    return top


def _owner(package: str, is_module: Callable[[str], bool]) -> str:
    """Return the module of a package, empty where no name says it; Go's own have no dot in their first part.

    >>> _owner("a.example/b/c/d", {"a.example/b", "a.example"}.__contains__), _owner("net/http", {"std"}.__contains__)
    ('a.example/b', 'std')
    """
    name = package
    while name:
        if is_module(name):
            return name
        name = name.rpartition("/")[0]
    is_own = "." not in package.split("/", 1)[0] and package not in ("main", "C")
    return "std" if is_own and is_module("std") else ""
