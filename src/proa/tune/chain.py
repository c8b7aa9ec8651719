"""The chain of steps for each language, in the order they are tried: data, and what decides which is kept.

A step is laid over the last one that was kept. It is kept where it makes the program smaller, runs as the program did
before, and changes nothing else: not what the program does, nor where it runs. Only a kept step can win.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from proa.records.binary import Language
from proa.records.configuration import BuildSettings, Configuration
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.trial import Trial
from proa.records.tuning import Step

_FAMILIES = ("-O", "-g", "-trimpath", "-buildmode=", "-Wl,--icf=")
"""Flags of which the last one counts: a new one takes the place of those before it."""


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to try."""

    name: str
    sets: dict[str, Any] = {}
    """Settings in proa.yaml's own structure."""
    adds: Mapping[str, tuple[str, ...]] = {}
    """Words for the lists below ``build``: ``{"cflags": ("-flto",)}``."""
    drops: Mapping[str, tuple[str, ...]] = {}
    """Words that go from those lists: an earlier step put them there."""
    cost: str = ""
    """What it changes beside the size; empty: nothing, so it may be chosen unasked."""
    note: str = ""
    """What to know of it although it changes nothing."""
    is_start: bool = False
    """Laid over the user's own settings, not over the step before it."""
    is_optional: bool = False
    """Where it is the first and does not build, the chain begins with the next."""
    is_usual: bool = False
    """Proa does so without being asked: kept whether or not it saves something."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What building, packing and running one step showed."""

    bytes: int
    loaded_bytes: int
    """Of these, what is mapped when the program runs: without symbols and DWARF."""
    compressed_bytes: int
    is_static: bool
    build_s: float | None = None
    interpreter: str = ""
    trial: Trial | None = None
    """None where it was not tried."""
    complaint: str = ""
    """Why the benchmark command did not go well."""


_SMALLER_IS_SLOWER = "smaller code may be slower: --bench measures it"
_SYMBOLS = "scanners then read modules, not functions; `proa debug` brings the symbols back"
_STRIPPED = (
    Link(name="strip: dwarf", sets={"build": {"strip": "dwarf"}}),
    Link(name="strip: all", sets={"build": {"strip": "all"}}, note=_SYMBOLS),
)
_ZSTD = Link(
    name="zstd layers",
    sets={"image": {"compression": "zstd"}},
    cost="what pulls the image must know zstd: containerd since 1.5, Docker since 23.0",
)
_PIE = "needs a loader even without C, so not for an empty base"
_PIE_WITH_C = "loaded to another address at every start, which some C libraries are not built for"
#: What each level asks of the processor. Source: https://go.dev/wiki/MinimumRequirements, x86-64 psABI section 3.1.1,
#: Arm Architecture Reference Manual, A2.
_LEVELS: dict[str, tuple[tuple[str, str], ...]] = {
    "amd64": (
        ("v2", "SSE4.2 and POPCNT (since 2009)"),
        ("v3", "AVX2, BMI2 and FMA (Intel since 2013, AMD since 2015)"),
    ),
    "arm64": (("v8.1", "atomics of Armv8.1 (not Cortex-A53, A57 and A72)"), ("v9.0", "Armv9 with SVE2")),
}
_C = (
    Link(
        name="-ffunction-sections, --gc-sections",
        drops={"cflags": ("-fno-function-sections", "-fno-data-sections"), "ldflags": ("-Wl,--no-gc-sections",)},
        is_usual=True,
    ),
    Link(name="--icf=safe", adds={"ldflags": ("-Wl,--icf=safe",)}),
    Link(
        name="--icf=all",
        adds={"ldflags": ("-Wl,--icf=all",)},
        cost="functions with the same code become one: those that compare function addresses may behave otherwise",
    ),
)
_RUST: tuple[tuple[str, str, str, str, str], ...] = (
    ("opt-level = s", "OPT_LEVEL", "s", "", _SMALLER_IS_SLOWER),
    ("opt-level = z", "OPT_LEVEL", "z", "", _SMALLER_IS_SLOWER),
    ("lto = fat", "LTO", "fat", "", ""),
    ("codegen-units = 1", "CODEGEN_UNITS", "1", "", ""),
    (
        "panic = abort",
        "PANIC",
        "abort",
        "a panic ends the program at once: catch_unwind, and threads that outlive a panic, no longer work",
        "",
    ),
)
"""Name, end of the profile's variable, value, cost, note. Source: The Cargo Book, "Profiles"."""


