"""Flags that libraries register for the program: those it asks for, and those of flag sets that it parses.

A library's flag counts where the program's own code calls the function that registers it (``flag.AddFlags(app, …)``,
``klog.InitFlags(nil)``), or where it is registered on the package's own flag set while the program starts and the
program parses that set. What else a dependency could read is its own business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from proa.analyze.contract.go_flags import (
    CALLS,
    COBRA,
    FLAG,
    FLAG_PACKAGES,
    KINGPIN,
    PFLAG,
    STANDARD,
    flags_at,
    is_parsed,
    registrations,
)
from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource, call_of
from proa.analyze.syntax import File, called_name, enclosing_declaration, field_text, text_of
from proa.records.project import Package

if TYPE_CHECKING:
    from tree_sitter import Node

_MAKERS = (*PFLAG, COBRA, *KINGPIN, "github.com/spf13/viper", "github.com/urfave/cli")
"""Libraries whose calls of this kind are their own workings."""
_COPIES = re.compile(rb"\.VisitAll\(")
_OWN_SET = re.compile(rb"\b\w*flag\w*\.(?:CommandLine\.)?[A-Z]\w*\(")
_MOST_FUNCTIONS = 10
"""Of a library, between the one that registers and the one that the program calls (arbitrary)."""


def read_libraries(source: GoSource, found: Found) -> None:
    """Gather the flags that dependencies register for this program."""
    parsed = {name: is_parsed(name, source) for name in (STANDARD, *PFLAG)}
    mentioned = frozenset(path for package in source.own for path in package.imports)
    for package in _candidates(source):
        is_direct = package.import_path in mentioned
        if not is_direct and not any(parsed[name] for name in parsed if name in package.imports):
            continue
        asked: dict[str, bool] = {}
        for file in source.files_of([package], *((CALLS, FLAG) if is_direct else (_OWN_SET,))):
            for call in registrations(file):
                function = enclosing_declaration(call)
                name = field_text(function, "name") if function is not None else "init"
                own_set = _own_set(call, file) if name == "init" else ""
                if own_set:
                    counts = parsed.get(own_set, False)
                else:
                    if name not in asked:
                        asked[name] = is_direct and _is_asked_for(name, package, source)
                    counts = asked[name]
                for variable in flags_at(call, file, source) if counts else ():
                    found.add(variable)


def _is_asked_for(name: str, package: Package, source: GoSource) -> bool:
    return _is_called(name, package, source, set()) if name != "init" else _is_copied(package, source)


def _candidates(source: GoSource) -> list[Package]:
    local = source.sources.local_paths
    return [
        package
        for package in source.sources.packages.values()
        if package.import_path not in local
        and FLAG_PACKAGES & set(package.imports)
        and not package.import_path.startswith(_MAKERS)
    ]


def _own_set(call: Node, file: File) -> str:
    """Return the flag package whose own set a call registers on: ``flag.String``, ``flag.CommandLine.String``."""
    function = call.child_by_field_name("function")
    operand = text_of(function.child_by_field_name("operand")) if function is not None else ""
    path = file.imports.get(operand.removesuffix(".CommandLine"), "")
    return path if path in (STANDARD, *PFLAG, *KINGPIN) else ""


def _is_called(name: str, package: Package, source: GoSource, seen: set[str]) -> bool:
    """Say whether the program's own code calls a library's function, or one of the library that leads to it."""
    if name[:1].isupper() and any(True for _ in _own_calls(name, package, source.own, source)):
        return True
    seen.add(name)
    if len(seen) > _MOST_FUNCTIONS:
        return False
    pattern = call_of(name)
    for file in source.files_of([package], pattern):
        for call in file.around(pattern, "call_expression"):
            function = enclosing_declaration(call)
            outer = field_text(function, "name") if function is not None else ""
            if called_name(call) == name and outer not in ("", *seen) and _is_called(outer, package, source, seen):
                return True
    return False


def _is_copied(package: Package, source: GoSource) -> bool:
    """Say whether the program calls a function that copies the library's flags to another set, as klog does."""
    for file in source.files_of([package], _COPIES):
        for call in file.around(_COPIES, "call_expression"):
            function = enclosing_declaration(call)
            if function is not None and _is_called(field_text(function, "name"), package, source, set()):
                return True
    return False


def _own_calls(name: str, package: Package, own: Sequence[Package], source: GoSource) -> Iterator[Node]:
    pattern = call_of(name)
    importing = [one for one in own if package.import_path in one.imports]
    for file in source.files_of(importing, pattern):
        if package.import_path in file.imports.values():
            for call in file.around(pattern, "call_expression"):
                if called_name(call) == name and _is_of(call, package, file):
                    yield call


def _is_of(call: Node, package: Package, file: File) -> bool:
    """Say whether a call can be one of the package: by its name there, or of a value whose type is not known."""
    function = call.child_by_field_name("function")
    if function is None or function.type != "selector_expression":
        return False
    operand = field_text(function, "operand")
    return file.imports.get(operand, package.import_path) == package.import_path
