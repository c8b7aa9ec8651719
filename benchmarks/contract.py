"""Claim: the configuration contract of six Go programs has recall and precision ≥ 0.95 of what they document.

The truth is the programs' own: each is built from its module and asked for --help, command by command (prometheus'
page of flags is in its module); variables are those of contract.toml, collected by hand from each module's documents.
Words name the programs to count; none stands for all.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from measure import environment, finish, go, header, run, verdict
from peers import cache
from proa.analyze import list_graph, packages_of
from proa.analyze.contract.go import go_contract
from proa.outside.go import find_go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Graph

_TRUTH: dict[str, Any] = tomllib.loads(Path(__file__).with_name("contract.toml").read_text(encoding="utf-8"))
_LEAST = 0.95
_NOWHERE = {"help", "h", "version"}
"""Flags that print something and end."""
_OF_LIBRARIES = {"help", "completion"}
"""Commands that cobra and urfave/cli add."""


def built(name: str, entry: dict[str, Any]) -> Path:
    """Return the program, built from its module as `go install` does."""
    folder = cache() / "contract" / f"{name}@{entry['version']}"
    env = environment(GOBIN=str(folder), CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOWORK="off")
    if not folder.is_dir() or not any(folder.iterdir()):
        run([go(), "install", f"{entry['package']}@{entry['version']}"], env=env)
    return next(folder.iterdir())


def said(program: Path, *words: str) -> str:
    """Return what a program prints for --help; many do so on standard error, with a status of their own."""
    ran = subprocess.run(
        [program, *words, "--help"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
        cwd="/", env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
    )  # fmt: skip
    return f"{ran.stdout}\n{ran.stderr}"


def cobra_flags(program: Path, hidden: Sequence[str], *words: str) -> Iterator[str]:
    """Yield the flags of a command and of all below it."""
    text = said(program, *words)
    for block in re.findall(r"^(?:Global )?Flags:\n((?:[ \t]+.*\n)+)", text, re.MULTILINE):
        yield from re.findall(r"^\s+(?:-\w, )?--([\w.-]+)", block, re.MULTILINE)
    commands = re.search(r"^Available Commands:\n((?:  .*\n)+)", text, re.MULTILINE)
    below = re.findall(r"^  ([\w-]+)", commands[1], re.MULTILINE) if commands else []
    for command in (*below, *(hidden if not words else ())):
        if command not in _OF_LIBRARIES:
            yield from cobra_flags(program, hidden, *words, command)


def documented(name: str, entry: dict[str, Any], module: Path) -> set[tuple[str, str]]:
    """Return what a program documents, as kinds and names."""
    variables = {one["name"] for one in entry.get("environment", ())}
    kind = entry["help"]
    if kind.endswith(".md"):
        text = (module / kind).read_text(encoding="utf-8")
        flags = set(re.findall(r">--([\w.-]+)</code>", text))
    elif kind == "cobra":
        flags = set(cobra_flags(built(name, entry), entry.get("hidden_commands", ())))
    else:
        text = said(built(name, entry))
        form = r"^\s+-(\w[\w.-]*)" if kind == "flag" else r"^\s+(?:-\w, )?--([\w.-]+)"
        flags = set(re.findall(form, text, re.MULTILINE))
        variables |= {
            word for listed in re.findall(r"\[(\$\w+(?:, \$\w+)*)\]", text) for word in re.findall(r"\w+", listed)
        }
        if prefix := entry.get("prints_variables"):
            variables |= set(re.findall(rf"^{prefix}\w+", text, re.MULTILINE))
    return {("flag", flag) for flag in flags - _NOWHERE} | {("environment", variable) for variable in variables}


def listed(entry: dict[str, Any]) -> Graph:
    """Return the import graph of a published program."""
    source = f"{entry['package']}@{entry['version']}"
    settings = BuildSettings(cgo="off")
    found = find_go(environment(GOFLAGS="-buildvcs=false"))
    return list_graph(
        [source], directory=Path("/"), platform=Platform.parse("linux/amd64"), go=found, settings=settings
    )


def count(name: str, entry: dict[str, Any]) -> tuple[int, int, int, int]:
    """Print one program's row and misses; return how many are documented, found of them, wrong and undocumented."""
    graph = listed(entry)
    main = graph.mains[0]
    packages = packages_of(main, graph)
    module = next(Path(one.directory) for one in graph.modules if one.path == main.module)
    started = time.process_time()
    contract = go_contract(main, packages)
    taken_s = time.process_time() - started
    truth = documented(name, entry, module)
    found = {
        (one.kind, one.name.lstrip("-")): one
        for one in contract.variables
        if one.kind != "file" and one.name.lstrip("-") not in _NOWHERE
    }
    missed, beyond = sorted(truth - found.keys()), sorted(found.keys() - truth)
    known = [one["name"] for one in entry.get("undocumented", ())]
    read = [key for key in beyond if any(fnmatchcase(key[1], pattern) for pattern in known)]
    wrong = [key for key in beyond if key not in read]
    hit = len(truth) - len(missed)
    print(
        f"{name:11} {entry['library']:15} {len(truth):10} {hit:6} {len(missed):7} {len(wrong):6} {len(read):13}"
        f" {hit / len(truth):7.3f} {hit / max(hit + len(wrong), 1):10.3f} {taken_s:8.2f}"
    )
    for kind, missing in missed:
        print(f"    missed        {kind} {missing}")
    for key in wrong:
        print(f"    wrong         {key[0]} {key[1]} ({found[key].where[0].file}:{found[key].where[0].line})")
    for key in read if len(read) <= 10 else ():
        print(f"    undocumented  {key[0]} {key[1]} ({found[key].where[0].file}:{found[key].where[0].line})")
    return len(truth), hit, len(wrong), len(read)


header("the configuration contract of six Go programs: recall and precision >= 0.95 of what they document")
print(
    f"{'program':11} {'reads by':15} {'documented':>10} {'found':>6} {'missed':>7} {'wrong':>6} {'undocumented':>13}"
    f" {'recall':>7} {'precision':>10} {'cpu s':>8}"
)
rows = {name: count(name, _TRUTH[name]) for name in sys.argv[1:] or _TRUTH}
total, hit, wrong, undocumented = (sum(column) for column in zip(*rows.values(), strict=True))
print(f"all: {total} documented, {hit} found, {wrong} wrong, {undocumented} read and documented nowhere")
print(f"precision with what is documented nowhere counted as wrong: {hit / (hit + wrong + undocumented):.3f}")
results = []
for name, row in rows.items():
    results.append(verdict(f"{name}: share of the documented that is missed", 1 - row[1] / row[0], 1 - _LEAST))
    results.append(verdict(f"{name}: share of the found that is wrong", row[2] / max(row[1] + row[2], 1), 1 - _LEAST))
results.append(verdict("all: share of the documented that is missed", 1 - hit / total, 1 - _LEAST))
results.append(verdict("all: share of the found that is wrong", wrong / max(hit + wrong, 1), 1 - _LEAST))
finish(results)