def chain(
    language: Language, platform: Platform, settings: BuildSettings, *, host_compiler: str = "", uses_c: bool = False
) -> tuple[Link, ...]:
    """Return what to try, in order; the first is the program as its own tool chain makes it.

    ``host_compiler`` is this machine's C compiler (``gcc``), for a dynamic program to compare with; empty: none.
    ``uses_c`` says that a Go program has C in it.

    >>> [link.name for link in chain("rust", Platform("linux", "amd64"), BuildSettings(debug=False))][:2]
    ['cargo build --release', 'opt-level = s']
    """
    match language:
        case "go":
            return (
                *_go_starts(settings),
                *(_cgo() if uses_c else ()),
                *_STRIPPED,
                *_go_ends(platform, settings, uses_c=uses_c),
                _ZSTD,
            )
        case "rust":
            return (*_rust(settings), *_STRIPPED, _ZSTD)
        case "c" | "c++":
            return (*_c_starts(settings, host_compiler), *_optimised(("-Os",)), *_C, *_STRIPPED, _ZSTD)
        case "unknown":
            start = Link(name="as it is", sets={"build": {"strip": "none"}}, is_start=True)
            return (start, *_STRIPPED, _ZSTD)
        case "java":
            # A jar has no symbols to strip, and its run time is reduced already.
            return (Link(name="as it is", is_start=True), _ZSTD)


def _go_starts(settings: BuildSettings) -> tuple[Link, ...]:
    start = Link(
        name="go build", sets={"build": {"strip": "none"}}, adds={"flags": ("-trimpath=false",)}, is_start=True
    )
    # Only where the user asked for paths must proa's own flag be said aloud.
    adds = {"flags": ("-trimpath",)} if any(word.startswith("-trimpath") for word in settings.flags) else {}
    return (start, Link(name="-trimpath", sets={"build": {"strip": "none"}}, adds=adds, is_start=True, is_usual=True))


def _cgo() -> tuple[Link, ...]:
    return (Link(name="-Os for C", adds={"cflags": ("-Os",)}, note=_SMALLER_IS_SLOWER),)


def _go_ends(platform: Platform, settings: BuildSettings, *, uses_c: bool) -> tuple[Link, ...]:
    pie = Link(name="-buildmode=pie", adds={"flags": ("-buildmode=pie",)}, cost=_PIE_WITH_C if uses_c else _PIE)
    has_mode = any(word.lstrip("-").startswith("buildmode") for word in settings.flags)
    return (*(() if has_mode else (pie,)), *_levels(platform))


def _levels(platform: Platform) -> tuple[Link, ...]:
    """Return the processor levels above the platform's own."""
    variable = f"GO{platform.architecture.upper()}"
    return tuple(
        Link(
            name=f"{variable}={level}",
            sets={"platforms": (f"{platform.os}/{platform.architecture}/{level}",)},
            cost=f"needs a processor with {what}",
        )
        for level, what in _LEVELS.get(platform.architecture, ())
        if level > platform.variant
    )


def _rust(settings: BuildSettings) -> tuple[Link, ...]:
    """Return the steps of cargo's profile: ``release``, or the one that ``build.arguments`` names."""
    words = [*settings.arguments, ""]
    named = [
        after if word == "--profile" else word.removeprefix("--profile=")
        for word, after in pairwise(words)
        if word == "--profile" or word.startswith("--profile=")
    ]
    profile = named[-1] if named else "release"
    prefix = f"CARGO_PROFILE_{profile.upper().replace('-', '_')}_"
    # DWARF is asked for, so that there is a debug file to keep; cargo alone would leave it out.
    name = f"cargo build --{'release' if profile == 'release' else f'profile {profile}'}"
    start = Link(
        name=f"{name}, debug = 2" if settings.debug else name, sets={"build": {"strip": "none"}}, is_start=True
    )
    more = (
        Link(name=name, sets={"build": {"env": {prefix + end: value}}}, cost=cost, note=note)
        for name, end, value, cost, note in _RUST
    )
    return (start, *more)


