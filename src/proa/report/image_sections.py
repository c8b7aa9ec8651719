"""An image on a page: its summary, why this base, its trial, its parts, its history. The map is a script's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proa.records.evidence import Finding
from proa.records.report import Bill, Decision, ImageReport, Release
from proa.records.trial import Trial
from proa.report import figures
from proa.report.decision_drawing import drawn
from proa.report.elements import Child, Markup, broken, facts, folded, section, table, tag
from proa.report.plots import Point, history_plot
from proa.report.sizes import size_text

VERDICTS = {
    "ready": "\N{CHECK MARK} ready",
    "started": "\N{CHECK MARK} started",
    "not-ready": "\N{BLACK UP-POINTING TRIANGLE} not ready",
    "failed": "\N{HEAVY MULTIPLICATION X} failed",
    "skipped": "\N{EN DASH} skipped",
}
SEVERITIES = {
    "error": "\N{HEAVY MULTIPLICATION X} error",
    "warning": "\N{BLACK UP-POINTING TRIANGLE} warning",
    "info": "i info",
}
_OPEN_ROWS = 12
"""So many rows of a table are shown at once; the rest opens by a click."""
_MOST_ROWS = 3_000


def tiles(image: ImageReport) -> Markup:
    """Return the figures one asks for first."""
    trial = image.trial
    program = image.binary.total_bytes if image.binary else None
    pairs = [
        ("in a registry", size_text(image.compressed_bytes), "compressed layers"),
        ("unpacked", size_text(image.unpacked_bytes), "layers as archives"),
        ("program", size_text(program) if program is not None else "", "the file it starts"),
        ("start", figures.seconds(trial.ready_s) if trial and trial.ready_s else "", "exec to first answer, one run"),
        ("peak memory", size_text(trial.rss_bytes) if trial and trial.rss_bytes else "", "in its trial"),
        ("user", user_words(image.user), "as the image says"),
    ]
    shown = (
        tag("div", "tile", tag("dt", "", name), tag("dd", "", _sized(value), tag("small", "", note)))
        for name, value, note in pairs
        if value
    )
    return tag("dl", "tiles", *shown)


def _sized(value: str) -> Markup:
    return tag("span", "long" if len(value) > 9 else "", value)


def user_words(user: str) -> str:
    """Return whom an image runs as.

    >>> user_words(""), user_words("65532:65532"), user_words("0")
    ('root', '65532:65532', '0 (root)')
    """
    if not user:
        return "root"
    return f"{user} (root)" if user.partition(":")[0] in ("0", "root") and user != "root" else user


def image_sections(image: ImageReport) -> Iterator[tuple[str, str, Markup]]:
    """Yield the anchor, the title and the markup of each part, but the map."""
    yield "image", "Image", section("Image", "image", _identity(image))
    yield "findings", "Findings", section("Findings", "findings", *finding_list(image.findings))
    if image.decision is not None:
        yield "base", "Why this base", section("Why this base", "base", *_decision(image.decision))
    if image.trial is not None:
        yield "trial", "Trial under limits", section("Trial under limits", "trial", *_trial(image.trial))


def later_sections(image: ImageReport) -> Iterator[tuple[str, str, Markup]]:
    """Yield what stands below the map."""
    yield "parts", "What it is made of", section("What it is made of", "parts", *_bill(image.bill))
    yield "history", "Earlier shipments", section("Earlier shipments", "history", *_history(image))
    if image.unknown:
        rows = (tag("li", "", one) for one in image.unknown)
        yield "unknown", "What is not known", section("What is not known", "unknown", tag("ul", "notes", *rows))


def _identity(image: ImageReport) -> Markup:
    return facts(
        [
            ("digest", tag("code", "", image.digest)),
            ("platform", image.platform),
            ("program", broken(image.program) if image.program else None),
            ("version", image.version),
            ("starts", tag("code", "", " ".join(image.start)) if image.start else "nothing of its own"),
            ("source", broken(image.source) if image.source else None),
            ("created", image.created),
        ]
    )


def finding_list(findings: Iterable[Finding]) -> Iterator[Child]:
    """Yield the findings, the worst first; a sentence where there are none."""
    order = ("error", "warning", "info")
    listed = sorted(findings, key=lambda one: order.index(one.severity))
    if not listed:
        yield tag("p", "", "\N{CHECK MARK} Nothing was found that is worth telling.")
        return
    items = [
        tag(
            "li",
            "",
            tag("p", "", _severity(one), " ", tag("code", "", one.id)),
            tag("p", "", one.message),
            tag("p", "hint", one.hint) if one.hint else None,
        )
        for one in listed[:_MOST_ROWS]
    ]
    yield tag("ul", "findings", *items[:_OPEN_ROWS])
    if len(items) > _OPEN_ROWS:
        yield folded(f"{len(items) - _OPEN_ROWS} more", tag("ul", "findings", *items[_OPEN_ROWS:]))


def _severity(finding: Finding) -> Markup:
    return tag("span", f"severity {finding.severity}", SEVERITIES[finding.severity])


def _decision(decision: Decision) -> Iterator[Child]:
    if decision.steps:
        yield drawn(decision)
    if decision.files:
        rows: list[list[Child]] = [
            [tag("code", "", broken(one.path)), size_text(one.bytes), one.reason] for one in decision.files
        ]
        yield from _long_table("Each file that was put in, and why", ["File", "Size", "Why it is there"], rows, {1})


def _trial(trial: Trial) -> Iterator[Child]:
    yield tag("p", "verdict", tag("strong", "", VERDICTS[trial.verdict]), ": ", trial.reason)
    if trial.remedy:
        yield tag("p", "hint", trial.remedy)
    limits = trial.limits
    root = "read-only" if limits.is_root_read_only else "writable"
    yield facts(
        [
            ("first answer", figures.seconds(trial.ready_s) if trial.ready_s else ""),
            ("listening", figures.seconds(trial.listening_s) if trial.listening_s else ""),
            ("peak memory", size_text(trial.rss_bytes) if trial.rss_bytes else ""),
            ("stopped in", figures.seconds(trial.stop_s) if trial.stop_s else ""),
            ("ports", ", ".join(str(port) for port in trial.ports)),
            ("asked", f"{trial.route}, answered {trial.http_status}" if trial.http_status else trial.route),
            ("memory limit", size_text(limits.memory_bytes)),
            ("ran as", limits.user),
            ("root file system", root),
            ("confined", f"{trial.isolation}, by {trial.engine}" if trial.engine else trial.isolation),
        ],
        columns="two",
    )
    for title, lines in (
        ("it contacted", trial.contacted),
        ("it wrote", trial.wrote_files),
        ("it asked for and did not get", trial.missed_files),
    ):
        if lines:
            listed = (tag("li", "", tag("code", "", one)) for one in lines)
            yield folded(f"{title}: {len(lines)}", tag("ul", "plain", *listed))
    if trial.output.strip():
        said = (child for line in trial.output.splitlines() for child in (line, Markup("\n")))
        yield folded("the last lines it wrote", tag("pre", {"tabindex": "0"}, *said))


def _bill(bill: Bill) -> Iterator[Child]:
    if bill.language:
        yield tag("p", "", f"Written in {bill.language}.")
    if bill.modules:
        rows: list[list[Child]] = [
            [
                tag(
                    "span",
                    "",
                    tag("code", "", broken(one.path)),
                    tag("span", "tagged", "main") if one.is_main else None,
                    tag("span", "note", f"replaced by {one.replacement}") if one.replacement else None,
                ),
                one.version or "none",
                size_text(one.bytes) if one.bytes else "nothing linked",
            ]
            for one in bill.modules
        ]
        title = f"The program's own build information: {_many(len(rows), 'module')}"
        yield from _long_table(title, ["Module", "Version", "In the program"], rows, {2})
    if bill.system_packages:
        rows = [[tag("code", "", one.name), one.version] for one in bill.system_packages]
        yield from _long_table(f"Its distribution's {_many(len(rows), 'package')}", ["Package", "Version"], rows, set())
    if bill.system_files:
        rows = [[tag("code", "", broken(one.path)), one.source] for one in bill.system_files]
        yield from _long_table("System files, and what they were made from", ["File", "Made from"], rows, set())
    if not (bill.modules or bill.system_packages or bill.system_files):
        yield tag("p", "", "Neither build information of a program nor a list of packages was found in it.")
    if bill.notes:
        yield tag("ul", "notes", *(tag("li", "", one) for one in bill.notes))


def _history(image: ImageReport) -> Iterator[Child]:
    releases = image.history
    looked = f"Looked for in {' and '.join(image.history_places)}." if image.history_places else ""
    if len(releases) < 2:
        yield tag("p", "", "No other shipment of this program is known. ", looked)
        return
    yield tag("p", "quiet", looked, " Start and memory are of one trial run each; proa compare measures them surely.")
    plots = []
    for title, written, field in (
        ("Size in a registry", figures.size, "compressed_bytes"),
        ("Start", figures.seconds, "ready_s"),
    ):
        points = [Point(name=release_name(one), value=getattr(one, field), is_this=one.is_this) for one in releases]
        if sum(point.value is not None for point in points) > 1:
            plots.append(history_plot(title, points, written))
    yield tag("div", "plots", *plots)
    rows: list[list[Child]] = [
        [
            tag("span", "", release_name(one), tag("span", "tagged", "this one") if one.is_this else None),
            one.created[:10] or None,
            size_text(one.compressed_bytes),
            size_text(one.binary_bytes) if one.binary_bytes else None,
            figures.seconds(one.ready_s) if one.ready_s else None,
            size_text(one.rss_bytes) if one.rss_bytes else None,
            VERDICTS.get(one.verdict),
            tag("code", "", one.digest[7:19]),
        ]
        for one in reversed(releases)
    ]
    heads = ["Release", "Created", "Compressed", "Program", "Start", "Peak memory", "Trial", "Digest"]
    yield table(f"{len(rows)} shipments, the newest first", heads, rows, numbers=range(2, 6))


def release_name(release: Release) -> str:
    """Return what a shipment is called: its version, else its tag, else its digest's beginning."""
    return release.version or release.name.rpartition(":")[2].rpartition("/")[2] or release.digest[7:19]


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _long_table(caption: str, heads: list[str], rows: list[list[Child]], numbers: set[int]) -> Iterator[Markup]:
    yield table(caption, heads, rows[:_OPEN_ROWS], numbers=numbers)
    rest = rows[_OPEN_ROWS:_MOST_ROWS]
    if rest:
        left = len(rows) - _OPEN_ROWS
        said = f"{left} more" if len(rest) == left else f"{len(rest)} of {left} more"
        yield folded(said, table(f"{caption}, continued", heads, rest, numbers=numbers))
