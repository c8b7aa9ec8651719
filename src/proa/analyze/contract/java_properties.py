"""The settings files of JVM frameworks: application.properties and application.yml, with their variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from proa.analyze.contract.java_names import Dialect, is_variable, other_names, placeholders, variable_of
from proa.analyze.contract.reading import SourceFile, counts, variable
from proa.errors import WrongConfiguration
from proa.records.contract import Variable
from proa.records.evidence import Evidence, Finding

_FILE = re.compile(
    r"(?:.*/)?(?:src/main/resources/|config/|resources/)?(?:application|bootstrap)(?:-[\w-]+)?\.(properties|ya?ml)"
)
_SEPARATOR = re.compile(r"(?<!\\)\s*[=:]\s*|(?<!\\)\s+")


class Property:
    """One property: its name, what is written for it, and where."""

    __slots__ = ("file", "line", "name", "text")

    def __init__(self, name: str, text: str, file: str, line: int) -> None:
        self.name, self.text, self.file, self.line = name, text, file, line


def properties_in(files: Iterable[SourceFile], findings: list[Finding]) -> tuple[Property, ...]:
    """Return the properties of all settings files; those of tests do not count."""
    found: list[Property] = []
    for file in files:
        match = _FILE.fullmatch(file.path)
        if match is None or not counts(file.path):
            continue
        if match[1] == "properties":
            found += _plain(file)
            continue
        try:
            found += _yaml(file)
        except WrongConfiguration as error:
            findings.append(
                Finding(
                    id="analyze.syntax-error",
                    message=f"{file.path} cannot be read and was skipped: {error}",
                    evidence=(Evidence(file=file.path, line=1),),
                )
            )
    return tuple(found)


def _plain(file: SourceFile) -> Iterator[Property]:
    waiting, began = "", 0
    for number, line in enumerate(file.data.decode("utf-8", "replace").splitlines(), start=1):
        text = line.lstrip()
        if not waiting and (not text or text[0] in "#!"):
            continue
        began = began if waiting else number
        if text.endswith("\\") and not text.endswith("\\\\"):
            waiting += text[:-1]
            continue
        whole, waiting = waiting + text, ""
        parts = _SEPARATOR.split(whole, maxsplit=1)
        if parts[0]:
            name = re.sub(r"^%[\w,-]+\.", "", parts[0].replace("\\", "").strip("\"'"))
            yield Property(name, parts[1].strip() if len(parts) > 1 else "", file.path, began)


def _yaml(file: SourceFile) -> Iterator[Property]:
    from proa.outside.plainyaml import read_yaml

    line = 1
    # Several documents in one file are profiles of the same settings.
    for part in re.split(r"(?m)^---.*$", file.data.decode("utf-8", "replace")):
        text = re.sub(r"(?m)^(\s*)\$\{", r"\1#{", part)
        document = read_yaml(text.replace("@project.version@", "x"), name=file.path)
        places = document.places
        for path, value in _leaves(document.value, ()):
            name = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in path).removeprefix(".")
            name = re.sub(r'^"?%[\w,-]+"?\.', "", name)
            yield Property(name, _shown(value), file.path, line + places[path].line - 1)
        line += part.count("\n")


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _leaves(inner, (*path, at))
    else:
        yield path, value


def _shown(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def property_variables(properties: Iterable[Property], dialect: Dialect) -> Iterator[Variable]:
    """Yield the variables that properties are filled from, and for plain ones the variable that overrides each."""
    properties = tuple(properties)
    defined = {one.name for one in properties}
    for one in properties:
        at = Evidence(symbol=one.name, file=one.file, line=one.line)
        by = one.file.rpartition("/")[2]
        named = placeholders(one.text)
        for name, default, has_default in named:
            if name in defined or name.startswith(("project.", "maven.")):
                continue
            own = variable_of(name, dialect)
            is_whole = re.fullmatch(r"\$\{[^{}]*\}", one.text) is not None
            yield variable(
                own, at, by=by, default=default, is_required=not has_default,
                aliases=(*(() if is_variable(name) else (name,)), *((one.name,) if is_whole else ())),
            )  # fmt: skip
        if not named and not is_variable(one.name):
            yield variable(
                variable_of(one.name, dialect), at, by=by, default=one.text, aliases=other_names(one.name, dialect)
            )