def _c_starts(settings: BuildSettings, host_compiler: str) -> tuple[Link, ...]:
    """Return the dynamic program of the host's compiler and the static one, at the user's level or ``-O2``.

    What proa asks for without being told, sections of their own and ``--gc-sections``, is a step and so left out here.
    """
    level = next((word for word in reversed(settings.cflags) if word.startswith("-O")), "-O2")
    adds: dict[str, tuple[str, ...]] = {
        "cflags": (level, "-fno-function-sections", "-fno-data-sections"),
        "ldflags": ("-Wl,--no-gc-sections",),
    }
    dynamic = Link(
        name=f"{host_compiler} {level} -g, dynamic",
        sets={"build": {"cc": host_compiler, "strip": "none"}},
        adds=adds,
        is_start=True,
        is_optional=True,
    )
    own = Link(
        name=f"{settings.cc or 'static with musl,'} {level} -g",
        sets={"build": {"strip": "none"}},
        adds=adds,
        is_start=True,
        is_usual=True,
    )
    return (*((dynamic,) if host_compiler and not settings.cc else ()), own)


def _optimised(words: tuple[str, ...]) -> tuple[Link, ...]:
    return (
        Link(name=" ".join(words), adds={"cflags": words}, note=_SMALLER_IS_SLOWER),
        Link(name="-flto", adds={"cflags": ("-flto",), "ldflags": ("-flto",)}),
    )


# From links to settings.


def laid(under: Mapping[str, Any], link: Link, settings: BuildSettings) -> dict[str, Any]:
    """Return the settings of a step: those it stands on with its own over them, in proa.yaml's structure.

    ``settings`` are the user's; lists go on from theirs.

    >>> laid({}, Link(name="-Os", adds={"cflags": ("-Os",)}), BuildSettings(cflags=("-O2", "-DX")))
    {'build': {'cflags': ('-DX', '-Os')}}
    """
    whole = merged({} if link.is_start else under, link.sets)
    build = dict(whole.get("build", {}))
    for field, words in link.drops.items():
        build[field] = tuple(word for word in build.get(field, ()) if word not in words)
    for field, words in link.adds.items():
        build[field] = added(build.get(field) or getattr(settings, field), words)
    return {**whole, "build": build} if build else whole


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return two layers of settings as one; below ``over`` nothing of ``under`` shows."""
    whole = dict(under)
    for key, value in over.items():
        inner = whole.get(key)
        whole[key] = merged(inner, value) if isinstance(value, Mapping) and isinstance(inner, Mapping) else value
    return whole


def added(words: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    """Return flags with more behind them; those that would be overruled are left out.

    >>> added(("-O2", "-Wall"), ("-Os", "-Wall"))
    ('-Os', '-Wall')
    """
    gone = {family for word in more for family in _FAMILIES if word.startswith(family)}
    kept = [word for word in words if word not in more and not any(word.startswith(family) for family in gone)]
    return (*kept, *more)


def differing(overrides: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a step's settings that are not the user's already. Both are plain values."""
    found: dict[str, Any] = {}
    for key, value in overrides.items():
        mine = settings.get(key)
        if isinstance(value, Mapping):
            inner = differing(value, mine if isinstance(mine, Mapping) else {})
            if inner:
                found[key] = inner
        elif (list(value) if isinstance(value, tuple) else value) != (list(mine) if isinstance(mine, tuple) else mine):
            found[key] = value
    return found


# What becomes of a step.


def judge(
    link: Link, overrides: dict[str, Any], measured: Measured, *, before: Step | None, first: Trial | None
) -> Step:
    """Return a step with what it saves against ``before``, and whether the next one stands on it.

    ``before`` is the last one kept; ``first`` is the trial of the program before anything was changed.
    """
    saved = before.bytes - measured.bytes if before else 0
    saved_compressed = before.compressed_bytes - measured.compressed_bytes if before else 0
    # What is wrong with the program as it is says nothing of a step.
    fault = _fault(measured, first) if before else ""
    is_worth_it = before is None or link.is_usual or link.is_start or _weight(measured) < _weight(before)
    return Step(
        name=link.name,
        overrides=overrides,
        state="failed" if fault else "measured",
        reason=fault or _reason(link, measured, before, is_worth_it=is_worth_it),
        is_on_empty_base=measured.is_static,
        bytes=measured.bytes,
        loaded_bytes=measured.loaded_bytes,
        compressed_bytes=measured.compressed_bytes,
        saved_bytes=saved,
        saved_compressed_bytes=saved_compressed,
        build_s=measured.build_s,
        cost=link.cost,
        is_kept=not fault and not link.cost and is_worth_it and _runs_where_it_did(measured, before),
    )


