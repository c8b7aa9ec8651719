"""Programs compiled: one link each, with everything, then proved and stripped into the store."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa.build import cross, templates
from proa.build.closure import runtime_files_of
from proa.build.complaints import error_of
from proa.build.cross import c_compilers
from proa.build.finish import finish
from proa.build.flags import Words, words
from proa.build.libc import libc_findings
from proa.errors import BuildFailed, LibraryMissing
from proa.outside.go import Go, read_setting
from proa.outside.golist import build_environment
from proa.outside.store import Store
from proa.outside.zig import Compilers
from proa.records.binary import Binary, RuntimeFile
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.project import Git, Main

_NO_STAMP = b"error obtaining VCS status"


def build(
    main: Main, platform: Platform, settings: BuildSettings, *, git: Git, go: Go, store: Store, jobs: int
) -> Binary:
    """Build one program for one platform; both files, as linked and stripped, are in the store afterwards.

    Raises BuildFailed, NeedsC, LockBroken, ModuleMissing, UnknownPlatform, WrongUsage, WrongConfiguration, NoSpace,
    NotWritable.
    """
    return build_all([main], [platform], settings, git=git, go=go, store=store, jobs=jobs)[main, platform]


def build_all(
    mains: Sequence[Main],
    platforms: Sequence[Platform],
    settings: BuildSettings,
    *,
    git: Git,
    go: Go,
    store: Store,
    jobs: int,
) -> dict[tuple[Main, Platform], Binary]:
    """Build several programs for several platforms: those of one place by one go command, platforms side by side.

    Together they use about ``jobs`` cores. Raises what ``build`` raises; then no program counts as built.
    """
    groups = [(group, platform) for group in together(mains) for platform in dict.fromkeys(platforms)]
    side_by_side = max(1, min(len(groups), jobs))
    chosen = {platform: _C.of(settings, platform, git=git, go=go, store=store) for platform in platforms}
    ask = _Ask(chosen=chosen, settings=settings, git=git, go=go, store=store, jobs=max(1, jobs // side_by_side))
    return {
        (main, platform): binary
        for (group, platform), binaries in zip(groups, _all_built(ask, groups, side_by_side), strict=True)
        for main, binary in zip(group, binaries, strict=True)
    }


def _all_built(ask: _Ask, groups: Sequence[tuple[list[Main], Platform]], side_by_side: int) -> list[list[Binary]]:
    if side_by_side == 1:
        # In this thread, where an interruption ends the compiler at once; a pool would wait for it.
        return [ask.build(group, platform) for group, platform in groups]
    with ThreadPoolExecutor(side_by_side) as pool:
        waiting = [pool.submit(ask.build, group, platform) for group, platform in groups]
        try:
            return [future.result() for future in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def words_of(settings: BuildSettings, *, git: Git, go: Go, found: Compilers | None = None) -> Words:
    """Return the flags and environment of the build, starting nothing. Raises WrongUsage, WrongConfiguration.

    ``found`` are the compilers that link the program, where cgo is on.
    """
    is_static_c = settings.cgo == "on" and found is not None
    known = templates.fields(git, go.environment)
    return words(settings, known, goflags=read_setting("GOFLAGS", go), is_static_c=is_static_c)


def together(mains: Sequence[Main]) -> list[list[Main]]:
    """Return the programs in groups that one go command can build: the same place, no name twice."""
    groups: list[list[Main]] = []
    for main in dict.fromkeys(mains):
        for group in groups:
            if _place(group[0]) == _place(main) and main.name not in {other.name for other in group}:
                group.append(main)
                break
        else:
            groups.append([main])
    return groups


def _place(main: Main) -> tuple[object, ...]:
    return main.module_directory or main.directory, main.go_flags, main.go_environment, bool(main.module_version)


class _C(msgspec.Struct, frozen=True, kw_only=True):
    """What differs from platform to platform: the compilers for C, and the words of the build."""

    found: Compilers | None
    words: Words

    @classmethod
    def of(cls, settings: BuildSettings, platform: Platform, *, git: Git, go: Go, store: Store) -> _C:
        found = None
        if settings.cgo == "on":
            found = c_compilers(settings, platform, environ=go.environment, root=store.root)
        return cls(found=found, words=words_of(settings, git=git, go=go, found=found))


class _Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all programs of one call."""

    chosen: dict[Platform, _C]
    settings: BuildSettings
    git: Git
    go: Go
    store: Store
    jobs: int

    def build(self, mains: Sequence[Main], platform: Platform) -> list[Binary]:
        """Build programs of one place for one platform."""
        found = self.chosen[platform].found
        with self.store.folder() as folder:
            findings = self._compile(mains, platform, folder / "linked")
            linked = {main: _linked(folder / "linked", main) for main in mains}
            return [
                finish(
                    linked[main],
                    name=main.name,
                    platform=platform,
                    settings=self.settings,
                    store=self.store,
                    libc=found.libc if found else "",
                    compiler=found.name if found else "",
                    uses_cgo=self.settings.cgo == "on",
                    runtime_files=self._libraries(linked[main], main, platform) if found else (),
                    findings=(*findings, *(libc_findings(linked[main], found.libc) if found else ())),
                )
                for main in mains
            ]

    def _libraries(self, linked: Path, main: Main, platform: Platform) -> tuple[RuntimeFile, ...]:
        """Return what a program linked with C is loaded with; none where it is static, or must be left to a base."""
        try:
            return runtime_files_of(
                linked, platform=platform, store=self.store, origin=Path(main.directory), name=main.name
            )
        except LibraryMissing:
            return ()

    def _compile(self, mains: Sequence[Main], platform: Platform, target: Path) -> tuple[Finding, ...]:
        findings = [_empty_finding(action) for action in self.chosen[platform].words.empty_fields]
        should_stamp = self.settings.stamp and bool(self.git.revision) and not mains[0].module_version
        ran = self._go_build(mains, platform, target, vcs="auto" if should_stamp else "false")
        if ran and should_stamp and _NO_STAMP in ran:
            findings.append(_unstamped(ran))
            ran = self._go_build(mains, platform, target, vcs="false")
        if ran is not None:
            raise error_of(ran)
        return tuple(findings)

    def _go_build(self, mains: Sequence[Main], platform: Platform, target: Path, *, vcs: str) -> bytes | None:
        """Run ``go build``; return what it complained of, or None where it went well."""
        main = mains[0]
        chosen = self.chosen[platform]
        settings = msgspec.structs.replace(self.settings, env=chosen.words.environment)
        laid = self._work_folder(target) | build_environment(platform, settings)
        if chosen.found is not None:
            laid |= cross.environment(chosen.found, settings, self.go.environment)
        ran = self.go.call(
            [
                "build",
                f"-buildvcs={vcs}",
                f"-p={self.jobs}",
                *main.go_flags,
                *chosen.words.flags,
                "-o",
                f"{target}/",
                "--",
                *(one.import_path for one in mains),
            ],
            directory=Path(main.module_directory or main.directory),
            environment={**laid, **dict(main.go_environment)},
            accept=None,
        )
        return ran.stderr or ran.stdout or b"go build failed" if ran.status else None

    def _work_folder(self, target: Path) -> dict[str, str]:
        """Return where the go command compiles: beside the program, so that a call that is ended leaves nothing."""
        if read_setting("GOTMPDIR", self.go):
            return {}
        folder = target.with_name("work")
        folder.mkdir(exist_ok=True)
        return {"GOTMPDIR": str(folder)}


def _linked(folder: Path, main: Main) -> Path:
    for name in (main.name, f"{main.name}.exe", f"{main.name}.wasm"):
        if (folder / name).is_file():
            return folder / name
    raise BuildFailed(f"go build wrote no program for {main.import_path}", hint="is it `package main`?")


def _unstamped(stderr: bytes) -> Finding:
    text = stderr.decode(errors="replace").strip().splitlines()
    return Finding(
        id="build.not-stamped",
        message=f"the version control state is not in the program: {text[0]}",
        hint="run the same git command by hand to see why, or set build.stamp: false",
    )


def _empty_finding(action: str) -> Finding:
    return Finding(
        id="build.template-empty",
        message=f"{{{{{action}}}}} is empty here",
        hint="no repository, or no such tag: the flag was filled in with nothing",
    )
