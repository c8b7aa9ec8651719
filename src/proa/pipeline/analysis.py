"""The line of ``proa analyze``: the state of the project, and of a program that is built here also what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proa import analyze
from proa.errors import (
    BuildFailed,
    LockBroken,
    NeedsC,
    NoMain,
    NoProgram,
    NoProject,
    ProaError,
    SeveralMains,
    ToolMissing,
    ToolTooOld,
)
from proa.outside.configuration import load_configuration
from proa.outside.go import find_upward
from proa.pipeline import steps
from proa.pipeline.plan import Bench, Plan, Say, lay_plans, open_bench
from proa.pipeline.startup import WantedStart
from proa.pipeline.state import Chosen, State, read_state, state_tree
from proa.records.analysis import Analysis
from proa.records.configuration import settings_of
from proa.records.evidence import Finding
from proa.records.project_layout import LayoutEntry
from proa.records.request import Request

_NOT_BUILT = (NoMain, SeveralMains, ToolMissing, ToolTooOld, BuildFailed, LockBroken, NeedsC)
"""What leaves the state of a project as worth knowing as before."""
_FAULTS = (BuildFailed, LockBroken, NeedsC)
"""Of these, the project's own faults: they decide the exit status."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """How far an analysis goes."""

    today: str
    """``2026-11-29``: what support has ended by."""
    should_start: bool = True
    """Whether what can be run here is started once, confined and without network."""
    start: WantedStart = WantedStart()


class Analyzed(msgspec.Struct, frozen=True, kw_only=True):
    """All that was asked for, and the fault that kept a program from being built."""

    analyses: tuple[Analysis, ...]
    fault: ProaError | None = None


def analyze_all(request: Request, *, environ: Mapping[str, str], progress: Say, wanted: Wanted) -> Analyzed:
    """Return the state of every program or project asked for; programs are linked, and read on their first platform.

    Raises WrongUsage, WrongConfiguration, NoProject, and what keeps a source from being found at all.
    """
    bench = open_bench(request, environ, progress)
    with bench.store.using():
        folders = _folders(request)
        if folders and not request.binary and not all(_is_built_here(folder, request, environ) for folder in folders):
            return Analyzed(analyses=tuple(_started(bench, folder, request, wanted) for folder in folders))
        try:
            plans = lay_plans(bench, request)
        except _NOT_BUILT as error:
            if not folders:
                raise
            return _refused(error, tuple(_alone(bench, folder, request, wanted.today, error) for folder in folders))
        analyses, faults = [], []
        for plan in plans:
            try:
                analyses.append(_program(bench, plan, wanted))
            except _NOT_BUILT as error:
                faults.append(error)
                analyses.append(_unbuilt(bench, plan, error, wanted.today))
        return _refused(faults[0], tuple(analyses)) if faults else Analyzed(analyses=tuple(analyses))


def _refused(error: ProaError, analyses: tuple[Analysis, ...]) -> Analyzed:
    is_fault = isinstance(error, _FAULTS) and not isinstance(error, NoProgram)
    return Analyzed(analyses=analyses, fault=error if is_fault else None)


def _folders(request: Request) -> tuple[Path, ...]:
    """Return the folders the sources name; none where one of them is no folder."""
    directory = Path(request.directory).absolute()
    found = [analyze.folder_of(source, directory) for source in request.sources or (".",)]
    return tuple(folder for folder in found if folder is not None) if all(found) else ()


_FOREIGN = ("package.json", "pyproject.toml", "setup.py", "requirements.txt", "Pipfile", "pom.xml", "build.gradle")
_FOREIGN_KOTLIN = "build.gradle.kts"
_NATIVE_ENDINGS = (".c", ".cc", ".cpp", ".cxx")


def _is_built_here(folder: Path, request: Request, environ: Mapping[str, str]) -> bool:
    """Say whether proa builds what is in a folder: Go, Rust, or C and C++ with a build system of their own."""
    common, _ = settings_of(load_configuration(folder, environ=environ).configuration, (), request.overrides)
    system = analyze.find_system([str(folder)], directory=folder, wanted=common.build.system)
    if system is None:
        return any(find_upward(name, folder) is not None for name in ("go.mod", "go.work"))
    if system != "make" or common.build.system == "make":
        return True
    # A Makefile says nothing of the language: Node and Python projects have one for their errands.
    names = {path.name for path in folder.iterdir()}
    is_foreign = any(name in names for name in (*_FOREIGN, _FOREIGN_KOTLIN))
    return not is_foreign or any(name.endswith(_NATIVE_ENDINGS) for name in names)


