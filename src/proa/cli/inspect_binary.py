"""A program's anatomy as a tree of modules and packages that fits the terminal, as Markdown, or as JSON."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import click
import msgspec

from proa.cli.amounts import bytes_text
from proa.records.binary_anatomy import BinaryAnatomy, PackageBytes

_LEAST_WIDTH = 40
_DEFAULT_TOP = 20
_DEFAULT_TREE_TOP = 10
_TABLE_SYMBOLS = 100
_SYMBOLS_AT = 2
"""Levels of a tree above symbols: modules and packages."""
_KNOWN = {"symbols": "symbols", "dwarf": "DWARF", "pclntab": "pclntab", "inferred": "references"}


def show(
    target: str,
    *,
    form: str,
    debug: str = "",
    top: int | None = None,
    every_symbol: bool = False,
    jobs: int = 0,
    depth: int = 0,
    page: str = "",
) -> None:
    """Inspect a program and print it. Raises BinaryDamaged, DebugMismatch, ImageMissing, WrongUsage.

    With ``depth`` levels of a tree in place of the table; ``page`` is where its page goes, empty for none.
    """
    from proa.cli.anatomy_table import terminal_width
    from proa.pipeline.inspect_binary import inspect_binary
    from proa.pipeline.inspect_whole import MOST_SYMBOLS

    most_symbols = MOST_SYMBOLS if page or depth > _SYMBOLS_AT else _TABLE_SYMBOLS
    anatomy = inspect_binary(
        Path(target),
        debug=Path(debug) if debug else None,
        environ=os.environ,
        most_symbols=0 if every_symbol else most_symbols,
        jobs=jobs,
    )
    most = _DEFAULT_TOP if top is None else top
    if page:
        from proa.cli.page_file import write_page
        from proa.report.page import binary_page

        write_page(binary_page(anatomy), page)
    if page == "-":
        return
    if depth:
        from proa.cli.tree_lines import tree_lines
        from proa.report.branches import binary_branches

        named = headline(anatomy)
        drawn = tree_lines(
            binary_branches(anatomy),
            top=_DEFAULT_TREE_TOP if top is None else top,
            depth=depth,
            width=terminal_width(),
            whole=_clipped(named, len(named)),
        )
        for line in drawn:
            click.echo(line)
        return
    if not every_symbol:
        anatomy = msgspec.structs.replace(anatomy, symbols=anatomy.symbols[:_TABLE_SYMBOLS])
    match form:
        case "json":
            click.echo(encode_binary_anatomy(anatomy), nl=False)
        case "markdown":
            click.echo(markdown(anatomy, top=most), nl=False)
        case _:
            for line in lines(anatomy, top=most, width=terminal_width(), with_symbols=every_symbol):
                click.echo(line)


def encode_binary_anatomy(anatomy: BinaryAnatomy) -> bytes:
    """Return what ``--format json`` prints."""
    return msgspec.json.format(msgspec.json.encode(anatomy), indent=2) + b"\n"


def lines(anatomy: BinaryAnatomy, *, top: int, width: int, with_symbols: bool = False) -> Iterator[str]:
    """Yield what people read, no line wider than ``width``: modules with their packages, sections, symbols, findings.

    ``top`` is how many packages and symbols are shown.
    """
    width = max(width, _LEAST_WIDTH)
    for line in _all(anatomy, top, width, with_symbols=with_symbols):
        yield _clipped(line, width).rstrip()


def _all(anatomy: BinaryAnatomy, top: int, width: int, *, with_symbols: bool) -> Iterator[str]:
    yield headline(anatomy)
    yield from summary(anatomy)
    for finding in anatomy.findings:
        yield f"{finding.severity}: {finding.message}"
        if finding.hint:
            yield f"  {finding.hint}"
    yield ""
    yield _row(width, "module and package", "file", "compressed", "code", "tables", "data", "known by")
    for module, packages in by_module(anatomy.packages, top):
        whole = [
            one for one in anatomy.packages if (one.module, one.version) == (packages[0].module, packages[0].version)
        ]
        is_alone = len(packages) == 1 and (not module or module.split(" ")[0] == packages[0].name)
        if not is_alone:
            yield _row(width, module or "(no module)", *_amounts(whole), "")
        for one in packages:
            name = one.name if is_alone else f"  {_short(one)}"
            yield _row(width, name, *_amounts([one]), _KNOWN[one.known_by])
    shown = sorted(anatomy.packages, key=lambda one: -one.bytes)[top:]
    if shown:
        yield _row(width, f"{len(shown)} more packages", *_amounts(shown), "")
    yield ""
    yield "what no package owns"
    for section in anatomy.sections[:top]:
        sizes = f"{bytes_text(section.bytes):>9} {bytes_text(section.compressed_bytes):>9}"
        yield f"{sizes}  {section.name}: {section.meaning}"
    if with_symbols:
        yield ""
        yield "symbols"
        for symbol in anatomy.symbols:
            yield f"{bytes_text(symbol.bytes):>9}  {symbol.kind:<6}  {symbol.name}"


def headline(anatomy: BinaryAnatomy) -> str:
    """Return what the file is, in one line."""
    language = f"Go {anatomy.go_version}" if anatomy.go_version else anatomy.language
    with_debug = f", with {anatomy.debug_file}" if anatomy.debug_file else ""
    return f"{anatomy.file}: {anatomy.format}, {anatomy.architecture}, {language}{with_debug}"


def summary(anatomy: BinaryAnatomy) -> Iterator[str]:
    """Yield how large it is and how much of it is attributed."""
    yield f"{bytes_text(anatomy.total_bytes)} in the file, about {bytes_text(anatomy.compressed_bytes)} compressed"
    share = 100 * anatomy.attributed_bytes / anatomy.total_bytes if anatomy.total_bytes else 0.0
    yield (
        f"{bytes_text(anatomy.attributed_bytes)} ({share:.1f} %) belong to {len(anatomy.packages)} packages, "
        f"the rest to named sections; {bytes_text(anatomy.loaded_bytes)} are loaded"
    )


def by_module(packages: Sequence[PackageBytes], top: int) -> list[tuple[str, list[PackageBytes]]]:
    """Return the largest packages by their modules, the largest module first."""

    def key(one: PackageBytes) -> tuple[str, str]:
        return one.module, one.version

    chosen = sorted(sorted(packages, key=lambda one: (-one.bytes, one.name))[:top], key=key)
    groups = [(f"{module} {version}".strip(), list(group)) for (module, version), group in groupby(chosen, key)]
    whole: dict[str, int] = {}
    for one in packages:
        name = f"{one.module} {one.version}".strip()
        whole[name] = whole.get(name, 0) + one.bytes
    return sorted(groups, key=lambda group: (-whole[group[0]], group[0]))


def _short(package: PackageBytes) -> str:
    rest = package.name.removeprefix(package.module)
    return f"…{rest}" if package.module and rest.startswith("/") else package.name


def _amounts(packages: Sequence[PackageBytes]) -> tuple[str, ...]:
    return tuple(
        bytes_text(amount)
        for amount in (
            sum(one.bytes for one in packages),
            sum(one.compressed_bytes for one in packages),
            sum(one.text for one in packages),
            sum(one.pclntab for one in packages),
            sum(one.rodata + one.data for one in packages),
        )
    )


def _row(width: int, name: str, *cells: str) -> str:
    """Return a row whose numbers come first, so that only names are cut; fewer of them where there is no room."""
    *numbers, known = cells
    room = 5 if width >= 100 else 2
    text = " ".join(f"{number:>10}" for number in numbers[:room])
    tail = f"  {known:<10}" if width >= 100 else ""
    return f"{text}{tail}  {name}"


def _clipped(line: str, width: int) -> str:
    text = "".join(letter if letter.isprintable() else "�" for letter in line)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def markdown(anatomy: BinaryAnatomy, *, top: int) -> str:
    """Return the same as tables for a pull request, sizes in bytes."""
    rows = [headline(anatomy), "", *summary(anatomy), ""]
    rows += ["| package | module | bytes | compressed | code | tables | data | known by |"]
    rows += ["| --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for one in anatomy.packages[:top]:
        cells = (one.bytes, one.compressed_bytes, one.text, one.pclntab, one.rodata + one.data)
        sizes = " | ".join(f"{cell:,}" for cell in cells)
        module = f"{one.module} {one.version}".strip()
        rows.append(f"| `{_cell(one.name)}` | {_cell(module)} | {sizes} | {_KNOWN[one.known_by]} |")
    rows += ["", "| section | bytes | compressed | what it is |", "| --- | ---: | ---: | --- |"]
    rows += [
        f"| `{_cell(one.name)}` | {one.bytes:,} | {one.compressed_bytes:,} | {one.meaning} |"
        for one in anatomy.sections[:top]
    ]
    rows += [f"\n{finding.severity}: {finding.message}" for finding in anatomy.findings]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    return _clipped(text.replace("|", r"\|").replace("`", "'"), 200)
