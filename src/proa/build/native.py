"""C and C++ projects built by their own make, CMake or meson: in a copy, confined, with flags laid around theirs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from proa.build import driver
from proa.build.closure import runtime_files_of
from proa.build.faults import fault_of
from proa.build.finish import finish
from proa.build.programs import Found, choose, find_programs, folders_of_libraries, others_installed
from proa.errors import BuildFailed, LibraryMissing, ToolMissing
from proa.outside import cmake, make, meson
from proa.outside.command import Ran
from proa.outside.machine import this_platform
from proa.outside.sourcetree import copy_files
from proa.outside.store import Store, disk_errors
from proa.outside.workshop import Workshop, open_workshop
from proa.outside.zig import Compilers
from proa.records.binary import Binary, RuntimeFile
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.project import Main, Native

_FOLDERS = ("bin", "build", "stage", "home", "tmp", "sysroot")
KEPT = (
    "PATH", "HOME", "USER", "LOGNAME", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip
"""What a build sees of the caller's environment: make takes every variable as one of its own. The rest is build.env."""
_MOST_NAMED = 5
_INSTALL_HINTS = {
    "make": "apt-get install make (or your distribution's package)",
    "cmake": "pip install cmake ninja, or your distribution's packages",
    "meson": "pip install meson ninja, or your distribution's packages",
    "ninja": "pip install ninja, or your distribution's package ninja-build",
}


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One program to be built for one platform, and all that it is built with."""

    main: Main
    native: Native
    platform: Platform
    settings: BuildSettings
    compilers: Compilers
    has_base: bool = False
    """The image stands on a base, which may have the libraries of a dynamic program."""
    names: tuple[str, ...]
    """The files of the source tree."""
    environ: Mapping[str, str]
    store: Store
    jobs: int

    @property
    def is_foreign(self) -> bool:
        """Say whether the platform is another than this machine's."""
        return self.platform.architecture != this_platform().architecture

    @property
    def is_static(self) -> bool:
        """Say whether the program is to be linked statically."""
        words = (*self.settings.ldflags, *self.settings.cflags)
        return self.compilers.libc == "musl" or any(word in ("-static", "-static-pie") for word in words)


def build_native(job: Job) -> Binary:
    """Build one program; its files are in the store afterwards, and nothing else anywhere.

    Raises BuildFailed, LibraryMissing, NoProgram, ToolMissing, NoSpace, NotWritable.
    """
    with job.store.folder() as folder:
        with disk_errors(folder):
            for name in _FOLDERS:
                (folder / name).mkdir()
        root = Path(job.native.directory)
        links = copy_files(root, job.names, folder / "source")
        shop = open_workshop(folder, {"PATH": job.environ.get("PATH", os.defpath)}, writable=_writable(job))
        shop = msgspec.structs.replace(shop, environment=_environment(job, shop.place))
        _write_scripts(job, shop)
        before = {found.name: found.identity for found in find_programs(folder / "source")}
        programs = _BUILDERS[job.native.system](job, shop)
        made = [one for one in programs if before.get(one.name) != one.identity]
        chosen = choose(made, program=job.settings.program, project=job.main.name, tool=job.native.system)
        others = others_installed(folder / "stage", chosen)
        libraries, told = _libraries(job, chosen.path, folder)
        return finish(
            chosen.path,
            name=chosen.path.name,
            platform=job.platform,
            settings=job.settings,
            store=job.store,
            language=job.main.language,
            libc=job.compilers.libc,
            compiler=job.compilers.name,
            runtime_files=libraries,
            findings=(*_findings(shop, links, others), *told),
        )


def _libraries(job: Job, program: Path, folder: Path) -> tuple[tuple[RuntimeFile, ...], tuple[Finding, ...]]:
    """Return the loader and libraries of a dynamic program; those that the build itself made are looked for first.

    Raises LibraryMissing, unless a base may have them.
    """
    own = [str(place) for name in ("stage", "build", "source") for place in folders_of_libraries(folder / name)]
    try:
        files = runtime_files_of(program, platform=job.platform, store=job.store, library_path=own)
    except LibraryMissing as error:
        if not job.has_base:
            raise
        told = Finding(id="build.left-to-base", severity="info", message=f"{error.what}; it is left to the base")
        return (), (told,)
    return files, ()


def _writable(job: Job) -> tuple[Path, ...]:
    names = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
    found = {Path(job.compilers.environment[name]): None for name in names if name in job.compilers.environment}
    for path in found:
        path.mkdir(parents=True, exist_ok=True)
    return tuple(found)


def _environment(job: Job, place: Path) -> dict[str, str]:
    path = job.environ.get("PATH", os.defpath)
    found = {name: job.environ[name] for name in KEPT if name in job.environ}
    found |= {"PATH": f"{place}/bin{os.pathsep}{path}", "HOME": f"{place}/home", "TMPDIR": str(place / "tmp")}
    found |= {"LC_ALL": "C.UTF-8", "TZ": "UTC", "CCACHE_DISABLE": "1", "NINJA_STATUS": ""}
    found |= {"SOURCE_DATE_EPOCH": job.environ.get("SOURCE_DATE_EPOCH") or "315532800"}
    found |= driver.variables(f"{place}/bin", job.compilers) | job.compilers.environment
    if job.compilers.is_zig or job.is_foreign:
        # This machine's packages are for another C library or processor.
        found |= {"PKG_CONFIG_LIBDIR": f"{place}/sysroot"}
    return found | job.settings.env


