"""Which version of a run time, package manager or build tool answers on this machine.

Read beside the program where it says so in a file, because asking npm or Maven takes half a second; asked by
``--version`` otherwise. Asked in the root folder, never in the project's: a package manager there may start the
project's own copy of itself, or fetch another.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proa.errors import ProaError
from proa.outside.command import Run, run
from proa.outside.sandbox import find_program

_ASKED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "node": (("node", "nodejs"), ("--version",)),
    "npm": (("npm",), ("--version",)),
    "yarn": (("yarn", "yarnpkg"), ("--version",)),
    "pnpm": (("pnpm",), ("--version",)),
    "bun": (("bun",), ("--version",)),
    "python": (("python3", "python"), ("--version",)),
    "pip": (("pip3", "pip"), ("--version",)),
    "poetry": (("poetry",), ("--version",)),
    "uv": (("uv",), ("--version",)),
    "pdm": (("pdm",), ("--version",)),
    "pipenv": (("pipenv",), ("--version",)),
    "java": (("javac", "java"), ("-version",)),
    "maven": (("mvn",), ("--version",)),
    "gradle": (("gradle",), ("--version",)),
    "rustc": (("rustc",), ("--version",)),
    "cargo": (("cargo",), ("--version",)),
}
_PATIENCE_S = 10.0
_VERSION = re.compile(r"(?<![\w.])v?(\d+(?:\.\d+)+(?:[-+._][0-9A-Za-z.]+)?)")
_QUIET = {
    "COREPACK_ENABLE_NETWORK": "0",
    "COREPACK_DEFAULT_TO_LATEST": "0",
    "RUSTUP_AUTO_INSTALL": "0",
    "NO_COLOR": "1",
}
"""Asking for a version must not fetch one."""


def installed_versions(names: Iterable[str], *, environ: Mapping[str, str], run: Run = run) -> dict[str, str]:
    """Return the version of each that is here, asked side by side; those that are not here are missing."""
    known = sorted(set(names) & set(_ASKED))
    if not known:
        return {}
    with ThreadPoolExecutor(len(known)) as pool:
        said = pool.map(lambda name: _version(name, environ, run), known)
        return {name: version for name, version in zip(known, said, strict=True) if version}


def _version(name: str, environ: Mapping[str, str], run: Run) -> str:
    programs, question = _ASKED[name]
    path = next((found for program in programs if (found := find_program(program, environ))), "")
    if not path:
        return ""
    if beside := version_beside(name, Path(path)):
        return beside
    env = {key: value for key, value in environ.items() if key != "PYENV_VERSION"} | _QUIET
    try:
        ran = run([path, *question], cwd=Path("/"), env=env, timeout_s=_PATIENCE_S, accept=None)
    except ProaError:
        return ""
    if ran.status != 0:
        return ""
    return version_in(ran.text) or version_in(ran.stderr.decode(errors="replace"))


def version_in(text: str) -> str:
    """Return the first version a tool's answer holds.

    >>> version_in("javac 17.0.9"), version_in("v20.20.2"), version_in("cargo 1.95.0 (f2d3ce0bd 2026-03-21)")
    ('17.0.9', '20.20.2', '1.95.0')
    """
    match = _VERSION.search(text)
    return match[1] if match else ""


def version_beside(name: str, program: Path) -> str:
    """Return the version that a file beside a program states; empty where there is none."""
    try:
        real = program.resolve()
        match name:
            case "npm" | "yarn" | "pnpm":
                return _package_version(real, name)
            case "maven":
                return _jar_version(real.parent.parent / "lib", "maven-core-")
            case "gradle":
                return _jar_version(real.parent.parent / "lib", "gradle-base-services-")
            case "java":
                return _release_version(real.parent.parent / "release")
            case _:
                return ""
    except (OSError, ValueError, RuntimeError):
        pass
    return ""


def _package_version(real: Path, name: str) -> str:
    for folder in real.parents[:3]:
        file = folder / "package.json"
        if file.is_file():
            said = json.loads(file.read_bytes())
            if isinstance(said, dict) and said.get("name") in (name, "@yarnpkg/cli-dist"):
                return str(said.get("version", ""))
    return ""


def _jar_version(folder: Path, stem: str) -> str:
    # Debian has links such as maven-core-3.x.jar beside the real ones.
    found = [re.fullmatch(rf"{stem}(\d+(?:\.\d+)+)\.jar", path.name) for path in folder.glob(f"{stem}*.jar")]
    return max((match[1] for match in found if match), default="")


def _release_version(file: Path) -> str:
    match = re.search(
        r'^JAVA_VERSION="([^"\n]{1,40})"', file.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    )
    return match[1] if match else ""
