"""What a user can set: the contents of proa.yaml, after defaults, environment and flags were laid over it.

The JSON Schema in ``docs/reference`` is made from these records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec

from proa.errors import WrongConfiguration, WrongUsage
from proa.records.binary import Strip
from proa.records.preflight import ServiceKind

Compression = Literal["gzip", "zstd"]
CgoChoice = Literal["auto", "off", "on"]
BuildSystem = Literal["auto", "go", "make", "cmake", "meson", "cargo"]


class BuildSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the program is compiled and linked."""

    flags: tuple[str, ...] = ()
    """Passed to ``go build`` as they are; ``-toolexec`` is refused. ``{{.Git.Tag}}`` and the other template
    fields of .ko.yaml are understood here, in ``ldflags`` and in ``env``."""
    ldflags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    env: dict[str, str] = {}
    """Environment of the go command, e.g. ``GOEXPERIMENT`` or ``GOPRIVATE``."""
    strip: Strip = "dwarf"
    keep_symbols: tuple[str, ...] = ()
    """Symbols that stay in the shipped program with ``strip: all``; ``*`` stands for any characters."""
    debug: bool = True
    """Keep what was stripped as a debug file beside the image, for ``proa debug``."""
    cgo: CgoChoice = "auto"
    """``auto``: only where a package does not do its work without C, and a C compiler for the platform is here
    (``proa[c]``) · ``off``: CGO_ENABLED=0 · ``on``: always."""
    cc: str = ""
    """The C compiler, found on PATH: ``gcc``, ``musl-gcc``. Default: the one of ``proa[c]``, static with musl."""
    cxx: str = ""
    """The C++ compiler; default: the one that belongs to ``cc``."""
    cflags: tuple[str, ...] = ()
    """Flags for the C and C++ compiler, cgo's too: ``-Os``. The linker's are in ``ldflags``."""
    system: BuildSystem = "auto"
    """What builds the project: ``auto`` looks for go.mod, Cargo.toml, meson.build, CMakeLists.txt, Makefile."""
    program: str = ""
    """Which of several programs that make, CMake, meson or cargo makes: its path in the build or its name."""
    arguments: tuple[str, ...] = ()
    """More words for make, cmake, meson setup or cargo build: ``PREFIX=/usr``, ``-DWITH_TLS=OFF``, ``--features=x``."""
    sysroot: str = ""
    """The root folder of another system, where the libraries of a finished dynamic program (``--binary``) are."""
    stamp: bool = True
    """Stamp the version control state into the binary (``-buildvcs``) where there is a repository."""


class AssetFile(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    rename={"source": "from", "target": "to"},
):
    """A file or folder put into the image."""

    source: str
    """Relative to proa.yaml; it may not lead outside that folder."""
    target: str
    """Absolute path in the image."""
    mode: str = ""
    """Octal, e.g. ``"0755"``; default 0444 for files, 0555 for folders and executables."""
    owner: str = ""
    """Numeric ``uid:gid``; default ``0:0``."""


class ImageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What the image is made of and how it is started."""

    base: str = "auto"
    """``auto``, ``scratch`` or a reference."""
    user: str = "65532:65532"
    entrypoint: tuple[str, ...] = ()
    """Default: the program's own path."""
    args: tuple[str, ...] = ()
    """The image's Cmd."""
    env: dict[str, str] = {}
    workdir: str = ""
    ports: tuple[str, ...] = ()
    """Exposed ports, ``8080`` or ``53/udp``; default: those found in the source."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    files: tuple[AssetFile, ...] = ()
    compression: Compression = "gzip"
    compression_level: int = 0
    """0: the default of the chosen compression."""


class TrialSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How the image is tried before it is published."""

    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    routes: tuple[str, ...] = ()
    """Asked in this order; default: health routes found in the source, then the usual ones."""
    ports: tuple[int, ...] = ()
    memory: str = "512Mi"
    start_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    stop_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 10.0
    engine: Literal["auto", "bubblewrap", "runc", "crun", "namespaces", "docker"] = "auto"
    server: bool | None = None


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How large something may be, and how much it may grow against what it is compared with."""

    max: str | int = ""
    """Bytes, ``20MB``, ``512KiB``."""
    growth: str | int = ""
    """``5%``, ``200kB``, or ``0``."""


NewRule = Literal["set-uid", "root-user", "secret", "dependency", "system-package", "writable", "error"]
"""What may not be new: a set-uid or set-gid file, root as the image's user, a secret, a module, a system package, a
world-writable file, any finding of severity ``error``."""


class BudgetSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `proa diff` lets through; anything else ends it with exit status 1."""

    image: Budget = Budget()
    """Compressed layers, as a registry stores them."""
    unpacked: Budget = Budget()
    """The contents an image shows."""
    binary: Budget = Budget()
    """The program's file."""
    wasted: Budget = Budget()
    """Stored bytes that the image does not show."""
    layers: dict[str, Budget] = {}
    """By the layer's name in `proa diff` (``program``, ``system files``), or its number from 1; compressed bytes."""
    packages: dict[str, Budget] = {}
    """By import path or module path; ``*`` stands for any characters: ``golang.org/x/*``. Each match on its own."""
    files: dict[str, Budget] = {}
    """By absolute path in the image; ``*`` stands for any characters, ``/`` included."""
    no_new: tuple[NewRule, ...] = ()


class SlimSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What `proa slim` keeps beyond what it finds to be needed, and the runs it traces."""

    keep: tuple[str, ...] = ()
    """Absolute paths, patterns (``/usr/lib/*/gconv/*``), folders (``/srv/``), or names from its list of what was left
    out (``debian:perl-base``)."""
    tests: tuple[str, ...] = ()
    """Shell commands run on this machine against the traced image, one run each; PROA_URL is where it answers."""
    routes: tuple[str, ...] = ()
    """More paths to ask in the traced run; ``trial.routes`` are asked as well."""


class ProgramSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What differs for one program of several; empty fields are taken from above."""

    build: BuildSettings | None = None
    image: ImageSettings | None = None
    trial: TrialSettings | None = None


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A service that `proa preflight` contacts; its secrets stay in variables, which are named here."""

    kind: ServiceKind | None = None
    """Default: what the address's scheme says."""
    address: str = ""
    """A URL or ``host:port``; no secrets."""
    variable: str = ""
    """The variable that holds the address; default: the one the service is named by."""
    required: bool = True
    user: str = ""
    password_from: str = ""
    """The variable that holds the password."""
    token_from: str = ""
    api_key_from: str = ""


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The whole of proa.yaml."""

    build: BuildSettings = BuildSettings()
    image: ImageSettings = ImageSettings()
    trial: TrialSettings = TrialSettings()
    platforms: tuple[str, ...] = ()
    """Default: linux on this machine's architecture."""
    repo: str = ""
    """Where ``--push`` goes: ``registry.example/team``. Also PROA_REPO and KO_DOCKER_REPO."""
    budgets: BudgetSettings = BudgetSettings()
    slim: SlimSettings = SlimSettings()
    services: dict[str, ServiceSettings] = {}
    """By name: a variable's (``DATABASE_URL``), whose service is then said more of, or any other."""
    programs: dict[str, ProgramSettings] = {}
    """By program name or package path (``api``, ``./cmd/api``)."""


def settings_of(
    configuration: Configuration, names: tuple[str, ...], overrides: Mapping[str, Any]
) -> tuple[Configuration, dict[str, str]]:
    """Return what holds for one program, and where each value that is no default came from.

    ``names`` are the words a program goes by in ``programs``; ``overrides`` (the flags) win over everything.
    Origins are ``flag``, ``proa.yaml`` and ``proa.yaml programs.NAME``, by dotted path. Raises WrongUsage.

    >>> one, origins = settings_of(Configuration(repo="r"), ("api",), {"build": {"strip": "all"}})
    >>> one.build.strip, origins
    ('all', {'repo': 'proa.yaml', 'build.strip': 'flag'})
    """
    laid: dict[str, Any] = {}
    origins: dict[str, str] = {}
    _lay(laid, {key: value for key, value in _plain(configuration).items() if key != "programs"}, "proa.yaml", origins)
    for name in names:
        if name in configuration.programs:
            _lay(laid, _plain(configuration.programs[name]), f"proa.yaml programs.{name}", origins)
    _lay(laid, overrides, "flag", origins)
    try:
        return msgspec.convert(laid, Configuration), origins
    except msgspec.ValidationError as error:
        raise WrongUsage(f"the flags do not fit: {error}") from error


def _plain(record: msgspec.Struct) -> dict[str, Any]:
    plain = msgspec.to_builtins(record)
    if not isinstance(plain, dict):
        raise WrongConfiguration("a configuration is a mapping")
    return plain


def _lay(under: dict[str, Any], over: Mapping[str, Any], origin: str, origins: dict[str, str], path: str = "") -> None:
    for key, value in over.items():
        where = f"{path}.{key}" if path else key
        if isinstance(value, Mapping):
            _lay(under.setdefault(key, {}), value, origin, origins, where)
        elif value not in (None, [], ()):
            under[key] = value
            origins[where] = origin
