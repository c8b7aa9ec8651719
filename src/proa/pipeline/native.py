"""Programs that the go command does not build: planned, built and read by what their own build system says."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import msgspec

from proa import analyze
from proa.errors import ProaError, ToolMissing
from proa.outside import cargo
from proa.outside.configuration import Loaded, load_configuration
from proa.outside.git import read_git
from proa.outside.go import Go
from proa.outside.machine import this_platform
from proa.outside.sourcetree import digest_files, list_files
from proa.outside.zig import WHEEL_HINT, Compilers, compilers, find_zig, found_compilers
from proa.pipeline.plan import Bench, Plan
from proa.records.binary import Binary
from proa.records.configuration import BuildSettings, settings_of
from proa.records.evidence import Needs
from proa.records.platform import Platform
from proa.records.project import Git, Graph, Main, Native, Project, System
from proa.records.request import Request


class Tree(msgspec.Struct, frozen=True, kw_only=True):
    """A project's files, and all else that decides every program of it."""

    root: Path
    names: tuple[str, ...]
    digest: str
    tools: tuple[str, ...]
    """The tool chain's own names and versions."""
    programs: tuple[tuple[Main, Native], ...]


def lay_native_plans(
    bench: Bench, request: Request, *, system: System, directory: Path, platforms: tuple[Platform, ...]
) -> tuple[Plan, ...]:
    """Return a plan for each program that the sources of a project mean.

    Raises WrongConfiguration, WrongUsage, NoProgram, SeveralMains, ToolMissing.
    """
    plans: dict[tuple[str, str], Plan] = {}
    for source in request.sources or (".",):
        folder = analyze.folder_of(source, directory) or directory
        loaded = load_configuration(folder, environ=bench.environ)
        common, _ = settings_of(loaded.configuration, (), request.overrides)
        with ThreadPoolExecutor(1) as pool:
            git = pool.submit(read_git, folder, environ=bench.environ)
            if system == "cargo":
                tree = _cargo_tree(bench, folder, takes_all=source.endswith("..."), program=common.build.program)
                if loaded.file is None:
                    loaded = load_configuration(tree.root, environ=bench.environ)
            else:
                tree = _tree(bench, folder, system, program=common.build.program)
            for main, native in tree.programs:
                plans[main.import_path, main.directory] = _plan(
                    bench,
                    (main, native),
                    tree=tree,
                    loaded=loaded,
                    overrides=request.overrides,
                    git=git.result(),
                    platforms=platforms,
                )
    return tuple(plans.values())


def _tree(bench: Bench, folder: Path, system: System, *, program: str) -> Tree:
    names = list_files(folder, environ=bench.environ)
    programs = (analyze.native_main(folder, system, program=program, names=names),)
    return Tree(root=folder, names=names, digest=digest_files(folder, names), tools=(), programs=programs)


def _cargo_tree(bench: Bench, folder: Path, *, takes_all: bool, program: str) -> Tree:
    from proa.build.rust import target_directory

    environ = bench.environ
    with ThreadPoolExecutor(2) as pool:
        reading = pool.submit(cargo.read_workspace, folder, environ=environ)
        asking = pool.submit(_read_rust, folder, environ)
        workspace = reading.result()
        root = Path(workspace.root)
        names = list_files(root, environ=environ)
        own = Path(workspace.target_directory)
        if own.is_relative_to(root) and own != root:
            output = f"{own.relative_to(root).as_posix()}/"
            names = tuple(name for name in names if not name.startswith(output))
        if "Cargo.lock" not in names and (root / "Cargo.lock").is_file():
            names = tuple(sorted((*names, "Cargo.lock")))
        # What the build reads though version control ignores it; the copy for a missing Cargo.lock has it not.
        ignored = set(cargo.read_files(target_directory(root, bench.store), root)) - set(names)
        digests = [digest_files(root, sorted({*names, *ignored}))]
        outside = [Path(path) for path in workspace.outside]
        digests += [digest_files(place, list_files(place, environ=environ)) for place in outside]
        digests += [file.read_text(errors="replace") for file in cargo.configuration_files(root, environ)]
        rust = asking.result()
    programs = analyze.cargo_mains(workspace.crates, root=root, folder=folder, takes_all=takes_all, program=program)
    tools = (rust.version, rust.host, rust.sysroot)
    return Tree(root=root, names=names, digest=" ".join(digests), tools=tools, programs=programs)


def _plan(
    bench: Bench,
    program: tuple[Main, Native],
    *,
    tree: Tree,
    loaded: Loaded,
    overrides: Mapping[str, object],
    git: Git,
    platforms: tuple[Platform, ...],
) -> Plan:
    main, native = program
    names = (main.name, main.import_path, *([native.package] if native.package else []))
    settings, origins = settings_of(loaded.configuration, names, overrides)
    keys = []
    for platform in platforms:
        with_c = _compilers(bench, settings.build, platform, is_needed=native.system != "cargo")
        decides = (
            "native/v1",
            tree.digest,
            tree.tools,
            (main.name, main.language, native.system, native.package),
            settings.build,
            str(platform),
            (with_c.name, with_c.machine, () if with_c.is_zig else _libraries_here()) if with_c else (),
            _deciding(bench.environ, native.system),
            bench.environ.get("SOURCE_DATE_EPOCH", ""),
        )
        keys.append(_key(decides))
    return Plan(
        main=main,
        directory=loaded.file.parent if loaded.file else tree.root,
        go=Go(),
        git=git,
        settings=settings,
        origins=origins,
        platforms=platforms,
        graphs=tuple(Graph(mains=(main,), packages=(), modules=(), platform=str(one)) for one in platforms),
        keys=tuple(keys),
        findings=(*loaded.findings, *analyze.unused_settings(settings.build, native.system)),
        native=native,
    )


