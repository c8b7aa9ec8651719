"""``--binary FILE``: a program that is built already, planned, finished and read like any other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from proa import analyze, build
from proa.errors import LibraryMissing, WrongUsage
from proa.outside.configuration import load_configuration
from proa.outside.go import Go
from proa.outside.jar import is_jar
from proa.outside.store import disk_errors
from proa.pipeline.plan import Bench, Plan
from proa.records.binary import Binary
from proa.records.configuration import Configuration, settings_of
from proa.records.evidence import Finding, Needs
from proa.records.platform import Platform
from proa.records.project import Git, Graph, Main, Native, Project
from proa.records.request import Request


def lay_binary_plan(bench: Bench, request: Request) -> Plan:
    """Return the plan for one finished program; its own header says for which platform.

    Raises WrongUsage, BinaryDamaged, LibraryMissing, WrongConfiguration.
    """
    if request.sources not in ((), (".",)):
        raise WrongUsage(
            "--binary and a SOURCE exclude each other", hint="a finished program needs no source beside it"
        )
    _check_flags(request)
    file = Path(request.directory, request.binary).absolute()
    if is_jar(file):
        from proa.pipeline.jar import lay_jar_plan

        return lay_jar_plan(bench, request, file)
    what = build.inspect_program(file)
    loaded = load_configuration(file.parent, environ=bench.environ)
    settings, origins = settings_of(loaded.configuration, (file.name,), request.overrides)
    platform = _platform(what.platform, request.platforms, file.name)
    main = Main(
        name=file.name,
        import_path=file.name,
        directory=str(file.parent),
        module="",
        module_directory=str(file.parent),
        language=what.language,
    )
    decides = (
        "binary/v1",
        _digest(file),
        file.stat().st_mode,
        str(file),
        settings.build,
        str(platform),
        _found_now(bench, file, platform, settings),
    )
    return Plan(
        main=main,
        directory=loaded.file.parent if loaded.file else file.parent,
        go=Go(),
        git=Git(),
        settings=settings,
        origins=origins,
        platforms=(platform,),
        graphs=(Graph(mains=(main,), packages=(), modules=(), platform=str(platform)),),
        keys=(_key(decides),),
        findings=loaded.findings,
        native=Native(system="binary", directory=str(file.parent), file=str(file)),
    )


def _check_flags(request: Request) -> None:
    """Raise WrongUsage for a flag that only a build would heed; in proa.yaml it may be for the source's sake."""
    asked = request.overrides.get("build", {})
    for name, flag in (("tags", "--build-tags"), ("ldflags", "--ldflags")):
        if asked.get(name):
            raise WrongUsage(f"--binary and {flag} exclude each other", hint="a finished program is not built again")


def _key(decides: object) -> str:
    from proa.pipeline.steps import key_of

    return key_of(decides)


def _digest(file: Path) -> str:
    with disk_errors(file), file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _platform(found: Platform, words: tuple[str, ...], name: str) -> Platform:
    """Return the platform of a program, with the variant that was asked for. Raises WrongUsage."""
    asked = tuple(dict.fromkeys(Platform.parse(word) for word in words))
    for one in asked:
        if (one.os, one.architecture) != (found.os, found.architecture):
            raise WrongUsage(
                f"{name} is built for {found}, and --platform asks for {one}", hint="leave --platform out, or build it"
            )
    return asked[0] if asked else found


def library_path(bench: Bench) -> tuple[str, ...]:
    """Return the folders of LD_LIBRARY_PATH; an empty one would be wherever the program is started."""
    return tuple(one for one in bench.environ.get("LD_LIBRARY_PATH", "").replace(";", ":").split(":") if one)


def _has_base(settings: Configuration) -> bool:
    return settings.image.base not in ("auto", "scratch")


def _found_now(bench: Bench, file: Path, platform: Platform, settings: Configuration) -> object:
    """Return what names the libraries as they are on this machine now. Raises LibraryMissing on an empty base."""
    try:
        found = build.find_runtime_files(
            file,
            platform=platform,
            sysroot=Path(settings.build.sysroot or "/").absolute(),
            library_path=library_path(bench),
        )
    except LibraryMissing:
        if not _has_base(settings):
            raise
        return "left to the base"
    return build.identity(found)


def read_binary(plan: Plan) -> Project:
    """Return what is known of a finished program beside its needs: nothing of its source."""
    return Project(
        main=plan.main, go_version="", toolchain="", packages=(), modules=(), git=plan.git, native=plan.native
    )


def build_binary(bench: Bench, plan: Plan, platform: Platform) -> Binary:
    """Take a finished program into the store: proved, split, with its loader and libraries."""

    def finished(*, has_own_libraries: bool) -> Binary:
        return build.finish_prebuilt(
            _file(plan),
            name=plan.main.name,
            platform=platform,
            settings=plan.settings.build,
            store=bench.store,
            library_path=library_path(bench),
            has_own_libraries=has_own_libraries,
        )

    try:
        return finished(has_own_libraries=True)
    except LibraryMissing as error:
        if not _has_base(plan.settings):
            raise
        binary = finished(has_own_libraries=False)
        told = Finding(id="build.left-to-base", severity="info", message=f"{error.what}; it is left to the base")
        return msgspec.structs.replace(binary, findings=(*binary.findings, told))


def _file(plan: Plan) -> Path:
    return Path(plan.native.file if plan.native else "")


def find_binary_needs(bench: Bench, plan: Plan, binary: Binary) -> Needs:
    """Return what a finished program needs at run time, read from its file."""
    linked = bench.store.blob_path(binary.unstripped_digest)
    if binary.language == "go":
        # Its own call graph is in the file; what only the source says counts as a need.
        return analyze.find_needs(linked, plan.main, ())
    libraries = [bench.store.blob_path(one.digest) for one in binary.runtime_files if one.digest]
    names = [one.path for one in binary.runtime_files if one.digest]
    return analyze.find_elf_needs(linked, binary.name, dict(zip(names, libraries, strict=True)))
