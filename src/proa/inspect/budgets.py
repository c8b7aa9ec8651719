"""Whether what changed is within its budgets. Pure.

A budget that nothing fits is told: a pattern that was mistyped must not look like one that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from proa.inspect.budget_limits import Limit
from proa.inspect.difference import UNCOMPRESSED, Compared
from proa.records.difference import Delta, Dependency, Difference, Judged, Measure
from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding

_MOST_OF_ONE = 100
"""Judgements of one budget that are kept: more only repeat themselves (arbitrary)."""
_WHOLES: dict[str, tuple[Measure, str]] = {
    "image": ("image", "the image's compressed layers"),
    "unpacked": ("unpacked", "the image's contents"),
    "binary": ("binary", "the program's file"),
    "wasted": ("wasted", "what the image stores and does not show"),
}
_NEW_FINDINGS: dict[str, Callable[[AnatomyFinding], bool]] = {
    "set-uid": lambda one: one.id in ("setuid", "setgid"),
    "root-user": lambda one: one.id == "user.root",
    "secret": lambda one: one.id.startswith("secret."),
    "writable": lambda one: one.id == "world-writable",
    "error": lambda one: one.severity == "error",
}
UNREAD_PACKAGES = "diff.rpm"
"""The finding's id where an image has its packages in a database that is not read."""
_NEW_DEPENDENCIES = {"dependency": "module", "system-package": "system-package"}


def judge(compared: Compared, limits: Sequence[Limit]) -> tuple[tuple[Judged, ...], tuple[Finding, ...]]:
    """Return what each budget says, in their order, and those that nothing fits.

    A pattern is judged for everything it fits: each that is over is told, and one that is within where all are.
    """
    judged: list[Judged] = []
    findings = []
    for limit in limits:
        if limit.kind == "new":
            found = list(_rule(compared.difference, limit))
        else:
            found = [_judged(limit, measure, delta) for measure, delta in _measured(compared, limit)]
        if not found:
            findings.append(_unmatched(compared.difference, limit))
        over = [one for one in found if not one.is_within]
        within = sorted((one for one in found if one.is_within), key=lambda one: -(one.actual_bytes or 0))
        judged += over[:_MOST_OF_ONE] or within[:1]
    return tuple(judged), tuple(findings)


def _measured(compared: Compared, limit: Limit) -> Iterator[tuple[Measure, Delta]]:
    """Yield every quantity that a budget is about."""
    difference = compared.difference
    is_image = difference.after.kind == "image"
    if _is_incomparable(difference, limit):
        return
    match limit.group:
        case "image" if is_image:
            yield "image", difference.compressed
        case "unpacked" if is_image:
            yield "unpacked", difference.total
        case "binary" | "packages" if not _has_program(difference):
            return
        case "binary" if difference.program is not None:
            yield "binary", difference.program
        case "wasted" if difference.wasted is not None:
            yield "wasted", difference.wasted
        case "layers":
            yield from (("layer", one) for one in _layers(compared, limit.subject))
        case "packages":
            fits = _pattern(limit.subject)
            yield from (("module", one) for one in compared.modules if fits(one.name))
            yield from (("package", one) for one in compared.packages if fits(one.name))
        case "files":
            fits = _pattern(limit.subject)
            yield from (("file", one) for one in compared.files if fits(one.name))
        case _:
            return


def _is_incomparable(difference: Difference, limit: Limit) -> bool:
    """Say whether growth would be that from compressed layers to others, or back."""
    is_about_layers = limit.kind == "growth" and limit.group in ("image", "layers")
    return is_about_layers and any(one.id == UNCOMPRESSED and one.severity == "warning" for one in difference.findings)


def _has_program(difference: Difference) -> bool:
    """Say whether the later side has a program: one that cannot be read is not one of no size."""
    return difference.program is not None and difference.program.change != "removed"


def _layers(compared: Compared, subject: str) -> Iterator[Delta]:
    fits = _pattern(subject)
    named = [one for one in compared.layers if fits(one.name)]
    if not named and subject.isascii() and subject.isdecimal():
        there = [one for one in compared.layers if one.change != "removed"]
        named = there[int(subject) - 1 : int(subject)] if 0 < int(subject[:9]) <= len(there) else []
    yield from named


def _pattern(text: str) -> Callable[[str], bool]:
    """Return whether a name fits: ``*`` stands for any characters."""
    parts = re.split(r"\*+", text)
    if len(parts) == 1:
        return lambda name: name == text
    return lambda name: _fits(name, parts)


