"""``path@version``: a module fetched through the Go module proxy, and a place to build its program from.

``go install path@version`` cannot choose its output file, and refuses GOBIN for another platform. So the same
requirements are written into a module of proa's own whose only purpose is to require that version: the go
command then takes exactly the versions that the module's own go.mod asks for, the packages lie in the module cache,
and the program shows the real version (docs/decisions/0003-module-at-version.md).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import ModuleMissing, WrongInput, WrongUsage
from proa.outside.go import Go, module_cache
from proa.outside.golist import read_complaint
from proa.outside.gomod import ModFile, read_mod
from proa.outside.machine import make_folder, write_file

WRAPPER = "proa.invalid/program"
"""The name of the module that requires it; `.invalid` can never be somebody's (RFC 2606)."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """A program of a module version, ready to be listed and built."""

    package: str
    module: str
    version: str
    """The exact one, whatever was asked for."""
    directory: Path
    """Where the go command runs."""
    flags: tuple[str, ...] = ("-mod=mod",)
    environment: Mapping[str, str] = msgspec.field(default_factory=lambda: {"GOWORK": "off"})


class _Download(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    path: str = ""
    version: str = ""
    dir: str = ""
    go_mod: str = ""
    error: str = ""


def fetch_module(
    package: str, version: str, *, go: Go, environment: Mapping[str, str], keep: Path | None = None
) -> Fetched:
    """Return the program ``package@version``, downloading the module if it is not in the cache.

    An exact version that is in the module cache costs no process and no network.
    Raises ModuleMissing, WrongUsage, ToolTooOld, LockBroken, NotWritable.
    """
    names = _module_names(package)
    home = keep or _default_keep(go.environment)
    found = _in_cache(package, names, version, go) or _download(
        package, names, version, go=go, environment=environment, home=home
    )
    said = read_mod(Path(found.go_mod))
    if said.replaces or said.excludes:
        verb = "replace" if said.replaces else "exclude"
        raise WrongUsage(
            f"the go.mod of {found.path}@{found.version} has {verb} directives: only its source tree can be built",
            hint="clone it and ship the folder; `go install` refuses it for the same reason",
        )
    directory = home / escape(found.path) / found.version
    _write_wrapper(directory, found, said)
    return Fetched(package=package, module=found.path, version=found.version, directory=directory)


def wrapper_text(module: str, version: str, said: ModFile) -> str:
    r"""Return a go.mod that requires a module version and all that its own go.mod asks for.

    The ``go`` line is the module's own, because it also chooses the program's GODEBUG defaults.

    >>> print(wrapper_text("a.org/b", "v1.2.3", ModFile(go="1.24", requires=(("c.org/d", "v0.1.0"),))))
    module proa.invalid/program
    <BLANKLINE>
    go 1.24
    <BLANKLINE>
    require a.org/b v1.2.3
    require c.org/d v0.1.0 // indirect
    <BLANKLINE>
    """
    lines = [f"module {WRAPPER}", ""]
    lines += [f"go {said.go}", ""] if said.go else []
    lines.append(f"require {module} {version}")
    lines += [f"require {path} {at} // indirect" for path, at in said.requires]
    return "\n".join([*lines, ""])


def _module_names(package: str) -> list[str]:
    """Return the module paths that could hold a package, longest first.

    >>> _module_names("github.com/a/b/cmd/c")
    ['github.com/a/b/cmd/c', 'github.com/a/b/cmd', 'github.com/a/b']
    """
    parts = package.split("/")
    least = 3 if parts[0] in ("github.com", "gitlab.com", "bitbucket.org", "codeberg.org") else 1
    return ["/".join(parts[:count]) for count in range(len(parts), least - 1, -1)]


_EXACT = re.compile(r"v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+incompatible)?")


def _in_cache(package: str, names: Sequence[str], version: str, go: Go) -> _Download | None:
    """Return the module from the cache where the version is exact and the package is in it."""
    cache = module_cache(go)
    if cache is None or not _EXACT.fullmatch(version):
        return None
    for name in names:
        directory = cache / f"{escape(name)}@{escape(version)}"
        go_mod = cache / "cache" / "download" / escape(name) / "@v" / f"{escape(version)}.mod"
        if go_mod.is_file() and _has_package(directory, package, name):
            return _Download(path=name, version=version, dir=str(directory), go_mod=str(go_mod))
    return None


def _download(
    package: str, names: Sequence[str], version: str, *, go: Go, environment: Mapping[str, str], home: Path
) -> _Download:
    """Ask for every module that could hold the package, at once, and take the longest that does, as go does."""
    directory = home / "ask"
    make_folder(directory)
    write_file(directory / "go.mod", f"module {WRAPPER}\n".encode())
    ran = go.call(
        ["mod", "download", "-json", *(f"{name}@{version}" for name in names)],
        directory=directory,
        environment={**environment, "GOWORK": "off"},
        accept=None,
    )
    answers = _parse_downloads(ran.stdout)
    for name in names:
        answer = answers.get(name)
        if answer and not answer.error and answer.dir and _has_package(Path(answer.dir), package, name):
            return answer
    held = next((answers[name] for name in names if name in answers and answers[name].dir), None)
    if held is not None:
        raise ModuleMissing(f"{held.path}@{held.version} has no package {package}")
    raise _missing(package, version, [answers[name].error for name in names if name in answers], ran.stderr)


def _missing(package: str, version: str, errors: Sequence[str], stderr: bytes) -> WrongInput | ModuleMissing:
    said = "\n".join(dict.fromkeys(errors)) or stderr.decode(errors="replace").strip()
    complaint = read_complaint(said)
    if not isinstance(complaint, ModuleMissing) and complaint.code in ("PROA304", "PROA209"):
        raise complaint
    return ModuleMissing(
        f"{package}@{version} was not found",
        output="\n".join(said.splitlines()[-20:]),
        hint="check the path and the version (`go list -m -versions MODULE`), GOPROXY and the network",
    )


def _parse_downloads(output: bytes) -> dict[str, _Download]:
    joined = b"[" + output.strip().replace(b"\n}\n{", b"\n},{") + b"]"
    try:
        return {one.path: one for one in msgspec.json.decode(joined, type=list[_Download])}
    except msgspec.MsgspecError:
        return {}


def _has_package(module_directory: Path, package: str, module: str) -> bool:
    folder = module_directory / package.removeprefix(module).lstrip("/")
    return folder.is_dir() and any(file.suffix == ".go" for file in folder.iterdir())


def _write_wrapper(directory: Path, found: _Download, said: ModFile) -> None:
    """Write go.mod once; the go command adds go.sum, and to go.mod what an older module leaves out."""
    if not (directory / "go.mod").is_file():
        make_folder(directory)
        write_file(directory / "go.mod", wrapper_text(found.path, found.version, said).encode())


def _default_keep(environ: Mapping[str, str]) -> Path:
    home = environ.get("XDG_CACHE_HOME") or os.path.join(environ.get("HOME", "/tmp"), ".cache")  # noqa: S108, PTH118
    return Path(home) / "proa" / "modules"


def escape(path: str) -> str:
    """Return a module path or version as the module cache spells it: capitals behind an exclamation mark.

    Source: https://go.dev/ref/mod#goproxy-protocol.

    >>> escape("github.com/BurntSushi/toml")
    'github.com/!burnt!sushi/toml'
    """
    return "".join(f"!{sign.lower()}" if sign.isupper() else sign for sign in path)
