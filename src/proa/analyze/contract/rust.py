"""The contract of Rust programs: ``std::env``, clap, envy, figment and config, dotenvy."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from proa.analyze.contract.grammar import Parsed, above, of_language, parse_all
from proa.analyze.contract.reading import Contract, SourceFile, is_secret_name, merged, variable
from proa.analyze.contract.rust_clap import clap
from proa.analyze.contract.rust_structs import structs_read
from proa.analyze.contract.rust_syntax import arguments, called, constants_of, literal, macro_texts, target, use
from proa.analyze.syntax import field_text, text_of
from proa.records.contract import Variable
from proa.records.evidence import Finding

if TYPE_CHECKING:
    from tree_sitter import Node

_WORDS = rb"\benv::|\benv!|option_env!|\bvar\(|\bvar_os\(|clap|structopt|StructOpt|envy|figment|Environment::|dotenv"
_READS = re.compile(r"(?:std::)?env::(var|var_os)|dotenvy?::var|var_os|var")
_CARGO = re.compile(
    r"CARGO(?:_.*)?|OUT_DIR|TARGET|HOST|PROFILE|OPT_LEVEL|NUM_JOBS|DEP_.*|RUSTC(?:_.*)?|VERGEN_.*|DOCS_RS"
)
"""Set by cargo for every build. Source: https://doc.rust-lang.org/cargo/reference/environment-variables.html."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def read_rust(files: Iterable[SourceFile]) -> Contract:
    """Return what Rust sources read of their configuration; build scripts do not count."""
    sources = tuple(one for one in of_language(files, (".rs",)) if not one.path.endswith("build.rs"))
    findings: list[Finding] = []
    has_structs = any(re.search(rb"envy::|figment|Environment::", one.data) for one in sources)
    words = re.compile(_WORDS + (rb"|Deserialize" if has_structs else b""))
    trees = parse_all(sources, words, findings)
    shared: dict[str, str] = {}
    for parsed in trees:
        shared |= constants_of(parsed)
    wrappers: dict[str, tuple[int, bool]] = {}
    found: list[Variable] = []
    for parsed in trees:
        constants = {**shared, **constants_of(parsed)}
        found += _environment(parsed, constants, wrappers)
        found += _macros(parsed)
        found += clap(parsed, constants)
    found += structs_read(trees, shared)
    found += _wrapped(sources, wrappers, shared)
    return Contract(variables=merged(found), findings=tuple(findings))


def _environment(
    parsed: Parsed, constants: Mapping[str, str], wrappers: dict[str, tuple[int, bool]]
) -> Iterator[Variable]:
    imports_var = re.search(rb"use\s+std::env::(?:\{[^}]*\bvar\b|var\b)", parsed.data) is not None
    for call in parsed.nodes("call_expression"):
        name, given = called(call), arguments(call)
        if name in (
            "dotenv",
            "dotenvy::dotenv",
            "dotenv::dotenv",
            "dotenv::dotenv_override",
            "dotenvy::dotenv_override",
        ):
            yield variable(".env", parsed.at(call), by="dotenvy", kind="file", type="path")
        elif name.endswith("from_filename") and given and (text := literal(given[0], constants)):
            yield variable(text, parsed.at(call), by="dotenvy", kind="file", type="path")
        if not given or not _READS.fullmatch(name) or ("::" not in name and not imports_var):
            continue
        key = literal(given[0], constants)
        if key is None or _is_parameter(given[0]):
            _wrap(call, given[0], wrappers)
        elif _NAME.fullmatch(key) and not _CARGO.fullmatch(key):
            kind, default, is_required = use(call, constants)
            yield variable(
                key, parsed.at(call, key), by="std::env", type=kind, default=default, is_required=is_required,
                is_secret=is_secret_name(target(call)) and kind == "unknown",
            )  # fmt: skip


def _is_parameter(node: Node) -> bool:
    return node.type == "identifier" and text_of(node).islower() and _place(node) is not None


def _place(node: Node) -> int | None:
    function = above(node, "function_item")
    declared = function.child_by_field_name("parameters") if function is not None else None
    names = [field_text(one, "pattern") for one in (declared.named_children if declared is not None else ())
             if one.type == "parameter"]  # fmt: skip
    name = text_of(node).lstrip("&*")
    return names.index(name) if name in names else None


def _wrap(call: Node, key: Node, wrappers: dict[str, tuple[int, bool]]) -> None:
    """Remember a function of the program that reads the variable one of its parameters names."""
    function, place = above(call, "function_item"), _place(key)
    if function is None or place is None:
        return
    _, default, is_required = use(call, {})
    returns = field_text(function, "return_type")
    is_required = is_required or (not default and returns.startswith("Result") and "unwrap_or" not in text_of(function))
    wrappers[field_text(function, "name")] = (place, is_required)


def _wrapped(
    sources: Iterable[SourceFile], wrappers: Mapping[str, tuple[int, bool]], constants: Mapping[str, str]
) -> Iterator[Variable]:
    if not wrappers:
        return
    words = re.compile(rb"\b(?:" + b"|".join(re.escape(name).encode() for name in wrappers) + rb")(?:::<[^>]*>)?\s*\(")
    for parsed in parse_all(sources, words, []):
        known = {**constants, **constants_of(parsed)}
        for call in parsed.nodes("call_expression"):
            own = re.sub(r"::<.*", "", called(call)).rpartition("::")[2]
            place, throws = wrappers.get(own, (-1, False))
            given = arguments(call)
            name = literal(given[place], known) if 0 <= place < len(given) else None
            if not name or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name):
                continue
            kind, default, is_required = use(call, known)
            others = [literal(one, known) for at, one in enumerate(given) if at != place]
            default = default or next((text for text in others if text), "")
            yield variable(
                name, parsed.at(call, name), by=own, type=kind, default=default,
                is_required=(throws or is_required) and not default and not others,
            )  # fmt: skip


def _macros(parsed: Parsed) -> Iterator[Variable]:
    for node in parsed.nodes("macro_invocation"):
        name = field_text(node, "macro").rpartition("::")[2]
        texts = macro_texts(node)
        if name not in ("env", "option_env", "dotenv") or not texts or _CARGO.fullmatch(texts[0]):
            continue
        # Read when the program is built, not when it runs; the help says so.
        at = parsed.at(node, texts[0])
        yield variable(
            texts[0], at, by=f"{name}!", is_required=name != "option_env", help="read when the program is built"
        )
