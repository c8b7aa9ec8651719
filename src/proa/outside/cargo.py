"""cargo and rustc: what they say of a workspace and of themselves, and how a program is asked of them."""

from __future__ import annotations

import os
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import BuildFailed, ToolFailed, ToolMissing, WrongConfiguration
from proa.outside.command import Run, last_lines, run

_HINT = "install Rust from rustup.rs, or your distribution's cargo"
_QUICK_S = 60.0
_MOST_TOML_BYTES = 1 << 20
_MOST_DEP_INFO = 200
"""One for each program and platform."""


class Crate(msgspec.Struct, frozen=True, kw_only=True):
    """One binary target of a workspace."""

    name: str
    package: str
    version: str
    directory: str
    is_default: bool = False
    """``default-run`` names it."""
    is_default_member: bool = False


class Workspace(msgspec.Struct, frozen=True, kw_only=True):
    """What ``cargo metadata`` says."""

    root: str
    target_directory: str
    crates: tuple[Crate, ...]
    outside: tuple[str, ...] = ()
    """Folders of path dependencies outside the root."""


class Rust(msgspec.Struct, frozen=True, kw_only=True):
    """The compiler that cargo would use in a folder."""

    version: str
    """``rustc 1.95.0``."""
    host: str
    sysroot: str

    def has_target(self, triple: str) -> bool:
        """Say whether the standard library for a target is installed."""
        return any((Path(self.sysroot) / "lib/rustlib" / triple / "lib").glob("libstd-*.rlib"))

    @property
    def linker(self) -> str:
        """Return the path of the linker that rustup's tool chains bring; empty where there is none."""
        file = Path(self.sysroot) / "lib/rustlib" / self.host / "bin/rust-lld"
        return str(file) if file.is_file() else ""


def read_workspace(folder: Path, *, environ: Mapping[str, str], run: Run = run) -> Workspace:
    """Return the workspace a folder belongs to, without resolving dependencies: nothing is written or fetched.

    Raises ToolMissing, WrongConfiguration.
    """
    if shutil.which("cargo", path=environ.get("PATH", "")) is None:
        raise ToolMissing("cargo was not found on PATH", hint=_HINT)
    words = ["cargo", "metadata", "--no-deps", "--offline", "--format-version=1"]
    ran = run(words, cwd=folder, env=environ, accept=None, timeout_s=_QUICK_S)
    if ran.status:
        raise WrongConfiguration("cargo cannot read Cargo.toml", output=last_lines(ran.stderr))
    return parse_metadata(ran.stdout)


