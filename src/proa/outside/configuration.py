"""proa.yaml and .ko.yaml: found, read, and every wrong field named with its line and what was probably meant."""

from __future__ import annotations

import difflib
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from proa.errors import WrongConfiguration
from proa.outside import plainyaml
from proa.outside.koconfiguration import from_ko
from proa.outside.plainyaml import Document
from proa.records.configuration import Budget, Configuration
from proa.records.evidence import Finding

NAMES = ("proa.yaml", "proa.yml")
KO_NAMES = (".ko.yaml", ".ko.yml")


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """A configuration and where it came from."""

    configuration: Configuration = Configuration()
    file: Path | None = None
    """None where there is none; asset paths are relative to its folder."""
    findings: tuple[Finding, ...] = ()


def load_configuration(directory: Path, *, environ: Mapping[str, str]) -> Loaded:
    """Find and read the configuration for a folder; the defaults where there is none. Raises WrongConfiguration."""
    file = find_configuration(directory, environ=environ)
    if file is None:
        return Loaded()
    return read_configuration(file, is_ko=file.name not in NAMES)[0]


def read_configuration(file: Path, *, is_ko: bool) -> tuple[Loaded, dict[plainyaml.Path, int]]:
    """Return the configuration in a file, ko's or our own, and the lines of its values by path.

    Raises WrongConfiguration.
    """
    document = plainyaml.read_yaml(_read_text(file), name=file.name)
    lines = {path: place.line for path, place in document.places.items()}
    if is_ko:
        configuration, findings = from_ko(document, name=file.name)
        return Loaded(configuration=configuration, file=file, findings=findings), lines
    return Loaded(configuration=_converted(document, name=file.name), file=file), lines


def find_configuration(directory: Path, *, environ: Mapping[str, str]) -> Path | None:
    """Return the nearest proa.yaml, else KO_CONFIG_PATH, else the nearest .ko.yaml.

    Looks from ``directory`` up to the repository's root, or to the outermost go.mod or go.work where there is none.
    Raises WrongConfiguration where KO_CONFIG_PATH leads nowhere.
    """
    folders = _folders(directory.resolve())
    found = _nearest(folders, NAMES)
    if found is None and environ.get("KO_CONFIG_PATH"):
        return _ko_path(directory / environ["KO_CONFIG_PATH"])
    return found or _nearest(folders, KO_NAMES)


def _folders(directory: Path) -> list[Path]:
    """Return the folders to look in, the nearest first."""
    above = [directory, *directory.parents]
    for at, folder in enumerate(above):
        if (folder / ".git").exists():
            return above[: at + 1]
    modules = [at for at, folder in enumerate(above) if (folder / "go.mod").is_file() or (folder / "go.work").is_file()]
    return above[: modules[-1] + 1] if modules else above[:1]


def _nearest(folders: list[Path], names: tuple[str, ...]) -> Path | None:
    return next((folder / name for folder in folders for name in names if (folder / name).is_file()), None)


def _ko_path(path: Path) -> Path:
    """Return the file that KO_CONFIG_PATH means. Source: https://ko.build/configuration/#overriding-config-file-path."""
    if path.is_file():
        return path
    if (found := _nearest([path], KO_NAMES)) is not None:
        return found
    raise WrongConfiguration(f"KO_CONFIG_PATH is {path}, and no .ko.yaml is there")


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(plainyaml.MOST_BYTES + 1)
    except OSError as error:
        raise WrongConfiguration(f"{file} cannot be read: {error.strerror}") from error
    if len(content) > plainyaml.MOST_BYTES:
        raise WrongConfiguration(f"{file} is larger than {plainyaml.MOST_BYTES >> 10} KiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise WrongConfiguration(f"{file.name}:{line}: the file is not UTF-8 text") from error


def parse_configuration(text: str, *, name: str = "proa.yaml") -> Configuration:
    """Return the configuration written in the text of a proa.yaml. Raises WrongConfiguration.

    >>> parse_configuration("build: {strip: all, cgo: off}").build.strip
    'all'
    """
    return _converted(plainyaml.read_yaml(text, name=name), name=name)


def _converted(document: Document, *, name: str) -> Configuration:
    if document.value is None:
        return Configuration()
    # A field with nothing after it, as is left when all below it is commented out, is not set.
    return convert(msgspec.structs.replace(document, value=_without_nothing(document.value)), name=name)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(item) for key, item in value.items() if item is not None}
    return value


def convert(document: Document, *, name: str) -> Configuration:
    """Return a document as a configuration. Raises WrongConfiguration."""
    try:
        return msgspec.convert(document.value, Configuration)
    except msgspec.ValidationError as error:
        raise _explain(str(error), document, name) from error