def _fits(name: str, parts: Sequence[str]) -> bool:
    """Say whether a name has these parts in this order, the first at its beginning and the last at its end."""
    first, *between, last = parts
    if not name.startswith(first) or len(name) < len(first) + len(last) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in between:
        at = name.find(part, at, end)
        if at < 0:
            return False
        at += len(part)
    return True


def _judged(limit: Limit, measure: Measure, delta: Delta) -> Judged:
    allowed = limit.allowed_bytes(delta.before_bytes)
    is_growth = limit.kind == "growth"
    actual = delta.grown_bytes if is_growth else delta.after_bytes
    subject = "" if measure in _WHOLES else delta.name
    what = _WHOLES[measure][1] if measure in _WHOLES else f"the {measure} {delta.name}"
    if is_growth:
        sizes = f"from {delta.before_bytes:,} to {delta.after_bytes:,} bytes"
        said = f"{what} {'grew' if actual >= 0 else 'shrank'} by {abs(actual):,} bytes ({sizes})"
    else:
        said = f"{what} takes {actual:,} bytes" if not what.endswith("layers") else f"{what} take {actual:,} bytes"
    is_within = actual <= allowed
    over = "" if is_within else f", {actual - allowed:,} over"
    return Judged(
        budget=limit.name,
        measure=measure,
        subject=subject,
        limit=limit.text,
        limit_bytes=allowed,
        actual_bytes=actual,
        is_within=is_within,
        message=f"{said}; allowed {'growth ' if is_growth else ''}{allowed:,}{over}",
    )


def _rule(difference: Difference, limit: Limit) -> Iterator[Judged]:
    rule = limit.subject
    if _is_unread(difference, rule):
        return
    new: list[tuple[str, str]] = []
    if rule in _NEW_DEPENDENCIES:
        new = [(one.name, _said(one)) for one in difference.dependencies if _is_new(one, _NEW_DEPENDENCIES[rule])]
    elif difference.after.kind == "image":
        new = [(one.path, one.message) for one in difference.new_findings if _NEW_FINDINGS[rule](one)]
    if difference.after.kind != "image" and rule != "dependency":
        return
    for subject, message in new:
        yield _ruled(limit, subject, f"new: {message}", is_within=False)
    if not new:
        yield _ruled(limit, "", f"nothing new: {rule}", is_within=True)


def _is_unread(difference: Difference, rule: str) -> bool:
    """Say whether what a rule is about could not be read, so that nothing is known to be new, or not to be."""
    if rule == "dependency":
        return not _has_program(difference)
    return rule == "system-package" and any(one.id == UNREAD_PACKAGES for one in difference.findings)


def _is_new(dependency: Dependency, kind: str) -> bool:
    return dependency.kind == kind and not dependency.before


def _said(dependency: Dependency) -> str:
    return f"{dependency.kind} {dependency.name} {dependency.after}".rstrip()


def _ruled(limit: Limit, subject: str, message: str, *, is_within: bool) -> Judged:
    return Judged(
        budget=limit.name, measure="rule", subject=subject, limit="none new", is_within=is_within, message=message
    )


def _unmatched(difference: Difference, limit: Limit) -> Finding:
    is_for_images = limit.group in ("image", "unpacked", "wasted", "layers", "files", "no_new")
    if difference.after.kind == "binary" and is_for_images:
        message = f"the budget {limit.name} was not judged: it is for images, and these are programs"
        hint = "compare images to have it judged"
    elif _is_incomparable(difference, limit):
        message = f"the budget {limit.name} was not judged: one side's layers are compressed, the other's are not"
        hint = "compare images of a registry or a layout, or give `unpacked` a budget"
    elif limit.subject == "system-package" and limit.kind == "new":
        message = f"the budget {limit.name} was not judged: a database of packages is not read"
        hint = "proa reads those of dpkg and apk"
    elif (limit.group in ("binary", "packages") or limit.kind == "new") and not _has_program(difference):
        message = f"the budget {limit.name} was not judged: no program was found that could be read"
        hint = "`proa inspect IMAGE` tells what the image starts"
    else:
        message = f"the budget {limit.name} fits nothing on either side"
        hint = "see the names in `proa diff --format json`; * stands for any characters"
    return Finding(id="diff.budget-unmatched", severity="warning", message=message, hint=hint)