def parse_metadata(content: bytes) -> Workspace:
    """Return what ``cargo metadata --no-deps`` wrote. Raises WrongConfiguration.

    Source: https://doc.rust-lang.org/cargo/commands/cargo-metadata.html#json-format.
    """
    try:
        said = msgspec.json.decode(content)
        root = str(said["workspace_root"])
        members = said.get("workspace_default_members") or said["workspace_members"]
        crates = [crate for package in said["packages"] for crate in _crates(package, members)]
        paths = [one["path"] for package in said["packages"] for one in package["dependencies"] if one.get("path")]
        target = str(said["target_directory"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise WrongConfiguration("cargo metadata wrote something that is not understood") from error
    return Workspace(root=root, target_directory=target, crates=tuple(crates), outside=_outside(paths, root))


def _crates(package: dict[str, Any], default_members: list[str]) -> Iterator[Crate]:
    for target in package["targets"]:
        if "bin" in target["kind"]:
            yield Crate(
                name=target["name"],
                package=package["name"],
                version=package["version"],
                directory=str(Path(package["manifest_path"]).parent),
                is_default=package.get("default_run") == target["name"],
                is_default_member=package["id"] in default_members,
            )


def _outside(paths: Iterable[str], root: str) -> tuple[str, ...]:
    """Return every folder outside the root that path dependencies lead to, those of their own included."""
    waiting, found = [Path(path) for path in paths], dict[str, None]()
    while waiting:
        folder = Path(os.path.normpath(waiting.pop()))
        if str(folder) in found or folder.is_relative_to(root) or not folder.is_dir():
            continue
        found[str(folder)] = None
        waiting += [folder / path for path in _path_dependencies(read_toml(folder / "Cargo.toml"))]
    return tuple(sorted(found))


def _path_dependencies(table: Any) -> Iterator[str]:
    """Yield every ``path`` of a manifest's dependency tables, wherever they stand."""
    if not isinstance(table, dict):
        return
    for key, value in table.items():
        if key.endswith("dependencies") and isinstance(value, dict):
            for one in value.values():
                if isinstance(one, dict) and isinstance(one.get("path"), str):
                    yield one["path"]
        elif isinstance(value, dict):
            yield from _path_dependencies(value)


def read_files(output: Path, root: Path) -> tuple[str, ...]:
    """Return the files below a workspace that its last build read, relative to it; none before the first build.

    Those that version control ignores are among them: ``include_str!`` of what another tool made. ``output`` is
    cargo's target directory. Source: https://doc.rust-lang.org/cargo/reference/build-cache.html#dep-info-files.
    """
    found: set[str] = set()
    for file in sorted(output.glob("*/*/*.d"))[:_MOST_DEP_INFO]:
        with suppress(OSError), file.open(encoding="utf-8", errors="replace") as stream:
            for word in re.findall(r"(?:\\.|[^\s\\])+", stream.read(_MOST_TOML_BYTES)):
                path = Path(re.sub(r"\\(.)", r"\1", word))
                if path.is_absolute() and path.is_relative_to(root) and path.is_file():
                    found.add(path.relative_to(root).as_posix())
    return tuple(sorted(found))


def read_toml(file: Path) -> dict[str, Any]:
    """Return a TOML file's content; empty where there is none or it cannot be read as such."""
    try:
        with file.open("rb") as stream:
            return tomllib.loads(stream.read(_MOST_TOML_BYTES).decode(errors="replace"))
    except (OSError, tomllib.TOMLDecodeError, RecursionError):
        return {}


def read_rust(folder: Path, *, environ: Mapping[str, str], run: Run = run) -> Rust:
    """Return the compiler for a folder; rust-toolchain.toml may choose it. Raises ToolMissing, ToolFailed."""
    program = environ.get("RUSTC") or "rustc"

    def asked(words: list[str]) -> str:
        return run([program, *words], cwd=folder, env=environ, timeout_s=10 * _QUICK_S).text

    try:
        # Each takes 50 ms through rustup's proxy.
        with ThreadPoolExecutor(2) as pool:
            said, sysroot = pool.map(asked, (["-vV"], ["--print=sysroot"]))
    except ToolMissing as error:
        raise ToolMissing("rustc was not found on PATH", hint=_HINT) from error
    return parse_rust(said, sysroot)


def parse_rust(said: str, sysroot: str) -> Rust:
    r"""Return what ``rustc -vV`` and ``rustc --print=sysroot`` say. Raises ToolFailed.

    >>> parse_rust("rustc 1.95.0 (59807616e 2026-04-14)\nhost: x86_64-unknown-linux-gnu\n", "/opt/rust\n").version
    'rustc 1.95.0'
    """
    version = re.search(r"^rustc \S+", said, re.MULTILINE)
    host = re.search(r"^host: (\S+)", said, re.MULTILINE)
    if version is None or host is None or not sysroot.startswith("/"):
        raise ToolFailed("rustc did not say its version, host and sysroot", output=last_lines(said.encode()))
    return Rust(version=version[0], host=host[1], sysroot=sysroot.strip())


def cargo_home(environ: Mapping[str, str]) -> Path:
    """Return cargo's own folder. Raises BuildFailed where neither CARGO_HOME nor HOME is set."""
    if environ.get("CARGO_HOME"):
        return Path(environ["CARGO_HOME"]).absolute()
    if not environ.get("HOME"):
        raise BuildFailed("cargo has no place for its registry", hint="set HOME or CARGO_HOME")
    return Path(environ["HOME"]) / ".cargo"


def configuration_files(folder: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Yield cargo's configuration files that hold for a folder, the nearest first.

    Source: https://doc.rust-lang.org/cargo/reference/config.html#hierarchical-structure.
    """
    for place in (*(above / ".cargo" for above in (folder, *folder.parents)), cargo_home(environ)):
        for name in ("config", "config.toml"):
            if (place / name).is_file():
                yield place / name
                break
