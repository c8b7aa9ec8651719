"""The files that Node programs read: dotenv's, those of the ``config`` package, and others opened by a plain name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from proa.analyze.contract.grammar import Parsed
from proa.analyze.contract.javascript_syntax import arguments, called, literal, properties
from proa.analyze.contract.reading import SourceFile, variable
from proa.records.contract import Variable
from proa.records.evidence import Evidence

_MAPPING = re.compile(r"(?:^|.*/)config/custom-environment-variables\.(?:json|ya?ml)")
_PLAIN = re.compile(r"(?:^|.*/)config/(?:default|production|local)\.(?:json5?|ya?ml|toml|[cm]?js|ts)")
_CONFIG = re.compile(r"(?:\./)?[\w./-]*\.(?:json5?|ya?ml|toml|ini|conf|cfg|properties|env)|(?:\./)?\.env[\w.]*")


def configuration_files(files: Iterable[SourceFile], scripts: Iterable[Parsed]) -> Iterator[Variable]:
    """Yield the files that are read, and the variables that ``config`` maps to its settings."""
    uses_config = False
    for parsed in scripts:
        uses_config = uses_config or re.search(rb"(?:require\(|from )['\"]config['\"]", parsed.data) is not None
        yield from _opened(parsed)
    for file in files:
        if _MAPPING.fullmatch(file.path):
            yield from _mapped(file)
        elif uses_config and _PLAIN.fullmatch(file.path):
            yield variable(file.path, Evidence(file=file.path, line=1), by="config", kind="file", type="path")


def _opened(parsed: Parsed) -> Iterator[Variable]:
    if b"dotenv/config" in parsed.data:
        line = parsed.data[: parsed.data.index(b"dotenv/config")].count(b"\n") + 1
        yield variable(".env", Evidence(file=parsed.path, line=line), by="dotenv", kind="file", type="path")
    for call in parsed.nodes("call_expression"):
        name, given = called(call), arguments(call)
        if re.fullmatch(r"(?:dotenv|require\(['\"]dotenv['\"]\)|dotenvExpand)\.config", name):
            path = properties(given[0]).get("path") if given else None
            text = literal(path) if path is not None else ".env"
            if text:
                yield variable(text, parsed.at(call), by="dotenv", kind="file", type="path")
        elif name.rpartition(".")[2] in ("readFileSync", "readFile") and given:
            text = literal(given[0])
            if text and _CONFIG.fullmatch(text) and not text.endswith(("package.json", "tsconfig.json")):
                yield variable(text.removeprefix("./"), parsed.at(call), by=name, kind="file", type="path")


def _mapped(file: SourceFile) -> Iterator[Variable]:
    """Yield the leaves of ``config/custom-environment-variables.json``: each is a variable's name."""
    try:
        if file.path.endswith(".json"):
            value = msgspec.json.decode(file.data)
        else:
            from proa.outside.plainyaml import read_yaml

            value = read_yaml(file.data.decode("utf-8"), name=file.path).value
    except Exception:  # noqa: BLE001 - what cannot be read says nothing; `config` itself refuses it at start-up
        return
    for name, format_, path in _leaves(value, ()):
        spot = re.search(rb"\b" + re.escape(name).encode() + rb"\b", file.data)
        line = file.data[: spot.start()].count(b"\n") + 1 if spot else 1
        yield variable(
            name, Evidence(symbol=".".join(path), file=file.path, line=line), by="config",
            type={"number": "number", "boolean": "boolean", "json": "text"}.get(format_, "unknown"),  # type: ignore[arg-type]
        )  # fmt: skip


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_]\w*", value):
        yield value, "", path
    elif isinstance(value, dict) and isinstance(value.get("__name"), str):
        yield value["__name"], str(value.get("__format", "")), path
    elif isinstance(value, dict) and len(path) < 20:
        for key, inner in value.items():
            yield from _leaves(inner, (*path, str(key)))
