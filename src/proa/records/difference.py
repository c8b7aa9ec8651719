"""What changed between two images or programs, and whether that is within budget: what ``proa diff`` prints."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding

Measure = Literal["image", "unpacked", "binary", "wasted", "layer", "module", "package", "file", "rule"]
Change = Literal["", "added", "removed", "changed"]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two things compared."""

    reference: str
    """As it was asked for: an image, a file, a git revision."""
    kind: Literal["image", "binary"]
    digest: str = ""
    """Of the manifest, or of the program's content."""
    version: str = ""
    """The version, tag or commit it was built from, where it says so."""


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """One quantity before and after; 0 where it was not there."""

    name: str
    before_bytes: int
    after_bytes: int
    change: Change = ""
    """``added`` and ``removed`` where it is on one side only; ``changed`` for another content or mode."""

    @property
    def grown_bytes(self) -> int:
        """Return how much larger it became; negative where it shrank."""
        return self.after_bytes - self.before_bytes


class Dependency(msgspec.Struct, frozen=True, kw_only=True):
    """A module, or a system package of an image, that came, went or changed its version."""

    name: str
    kind: Literal["module", "system-package", "toolchain"] = "module"
    before: str = ""
    """Version; empty: it was not there."""
    after: str = ""


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the image's configuration that changed: ``user``, ``env.PATH``, ``entrypoint``, ``ports``."""

    name: str
    before: str = ""
    """Empty where it was not set; values that look secret are left out."""
    after: str = ""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One budget and what it says."""

    budget: str
    """Where it stands in proa.yaml, or as it was given: ``budgets.image.growth``, ``image=20MB``."""
    measure: Measure
    subject: str = ""
    """Which layer, package or file; empty for the whole."""
    limit: str
    """As it was written: ``20MB``, ``5%``; ``none new`` for a rule."""
    limit_bytes: int | None = None
    """None for a rule."""
    actual_bytes: int | None = None
    """The size (absolute budgets), or the growth (relative ones)."""
    is_within: bool
    message: str


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Two things compared. Lists are sorted by the size of the change, the largest first; what is equal is left out."""

    schema: Literal["proa/difference/v1"] = "proa/difference/v1"
    before: Side
    after: Side
    compressed: Delta
    """What a registry stores for the image's layers, or the program's file compressed."""
    total: Delta
    """The contents the image shows, or the program's file."""
    program: Delta | None = None
    """The program's file; of images the one they start, where it can be read."""
    wasted: Delta | None = None
    """Of images: stored bytes that are not shown."""
    layers: tuple[Delta, ...] = ()
    """By what they hold, where proa packed them; else by their instruction; else by number. Compressed bytes."""
    modules: tuple[Delta, ...] = ()
    packages: tuple[Delta, ...] = ()
    sections: tuple[Delta, ...] = ()
    """Of the programs' files, what no package owns; the growth of ``packages`` and ``sections`` is that of ``program``,
    exactly."""
    files: tuple[Delta, ...] = ()
    """Of images."""
    changed_files: int = 0
    """Files whose content or mode is another at the same size; they are in ``files`` with equal sizes."""
    dependencies: tuple[Dependency, ...] = ()
    settings: tuple[Setting, ...] = ()
    new_findings: tuple[AnatomyFinding, ...] = ()
    gone_findings: tuple[AnatomyFinding, ...] = ()
    budgets: tuple[Judged, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What to know of the comparison itself: other platforms, a budget that nothing fits."""

    @property
    def exceeded(self) -> tuple[Judged, ...]:
        """Return the judgements that say no; one budget may have several, one for each thing it fits."""
        return tuple(judged for judged in self.budgets if not judged.is_within)

    @property
    def exceeded_budgets(self) -> int:
        """Return how many budgets are not kept."""
        return len({judged.budget for judged in self.exceeded})
