"""``go list``: one call for the whole import graph, its JSON read into records, its complaints into errors."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import (
    BuildFailed,
    LockBroken,
    ModuleMissing,
    ProaError,
    ToolFailed,
    ToolTooOld,
    UnknownPlatform,
    WrongConfiguration,
)
from proa.outside.command import last_lines
from proa.outside.go import Go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform


class ListedModule(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A module as ``go list`` describes it. Source: `go help list`."""

    path: str = ""
    version: str = ""
    dir: str = ""
    main: bool = False
    go_version: str = ""
    replace: ListedModule | None = None


class ListedError(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What is wrong with a package."""

    import_stack: list[str] | None = None
    pos: str = ""
    err: str = ""


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A package as ``go list`` describes it: only the fields that are asked for."""

    dir: str = ""
    import_path: str = ""
    name: str = ""
    standard: bool = False
    dep_only: bool = False
    module: ListedModule | None = None
    go_files: list[str] = []
    cgo_files: list[str] = []
    ignored_go_files: list[str] = []
    c_files: list[str] = msgspec.field(name="CFiles", default_factory=list)
    cxx_files: list[str] = msgspec.field(name="CXXFiles", default_factory=list)
    m_files: list[str] = msgspec.field(name="MFiles", default_factory=list)
    h_files: list[str] = msgspec.field(name="HFiles", default_factory=list)
    f_files: list[str] = msgspec.field(name="FFiles", default_factory=list)
    s_files: list[str] = msgspec.field(name="SFiles", default_factory=list)
    swig_files: list[str] = []
    swig_cxx_files: list[str] = msgspec.field(name="SwigCXXFiles", default_factory=list)
    syso_files: list[str] = []
    embed_files: list[str] = []
    imports: list[str] = []
    error: ListedError | None = None

    @property
    def other_files(self) -> list[str]:
        """Return everything that goes into the build and is neither Go nor cgo."""
        return [
            *self.c_files,
            *self.cxx_files,
            *self.m_files,
            *self.h_files,
            *self.f_files,
            *self.s_files,
            *self.swig_files,
            *self.swig_cxx_files,
            *self.syso_files,
            *self.embed_files,
        ]


FIELDS = ",".join(field.encode_name for field in msgspec.structs.fields(Listed) if field.name != "ignored_go_files")
"""Naming the fields makes the call five times faster: no staleness, no test files. IgnoredGoFiles is long and
needed for the slow path only."""


def list_packages(
    patterns: Sequence[str],
    *,
    go: Go,
    directory: Path,
    environment: Mapping[str, str],
    flags: Sequence[str] = (),
    with_ignored: bool = False,
) -> tuple[Listed, ...]:
    """Return the packages that match, and all they import, dependencies first.

    Packages with an error are among them. Raises what ``read_complaint`` returns where there is no list at all.
    """
    fields = FIELDS + ",IgnoredGoFiles" if with_ignored else FIELDS
    # Stamping asks git for the state of the tree, which no field here needs; without a usable git it fails.
    arguments = ["list", "-e", "-deps", "-buildvcs=false", f"-json={fields}", *flags, "--", *patterns]
    ran = go.call(arguments, directory=directory, environment=environment, accept=None)
    if ran.status != 0:
        raise read_complaint(ran.stderr.decode(errors="replace"), last_lines(ran.stderr))
    return parse_packages(ran.stdout)


def parse_packages(output: bytes) -> tuple[Listed, ...]:
    r"""Return the packages of ``go list -json``: objects one after the other, each closed in the first column.

    Raises ToolFailed.

    >>> [package.import_path for package in parse_packages(b'{\n\t"ImportPath": "a"\n}\n{\n\t"ImportPath": "b"\n}\n')]
    ['a', 'b']
    """
    # JSON strings hold no raw line ends, and nested objects are indented: this cannot cut inside a value.
    joined = b"[" + output.strip().replace(b"\n}\n{", b"\n},{") + b"]"
    try:
        return tuple(msgspec.json.decode(joined, type=list[Listed]))
    except msgspec.MsgspecError as error:
        raise ToolFailed(f"go list wrote what is not its JSON: {error}") from error


def build_environment(platform: Platform, settings: BuildSettings) -> dict[str, str]:
    """Return what is laid over the environment of the go command to build for a platform."""
    cgo = "1" if settings.cgo == "on" else "0"
    return {**settings.env, **platform.go_environment, "CGO_ENABLED": cgo}


_LISTED = frozenset({"tags", "mod", "modfile", "overlay", "race", "msan", "asan", "installsuffix"})
"""Build flags that change which files and packages are part of a program."""
_SWITCHES = frozenset({"race", "msan", "asan"})


def list_flags(settings: BuildSettings) -> list[str]:
    """Return the flags of ``go build`` that ``go list`` must have as well.

    >>> list_flags(BuildSettings(flags=("-mod", "vendor", "-v"), tags=("a", "b")))
    ['-tags=a,b', '-mod=vendor']
    """
    # In the order of the build: the user's own flags come last, and the last one counts.
    found = [f"-tags={','.join(settings.tags)}"] if settings.tags else []
    words = iter(settings.flags)
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and name in _LISTED:
            if not equals and name not in _SWITCHES:
                value = next(words, "")
            found.append(f"-{name}={value}" if value else f"-{name}")
    return found


_PORTS: Mapping[str, str] = {
    "aix": "ppc64",
    "android": "386 amd64 arm arm64",
    "darwin": "amd64 arm64",
    "dragonfly": "amd64",
    "freebsd": "386 amd64 arm arm64 riscv64",
    "illumos": "amd64",
    "ios": "amd64 arm64",
    "js": "wasm",
    "linux": "386 amd64 arm arm64 loong64 mips mips64 mips64le mipsle ppc64 ppc64le riscv64 s390x",
    "netbsd": "386 amd64 arm arm64",
    "openbsd": "386 amd64 arm arm64 ppc64 riscv64",
    "plan9": "386 amd64 arm",
    "solaris": "amd64",
    "wasip1": "wasm",
    "windows": "386 amd64 arm64",
}
"""What Go 1.21 to 1.27 build for. Source: `go tool dist list`."""


def check_platform(platform: Platform, go: Go) -> None:
    """Raise UnknownPlatform where the tool chain cannot build for a platform.

    ``go list`` takes any words here. The list above costs nothing; only what is not in it is asked for.
    """
    pair = f"{platform.os}/{platform.architecture}"
    ports = sorted(f"{os}/{architecture}" for os, all_of in _PORTS.items() for architecture in all_of.split())
    variant_is_known = not platform.variant or platform.variant in _VARIANTS.get(platform.architecture, ())
    if variant_is_known and pair in ports:
        return
    if variant_is_known:
        ran = go.call(["tool", "dist", "list"], directory=Path("/"), accept=None)
        if pair in ran.text.split():
            return
    near = [port for port in difflib.get_close_matches(pair, ports, n=1) if port != pair]
    guess = f"did you mean {near[0]}? " if near else ""
    raise UnknownPlatform(f"Go does not build for {platform}", hint=f"{guess}see `go tool dist list`")


_VARIANTS = {
    "arm": ("v5", "v6", "v7"),
    "amd64": ("v1", "v2", "v3", "v4"),
    "arm64": ("v8", "v9", *(f"v8.{n}" for n in range(10)), *(f"v9.{n}" for n in range(6))),
}
"""Source: `go help environment` (GOARM, GOAMD64, GOARM64)."""


_LOCK = re.compile(
    r"missing go\.sum entry|updates to go\.(?:mod|sum|work) needed|updating go\.mod|inconsistent vendoring"
    r"|checksum mismatch|SECURITY ERROR|no required module provides|import lookup disabled by -mod"
    r"|errors parsing .*go\.(?:mod|work)|go\.(?:mod|work|sum):\d+: |malformed go\.sum"
    r"|cannot load module .* listed in go\.work"
    r"|replacement directory .* does not exist|is replaced but not required|no such module in|ambiguous import"
    r"|not match(?:ed)? go\.mod|module .* declares its path as|parsing go\.(?:mod|work)"
)
_FETCH = re.compile(
    r"module lookup disabled|dial tcp|no such host|40[34] (?:Not Found|Forbidden)|410 Gone|unrecognized import path"
    r"|invalid version|unknown revision|no matching versions|reading https?://|connection refused|Could not resolve"
    r"|i/o timeout|TLS handshake|x509:|refusing to pass credentials|repository .* not found"
)
_TOO_NEW = re.compile(r"requires go ?>= ?(\S+) \(running go ?([^;)]+)|toolchain not available|download go[\d.]+")
_REMEDIES = (
    (re.compile(r"inconsistent vendoring|-mod=vendor"), "run: go mod vendor"),
    (re.compile(r"malformed go\.sum"), "restore go.sum from version control, or remove it and run: go mod tidy"),
    (re.compile(r"parsing go\.(?:mod|work)|go\.(?:mod|work):\d+: "), "mend the line named above"),
    (re.compile(r"listed in go\.work"), "mend the use lines of go.work, or set GOWORK=off"),
    (re.compile(r"replacement directory"), "mend the replace directive, or put the folder where it points"),
)


_SETTINGS = re.compile(
    r"parsing \$GOFLAGS|invalid GOTOOLCHAIN|unknown GOEXPERIMENT|requires cgo; enable cgo"
    r"|^flag provided but not defined|^invalid value .* for flag"
    r"|invalid (?:GO[A-Z0-9_]+)[ =:]|must be one of .* in GO[A-Z0-9]+",
    re.MULTILINE,
)


def read_complaint(text: str, output: str = "") -> ProaError:
    """Return the error that fits what the go command wrote.

    >>> type(read_complaint("x.go:3:2: missing go.sum entry for module providing package b.org/c")).__name__
    'LockBroken'
    """
    words = output or text.strip()
    if match := _TOO_NEW.search(text):
        wanted, has = match.group(1), match.group(2)
        what = (
            f"the project asks for go {wanted}, and this is go {has}" if wanted else "a newer Go cannot be fetched here"
        )
        return ToolTooOld(what, output=words, wanted=wanted or "")
    if "unsupported GOOS/GOARCH pair" in text or "unknown GOOS" in text:
        return UnknownPlatform(text.strip().splitlines()[-1], output=words)
    if _SETTINGS.search(text):
        return WrongConfiguration(
            "the go command does not accept its settings",
            output=words,
            hint="see GOFLAGS, GOTOOLCHAIN and GOEXPERIMENT, and `build` in proa.yaml",
        )
    if "checksum mismatch" in text or "SECURITY ERROR" in text:
        return LockBroken(
            "a downloaded module does not match go.sum",
            output=words,
            hint="if go.sum was edited, restore it from version control; if the module really changed, do not trust it",
        )
    # A module that cannot be fetched is no fault of the lock files, and "reading https://…" names both.
    if _FETCH.search(text) and not re.search(r"missing go\.sum entry|no required module provides", text):
        return ModuleMissing("a module cannot be had", output=words, hint="see GOPROXY, GOPRIVATE and the network")
    if _LOCK.search(text):
        return LockBroken("the lock files do not fit the source", output=words, hint=_remedy(text))
    return BuildFailed("the project does not build", output=words)


def _remedy(text: str) -> str:
    return next((remedy for pattern, remedy in _REMEDIES if pattern.search(text)), "run: go mod tidy")
