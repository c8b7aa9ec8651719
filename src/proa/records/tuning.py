"""What ``proa tune`` measured: steps that make a program smaller, build tags, and what keeps dead code alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from proa.records.evidence import Evidence, Finding
from proa.records.platform import Platform

StepState = Literal["measured", "failed", "skipped"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the chain, laid over those before it, built and measured."""

    name: str
    """What a user would type: ``strip: all``, ``-Os``, ``--gc-sections``."""
    overrides: dict[str, Any] = {}
    """The settings in proa.yaml's own structure that make this step, those of the steps it stands on included."""
    state: StepState = "measured"
    reason: str = ""
    """Why it was not measured, or what to know before it is chosen."""
    is_on_empty_base: bool = True
    bytes: int = 0
    """Of the shipped program, with the libraries it needs beside it."""
    loaded_bytes: int = 0
    """Of these, what is mapped when the program runs: without symbols and DWARF. It decides what is kept."""
    compressed_bytes: int = 0
    """Of its layers, as a registry stores them."""
    saved_bytes: int = 0
    """Against the step before it that was kept; negative where it grew."""
    saved_compressed_bytes: int = 0
    build_s: float | None = None
    """Wall time of compiling and linking, dependencies compiled anew only where the step changes them."""
    ready_s: float | None = None
    """From start to the first good answer in the trial, the median of its runs; None where it was not tried."""
    ready_runs_s: tuple[float, ...] = ()
    """The same for each run."""
    rss_bytes: int | None = None
    benchmark_s: tuple[float, ...] = ()
    """Seconds of each run of the benchmark command."""
    cost: str = ""
    """What it changes beside the size, in one line: then it is never chosen unasked."""
    is_kept: bool = True
    """False where it did not make the program smaller or did not run: the next step does not stand on it."""


class SizeTuning(msgspec.Struct, frozen=True, kw_only=True):
    """The chain of one program for one platform."""

    schema: Literal["proa/tune-size/v1"] = "proa/tune-size/v1"
    program: str
    platform: Platform
    steps: tuple[Step, ...]
    winner: str
    """Name of the step with the smallest program among those that change no behaviour."""
    settings: dict[str, Any] = {}
    """What to write into proa.yaml for the winner."""
    findings: tuple[Finding, ...] = ()


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A custom build constraint found in the dependency graph, and what setting it does to this program."""

    name: str
    modules: tuple[str, ...]
    """``path@version`` of the modules that declare it; the main module's path alone."""
    evidence: tuple[Evidence, ...] = ()
    """Files whose constraint names it: the first 20, those that it changes here before the others."""
    left_out: tuple[str, ...] = ()
    """Import paths that are no longer part of the program."""
    added: tuple[str, ...] = ()
    """Import paths that come in instead."""
    files_left_out: int = 0
    """In packages that stay."""
    files_added: int = 0
    beside: tuple[str, ...] = ()
    """Tags of which one must be set, too, before this one changes anything."""
    expected_bytes: int = 0
    """What the parts it leaves out take in the program now: an estimate, made before anything is built."""
    state: StepState = "measured"
    reason: str = ""
    bytes: int = 0
    """Of the shipped program built with this tag alone."""
    compressed_bytes: int = 0
    saving_bytes: int = 0
    saving_compressed_bytes: int = 0
    meaning: str = ""
    """What the program no longer does, where the source says so or the packages left out show it."""


class TagTuning(msgspec.Struct, frozen=True, kw_only=True):
    """All tags of one program for one platform, the largest saving first."""

    schema: Literal["proa/tune-tags/v1"] = "proa/tune-tags/v1"
    program: str
    platform: Platform
    bytes: int
    """Of the shipped program without any of them."""
    compressed_bytes: int
    tags: tuple[Tag, ...]
    together: tuple[str, ...] = ()
    """Tags that save something and build together."""
    together_saving_bytes: int = 0
    together_saving_compressed_bytes: int = 0
    own: tuple[str, ...] = ()
    """The project's own tags, set in all of these builds."""
    findings: tuple[Finding, ...] = ()


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Something that makes the linker keep every exported method of every reachable type."""

    symbol: str
    """The function that calls ``reflect.Value.MethodByName`` or its like with a name not known beforehand."""
    module: str
    """Path of the module responsible: the last on the chain outside the standard library; ``std`` where none is."""
    version: str = ""
    chain: tuple[str, ...] = ()
    """Symbols, from ``main.main`` or an ``init`` to ``symbol``, each of which refers to the next."""
    evidence: tuple[Evidence, ...] = ()
    saving_bytes: int = 0
    """What the shipped program loses when this and every other cause is gone."""
    is_measured: bool = False
    """True where it was rebuilt with the causes stubbed; False: an estimate."""
    remedy: str = ""


class Deadcode(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the linker may leave unused methods out of one program, and what stops it."""

    schema: Literal["proa/tune-deadcode/v1"] = "proa/tune-deadcode/v1"
    program: str
    platform: Platform
    is_eliminating: bool
    """True where nothing switches method elimination off."""
    bytes: int
    saving_bytes: int = 0
    """Together, for all causes."""
    causes: tuple[Cause, ...] = ()
    findings: tuple[Finding, ...] = ()


def encode_tuning(tuning: SizeTuning | TagTuning | Deadcode) -> bytes:
    """Return what ``--format json`` prints: the record, its platform written ``os/architecture``."""
    written: dict[str, Any] = {**msgspec.to_builtins(tuning), "platform": str(tuning.platform)}
    return msgspec.json.format(msgspec.json.encode(written), indent=2) + b"\n"


def encode_tunings(tunings: Sequence[SizeTuning | TagTuning | Deadcode]) -> bytes:
    """Return the same for several programs: a list, or the one alone."""
    documents = [encode_tuning(one).strip() for one in tunings]
    return documents[0] + b"\n" if len(documents) == 1 else b"[\n" + b",\n".join(documents) + b"\n]\n"
