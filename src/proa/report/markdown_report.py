"""A report as Markdown: the same figures as the page, without its drawings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.records.comparison import Comparison, Variant
from proa.records.evidence import Finding
from proa.records.report import Bill, Decision, ImageReport, Release, Report
from proa.records.trial import Trial
from proa.report import figures
from proa.report.image_sections import VERDICTS, release_name, user_words
from proa.report.markdown_text import code, prose
from proa.report.sizes import size_text

_MOST_ROWS = 200
_NONE = "\N{EN DASH}"


def markdown(report: Report) -> str:
    """Return the whole report."""
    blocks: list[str] = []
    if report.image is not None:
        blocks += _image(report.image)
    if report.comparison is not None:
        blocks += _comparison(report.comparison)
    blocks.append(f"_Made by proa on {prose(report.made_at)}; 1 MB = 1,000,000 bytes._")
    return "\n\n".join(block for block in blocks if block) + "\n"


def _image(image: ImageReport) -> Iterator[str]:
    trial = image.trial
    yield f"# {code(image.reference)}"
    yield _pairs(
        [
            ("digest", code(image.digest)),
            ("platform", code(image.platform)),
            ("program", code(image.program)),
            ("version", code(image.version)),
            ("in a registry", size_text(image.compressed_bytes)),
            ("unpacked", size_text(image.unpacked_bytes)),
            ("program's size", size_text(image.binary.total_bytes) if image.binary else ""),
            ("start, one run", figures.seconds(trial.ready_s) if trial and trial.ready_s else ""),
            ("peak memory", size_text(trial.rss_bytes) if trial and trial.rss_bytes else ""),
            ("user", prose(user_words(image.user))),
            ("starts", code(" ".join(image.start)) or "nothing of its own"),
            ("source", code(image.source)),
            ("created", prose(image.created)),
        ]
    )
    yield from _findings(image.findings)
    if image.decision is not None:
        yield from _decision(image.decision)
    if trial is not None:
        yield from _trial(trial)
    yield from _layers(image)
    yield from _bill(image.bill)
    yield from _history(image.history, image.history_places)
    if image.unknown:
        yield "## What is not known"
        yield "\n".join(f"- {prose(one)}" for one in image.unknown)


def _findings(findings: Sequence[Finding]) -> Iterator[str]:
    yield "## Findings"
    if not findings:
        yield "Nothing was found that is worth telling."
        return
    rows = [[one.severity, code(one.id), prose(one.message), prose(one.hint)] for one in findings]
    yield _table(("severity", "finding", "what", "what to do"), rows)


def _decision(decision: Decision) -> Iterator[str]:
    yield "## Why this base"
    lines = []
    for step in decision.steps:
        indent = "  " if step.kind in ("need", "unneeded") else ""
        answer = f": {prose(step.answer)}" if step.answer else ""
        because = f" — {prose(step.because)}" if step.because else ""
        lines.append(f"{indent}- **{prose(step.title)}**{answer}{because}")
        lines += [f"{indent}  {number}. {code(one)}" for number, one in enumerate(step.path, 1)]
        if step.instead:
            lines.append(f"{indent}  - not taken: {prose(step.instead)}")
    yield "\n".join(lines)
    rows = [[code(one.path), size_text(one.bytes), prose(one.reason)] for one in decision.files]
    yield _table(("file", "size", "why it is there"), rows, right=(1,))


def _trial(trial: Trial) -> Iterator[str]:
    yield "## Trial under limits"
    yield f"**{VERDICTS[trial.verdict]}**: {prose(trial.reason)}"
    limits = trial.limits
    confined = f"{trial.isolation}, by {trial.engine}" if trial.engine else trial.isolation
    yield _pairs(
        [
            ("first answer", figures.seconds(trial.ready_s) if trial.ready_s else ""),
            ("peak memory", size_text(trial.rss_bytes) if trial.rss_bytes else ""),
            ("stopped in", figures.seconds(trial.stop_s) if trial.stop_s else ""),
            ("ports", ", ".join(str(port) for port in trial.ports)),
            ("memory limit", size_text(limits.memory_bytes)),
            ("ran as", code(limits.user)),
            ("root file system", "read-only" if limits.is_root_read_only else "writable"),
            ("confined", prose(confined)),
            ("contacted", ", ".join(code(one) for one in trial.contacted[:20])),
            ("missed", ", ".join(code(one) for one in trial.missed_files[:20])),
        ]
    )


def _layers(image: ImageReport) -> Iterator[str]:
    anatomy = image.anatomy
    yield "## Layers"
    rows = [
        [str(number), size_text(one.compressed_bytes), size_text(one.stored_bytes), size_text(one.wasted_bytes),
         code(one.instruction or one.digest)]
        for number, one in enumerate(anatomy.layers, 1)
    ]  # fmt: skip
    yield _table(("", "compressed", "stored", "wasted", "made by"), rows, right=(0, 1, 2, 3))
    packages = image.binary.packages[:20] if image.binary else ()
    if packages:
        yield "The largest packages of its program:"
        rows = [[code(one.name), prose(one.version), size_text(one.bytes)] for one in packages]
        yield _table(("package", "version", "size"), rows, right=(2,))


def _bill(bill: Bill) -> Iterator[str]:
    yield "## What it is made of"
    if bill.language:
        yield f"Written in {prose(bill.language)}."
    if bill.modules:
        rows = [
            [code(one.path), prose(one.version) or _NONE, size_text(one.bytes) if one.bytes else "nothing linked"]
            for one in bill.modules
        ]
        yield _table(("module", "version", "in the program"), rows, right=(2,))
    if bill.system_packages:
        rows = [[code(one.name), prose(one.version)] for one in bill.system_packages]
        yield _table(("package", "version"), rows)
    if bill.system_files:
        yield _table(("file", "made from"), [[code(one.path), prose(one.source)] for one in bill.system_files])
    if bill.notes:
        yield "\n".join(f"- {prose(one)}" for one in bill.notes)


def _history(releases: Sequence[Release], places: Sequence[str]) -> Iterator[str]:
    yield "## Earlier shipments"
    if len(releases) < 2:
        yield "No other shipment of this program is known."
    else:
        rows = [
            [
                code(release_name(one)) + (" (this one)" if one.is_this else ""),
                prose(one.created[:10]) or _NONE,
                size_text(one.compressed_bytes),
                size_text(one.binary_bytes) if one.binary_bytes else _NONE,
                figures.seconds(one.ready_s) if one.ready_s else _NONE,
                size_text(one.rss_bytes) if one.rss_bytes else _NONE,
                code(one.digest[7:19]),
            ]
            for one in reversed(releases)
        ]
        heads = ("release", "created", "compressed", "program", "start, one run", "peak memory", "digest")
        yield _table(heads, rows, right=(2, 3, 4, 5))
    if places:
        yield f"Looked for in {', '.join(code(one) for one in places)}."


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"# {code(comparison.subject) if comparison.subject else 'Variants'} side by side"
    shown = figures.present(comparison)
    rows = [
        [
            _variant(variant, comparison),
            figures.VERDICTS[variant.verdict],
            *(prose(figures.written(variant, figure)) or _NONE for figure in shown),
        ]
        for variant in comparison.variants
    ]
    heads = ("variant", "result", *(one.title.lower() for one in shown))
    yield _table(heads, rows, right=range(2, len(heads)))
    yield "In brackets: 95 % intervals of the median."
    contrasts = [
        [code(one.name), prose(_title(one.figure)), prose(figures.against(one))] for one in comparison.comparisons
    ]
    if contrasts:
        yield f"Against {code(comparison.baseline)}:"
        yield _table(("variant", "figure", "difference"), contrasts)
    reasons = [f"- {code(one.name)}: {prose(one.reason)}" for one in comparison.variants if one.reason]
    if reasons:
        yield "Not measured:\n\n" + "\n".join(reasons)
    yield from _findings(comparison.findings) if comparison.findings else ()
    yield "## How it was measured"
    took = figures.seconds(comparison.took_s) if comparison.took_s else ""
    yield _pairs(
        [
            ("started", prose(comparison.started_at)),
            ("took", took),
            ("rounds", str(comparison.rounds) if comparison.rounds else ""),
            *((name, prose(value)) for name, value in figures.machine_words(comparison.machine)),
            ("to repeat it", code(comparison.command, most=2_000)),
        ]
    )
    if comparison.machine.notes:
        yield "\n".join(f"- {prose(one)}" for one in comparison.machine.notes)


def _variant(variant: Variant, comparison: Comparison) -> str:
    return code(variant.name) + (" (baseline)" if variant.name == comparison.baseline else "")


def _title(field: str) -> str:
    return next((one.title.lower() for one in figures.FIGURES if one.field == field), field)


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return _table(("", ""), [[name, value] for name, value in pairs if value])


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] | range = ()) -> str:
    if not rows:
        return ""
    rule = "|".join("---:" if at in right else "---" for at in range(len(heads)))
    lines = [f"| {' | '.join(heads)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows[:_MOST_ROWS])]
    if len(rows) > _MOST_ROWS:
        lines.append(f"| …and {len(rows) - _MOST_ROWS:,} more | {' | '.join('' for _ in heads[1:])} |")
    return "\n".join(lines)
