"""The way to the base as a drawn path: each step brings its own piece of the line, so that its text may wrap."""

from __future__ import annotations

from proa.records.report import Decision, DecisionStep
from proa.report.elements import Markup, folded, tag

_AT = "18"
"""Where the middle of a step's sign is, in pixels from its top."""


def drawn(decision: Decision) -> Markup:
    """Return the steps as a list with the path beside them; what was not taken branches off, dashed."""
    last = len(decision.steps) - 1
    steps = [_step(step, is_first=number == 0, is_last=number == last) for number, step in enumerate(decision.steps)]
    return tag("ol", {"class": "way", "aria-label": "From the program to its base"}, *steps)


def _step(step: DecisionStep, *, is_first: bool, is_last: bool) -> Markup:
    words: list[str] = [tag("span", "step-title", step.title)]
    if step.answer:
        words += [" ", tag("span", f"answer {_mood(step)}", _sign(step), " ", step.answer)]
    inner: list[Markup] = [tag("p", "step-head", *words)]
    if step.because:
        inner.append(tag("p", "because", step.because))
    if step.path:
        calls = (tag("li", "", tag("code", "", one)) for one in step.path)
        noun = "place" if len(step.path) == 1 else "places"
        inner.append(folded(f"the call path, {len(step.path)} {noun}", tag("ol", "calls", *calls)))
    if step.instead:
        inner.append(tag("p", "instead", "not taken: ", step.instead))
    return tag("li", f"step {step.kind}", _piece(step, is_first=is_first, is_last=is_last), tag("div", "", *inner))


def _mood(step: DecisionStep) -> str:
    return {"need": "yes", "unneeded": "no"}.get(step.kind, "asked")


def _sign(step: DecisionStep) -> str:
    return {"need": "\N{CHECK MARK}", "unneeded": "\N{MINUS SIGN}"}.get(step.kind, "\N{RIGHTWARDS ARROW}")


def _piece(step: DecisionStep, *, is_first: bool, is_last: bool) -> Markup:
    """Return the sign of a step with the line through it: 44 pixels wide, as high as the step."""
    parts = []
    if not is_first:
        parts.append(tag("line", {"x1": "14", "x2": "14", "y1": "0", "y2": _AT, "class": "trunk"}))
    if not is_last:
        parts.append(tag("line", {"x1": "14", "x2": "14", "y1": _AT, "y2": "100%", "class": "trunk"}))
    if step.kind in ("need", "unneeded"):
        kind = "trunk" if step.kind == "need" else "aside"
        parts.append(tag("path", {"d": "M14 6 Q14 18 26 18 H34", "class": kind}))
        parts.append(tag("circle", {"cx": "36", "cy": _AT, "r": "5", "class": f"mark {step.kind}"}))
    elif step.kind == "question":
        if step.instead:
            parts.append(tag("path", {"d": "M14 18 H44", "class": "aside"}))
        parts.append(tag("path", {"d": "M14 9 L23 18 L14 27 L5 18 Z", "class": "mark question"}))
    else:
        parts.append(tag("rect", {"x": "5", "y": "9", "width": "18", "height": "18", "rx": "4",
                                  "class": f"mark {step.kind}"}))  # fmt: skip
    return tag("svg", {"class": "piece", "width": "48", "height": "100%", "aria-hidden": "true"}, *parts)