def _write_scripts(job: Job, shop: Workshop) -> None:
    places = {str(shop.place): ".", f"{shop.place}/source": "."}
    written = driver.scripts(job.compilers, job.settings, places=places)
    for name, text in written.items():
        file = shop.folder / "bin" / name
        file.write_text(text)
        file.chmod(0o755)


# One function for each build system: build, install where that can be done, return the programs


def _make(job: Job, shop: Workshop) -> list[Found]:
    _need("make", job)
    source, words = shop.place / "source", job.settings.arguments
    # CC and the like are in the environment only: `CC = gcc -std=c99` in a Makefile finds proa's script on PATH.
    _done(make.make(shop, [], directory=source, variables={}, words=words, jobs=job.jobs), job, shop)
    built = find_programs(shop.folder / "source")
    if _is_named(built, job) or (not shop.confined_by and len(built) == 1):
        return built
    if not make.can_install(shop, directory=source, words=words):
        return built
    stage = {"DESTDIR": f"{shop.place}/stage", "PREFIX": "/usr", "prefix": "/usr"}
    ran = make.make(shop, ["install"], directory=source, variables=stage, words=words, jobs=job.jobs)
    try:
        _done(ran, job, shop)
    except BuildFailed as failed:
        if built:
            # Many an `install` knows no DESTDIR, and the program is there.
            names = ", ".join(one.name for one in built[:_MOST_NAMED])
            failed.hint = f"{failed.hint} (here: {names})"
        raise
    return find_programs(shop.folder / "stage") or find_programs(shop.folder / "source")


def _cmake(job: Job, shop: Workshop) -> list[Found]:
    _need("cmake", job)
    build, stage = shop.place / "build", shop.place / "stage"
    ran = cmake.configure(
        shop,
        source=shop.place / "source",
        build=build,
        tools=driver.variables(f"{shop.place}/bin", job.compilers),
        platform=job.platform if job.is_foreign else None,
        root=shop.place / "sysroot" if job.compilers.is_zig else None,
        words=job.settings.arguments,
    )
    _done(ran, job, shop)
    _done(cmake.build_all(shop, build=build, jobs=job.jobs), job, shop)
    built = find_programs(shop.folder / "build")
    if _is_named(built, job):
        return built
    _done(cmake.install(shop, build=build, stage=stage), job, shop)
    return find_programs(shop.folder / "stage") or built


def _meson(job: Job, shop: Workshop) -> list[Found]:
    _need("meson", job)
    _need("ninja", job)
    build, stage, cross = shop.place / "build", shop.place / "stage", None
    if job.is_foreign:
        tools = driver.variables(f"{shop.place}/bin", job.compilers)
        (shop.folder / "cross.ini").write_text(meson.cross_file(tools, job.platform))
        cross = shop.place / "cross.ini"
    source, words = shop.place / "source", job.settings.arguments
    ran = meson.setup(shop, source=source, build=build, cross=cross, prefers_static=job.is_static, words=words)
    _done(ran, job, shop)
    _done(meson.build_all(shop, build=build, jobs=job.jobs), job, shop)
    built = find_programs(shop.folder / "build")
    if _is_named(built, job):
        return built
    _done(meson.install(shop, build=build, stage=stage), job, shop)
    return find_programs(shop.folder / "stage") or built


_BUILDERS = {"make": _make, "cmake": _cmake, "meson": _meson}


def _need(tool: str, job: Job) -> None:
    if shutil.which(tool, path=job.environ.get("PATH", os.defpath)) is None:
        raise ToolMissing(f"{tool} was not found on PATH", hint=_INSTALL_HINTS[tool])


def _done(ran: Ran, job: Job, shop: Workshop) -> None:
    """Raise what fits where a step failed."""
    if ran.status:
        # What a compiler says comes by one stream or the other, as the build system has it.
        said = b"\n".join((ran.stdout, ran.stderr)).decode(errors="replace")
        folders = [shop.folder / name for name in ("source", "build")]
        raise fault_of(job.native.system, said, place=str(shop.place), is_static=job.is_static, folders=folders)


def _is_named(programs: Sequence[Found], job: Job) -> bool:
    return bool(job.settings.program) and any(one.is_called(job.settings.program) for one in programs)


def _findings(shop: Workshop, links: Sequence[str], others: Sequence[str]) -> Iterator[Finding]:
    if not shop.confined_by:
        yield Finding(
            id="build.not-confined",
            message="the build was not confined: it could have written anywhere this user may",
            hint="install bubblewrap (package bubblewrap), and allow it to make namespaces",
        )
    if links:
        yield Finding(
            id="build.links-outside",
            message=f"links that lead out of the source tree were left out of the build: {_few(links)}",
            hint="put what they lead to into the tree, if the build needs it",
        )
    if others:
        yield Finding(
            id="build.installed-beside",
            severity="info",
            message=f"`install` also puts files beside the program, which are not in the image: {_few(others)}",
            hint="image.files in proa.yaml puts files of the source tree into the image",
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
