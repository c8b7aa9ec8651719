"""The lock state: what would make the same build come out differently elsewhere.

What the go command itself refuses (missing or wrong go.sum, a vendor folder that does not fit) is raised when
the graph is listed. Here is what it lets pass.
"""

from __future__ import annotations

import filecmp
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from proa.errors import ToolTimedOut
from proa.outside.go import Go, module_cache, version_key
from proa.outside.gomodule import escape
from proa.records.evidence import Evidence, Finding
from proa.records.project import Main, Module, Package

_FIRST_WITH_DIFF = "1.23"
"""Source: https://go.dev/doc/go1.23#go-command."""
_PATIENCE_S = 60.0
"""`go mod tidy` may have to fetch the tests of dependencies; a build is not held up longer (arbitrary)."""
_SHOWN = 5


def lock_findings(
    main: Main, packages: Sequence[Package], modules: Sequence[Module], *, go: Go, toolchain: str
) -> tuple[Finding, ...]:
    """Return everything about the locks of one program that is worth telling; nothing for ``path@version``."""
    if main.module_version:
        return ()
    own = [Path(module.directory) for module in modules if module.is_main and module.directory]
    tidy = [finding for folder in own for finding in check_tidy(folder, go=go, toolchain=toolchain)]
    root = _tree(Path(main.module_directory or main.directory))
    return (*tidy, *replaced_outside(modules, root), *_vendor_findings(packages, modules, go))


def check_tidy(folder: Path, *, go: Go, toolchain: str) -> tuple[Finding, ...]:
    """Say whether ``go mod tidy`` would change go.mod or go.sum; needs Go 1.23, and at times the network."""
    if version_key(toolchain) < version_key(_FIRST_WITH_DIFF):
        return (_unchecked(f"`go mod tidy -diff` needs Go {_FIRST_WITH_DIFF}, and this is {toolchain}"),)
    try:
        ran = go.call(["mod", "tidy", "-diff"], directory=folder, accept=None, timeout_s=_PATIENCE_S)
    except ToolTimedOut:
        return (_unchecked(f"`go mod tidy -diff` did not end within {_PATIENCE_S:g} s"),)
    if ran.status == 0:
        return ()
    if not ran.stdout.strip():
        lines = ran.stderr.decode(errors="replace").strip().splitlines()
        return (_unchecked(lines[-1].strip() if lines else f"`go mod tidy -diff` exited with {ran.status}"),)
    return (
        Finding(
            id="analyze.untidy",
            message=f"go.mod or go.sum is not tidy: {summarise_diff(ran.text)}",
            hint="run: go mod tidy",
            evidence=(Evidence(file="go.mod"),),
        ),
    )


def summarise_diff(diff: str) -> str:
    r"""Return what a diff of go.mod and go.sum changes, in one line.

    >>> summarise_diff("--- a/go.mod\n+++ b/go.mod\n@@ -1 +1 @@\n-require a.org/b v1.0.0\n+require a.org/c v1.1.0\n")
    'go.mod + a.org/c v1.1.0, - a.org/b v1.0.0'
    """
    changes: dict[str, list[str]] = {}
    name = ""
    for line in diff.splitlines():
        if line.startswith(("+++ ", "--- ")):
            name = line.split()[1].rpartition("/")[2]
        elif line[:1] in ("+", "-"):
            word = re.sub(r"^require\s+|\s*// indirect$", "", line[1:].strip())
            if word and word not in ("(", ")", "require ("):
                changes.setdefault(name, []).append(f"{line[0]} {word}")
    return "; ".join(_shown(name, lines) for name, lines in changes.items()) or "its layout differs"


def replaced_outside(modules: Sequence[Module], root: Path) -> tuple[Finding, ...]:
    """Return a finding for each module whose source lies outside the tree, or is named by an absolute path."""
    found = []
    for module in modules:
        is_outside = not Path(module.directory).is_relative_to(root) or module.replacement.startswith("/")
        if not module.directory or module.version or not is_outside:
            continue
        how = f"replaced by {module.replacement}" if module.replacement else "used by go.work"
        found.append(
            Finding(
                id="analyze.replaced-outside",
                message=f"{module.path} is {how}, outside the source tree: the build cannot be repeated elsewhere",
                hint="require a published version, or move the folder into the tree",
                evidence=(Evidence(package=module.path, file="go.mod" if module.replacement else "go.work"),),
            )
        )
    return tuple(found)


def _vendor_findings(packages: Sequence[Package], modules: Sequence[Module], go: Go) -> Iterator[Finding]:
    """Compare the vendored packages of a program with the module cache, as far as they are there."""
    versions = {module.path: module for module in modules if not module.is_main and not module.directory}
    vendored = [package for package in packages if package.module in versions]
    cache = module_cache(go)
    if not vendored or cache is None:
        return
    changed: list[str] = []
    missing: set[str] = set()
    for package in vendored:
        original = _original(package, versions[package.module], cache)
        if original is None or not original.is_dir():
            missing.add(package.module)
        else:
            changed += _differing(package, original)
    if changed:
        yield Finding(
            id="analyze.vendor-modified",
            message=f"{len(changed)} vendored files differ from their module: {_few(changed)}",
            hint="run: go mod vendor (or keep the change in a fork and a replace directive)",
            evidence=tuple(Evidence(file=f"vendor/{name}") for name in changed[:20]),
        )
    if missing:
        yield Finding(
            id="analyze.vendor-unchecked",
            severity="info",
            message=f"{len(missing)} vendored modules are not in the module cache and were not compared",
            hint="`go mod download` fetches them",
        )


def _original(package: Package, module: Module, cache: Path) -> Path | None:
    """Return where the module cache would hold a vendored package; None where a folder replaces its module."""
    path, _, version = (module.replacement or f"{module.path}@{module.version}").rpartition("@")
    if not path or not version:
        return None
    inside = package.import_path.removeprefix(module.path).strip("/")
    return cache / f"{escape(path)}@{escape(version)}" / inside


def _differing(package: Package, original: Path) -> list[str]:
    names = (*package.files, *package.cgo_files, *package.other_files)
    _, differ, gone = filecmp.cmpfiles(package.directory, original, names, shallow=False)
    return [f"{package.import_path}/{name}" for name in (*differ, *gone)]


def _tree(folder: Path) -> Path:
    """Return the root of the source tree: the repository where there is one, else the workspace or module."""
    for place in (folder, *folder.parents):
        if (place / ".git").exists():
            return place
    return folder


def _unchecked(why: str) -> Finding:
    return Finding(
        id="analyze.tidy-unchecked",
        severity="info",
        message=f"whether go.mod is tidy could not be checked: {why}",
        hint="run `go mod tidy -diff` with the network at hand",
    )


def _shown(name: str, lines: Sequence[str]) -> str:
    if name == "go.sum":
        more, less = (sum(line.startswith(sign) for line in lines) for sign in "+-")
        return f"go.sum +{more} -{less} lines"
    # What is added says more than what it replaces.
    return f"{name} {_few(sorted(lines, key=lambda line: line.startswith('-')))}"


def _few(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest
