"""The variants of one program: what each name means in proa.yaml's own words, and which make sense here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from proa.errors import WrongUsage
from proa.records.binary import Language
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

Preset = Literal["libc", "static", "packaging"]
PRESETS: dict[Preset, tuple[str, ...]] = {
    "libc": ("dynamic", "static"),
    "static": ("dynamic", "static", "stripped"),
    "packaging": ("single-stage", "stripped"),
}
"""The pairs of tables that people show: CGO 1 and 0, then with flags, before and after packaging."""
BASES = {
    "distroless": "gcr.io/distroless/static-debian12",
    "debian": "debian:12-slim",
    "ubuntu": "ubuntu:24.04",
    "alpine": "alpine:3.22",
}
_LEVELS = {"amd64": ("v2", "v3"), "arm64": ("v8.1",)}
_DYNAMIC_LDFLAGS = "-extldflags=-Wl,-Bdynamic"
"""Makes a C compiler link as it does without being asked: dynamically."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the program and this machine before anything is built."""

    language: Language
    platform: Platform
    settings: BuildSettings
    """The user's own; variants are laid over them."""
    uses_c: bool = False
    """A Go program that does not do its work without C."""
    host_compiler: str = ""
    """This machine's C compiler; empty: none on PATH."""
    has_profile: bool = False
    """There is a default.pgo beside the main package."""
    levels: tuple[str, ...] = ()
    """Of the processor, that this machine runs: ``v2``, ``v3``."""
    bases: Mapping[str, str] = {}
    """Images to build on that are at hand, by the variant's name."""
    has_own_base: bool = False
    """The project names a base of its own."""


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """One variant: how it is asked for, or why there is none."""

    name: str
    description: str = ""
    overrides: dict[str, Any] = {}
    """Laid over the project's settings, in proa.yaml's structure; ``platforms`` besides."""
    settings: dict[str, str] = {}
    reason: str = ""
    """Why this machine or project has no such variant."""
    kind: Literal["packed", "single-stage"] = "packed"


def names_of(facts: Facts, *, variants: Sequence[str], preset: Preset | None) -> tuple[str, ...]:
    """Return the names asked for, or those that make sense for this program. Raises WrongUsage."""
    if variants:
        return tuple(dict.fromkeys(variants))
    if preset is not None:
        return PRESETS[preset]
    found = ["dynamic"] if facts.host_compiler and facts.language != "rust" else []
    found += ["static", "dwarf", "stripped"]
    if facts.language == "go":
        found += ["pgo"] if facts.has_profile else []
        found += [f"{facts.platform.architecture}-{level}" for level in facts.levels if level == "v3"]
    return (*found, "zstd", *facts.bases)


def recipe(name: str, facts: Facts) -> Recipe:
    """Return what a variant's name means for this program. Raises WrongUsage for a name that means nothing.

    >>> facts = Facts(language="go", platform=Platform("linux", "amd64"), settings=BuildSettings())
    >>> recipe("stripped", facts).overrides
    {'build': {'cgo': 'off', 'strip': 'all'}}
    """
    word, _, rest = name.partition(":")
    is_go = facts.language == "go"
    if word == "tags" and rest:
        return _tagged(name, rest, facts) if is_go else _absent(name, "build tags are Go's")
    if name in ("pie", "pgo") and not is_go:
        return _absent(name, f"proa has no such variant of a program in {facts.language}")
    match name:
        case "dynamic":
            return _dynamic(facts)
        case "static":
            return _recipe(name, facts, strip="none")
        case "dwarf":
            return _recipe(name, facts, strip="dwarf")
        case "stripped":
            return _recipe(name, facts, strip="all")
        case "pie":
            flags = _flags(facts, "-buildmode=pie")
            return _recipe(name, facts, strip="all", build={"flags": flags}, said={"mode": "pie"})
        case "pgo":
            if not facts.has_profile:
                return _absent(name, "there is no default.pgo beside the main package")
            return _recipe(name, facts, strip="all", build={"flags": _flags(facts, "-pgo=auto")}, said={"pgo": "on"})
        case "zstd" | "gzip":
            image = {"compression": name}
            return _recipe(name, facts, strip="all", image=image, said={"compression": name})
        case "scratch":
            return _recipe(name, facts, strip="all", image={"base": name}, said={"base": name})
        case "single-stage":
            return _single_stage(facts)
        case _:
            return _other(name, facts)


def _other(name: str, facts: Facts) -> Recipe:
    if name in BASES or name in facts.bases:
        return _based(name, facts)
    architecture, _, level = name.partition("-")
    if level and level in _LEVELS.get(architecture, ()):
        return _level(name, facts, architecture, level)
    raise _unknown(name)


def _unknown(name: str) -> WrongUsage:
    known = ["dynamic", "static", "dwarf", "stripped", "pie", "pgo", "zstd", "gzip", "scratch", "single-stage", *BASES]
    known += [f"{architecture}-{level}" for architecture, levels in _LEVELS.items() for level in levels]
    near = difflib.get_close_matches(name, known, 1)
    return WrongUsage(
        f"there is no variant {name!r}",
        hint=f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}, tags:NAME+NAME",
    )


def _recipe(
    name: str,
    facts: Facts,
    *,
    strip: str,
    build: Mapping[str, Any] | None = None,
    image: Mapping[str, Any] | None = None,
    said: Mapping[str, str] | None = None,
) -> Recipe:
    """Return a static program, stripped as far as said, with what is special to it laid over that."""
    laid: dict[str, Any] = {"strip": strip}
    if facts.language == "go":
        laid = {"cgo": "on" if facts.uses_c else "off", **laid}
        if facts.has_profile:
            # Else Go would use it everywhere, and there were nothing to compare.
            laid["flags"] = _flags(facts, "-pgo=off")
    laid |= build or {}
    settings = {**({"cgo": laid["cgo"]} if "cgo" in laid else {}), "strip": strip, **(said or {})}
    words = {"none": "not stripped", "dwarf": "without DWARF", "all": "without symbols and DWARF"}
    cgo = {"on": "static with C", "off": "CGO off"}.get(str(laid.get("cgo", "")), "static")
    more = [text for key, text in (said or {}).items() if key not in ("cgo", "strip")]
    overrides: dict[str, Any] = {"build": laid, **({"image": dict(image)} if image else {})}
    return Recipe(name=name, description=", ".join((cgo, words[strip], *more)), overrides=overrides, settings=settings)


def _absent(name: str, reason: str) -> Recipe:
    return Recipe(name=name, reason=reason)


def _dynamic(facts: Facts) -> Recipe:
    if facts.language == "rust":
        return _absent("dynamic", "proa links Rust programs statically only")
    if not facts.host_compiler:
        return _absent("dynamic", "it takes this machine's C compiler, and neither gcc nor clang is on PATH")
    build: dict[str, Any] = {"cc": facts.host_compiler, "strip": "none"}
    if facts.language == "go":
        build |= {"cgo": "on", "ldflags": (*facts.settings.ldflags, _DYNAMIC_LDFLAGS)}
        build |= {"flags": _flags(facts, "-pgo=off")} if facts.has_profile else {}
    return Recipe(
        name="dynamic",
        description=f"{'CGO on, ' if facts.language == 'go' else ''}linked by {facts.host_compiler}, not stripped",
        overrides={"build": build},
        settings={"cgo": "on", "strip": "none", "cc": facts.host_compiler},
    )


def _flags(facts: Facts, flag: str) -> tuple[str, ...]:
    family = flag.partition("=")[0]
    return (*(word for word in facts.settings.flags if not word.startswith(family)), flag)


def _tagged(name: str, rest: str, facts: Facts) -> Recipe:
    tags = tuple(tag for tag in rest.split("+") if tag)
    laid = (*facts.settings.tags, *(tag for tag in tags if tag not in facts.settings.tags))
    return _recipe(name, facts, strip="all", build={"tags": laid}, said={"tags": "+".join(tags)})


def _based(name: str, facts: Facts) -> Recipe:
    reference = facts.bases.get(name, "")
    if not reference:
        return _absent(name, f"{BASES[name]} is not in the local store; name one that is at hand: --base {name}=REF")
    return _recipe(name, facts, strip="all", image={"base": reference}, said={"base": f"on {name}"})


def _level(name: str, facts: Facts, architecture: str, level: str) -> Recipe:
    if facts.language != "go" or architecture != facts.platform.architecture:
        return _absent(name, f"it is for Go programs on {architecture}")
    if level not in facts.levels:
        return _absent(name, f"this machine's processor does not run {architecture}/{level}")
    made = _recipe(name, facts, strip="all", said={"processor": f"{architecture}/{level}"})
    return msgspec.structs.replace(made, overrides={**made.overrides, "platforms": (f"linux/{architecture}/{level}",)})


def _single_stage(facts: Facts) -> Recipe:
    if facts.language != "go":
        return _absent("single-stage", "proa makes it of Go programs only; name the image you have instead")
    made = _recipe("single-stage", facts, strip="none")
    return msgspec.structs.replace(
        made,
        kind="single-stage",
        description="one stage: the tool chain, the sources and the program in one image",
        settings={**made.settings, "stages": "1"},
    )
