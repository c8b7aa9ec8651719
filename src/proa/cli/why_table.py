"""A ``Why`` as lines for the terminal, as Markdown, as JSON."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

import msgspec

from proa.cli.amounts import bytes_text
from proa.records.why import Why

_TOP = 10
_MOST_REFERENCES = 12
_KNOWN = {
    "source": "imports from the source, bytes from the program",
    "binary": "references and bytes from the program alone",
    "record": "from the image and what was written down with it",
}


def encoded(why: Why) -> bytes:
    """Return the record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(why), indent=2) + b"\n"


def lines(why: Why, *, width: int = 0) -> Iterator[str]:
    """Yield the answer, no line wider than the terminal."""
    columns = width or min(shutil.get_terminal_size((100, 24)).columns, 160)
    for line in _lines(why):
        yield _clipped(line, columns)


def _lines(why: Why) -> Iterator[str]:
    yield f"{why.name} ({why.subject}) in {why.target}"
    yield f"  {_KNOWN[why.known_by]}"
    yield ""
    if why.placed is not None:
        yield from _placed(why)
    else:
        yield from _ways(why)
        yield from _bytes(why)
    for finding in why.findings:
        yield ""
        yield f"{finding.severity}: {finding.message}"
        if finding.hint:
            yield f"  {finding.hint}"


def _placed(why: Why) -> Iterator[str]:
    placed = why.placed
    if placed is None:
        return
    if why.chain:
        yield from _path(why.chain, {})
        yield ""
    rows = [
        ("size", bytes_text(why.bytes)),
        ("layer", placed.layer),
        ("made by", placed.instruction),
        ("rule", placed.rule),
        ("because", placed.reason),
        ("package", placed.package),
        ("needed by", ", ".join(placed.needed_by[:_TOP])),
    ]
    for title, value in rows:
        if value:
            yield f"{title:<10} {value}"


def _ways(why: Why) -> Iterator[str]:
    if why.chain:
        yield from _path(why.chain, _places(why))
    else:
        yield "no chain from main is known"
    if why.references:
        yield ""
        yield "by references"
        shown = why.references
        if len(shown) > _MOST_REFERENCES:
            half = _MOST_REFERENCES // 2
            shown = (*shown[:half], f"… {len(shown) - 2 * half} more …", *shown[-half:])
        yield from (f"  {'→ ' if number else ''}{name}" for number, name in enumerate(shown))
    yield ""
    if why.dominator:
        yield f"only through   {why.dominator}"
    if why.importers:
        more = f" and {len(why.importers) - _TOP} more" if len(why.importers) > _TOP else ""
        word = "imported by" if why.known_by == "source" else "used by"
        yield f"{word:<14} {', '.join(why.importers[:_TOP])}{more}"


def _path(chain: tuple[str, ...], places: Mapping[str, str]) -> Iterator[str]:
    for depth, name in enumerate(chain):
        indent = "  " * (depth - 1) + "└─ " if depth else ""
        place = f"  {places[name]}" if name in places else ""
        yield f"{indent}{name}{place}"


def _places(why: Why) -> dict[str, str]:
    """Return where each package of the chain imports the next one, by its name: the file's folder is the package's."""
    return {one.package: f"{one.file.rpartition('/')[2]}:{one.line}" for one in why.evidence}


def _bytes(why: Why) -> Iterator[str]:
    yield ""
    yield f"its own        {bytes_text(why.bytes)}"
    if why.exclusive_bytes is None or why.shared_bytes is None:
        return
    yield f"exclusive      {bytes_text(why.exclusive_bytes)} would go with it"
    if why.verified_bytes is not None:
        off = 100 * (why.exclusive_bytes - why.verified_bytes) / why.verified_bytes if why.verified_bytes else 0.0
        yield f"verified       {bytes_text(why.verified_bytes)} went in a build without it (predicted {off:+.1f} %)"
    yield f"shared         {bytes_text(why.shared_bytes)} it needs and others too"
    if why.exclusive:
        yield ""
        for name, size in why.exclusive[:_TOP]:
            yield f"  {bytes_text(size):>9}  {name}"
        if len(why.exclusive) > _TOP:
            rest = sum(size for _, size in why.exclusive[_TOP:])
            yield f"  {bytes_text(rest):>9}  {len(why.exclusive) - _TOP} more"
    yield ""
    yield _next(why)


def _next(why: Why) -> str:
    if why.subject not in ("package", "module"):
        return "next: ask for its package to see what leaving all of it out would save"
    if why.verified_bytes is None and why.known_by == "source":
        return "next: --verify builds the program without it and measures"
    if why.dominator and why.dominator != (why.chain[:1] or ("main",))[0]:
        return f"next: proa why {why.target} {why.dominator}"
    return "next: remove the import named above, or put it behind a build tag"


def _clipped(line: str, width: int) -> str:
    text = "".join(letter if letter.isprintable() else "�" for letter in line)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def markdown(why: Why) -> str:
    """Return the same for a pull request."""
    rows = [f"**`{_cell(why.name)}`** in `{_cell(why.target)}`: {_KNOWN[why.known_by]}", "", "```"]
    rows += [_clipped(line, 200) for line in _path(why.chain, _places(why))] or ["no chain is known"]
    rows += ["```", "", "| | bytes |", "| --- | ---: |", f"| its own | {why.bytes:,} |"]
    if why.exclusive_bytes is not None and why.shared_bytes is not None:
        rows += [f"| exclusive | {why.exclusive_bytes:,} |", f"| shared | {why.shared_bytes:,} |"]
    if why.verified_bytes is not None:
        rows.append(f"| verified | {why.verified_bytes:,} |")
    rows += [f"| only with it: `{_cell(name)}` | {size:,} |" for name, size in why.exclusive[:_TOP]]
    if why.dominator:
        rows += ["", f"Only through `{_cell(why.dominator)}`."]
    if why.placed is not None:
        rows += ["", *(f"- {line}" for line in _placed(why) if line and not line.startswith(("└", " ")))]
    rows += [f"\n{finding.severity}: {_cell(finding.message)}" for finding in why.findings]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return _clipped(text.replace("|", r"\|").replace("`", "'"), 200)