def _libraries_here() -> tuple[int, ...]:
    """Return what changes whenever this machine's shared libraries do: the loader's cache."""
    try:
        status = Path("/etc/ld.so.cache").stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns


def _key(decides: Sequence[object]) -> str:
    from proa.pipeline.steps import key_of

    return key_of(*decides)


def _deciding(environ: Mapping[str, str], system: System) -> dict[str, str]:
    if system != "cargo":
        return {}
    from proa.build.rust import deciding_variables

    return deciding_variables(environ)


def _compilers(bench: Bench, settings: BuildSettings, platform: Platform, *, is_needed: bool) -> Compilers | None:
    """Return the C compilers for a platform: those asked for, else zig's. Raises ToolMissing where they are needed."""
    if settings.cc or settings.cxx:
        return found_compilers(settings.cc or "cc", settings.cxx, bench.environ)
    zig = find_zig(bench.environ)
    if zig is None and is_needed:
        raise ToolMissing(
            "there is no C compiler to build this project with",
            hint=f"{WHEEL_HINT}; or name one on PATH: `build: {{cc: gcc}}` in proa.yaml",
        )
    try:
        return compilers(zig, platform, root=bench.store.root) if zig else None
    except ProaError:
        if is_needed:
            raise
        return None


@lru_cache
def _rust(folder: Path, environ: tuple[tuple[str, str], ...]) -> cargo.Rust:
    return cargo.read_rust(folder, environ=dict(environ))


def _read_rust(folder: Path, environ: Mapping[str, str]) -> cargo.Rust:
    return _rust(folder, tuple(environ.items()))


def read_native(bench: Bench, plan: Plan) -> Project:
    """Return what is known of a program before it is built."""
    native = plan.native
    system = native.system if native else "binary"
    if system in ("binary", "jar"):
        from proa.pipeline.prebuilt import read_binary

        return read_binary(plan)
    toolchain = ""
    if system == "cargo":
        toolchain = _read_rust(Path(plan.main.module_directory), bench.environ).version
    else:
        with suppress(ToolMissing):
            found = _compilers(bench, plan.settings.build, plan.platforms[0], is_needed=True)
            toolchain = found.name if found else ""
    return Project(
        main=plan.main,
        go_version="",
        toolchain=toolchain,
        packages=(),
        modules=(),
        git=plan.git,
        native=native,
    )


def build_native(bench: Bench, plan: Plan, platform: Platform) -> Binary:
    """Build a program for one platform; its files are in the store afterwards."""
    native = plan.native
    if native is None:
        raise ToolMissing(f"{plan.main.name} is built by the go command")
    if native.system == "binary":
        from proa.pipeline.prebuilt import build_binary

        return build_binary(bench, plan, platform)
    if native.system == "jar":
        from proa.pipeline.jar import build_jar

        return build_jar(bench, plan)
    root, settings = Path(native.directory), plan.settings.build
    names = list_files(root, environ=bench.environ)
    with_c = _compilers(bench, settings, platform, is_needed=native.system != "cargo")
    if native.system == "cargo":
        from proa.build import rust

        return rust.build_rust(
            rust.Job(
                main=plan.main,
                native=native,
                platform=platform,
                settings=settings,
                rust=_read_rust(root, bench.environ),
                compilers=with_c,
                host_compilers=_host_compilers(bench),
                names=names,
                environ=bench.environ,
                store=bench.store,
                jobs=bench.jobs,
            )
        )
    from proa.build.native import Job
    from proa.build.native import build_native as build

    if with_c is None:
        raise ToolMissing("there is no C compiler", hint=WHEEL_HINT)
    return build(
        Job(
            main=plan.main,
            native=native,
            platform=platform,
            settings=settings,
            compilers=with_c,
            has_base=plan.settings.image.base not in ("auto", "scratch"),
            names=names,
            environ=bench.environ,
            store=bench.store,
            jobs=bench.jobs,
        )
    )


def _host_compilers(bench: Bench) -> Compilers | None:
    """Return zig's compilers for this machine where it has no cc of its own: cargo's build scripts need one."""
    zig = find_zig(bench.environ)
    if zig is None or shutil.which("cc", path=bench.environ.get("PATH", "")):
        return None
    return compilers(zig, this_platform(), root=bench.store.root, libc="glibc")


def find_native_needs(bench: Bench, plan: Plan, binary: Binary) -> Needs:
    """Return what the program needs at run time, read from the program as it was linked."""
    if binary.language == "java":
        return analyze.find_jvm_needs()
    from proa.pipeline.prebuilt import find_binary_needs

    return find_binary_needs(bench, plan, binary)
