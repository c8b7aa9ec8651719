"""Which packages need C, how main comes to import them, and what they are without it.

The standard library's own (net, os/user, runtime/cgo, plugin) have real twins in Go and are never reported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from proa.analyze.stub import is_stub
from proa.errors import BuildFailed, LibraryMissing, NeedsC, ProaError
from proa.outside.go import Go
from proa.outside.golist import Listed, build_environment, list_flags, list_packages
from proa.records.configuration import BuildSettings
from proa.records.evidence import Evidence, Finding
from proa.records.platform import Platform
from proa.records.project import CgoUse, Main, Package

_MOST_BYTES = 256 << 10


def find_cgo(
    main: Main, packages: Sequence[Package], *, platform: Platform, go: Go, settings: BuildSettings
) -> tuple[CgoUse, ...]:
    """Return every package of a program that has files in C, with the import chain to it.

    Costs a second ``go list`` only where some package has a file that imports "C", and the list is without cgo.
    """
    if settings.cgo == "on":
        known = {package.import_path: package.imports for package in packages}
        return tuple(
            CgoUse(
                package=one.import_path,
                chain=import_chain([main.import_path], one.import_path, known),
                is_stub_without=False,
                evidence=Evidence(package=one.import_path, file=one.cgo_files[0]),
            )
            for one in packages
            if one.cgo_files and not one.is_standard
        )
    if not any(may_use_cgo(package) for package in packages):
        return ()
    listed = list_with_c(main, platform=platform, go=go, settings=settings)
    without = {package.import_path: package for package in packages}
    imports = {one.import_path: one.imports for one in listed}
    return tuple(
        _use(one, without.get(one.import_path), import_chain([main.import_path], one.import_path, imports))
        for one in listed
        if one.cgo_files and not one.standard
    )


def list_with_c(main: Main, *, platform: Platform, go: Go, settings: BuildSettings) -> tuple[Listed, ...]:
    """Return what the program would consist of with cgo."""
    return list_packages(
        [main.import_path],
        go=go,
        directory=Path(main.module_directory or main.directory),
        environment={**build_environment(platform, settings), **dict(main.go_environment), "CGO_ENABLED": "1"},
        flags=[*list_flags(settings), *main.go_flags],
    )


def cgo_findings(uses: Sequence[CgoUse]) -> tuple[Finding, ...]:
    """Return a finding for each package that is a stub without C."""
    return tuple(
        Finding(
            id="analyze.cgo-stub",
            severity="error",
            message=f"{use.package} compiles without cgo, but is only a stub then: {' → '.join(use.chain)}",
            hint=what_to_do(use.package),
            evidence=tuple(Evidence(package=path) for path in use.chain),
        )
        for use in uses
        if use.is_stub_without
    )


def what_to_do(package: str) -> str:
    """Return how to do without a package that needs C.

    >>> what_to_do("example.com/unheard/of")
    "choose a pure-Go package for it, or build it with C: pip install 'proa[c]' (and no `cgo: off` in proa.yaml)"
    """
    table: Mapping[str, str] = _table()["instead"]
    plain = re.sub(r"(?:/v|\.v)\d+(?=/|$)", "", package)
    instead = next((table[path] for path in table if plain == path or plain.startswith(f"{path}/")), "")
    either = (
        f"in pure Go: {instead}" if instead and not instead.startswith("none") else "choose a pure-Go package for it"
    )
    return f"{either}, or build it with C: pip install 'proa[c]' (and no `cgo: off` in proa.yaml)"


def explain_excluded(wrong: Sequence[Listed], mains: Sequence[Main], *, relist: Callable[[], Sequence[Listed]]) -> None:
    """Raise NeedsC where a package is left without files only because cgo is off; return for any other fault."""
    said = ("build constraints exclude all", "C source files not allowed when not using cgo")
    excluded = [one.import_path for one in wrong if one.error and any(words in one.error.err for words in said)]
    if not excluded:
        return
    with_c = {one.import_path: one for one in relist()}
    for path in excluded:
        if path in with_c and with_c[path].cgo_files:
            starts = [main.import_path for main in mains] or [path]
            raise needs_c(path, import_chain(starts, path, {name: one.imports for name, one in with_c.items()}))


def explain_failure(
    failed: BuildFailed, uses: Sequence[CgoUse], *, mains: Sequence[Main] = (), packages: Sequence[Package] = ()
) -> ProaError:
    """Return the error with the package that is at fault and the chain to it, where C is the reason; else what failed.

    The compiler's own words (``undefined: …``) name everything but the reason.
    """
    if isinstance(failed, LibraryMissing):
        return _with_chain(failed, mains, packages)
    for use in uses:
        if _is_about(use, failed.output):
            needed = needs_c(use.package, use.chain)
            return NeedsC(needed.what, output=f"{needed.output}\n{failed.output}", hint=needed.hint)
    return failed


def _is_about(use: CgoUse, output: str) -> bool:
    """Say whether a compiler complains of a package that lost its C files, or of names that went with them."""
    if re.search(rf"^# {re.escape(use.package)}(?: \[.*)?$", output, re.MULTILINE):
        return True
    plain = re.sub(r"(?:/v|\.v)\d+$", "", use.package)
    name = re.escape(re.sub(r"^go[-_.]|[-_.]go$", "", plain.rpartition("/")[2]))
    return re.search(rf"undefined: {name}\.\w", output) is not None


def _with_chain(failed: LibraryMissing, mains: Sequence[Main], packages: Sequence[Package]) -> LibraryMissing:
    """Return the error with the Go package that asks for the library, and how main comes to import it."""
    package = _asking(failed.library, packages) if failed.library else ""
    package = package or failed.package
    if not package or failed.what.endswith(f"{package} needs it"):
        return failed
    imports = {one.import_path: one.imports for one in packages}
    chain = import_chain([main.import_path for main in mains] or [package], package, imports)
    return LibraryMissing(
        f"{failed.what}; {package} needs it",
        output=f"{_shown(chain)}\n{failed.output}",
        hint=failed.hint,
        package=package,
        library=failed.library,
    )


def _asking(library: str, packages: Sequence[Package]) -> str:
    """Return the package whose ``#cgo`` lines name a library."""
    asks = re.compile(
        rb"^[ \t/*]*#cgo\b[^\n]*[\s:/](?:-l|lib)?" + re.escape(library.encode()) + rb"(?![\w-])", re.MULTILINE
    )
    for one in packages:
        if one.is_standard:
            continue
        for name in one.cgo_files:
            try:
                with Path(one.directory, name).open("rb") as stream:
                    source = stream.read(_MOST_BYTES)
            except OSError:
                continue
            if asks.search(source):
                return one.import_path
    return ""