def _program(bench: Bench, plan: Plan, wanted: Wanted) -> Analysis:
    work = steps.Work(bench=bench, plan=plan, log=steps.Log())
    linked = steps.read_linked(work)
    chosen = msgspec.structs.replace(_chosen(plan), reads=linked.project.variables)
    found = _state_of_plan(bench, plan, chosen, wanted.today)
    analysis = _analysis(
        found,
        name=plan.main.import_path,
        plan=plan,
        rest=Analysis(project=linked.project, needs=linked.needs, findings=(*linked.binary.findings, *found.findings)),
    )
    if not wanted.should_start:
        return analysis
    from proa.pipeline.startup import with_program_start

    return with_program_start(analysis, work, linked.binary, wanted.start, folder=_root(plan))


def _unbuilt(bench: Bench, plan: Plan, error: ProaError, today: str) -> Analysis:
    found = _state_of_plan(bench, plan, _chosen(plan), today)
    findings = (_problem(error), *found.findings)
    return _analysis(found, name=plan.main.import_path, plan=plan, rest=Analysis(problem=error.what, findings=findings))


def _analysis(found: State, *, name: str, plan: Plan | None, rest: Analysis) -> Analysis:
    """Return the state laid into what is known beside it."""
    laid = {field: getattr(found, field) for field in State.__struct_fields__ if field != "findings"}
    if plan is not None:
        laid |= {"platform": plan.platforms[0], "settings": plan.settings, "origins": plan.origins}
    return msgspec.structs.replace(rest, name=name, **laid)


def _chosen(plan: Plan) -> Chosen:
    if plan.native is not None or not plan.graphs:
        return Chosen()
    graph = plan.graphs[0]
    packages = tuple(one for one in analyze.packages_of(plan.main, graph) if one.is_local)
    return Chosen(toolchain=graph.toolchain or plan.go.version, modules=graph.modules, packages=packages)


def _state_of_plan(bench: Bench, plan: Plan, chosen: Chosen, today: str) -> State:
    if plan.native is not None and plan.native.system in ("binary", "jar"):
        return State()
    root = _root(plan)
    bench.say(f"looking at {root}")
    return read_state(state_tree(root, environ=bench.environ), environ=bench.environ, today=today, chosen=chosen)


def _root(plan: Plan) -> Path:
    """Return the project's folder: the module's, or that of the build system's own file."""
    if plan.native is not None:
        return Path(plan.native.directory)
    return plan.directory if plan.main.module_version else Path(plan.main.module_directory or plan.main.directory)


def _alone(bench: Bench, folder: Path, request: Request, today: str, error: ProaError | None = None) -> Analysis:
    """Return the state of a folder that no program was built from. Raises NoProject where nothing in it is known."""
    bench.say(f"looking at {folder}")
    tree = state_tree(folder, environ=bench.environ)
    found = read_state(tree, environ=bench.environ, today=today, chosen=Chosen())
    if error is None and not found.environment and not any(map(_is_code, found.layout)):
        raise NoProject(
            f"there is no project in {folder}: none of {_LOOKED_FOR}",
            hint="name the project's folder: proa analyze ./path/to/it",
        )
    loaded = load_configuration(folder, environ=bench.environ)
    settings, origins = settings_of(loaded.configuration, (), request.overrides)
    findings = (*((_problem(error),) if error else _programs_below(found)), *found.findings, *loaded.findings)
    rest = Analysis(settings=settings, origins=origins, problem=error.what if error else "", findings=findings)
    return _analysis(found, name=folder.name or str(folder), plan=None, rest=rest)


def _started(bench: Bench, folder: Path, request: Request, wanted: Wanted) -> Analysis:
    analysis = _alone(bench, folder, request, wanted.today)
    if not wanted.should_start:
        return analysis
    from proa.pipeline.startup import with_project_start

    return with_project_start(analysis, bench, wanted.start, folder=folder)


_LOOKED_FOR = (
    "go.mod, Cargo.toml, package.json, pyproject.toml, requirements.txt, pom.xml, build.gradle, CMakeLists.txt, "
    "meson.build and Makefile is there or below it"
)


def _is_code(entry: LayoutEntry) -> bool:
    return entry.role in ("entry-point", "manifest", "sources")


def _programs_below(found: State) -> tuple[Finding, ...]:
    """Say where in a tree of several projects the programs are that proa does build."""
    below = [one for one in found.layout if one.role == "manifest" and one.path.endswith(("/go.mod", "/Cargo.toml"))]
    if not below:
        return ()
    folders = sorted({one.path.rpartition("/")[0] for one in below})
    more = f" and {len(folders) - 3} more" if len(folders) > 3 else ""
    return (
        Finding(
            id="analyze.programs-below",
            severity="info",
            message=f"programs that proa builds are in {', '.join(folders[:3])}{more}",
            hint=f"proa analyze ./{folders[0]} says what it needs at run time",
        ),
    )


def _problem(error: ProaError) -> Finding:
    return Finding(
        id="analyze.not-built",
        severity="error" if isinstance(error, _FAULTS) else "warning",
        message=f"what it needs at run time is not known: {error.what}",
        hint=error.hint,
    )
