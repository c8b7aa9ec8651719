"""A Go project as the go command and its own source describe it; one of another language as its build system does."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.binary import Language
from proa.records.contract import Variable
from proa.records.evidence import Evidence, Finding


class Module(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Go module in the build."""

    path: str
    version: str = ""
    """Empty for the main module and for modules replaced by a folder."""
    directory: str = ""
    is_main: bool = False
    go_version: str = ""
    replacement: str = ""
    """The module (``path@version``) or folder that stands for it, by a replace directive."""


class Package(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One package in a program's import graph."""

    import_path: str
    directory: str = ""
    name: str = ""
    module: str = ""
    """Path of the module it belongs to; empty for the standard library."""
    module_version: str = ""
    is_standard: bool = False
    is_local: bool = False
    """True where its files are not an immutable module version: they are hashed for the cache."""
    files: tuple[str, ...] = ()
    """Go files that are compiled, by name."""
    other_files: tuple[str, ...] = ()
    """Everything else that goes into the build: embedded files, C, assembly, by path relative to the directory."""
    imports: tuple[str, ...] = ()
    cgo_files: tuple[str, ...] = ()


class Main(msgspec.Struct, frozen=True, kw_only=True):
    """One main package: one program, one image."""

    name: str
    """The program's name as ``go build`` would choose it."""
    import_path: str
    directory: str
    module: str
    module_version: str = ""
    """Set where the program was asked for as ``path@version``."""
    module_directory: str = ""
    """Where the go command runs for it: the module or workspace root."""
    go_flags: tuple[str, ...] = ()
    """Build flags this program's place asks for, such as ``-mod=mod`` for ``path@version``."""
    go_environment: tuple[tuple[str, str], ...] = ()
    """Names and values laid over the go command's environment for this program, such as GOWORK=off."""
    language: Language = "go"
    """For other languages ``import_path`` is the project folder's name and the program's: ``shop/api``."""


System = Literal["make", "cmake", "meson", "cargo", "binary", "jar"]
"""What builds a program that the go command does not; ``binary`` is built already."""


class Native(msgspec.Struct, frozen=True, kw_only=True):
    """How a program comes about that the go command does not build."""

    system: System
    directory: str
    """The project's root, where the build system's own file is; for ``binary`` and ``jar`` the folder of the file."""
    file: str = ""
    """The finished program, for ``binary`` and ``jar``."""
    package: str = ""
    """The Cargo package that has the program; ``Main.name`` is the binary target's."""
    version: str = ""
    """What Cargo.toml, project() in CMakeLists.txt or meson.build say."""


class CgoUse(msgspec.Struct, frozen=True, kw_only=True):
    """A package that needs C, and how main comes to import it."""

    package: str
    chain: tuple[str, ...]
    """Import paths, from the main package to this one."""
    is_stub_without: bool
    """True where it compiles without cgo but then fails or lacks its work at run time."""
    evidence: Evidence = Evidence()


class EnvironmentVariable(msgspec.Struct, frozen=True, kw_only=True):
    """A variable the program reads, by a literal name."""

    name: str
    default: str = ""
    evidence: Evidence = Evidence()


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A port the program listens on, by a literal address."""

    number: int
    address: str = ""
    evidence: Evidence = Evidence()


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP route the program serves, by a literal pattern."""

    path: str
    method: str = ""
    is_health: bool = False
    evidence: Evidence = Evidence()


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What the source of the program's own module says of how it is configured and asked."""

    environment: tuple[EnvironmentVariable, ...] = ()
    """Of ``variables`` those of the environment that have a whole name."""
    ports: tuple[Port, ...] = ()
    routes: tuple[Route, ...] = ()
    variables: tuple[Variable, ...] = ()
    """Everything it reads of how it is configured: variables, flags and files."""
    findings: tuple[Finding, ...] = ()


class Git(msgspec.Struct, frozen=True, kw_only=True):
    """What git says of the source tree; all empty outside a repository."""

    revision: str = ""
    short_revision: str = ""
    tag: str = ""
    branch: str = ""
    committed_at: str = ""
    """RFC 3339, UTC."""
    committed_epoch_s: int = 0
    is_dirty: bool = False
    remote: str = ""
    """The origin's address as an https URL, without credentials."""


class Project(msgspec.Struct, frozen=True, kw_only=True):
    """One program to be shipped and all that its source says."""

    main: Main
    go_version: str
    """The version go.mod asks for, e.g. ``1.24``."""
    toolchain: str
    """The tool chain that will build it: ``go1.26.8``, ``zig 0.17.1``, ``rustc 1.95.0``."""
    packages: tuple[Package, ...]
    """The import graph, dependencies before their importers (the order of ``go list -deps``)."""
    modules: tuple[Module, ...]
    cgo: tuple[CgoUse, ...] = ()
    environment: tuple[EnvironmentVariable, ...] = ()
    ports: tuple[Port, ...] = ()
    routes: tuple[Route, ...] = ()
    variables: tuple[Variable, ...] = ()
    """The configuration contract; ``environment`` is what of it has a name in the environment."""
    git: Git = Git()
    findings: tuple[Finding, ...] = ()
    native: Native | None = None
    """Set where the go command does not build the program; then there are no packages and modules."""


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """What one ``go list -deps`` says of one or more programs on one platform."""

    mains: tuple[Main, ...]
    packages: tuple[Package, ...]
    """Dependencies before their importers."""
    modules: tuple[Module, ...]
    platform: str = ""
    toolchain: str = ""
    """The tool chain that really answered, ``go1.26.8``: go.mod may have made the go command start another."""
    asked: tuple[str, ...] = ()
    """Everything beside the source that decides the build: settings and variables, for the cache key."""
    parts: tuple[Graph, ...] = ()
    """One graph per module where programs of several unrelated modules were asked for; ``packages_of`` knows."""
    cgo: tuple[CgoUse, ...] = ()
    """The packages for which it was listed with cgo, where cgo is only used for those that need it."""
    empty: tuple[str, ...] = ()
    """Folders that were asked for and hold no file that is built for this platform and these settings."""
