"""What ``proa compare`` works with: what was asked for, what is compared, and where it stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from proa.compare import Pace, Preset
from proa.pipeline.plan import Bench
from proa.records.comparison import Sample, Variant
from proa.records.oci import Descriptor
from proa.records.request import Request
from proa.records.trial import Limits, Probe


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One call of ``proa compare``."""

    request: Request = Request()
    """The program whose variants are compared; its sources are used where ``has_source``."""
    has_source: bool = True
    images: tuple[str, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()
    """Name and words, as a shell would split them."""
    variants: tuple[str, ...] = ()
    preset: Preset | None = None
    bases: Mapping[str, str] = {}
    baseline: str = ""
    ready: str = ""
    """``http://:8080/healthz``, ``tcp://:5432``, ``exit``; empty: find out."""
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    pace: Pace = Pace()
    is_cold: bool = False
    load_s: float = 0.4
    memory: str = ""
    cpus: float = 0.0
    timeout_s: float = 30.0
    seed: int = 0
    resumes: bool = False
    command: str = ""
    """The words that repeat it."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to measure, ready to be started, or with the reason why it cannot be."""

    variant: Variant
    """Without its figures; ``measured`` as long as nothing is wrong with it."""
    identity: str = ""
    """A digest of what is started."""
    manifest: Descriptor | None = None
    argv: tuple[str, ...] = ()
    """Of a command of this machine."""
    probe: Probe = Probe()

    @property
    def can_run(self) -> bool:
        """Say whether there is something to start."""
        return self.variant.verdict == "measured"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Where one variant stands."""

    name: str
    state: str
    samples: tuple[Sample, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where the whole comparison stands, for whoever watches."""

    rows: tuple[Row, ...]
    doing: str
    left_s: float | None = None
    """How long it will take at most, where that is known."""
    is_milestone: bool = False
    """Worth a line where there is no terminal."""


Watch = Callable[[Standing], None]


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What is the same for all subjects of one call."""

    bench: Bench
    asked: Asked
    limits: Limits
    folder: Path
    """Where images are unpacked."""
    watch: Watch


def failed(subject: Subject, sample: Sample) -> Subject:
    """Return a subject that is not run again, with the reason."""
    variant = msgspec.structs.replace(subject.variant, verdict=sample.verdict, reason=sample.reason)
    return msgspec.structs.replace(subject, variant=variant)