_SYSTEMS = frozenset((
    "aix", "android", "darwin", "dragonfly", "freebsd", "illumos", "ios", "js", "linux", "netbsd", "openbsd", "plan9",
    "solaris", "wasip1", "windows",
))  # fmt: skip


def may_use_cgo(package: Package, *, system: str = "") -> bool:
    """Say whether a package has a file, compiled or not, that could import "C".

    With ``system`` (GOOS), files that by their name are for another one do not count.
    """
    if package.is_standard or not package.directory:
        return False
    if package.cgo_files:
        return True
    try:
        names = [
            name
            for name in sorted(_names(package.directory))
            if name not in package.files and not (system and _is_elsewhere(name, system))
        ]
    except OSError:
        return False
    return any(_imports_c(Path(package.directory, name)) for name in names)


def _is_elsewhere(name: str, system: str) -> bool:
    """Say whether a file is for another system by its name. Source: `go help buildconstraint`.

    >>> _is_elsewhere("cpu_darwin_cgo.go", "linux"), _is_elsewhere("cpu_darwin_arm64.go", "linux")
    (False, True)
    """
    last = name.removesuffix(".go").split("_")[1:][-2:]
    named = [part for part in last if part in _SYSTEMS]
    is_last = bool(last) and (
        last[-1] in _SYSTEMS or (len(last) == 2 and last[0] in _SYSTEMS and last[1] in _ARCHITECTURES)
    )
    return is_last and system not in named


