"""What Node, Python, Java and Rust programs read of how they are configured, from a bounded part of their source."""

from __future__ import annotations

from collections.abc import Iterator

from proa.analyze.contract.java import read_java
from proa.analyze.contract.javascript import read_javascript
from proa.analyze.contract.python import read_python
from proa.analyze.contract.reading import Contract, SourceFile, counts
from proa.analyze.contract.rust import read_rust
from proa.outside.projecttree import Tree
from proa.records.contract import Variable
from proa.records.evidence import Finding

_MOST_FILES = 4_000
_MOST_BYTES = 1 << 20
_SCRIPT = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_SETTINGS = (".properties", ".yml", ".yaml", ".json", ".toml", ".ini", "pom.xml", ".gradle", ".gradle.kts")
_READERS = (
    (_SCRIPT, read_javascript),
    ((".py",), read_python),
    ((".java", ".kt"), read_java),
    ((".rs",), read_rust),
)


def read_contract(tree: Tree) -> Contract:
    """Return the variables, flags and files that a tree's sources read, all languages together."""
    chosen = tuple(filter(counts, tree.sizes))
    variables: list[Variable] = []
    findings: list[Finding] = []
    for endings, read in _READERS:
        code = [path for path in chosen if path.endswith(endings)]
        if not code:
            continue
        nearest = sorted(code, key=lambda path: (path.count("/"), path))
        if len(nearest) > _MOST_FILES:
            findings.append(_bounded(len(nearest), endings[0]))
        beside = [path for path in chosen if path.endswith(_SETTINGS)][:_MOST_FILES]
        said = read(list(_files(tree, (*nearest[:_MOST_FILES], *beside))))
        variables += said.variables
        findings += said.findings
    return Contract(variables=tuple(variables), findings=tuple(findings))


def _files(tree: Tree, paths: tuple[str, ...]) -> Iterator[SourceFile]:
    for path in paths:
        if tree.sizes[path] <= _MOST_BYTES:
            yield SourceFile(path, tree.text(path, most=_MOST_BYTES).encode())


def _bounded(count: int, ending: str) -> Finding:
    return Finding(
        id="analyze.many-sources",
        severity="info",
        message=f"there are {count} {ending} files; variables were looked for in the {_MOST_FILES} nearest to the top",
        hint="name one of the projects in the tree",
    )
