"""Configuration files that the program opens by a name the source says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proa.analyze.contract.go_found import Found
from proa.analyze.contract.go_source import GoSource
from proa.analyze.syntax import File, arguments, enclosing_declaration, field_text, parameters, qualified_name, text_of
from proa.records.contract import Variable

if TYPE_CHECKING:
    from tree_sitter import Node

_OPENERS = {
    "os.Open": 0, "os.ReadFile": 0, "io/ioutil.ReadFile": 0,
    "github.com/joho/godotenv.Load": 0, "github.com/joho/godotenv.Overload": 0, "github.com/joho/godotenv.Read": 0,
    "github.com/ilyakaznacheev/cleanenv.ReadConfig": 0, "github.com/BurntSushi/toml.DecodeFile": 0,
    "crypto/tls.LoadX509KeyPair": -1, "gopkg.in/ini.v1.Load": 0, "github.com/alecthomas/kong.Configuration": -1,
}  # fmt: skip
"""Which argument names the file; -1 for any of them."""
_NAMES = sorted({name.rpartition(".")[2] for name in _OPENERS})
_PACKAGES = rb"(?:os|ioutil|godotenv|cleanenv|toml|tls|ini|kong)"
_WORDS = re.compile(rb"\b" + _PACKAGES + rb"\.(?:" + "|".join(_NAMES).encode() + rb")\(")
"""Packages under a name of the file's own choosing are not looked for: ``Load(`` alone stands everywhere."""
_CONFIGURATION = re.compile(
    r"(?i)(?:.*/)?[^/]*\.(?:ya?ml|json|toml|ini|conf|cfg|env|properties|hcl|pem|crt|key|xml)|(?:.*/)?\.env(?:\.\w+)?"
    r"|(?:.*/)?\.\w+rc|/etc/.+"
)
_LITERAL = re.compile(
    rb"""(?i)["`/](?:[^"`\n]*\.(?:ya?ml|json|toml|ini|conf|cfg|env|properties|hcl|pem|crt|key|xml|\w+rc)|/etc/)"""
)
"""What a package has to hold for a name of this kind to come from it: following values costs far more."""
_MACHINE = (
    "/proc/",
    "/sys/",
    "/dev/",
    "/etc/resolv.conf",
    "/etc/passwd",
    "/etc/group",
    "/etc/os-release",
    "/etc/hosts",
)
"""Files by which the system describes itself."""


def read_files(source: GoSource, found: Found) -> None:
    """Gather the configuration files that are opened by name."""
    for file in source.files(_WORDS):
        for call in file.around(_WORDS, "call_expression"):
            name = qualified_name(call, file)
            if name not in _OPENERS or source.is_elsewhere(call):
                continue
            given = arguments(call)
            if name.startswith("github.com/joho/godotenv") and not given:
                found.add(Variable(name=".env", kind="file", type="path", by="godotenv"))
            if not _can_name(file, source) and not _is_given(given[:1]):
                continue
            for node in given if _OPENERS[name] < 0 else given[:1]:
                if node.type == "selector_expression" and not _is_constant(node, file):
                    # A field holds what flags and variables gave it: those are in the contract themselves.
                    continue
                for use in source.uses(file, call, node, levels=1, within=_LITERAL):
                    for path in source.texts(node, use):
                        if _CONFIGURATION.fullmatch(path) and not path.startswith(_MACHINE):
                            by = name if name.startswith(("os.", "io/")) else name.split("/")[-1].partition(".")[0]
                            where = (source.evidence(path, use),)
                            found.add(Variable(name=path, kind="file", type="path", by=by, where=where))


def _is_constant(node: Node, file: File) -> bool:
    """Say whether ``package.Name`` is meant, not a field of a value."""
    return field_text(node, "operand") in file.imports


def _can_name(file: File, source: GoSource) -> bool:
    texts = (source.sources.text(file.package, name) for name in file.package.files)
    return _LITERAL.search(file.data) is not None or any(_LITERAL.search(text) for text in texts)


def _is_given(nodes: list[Node]) -> bool:
    """Say whether a name is a parameter: then it may come from another package."""
    function = enclosing_declaration(nodes[0]) if nodes else None
    return function is not None and text_of(nodes[0]) in parameters(function)
