"""An image in which ``proa`` can be run: this machine's Python with proa and what it needs, in one layer."""

from __future__ import annotations

import importlib.metadata
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import proa

_PYTHON = Path("/usr/bin/python3")
_SITE = "usr/lib/proa"
_LAUNCHER = f"#!/usr/bin/python3\nimport sys\nsys.path.insert(0, '/{_SITE}')\nfrom proa.cli.main import main\nsys.exit(main())\n"
_LEFT_OUT = re.compile(r"/(?:__pycache__|test|tests|idlelib|ensurepip|config-\d[^/]*)(?:/|$)")


def build(archive: Path) -> None:
    """Write its files as a tar; skip where Debian's Python is another one than that of the tests."""
    if not _PYTHON.exists() or _version() != f"{sys.version_info.major}.{sys.version_info.minor}":
        pytest.skip("real: /usr/bin/python3 is not there, or not of the version that the tests run with")
    files = dict(_standard_library())
    files |= dict(_packages())
    for library in _libraries([path for path in files.values() if ".so" in path.name] + [_PYTHON.resolve()]):
        files.setdefault(str(library).lstrip("/"), library.resolve())
    with tarfile.open(archive, "w") as out:
        for name, path in sorted(files.items()):
            out.add(path.resolve(), name, recursive=False)
        launcher = tarfile.TarInfo("usr/bin/proa")
        launcher.mode, launcher.size = 0o755, len(_LAUNCHER)
        out.addfile(launcher, io.BytesIO(_LAUNCHER.encode()))


def _version() -> str:
    said = subprocess.run(
        [_PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    return said.stdout.strip()


def _standard_library() -> Iterator[tuple[str, Path]]:
    yield "usr/bin/python3", _PYTHON.resolve()
    for path in Path(f"/usr/lib/python{_version()}").rglob("*"):
        if path.is_file() and not _LEFT_OUT.search(str(path)):
            yield str(path).lstrip("/"), path


def _packages() -> Iterator[tuple[str, Path]]:
    """Yield the files of proa and of all it needs."""
    package = Path(proa.__file__).parent
    for path in package.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{_SITE}/proa/{path.relative_to(package)}", path
    for name in _needed("proa"):
        for file in importlib.metadata.files(name) or ():
            path = Path(str(file.locate()))
            if path.is_file() and ".." not in file.parts and not _LEFT_OUT.search(f"/{file}"):
                yield f"{_SITE}/{file}", path


def _needed(name: str) -> set[str]:
    todo, found = [name], set()
    while todo:
        for text in importlib.metadata.requires(todo.pop()) or ():
            one = Requirement(text)
            if one.name not in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
                found.add(one.name)
                todo.append(one.name)
    return found


def _libraries(programs: list[Path]) -> set[Path]:
    """Return what ldd names: the loader and libraries, under the names they are loaded by."""
    said = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    named = {Path(word) for word in re.findall(r"(?:=> |^\s)(/\S+) \(", said, re.MULTILINE)}
    return {path for path in named if not str(path).startswith(sys.prefix)}
