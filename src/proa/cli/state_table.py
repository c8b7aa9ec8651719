"""An analysis as four tables: environment, layout, services, start-up; for the terminal and as Markdown."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

import msgspec

from proa.cli.timeline import timeline_text
from proa.cli.tree_lines import clipped_cells
from proa.records.analysis import Analysis
from proa.records.evidence import Evidence
from proa.records.project_layout import LayoutEntry
from proa.report.markdown_text import code, plain, prose
from proa.report.timeline_mermaid import timeline_mermaid

_MOST_ROWS = 40
_LEAST = 8
_START = "Start-up"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table under its title."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = ()
    empty: str
    """What is said where there are no rows."""


def sections(analysis: Analysis) -> tuple[Section, ...]:
    """Return the parts of an analysis in the order in which people ask."""
    return (
        Section(
            title="Environment",
            head=("name", "declared", "locked", "installed", "support ends"),
            rows=tuple(_environment(analysis)),
            empty="no run time, package manager or framework was found",
        ),
        Section(
            title="Layout",
            head=("path", "role", "files", "why"),
            rows=tuple(_layout(analysis.layout)),
            empty="no folder with a meaning of its own",
        ),
        Section(
            title="Services",
            head=("service", "kind", "address", "authentication", "where"),
            rows=tuple(
                (one.name, one.kind, one.address, one.authentication, _place(one.where)) for one in analysis.services
            ),
            empty="none found in .env, proa.yaml, deployment files or source",
        ),
        Section(
            title="Configuration",
            head=("variable", "default", "", "where"),
            rows=tuple(
                (
                    one.name,
                    "" if one.is_secret else one.default,
                    _marks(one.is_required, one.is_secret),
                    _place(one.where),
                )
                for one in analysis.variables
            ),
            empty="no variable, flag or file is read by a literal name",
        ),
        Section(
            title=_START,
            head=("at", "step", ""),
            rows=tuple((f"{one.at_s:.3f} s", one.step, one.message) for one in analysis.startup),
            empty=_not_started(analysis),
        ),
    )


def _not_started(analysis: Analysis) -> str:
    if analysis.start is not None and analysis.start.problem:
        return f"not seen: {analysis.start.problem}"
    return "not seen: the program was not started"


def _environment(analysis: Analysis) -> Iterator[tuple[str, ...]]:
    for version in analysis.environment:
        sign = {True: " ✓", False: " ✗", None: ""}[version.is_satisfied]
        installed = f"{version.installed or 'not here'}{sign}"
        yield version.name, version.declared, version.locked, installed, version.end_of_life
    for one in analysis.frameworks:
        yield one.name, one.declared, one.locked, one.installed or "not here", one.end_of_life


def _layout(entries: Sequence[LayoutEntry]) -> Iterator[tuple[str, ...]]:
    """Yield folders with what stands out below them, as a tree."""
    for at, entry in enumerate(entries):
        top = entry.path.partition("/")[0]
        is_folder = entry.path.endswith("/")
        is_top = entry.path.count("/") == (1 if is_folder else 0)
        if is_top:
            stem, name = "", entry.path
        else:
            is_last = at + 1 == len(entries) or entries[at + 1].path.partition("/")[0] != top
            stem, name = "└─ " if is_last else "├─ ", entry.path.partition("/")[2]
        why = ", ".join(part for part in (entry.reason, " ".join(entry.languages)) if part)
        yield f"{stem}{name}", entry.role, str(entry.files) if is_folder and is_top else "", why


def _marks(is_required: bool, is_secret: bool) -> str:
    return ", ".join(word for word, holds in (("required", is_required), ("secret", is_secret)) if holds)


def _place(where: Sequence[Evidence]) -> str:
    if not where:
        return ""
    first = where[0]
    place = f"{first.file}:{first.line}" if first.line else first.file or first.package
    return f"{place} +{len(where) - 1}" if len(where) > 1 else place


def table_lines(analysis: Analysis, *, width: int = 0) -> Iterator[str]:
    """Yield all parts for the terminal; no line is wider than it."""
    columns = max(width or min(shutil.get_terminal_size((100, 24)).columns, 160), 40)
    for section in sections(analysis):
        yield _title(section.title)
        if section.title == _START and analysis.startup:
            yield from timeline_text(analysis, width=columns)
        else:
            yield from _section_lines(section, columns)
        yield ""


def _title(text: str) -> str:
    is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or bool(os.environ.get("CI"))
    return text if is_plain else f"\x1b[1m{text}\x1b[0m"


def _section_lines(section: Section, columns: int) -> Iterator[str]:
    if not section.rows:
        yield f"  {section.empty}"
        return
    shown = [tuple(plain(cell) for cell in row) for row in (section.head, *section.rows[:_MOST_ROWS])]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    # The last column gives way first, then the widest.
    over = sum(widths) + 2 * len(widths) - columns
    for at in (len(widths) - 1, *sorted(range(len(widths) - 1), key=lambda one: -widths[one])):
        if over > 0:
            given = min(over, max(0, widths[at] - _LEAST))
            widths[at] -= given
            over -= given
    for row in shown:
        cells = (clipped_cells(cell, size).ljust(size) for cell, size in zip(row, widths, strict=True))
        yield clipped_cells(f"  {'  '.join(cells)}".rstrip(), columns)
    if len(section.rows) > _MOST_ROWS:
        yield f"  … {len(section.rows) - _MOST_ROWS} more: --format json has all"


def finding_lines(analysis: Analysis, *, width: int = 0) -> Iterator[str]:
    """Yield what is worth telling, the worst first, wrapped to the terminal."""
    columns = max(width or min(shutil.get_terminal_size((100, 24)).columns, 160), 40)
    found = (*(analysis.project.findings if analysis.project else ()), *analysis.findings)
    for finding in sorted(found, key=lambda one: ("error", "warning", "info").index(one.severity)):
        hint = f" ({finding.hint})" if finding.hint else ""
        text = plain(f"{finding.severity}: {finding.message}{hint}")
        yield from textwrap.wrap(
            text, columns - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
        )


def markdown(analysis: Analysis) -> str:
    """Return all parts as Markdown."""
    told = [f"## {code(analysis.name)}", ""]
    for section in sections(analysis):
        told += [f"### {section.title}", ""]
        if section.title == _START and section.rows and analysis.start:
            told += [f"```mermaid\n{timeline_mermaid(analysis.start)}```"]
        elif section.rows:
            told += ["| " + " | ".join(section.head) + " |", "|" + "---|" * len(section.head)]
            told += ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in section.rows]
        else:
            told.append(section.empty)
        told.append("")
    found = (*(analysis.project.findings if analysis.project else ()), *analysis.findings)
    told += [f"- **{one.severity}**: {prose(one.message)} {prose(one.hint)}".rstrip() for one in found]
    return "\n".join(told).rstrip() + "\n"


def _cell(text: str) -> str:
    return prose(text) if text else ""