def configuration_schema() -> dict[str, Any]:
    """Return the JSON Schema of proa.yaml, for editors and docs/reference."""
    schema = msgspec.json.schema(Configuration)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "proa.yaml",
        **schema,
    }


# What was wrong, in the words of the file.

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")


def _explain(message: str, document: Document, name: str) -> WrongConfiguration:
    what, _, where = message.partition(" - at `$")
    unknown = re.search(r"unknown field `(.*)`", what)
    pattern = [match.group(1) or match.group(2) for match in _STEP.finditer(where.rstrip("`"))]
    path = _path_of(pattern, document, what, unknown.group(1) if unknown else "")
    if unknown:
        return _unknown(path, unknown.group(1), document, name)
    place = document.places.get(path)
    line = f":{place.line}" if place else ""
    said = what.replace("`", "").replace("array", "list").replace("object", "mapping")
    field = plainyaml.dotted(path)
    return WrongConfiguration(
        f"{name}{line}: {field + ': ' if field else ''}{said[:1].lower()}{said[1:]}",
        hint=_hint(what, path, place.raw if place else ""),
    )


def _path_of(pattern: list[str], document: Document, what: str, unknown: str) -> plainyaml.Path:
    """Return the path that a pattern stands for: ``...`` is any key, and the one meant is that with the fault."""
    got = re.search(r"got `(\w+)`", what)
    fits = [path for path in document.places if _matches(path, pattern)]
    for path in fits:
        value = _value_at(document.value, path)
        if unknown:
            if isinstance(value, dict) and unknown in value:
                return path
        elif got is None or _KINDS.get(type(value)) == got.group(1):
            return path
    return fits[0] if fits else ()


_KINDS = {str: "str", int: "int", float: "float", bool: "bool", list: "array", dict: "object", type(None): "null"}


def _matches(path: plainyaml.Path, pattern: list[str]) -> bool:
    return len(path) == len(pattern) and all(
        step in ("...", str(part)) for part, step in zip(path, pattern, strict=True)
    )


def _value_at(value: Any, path: plainyaml.Path) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _unknown(path: plainyaml.Path, field: str, document: Document, name: str) -> WrongConfiguration:
    place = document.places.get((*path, field))
    kind = _type_at(path)
    known = [one.encode_name for one in msgspec.structs.fields(kind)] if _is_record(kind) else []
    near = difflib.get_close_matches(field, known, n=1)
    if elsewhere := _elsewhere(field):
        hint = elsewhere
    elif near:
        hint = f"did you mean {plainyaml.dotted((*path, near[0]))}?"
    else:
        hint = f"the fields are {', '.join(known)}"
    line = f":{place.line}" if place else ""
    return WrongConfiguration(f"{name}{line}: {plainyaml.dotted((*path, field))} is no known field", hint=hint)


def _elsewhere(field: str) -> str:
    """Return where a field of that name belongs, for one that is in the wrong group."""
    groups = get_type_hints(Configuration)
    homes = [
        f"{group}.{field}"
        for group, kind in groups.items()
        if _is_record(kind) and field in {one.encode_name for one in msgspec.structs.fields(kind)}
    ]
    return f"did you mean {' or '.join(homes)}?" if homes else ""


def _hint(what: str, path: plainyaml.Path, raw: str) -> str:
    if "Expected `str" in what and raw and re.search(r"got `(int|float|bool)`", what):
        return f'put it in quotes: "{raw}"'
    if "Expected `array`" in what and raw:
        return f'write a list: ["{raw}"]'
    if "Expected `bool" in what:
        return "write true or false"
    if "Expected `object`" in what and raw and _type_at(path) is Budget:
        return f"write {{max: {raw}}}, or {{growth: …}}"
    choices = _choices(_type_at(path))
    if choices and raw:
        near = difflib.get_close_matches(raw, choices, n=1)
        return f"did you mean {near[0]}?" if near else f"it is one of {', '.join(choices)}"
    return ""


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


def _type_at(path: plainyaml.Path) -> Any:
    """Return the type of the configuration's value at a path, None where it has no place."""
    kind: Any = Configuration
    for part in path:
        kind = _step(kind, part)
    return _bare(kind)


def _step(kind: Any, part: str | int) -> Any:
    kind = _bare(kind)
    if _is_record(kind):
        names = {one.encode_name: one.name for one in msgspec.structs.fields(kind)}
        return get_type_hints(kind, include_extras=True).get(names.get(str(part), ""))
    arguments = get_args(kind)
    if get_origin(kind) is dict:
        return arguments[1]
    return arguments[0] if get_origin(kind) is tuple else None


def _bare(kind: Any) -> Any:
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return _bare(next(one for one in get_args(kind) if one is not type(None)))
    return kind


def _choices(kind: Any) -> list[str]:
    return [str(one) for one in get_args(kind)] if get_origin(kind) is Literal else []