def _fault(measured: Measured, first: Trial | None) -> str:
    """Return what is wrong with the program that was not wrong before."""
    trial = measured.trial
    if trial is not None and trial.verdict == "failed" and (first is None or first.verdict != "failed"):
        return f"it does not run: {trial.reason}"
    return measured.complaint


def _weight(one: Measured | Step) -> tuple[int, int]:
    """Return what is compared: what runs, then the whole file; DWARF goes in the end and must not decide before."""
    return one.loaded_bytes, one.bytes


def _reason(link: Link, measured: Measured, before: Step | None, *, is_worth_it: bool) -> str:
    if measured.complaint:
        return measured.complaint
    if link.cost:
        return link.cost
    if not is_worth_it:
        is_smaller = before is not None and measured.bytes < before.bytes
        return "what runs is not smaller, only what stripping takes anyway" if is_smaller else "saves nothing here"
    if not measured.is_static:
        return f"needs {measured.interpreter or 'a loader'} and its libraries beside it"
    if before and not (link.is_usual or link.is_start) and measured.bytes >= before.bytes:
        less = before.loaded_bytes - measured.loaded_bytes
        return f"what runs is {less:,} bytes smaller; only what stripping takes grew"
    return link.note


def _runs_where_it_did(measured: Measured, before: Step | None) -> bool:
    return measured.is_static or before is None or not before.is_on_empty_base


def failed(link: Link, overrides: dict[str, Any], reason: str) -> Step:
    """Return a step that could not be built."""
    return Step(name=link.name, overrides=overrides, state="failed", reason=reason, cost=link.cost, is_kept=False)


def winner(steps: Sequence[Step]) -> Step:
    """Return the smallest of those kept, the earliest among equals; one that needs nothing beside it goes first."""
    kept = [step for step in steps if step.is_kept]
    return min([step for step in kept if step.is_on_empty_base] or kept, key=_weight)


def settings_of_winner(best: Step, settings: Configuration) -> dict[str, Any]:
    """Return what must be written into proa.yaml so that the winner is what is built; empty where it is already."""
    plain = msgspec.to_builtins(settings)
    full = {**plain, "build": {**_defaults(), **plain.get("build", {})}}
    return differing(msgspec.to_builtins(best.overrides), full)


def _defaults() -> dict[str, Any]:
    """Return every field of ``build`` with its default, which the encoder leaves out."""
    return {
        field.encode_name: msgspec.to_builtins(getattr(BuildSettings(), field.name))
        for field in msgspec.structs.fields(BuildSettings)
    }


def findings(steps: Sequence[Step], best: Step, first: Trial | None, settings: BuildSettings) -> tuple[Finding, ...]:
    """Return what the figures alone do not say."""
    found = []
    if first is not None and first.verdict in ("failed", "skipped"):
        what = "fails its trial before anything is changed" if first.verdict == "failed" else "was not tried"
        found.append(
            Finding(
                id="tune.not-tried",
                message=f"the program {what} ({first.reason}): steps are compared by size alone",
                hint=first.remedy,
            )
        )
    if steps[0].reason.startswith("the benchmark"):
        found.append(
            Finding(
                id="tune.benchmark",
                message=f"there are no times of it, because with the program as it is {steps[0].reason}",
                hint="run it by hand; the program's path is in $PROA_PROGRAM",
            )
        )
    if any(word in ("-s", "-w") for entry in settings.ldflags for word in entry.split()):
        found.append(
            Finding(
                id="tune.linker-strips",
                severity="info",
                message="build.ldflags has -s or -w: the linker strips, so the steps of strip have little left to show",
                hint="build.strip does the same and keeps a debug file",
            )
        )
    if slower := slowdown(steps[0], best):
        found.append(
            Finding(
                id="tune.slower",
                message=f"{best.name} is {slower:.0%} slower on the benchmark than {steps[0].name}",
                hint="choose an earlier step by its settings, shown by --format json, where speed matters more",
            )
        )
    return tuple(found)


def slowdown(first: Step, other: Step) -> float:
    """Return how much slower a step's benchmark is, as a ratio above the first's; 0 where that is within the spread.

    >>> slowdown(Step(name="a", benchmark_s=(1.0, 1.0)), Step(name="b", benchmark_s=(1.5, 1.5)))
    0.5
    """
    from statistics import median

    if not first.benchmark_s or not other.benchmark_s or min(other.benchmark_s) <= max(first.benchmark_s):
        return 0.0
    return median(other.benchmark_s) / median(first.benchmark_s) - 1