_ARCHITECTURES = frozenset((
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le", "riscv64",
    "s390x", "wasm",
))  # fmt: skip


def import_chain(starts: Sequence[str], target: str, imports: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the shortest chain of import paths from a start to the target; only the target where there is none.

    >>> import_chain(["a"], "c", {"a": ["b", "d"], "b": ["c"], "d": []})
    ('a', 'b', 'c')
    """
    came_from: dict[str, str] = dict.fromkeys(starts, "")
    queue = list(starts)
    for path in queue:
        if path == target:
            break
        for following in imports.get(path, ()):
            if following not in came_from:
                came_from[following] = path
                queue.append(following)
    chain = [target]
    while came_from.get(chain[-1]):
        chain.append(came_from[chain[-1]])
    return tuple(reversed(chain))


def _use(one: Listed, without: Package | None, chain: tuple[str, ...]) -> CgoUse:
    with_c = Package(
        import_path=one.import_path,
        directory=one.dir,
        module=one.module.path if one.module else "",
        files=tuple(one.go_files),
        cgo_files=tuple(one.cgo_files),
    )
    return CgoUse(
        package=one.import_path,
        chain=chain,
        is_stub_without=without is not None and is_stand_in(with_c, without),
        evidence=Evidence(package=one.import_path, file=one.cgo_files[0]),
    )


def is_stand_in(with_c: Package, without: Package) -> bool:
    """Say whether a package without cgo only stands in for the one with it, and does not do its work."""
    both = set(with_c.files)
    return not has_twin(with_c) and is_stub(
        Path(with_c.directory),
        stand_ins=[name for name in without.files if name not in both],
        cgo_files=with_c.cgo_files,
        kept=[name for name in without.files if name in both],
    )


def has_twin(package: Package) -> bool:
    """Say whether a package is known to do the same work without C."""
    return re.sub(r"/v\d+$", "", package.module) in _table()["twins"]["modules"]


_C_SUFFIXES = frozenset((
    ".h", ".hh", ".hpp", ".hxx", ".inc", ".inl", ".c", ".cc", ".cpp", ".cxx", ".m", ".f", ".s", ".sx", ".a", ".o",
    ".so", ".def", ".syso", ".lds",
))  # fmt: skip
_MOST_FILES = 20_000


def is_c_file(name: str) -> bool:
    """Say whether a file's name is that of a header, a source or a library of C and its relatives."""
    return Path(name).suffix.lower() in _C_SUFFIXES


def nested_c_files(directory: Path) -> tuple[str, ...]:
    """Return the headers, sources and libraries in the folders below a package, which ``go list`` does not name.

    Its C may include them and its ``#cgo`` lines link them.
    """
    found: list[str] = []
    count = 0
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(sub for sub in folders if not sub.startswith(".") and sub != "node_modules")
        count += len(names)
        if count > _MOST_FILES:
            break
        if folder != str(directory):
            below = Path(folder).relative_to(directory)
            found += [str(below / name) for name in sorted(names) if is_c_file(name)]
    return tuple(found)


def needs_c(package: str, chain: Sequence[str]) -> NeedsC:
    """Return the error for a package that is all C, with the import chain to it."""
    return NeedsC(
        f"{package} needs C and cannot be compiled without it", output=_shown(chain), hint=what_to_do(package)
    )


def _shown(chain: Sequence[str]) -> str:
    return "\n".join(f"{'  imports ' if at else ''}{path}" for at, path in enumerate(chain))


def _table() -> dict[str, Any]:
    import tomllib
    from importlib.resources import files

    return tomllib.loads((files("proa.analyze") / "data" / "pure_go.toml").read_text(encoding="utf-8"))


def _names(directory: str) -> list[str]:
    return [file.name for file in Path(directory).iterdir() if file.suffix == ".go" and not file.stem.endswith("_test")]


def _imports_c(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            return b'"C"' in stream.read(_MOST_BYTES)
    except OSError:
        return False
