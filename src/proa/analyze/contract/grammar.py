"""Syntax trees of JavaScript, TypeScript, Python, Java and Rust, and what is asked of them all.

A file is parsed only where its bytes hold a word that matters: parsing is a hundred times slower than searching.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from proa.analyze.contract.reading import SourceFile, counts, is_written, skipped
from proa.analyze.syntax import walk
from proa.records.evidence import Evidence, Finding

if TYPE_CHECKING:
    import re

    from tree_sitter import Node, Parser, Query

Grammar = Literal["javascript", "typescript", "tsx", "python", "java", "rust"]
_ENDINGS: dict[str, Grammar] = {
    "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "javascript",
    "ts": "typescript", "mts": "typescript", "cts": "typescript", "tsx": "tsx",
    "py": "python", "java": "java", "rs": "rust",
}  # fmt: skip

_MOST_PARSED = 3000
"""Files of one language whose trees are held at once; a tree takes ten times its source (measured for Go)."""
_TOO_MANY = Finding(
    id="analyze.contract-cut",
    message=f"more than {_MOST_PARSED} files of one language read their configuration: the rest were not looked at",
    hint="name the folder of one program",
)


@lru_cache(maxsize=8)
def _parser(grammar: Grammar) -> Parser:
    from tree_sitter import Language, Parser

    return Parser(Language(_language(grammar)))


def _language(grammar: Grammar) -> object:
    """Return the grammar's own pointer; each is a module of its own, and only those needed are loaded."""
    module = import_module(f"tree_sitter_{'typescript' if grammar == 'tsx' else grammar}")
    made: object = getattr(module, f"language_{grammar}" if grammar in ("typescript", "tsx") else "language")()
    return made


@lru_cache(maxsize=64)
def _query(grammar: Grammar, source: str) -> Query:
    from tree_sitter import Language, Query

    return Query(Language(_language(grammar)), source)


class Parsed:
    """One file and its syntax tree."""

    def __init__(self, path: str, data: bytes, root: Node, grammar: Grammar) -> None:
        self.path = path
        self.data = data
        self.root = root
        self._grammar: Grammar = grammar

    def at(self, node: Node, symbol: str = "") -> Evidence:
        """Return the place of a node."""
        return Evidence(symbol=symbol, file=self.path, line=node.start_point[0] + 1)

    def nodes(self, *kinds: str, under: Node | None = None) -> list[Node]:
        """Return the nodes of some kinds, in the order of the file; those below a node where one is named."""
        from tree_sitter import QueryCursor

        source = " ".join(f"({kind}) @it" for kind in kinds)
        found = QueryCursor(_query(self._grammar, source)).captures(under or self.root).get("it", ())
        return sorted(found, key=lambda node: (node.start_byte, -node.end_byte))


def of_language(files: Iterable[SourceFile], endings: tuple[str, ...]) -> tuple[SourceFile, ...]:
    """Return the files of a language that people wrote for the program itself."""
    return tuple(one for one in files if one.path.endswith(endings) and counts(one.path) and is_written(one.data))


def parse_all(files: Iterable[SourceFile], words: re.Pattern[bytes], findings: list[Finding]) -> tuple[Parsed, ...]:
    """Return the trees of the files that hold one of the words; one with a syntax error is skipped and told."""
    trees: list[Parsed] = []
    for file in files:
        if words.search(file.data) is None:
            continue
        if len(trees) >= _MOST_PARSED:
            findings.append(_TOO_MANY)
            break
        grammar = _ENDINGS[file.path.rsplit(".", maxsplit=1)[-1]]
        root = _parser(grammar).parse(file.data).root_node
        if root.has_error:
            findings.append(skipped(file.path, _first_error(root)))
        else:
            trees.append(Parsed(file.path, file.data, root, grammar))
    return tuple(trees)


def _first_error(root: Node) -> int:
    node = root
    while not (node.is_error or node.is_missing):
        below = next((child for child in node.children if child.has_error or child.is_missing), None)
        if below is None:
            break
        node = below
    return node.start_point[0] + 1


def above(node: Node, *kinds: str) -> Node | None:
    """Return the nearest node around this one that is of one of the kinds."""
    found = node.parent
    while found is not None and found.type not in kinds:
        found = found.parent
    return found


def holds(node: Node | None, *kinds: str) -> bool:
    """Say whether a node of one of the kinds is in this one."""
    return any(one.type in kinds for one in walk(node))
