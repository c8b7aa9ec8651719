"""Where the programs of a project begin, by names and by the first lines of a bounded number of files."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proa.analyze.environment.found import json_of, table_of, text_of
from proa.outside.projecttree import Tree

_MOST_HEADS = 400
"""Files whose beginning is read, over all languages together; arbitrary, 20 ms."""
_HEAD = 64 << 10
_GO = re.compile(r"^package main\b", re.MULTILINE)
_GO_MAIN = re.compile(r"^func main\(\)", re.MULTILINE)
_PYTHON = re.compile(
    r"^if __name__ == |get_wsgi_application\(|get_asgi_application\(|\bFastAPI\(|\bFlask\(|\bStarlette\("
    r"|execute_from_command_line",
    re.MULTILINE,
)
_PYTHON_NAMES = frozenset(
    {"manage.py", "__main__.py", "wsgi.py", "asgi.py", "main.py", "app.py", "server.py", "run.py"}
)
_JAVA = re.compile(r"\bstatic\s+void\s+main\s*\(|@QuarkusMain\b|^fun main\(", re.MULTILINE)
_JAVA_NAME = re.compile(r"(?:\w*(?:Application|Main|App|Server)|Main)\.(?:java|kt)")
_C = re.compile(r"^(?:int|void)\s+main\s*\(", re.MULTILINE)
_RUST = re.compile(r"(?:.*/)?src/(?:main\.rs|bin/[\w-]+\.rs|bin/[\w-]+/main\.rs)")
_STARTED = re.compile(r"\bnode\s+(?:--?[\w=-]+\s+)*([\w./-]+)")


def entry_points(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the files where programs begin, each with a few words why; tests and examples are not looked at."""
    seen: set[str] = set()
    for path, reason in (*_of_node(tree), *_by_heads(tree)):
        if path not in seen:
            seen.add(path)
            yield path, reason


def _by_heads(tree: Tree) -> Iterator[tuple[str, str]]:
    left = _MOST_HEADS
    for path in sorted(filter(_may_be, tree.sizes), key=lambda one: (one.count("/"), one)):
        if _RUST.fullmatch(path):
            yield path, "a binary of the crate"
            continue
        if left == 0:
            return
        left -= 1
        text = tree.text(path, most=_HEAD)
        if reason := _reason(path, text):
            yield path, reason


def _may_be(path: str) -> bool:
    folders, _, name = path.rpartition("/")
    if _ASIDE & set(folders.split("/")):
        return False
    if name.endswith(".go"):
        return not name.endswith("_test.go") and (name == "main.go" or "/" not in path or path.startswith("cmd/"))
    if name.endswith(".py"):
        return name in _PYTHON_NAMES
    if name.endswith((".java", ".kt")):
        return _JAVA_NAME.fullmatch(name) is not None
    if name.endswith(".rs"):
        return _RUST.fullmatch(path) is not None
    return name in ("main.c", "main.cc", "main.cpp", "main.cxx")


_ASIDE = frozenset({"test", "tests", "testdata", "vendor", "third_party", "node_modules", "examples", "example"})


def _reason(path: str, text: str) -> str:
    ending = path.rpartition(".")[2]
    if ending == "go" and _GO.search(text) and _GO_MAIN.search(text):
        return "package main with func main"
    if ending == "py" and (match := _PYTHON.search(text)):
        return "runs as a program" if match[0].startswith("if") else f"makes the application: {match[0].rstrip('(')}"
    if ending in ("java", "kt") and _JAVA.search(text):
        return "has the main method"
    return "has main" if ending in ("c", "cc", "cpp", "cxx") and _C.search(text) else ""


def _of_node(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield what package.json files name as bin, as what ``npm start`` runs, or as main."""
    for manifest in tree.names("package.json")[:60]:
        said, _ = json_of(tree, manifest)
        folder = manifest.removesuffix("package.json")
        named = {"bin": said.get("bin")} | {f"bin {key}": one for key, one in table_of(said, "bin").items()}
        named["npm start"] = (
            match[1] if (match := _STARTED.search(text_of(table_of(said, "scripts").get("start")))) else ""
        )
        named["main"] = said.get("main")
        for why, target in named.items():
            if found := _file(tree, folder, text_of(target)):
                yield found, f"{why} of {manifest}"


def _file(tree: Tree, folder: str, target: str) -> str:
    parts = [part for part in target.split("/") if part not in ("", ".")]
    stem = f"{folder}{'/'.join(parts)}"
    endings = ("", ".js", ".mjs", ".cjs", ".ts", "/index.js")
    return next((path for ending in endings if parts and tree.has(path := f"{stem}{ending}")), "")
