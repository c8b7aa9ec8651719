"""What changed between two images or two programs. Pure: everything was read before.

Invariants: the growth of all files is that of the total (images), the growth of all packages and sections is that of
the program, exactly; two equal sides differ in nothing; the other way round, everything is mirrored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from proa.inspect.image_settings import changed_settings
from proa.inspect.layer_names import NamedLayer
from proa.records.binary_anatomy import BinaryAnatomy
from proa.records.difference import Change, Delta, Dependency, Difference, Side
from proa.records.evidence import Finding
from proa.records.image_anatomy import AnatomyFinding
from proa.records.image_tree import TreeFile

UNCOMPRESSED = "diff.uncompressed"
"""The finding's id where compressed sizes are not known, a warning where they cannot be compared."""
NO_MODULE = "(no module)"
_STANDARD = "std"


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a program's file."""

    place: str
    """The file, or its path in the image."""
    anatomy: BinaryAnatomy
    main_module: str = ""
    modules: Mapping[str, str] = {}
    """Version by path, as the build information of Go has them, or what it is replaced by; the main module is among
    them."""


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """One side, read."""

    side: Side
    platform: str
    compressed_bytes: int
    total_bytes: int
    wasted_bytes: int = 0
    layers: tuple[NamedLayer, ...] = ()
    files: tuple[TreeFile, ...] = ()
    settings: Mapping[str, str] = {}
    system_packages: Mapping[str, str] = {}
    """Version by name."""
    image_findings: tuple[AnatomyFinding, ...] = ()
    program: Program | None = None
    has_plain_layers: bool = False
    """An archive of a daemon, whose layers are not compressed: what a registry would store is not known."""


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """Two sides compared: the difference, and all that budgets are judged by, what is equal too."""

    difference: Difference
    layers: tuple[Delta, ...]
    """In the order of the later image; then what it no longer has."""
    modules: tuple[Delta, ...]
    packages: tuple[Delta, ...]
    files: tuple[Delta, ...]


def compare(before: Contents, after: Contents, *, findings: Iterable[Finding] = ()) -> Compared:
    """Return what changed from one side to the other; both are images, or both programs."""
    layers = _layers(before.layers, after.layers)
    files = _files(before.files, after.files)
    old, new = before.program, after.program
    modules = _amounts(_module_sizes(old), _module_sizes(new))
    packages = _amounts(_package_sizes(old), _package_sizes(new))
    new_findings, gone_findings = _findings(before.image_findings, after.image_findings)
    is_image = after.side.kind == "image"
    difference = Difference(
        before=before.side,
        after=after.side,
        compressed=_delta("compressed", before.compressed_bytes, after.compressed_bytes),
        total=_delta("total", before.total_bytes, after.total_bytes),
        program=_program(old, new),
        wasted=_delta("wasted", before.wasted_bytes, after.wasted_bytes) if is_image else None,
        layers=_ranked(layers),
        modules=_ranked(modules),
        packages=_ranked(packages),
        sections=_ranked(_amounts(_section_sizes(old), _section_sizes(new))),
        files=_ranked(files),
        changed_files=sum(one.change == "changed" and not one.grown_bytes for one in files),
        dependencies=(*_modules(old, new), *_system_packages(before.system_packages, after.system_packages)),
        settings=changed_settings(before.settings, after.settings),
        new_findings=new_findings,
        gone_findings=gone_findings,
        findings=(
            *findings,
            *_platforms(before, after),
            *_plain_layers(before, after),
            *_without_program(before, after),
        ),
    )
    return Compared(difference=difference, layers=layers, modules=modules, packages=packages, files=files)


def as_program(image: Contents) -> Contents | None:
    """Return the program of an image as a side of its own; None where there is none."""
    program = image.program
    if program is None:
        return None
    return Contents(
        side=msgspec.structs.replace(image.side, kind="binary", reference=f"{image.side.reference} {program.place}"),
        platform=image.platform,
        compressed_bytes=program.anatomy.compressed_bytes,
        total_bytes=program.anatomy.total_bytes,
        program=program,
    )


def _delta(name: str, before_bytes: int, after_bytes: int, change: Change = "") -> Delta:
    return Delta(name=name, before_bytes=before_bytes, after_bytes=after_bytes, change=change)


def _ranked(deltas: Iterable[Delta]) -> tuple[Delta, ...]:
    changed = [one for one in deltas if one.change or one.grown_bytes]
    return tuple(sorted(changed, key=lambda one: (-abs(one.grown_bytes), one.name)))


def _change(*, was: bool, is_: bool, differs: bool) -> Change:
    if was and is_:
        return "changed" if differs else ""
    return "removed" if was else "added"


def _amounts(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[Delta, ...]:
    """Return what each name takes on both sides, by name."""
    found = []
    for name in sorted({**before, **after}):
        old, new = before.get(name), after.get(name)
        change = _change(was=old is not None, is_=new is not None, differs=old != new)
        found.append(_delta(name, old or 0, new or 0, change))
    return tuple(found)


# Images


def _layers(before: Sequence[NamedLayer], after: Sequence[NamedLayer]) -> tuple[Delta, ...]:
    """Return the layers in the order of the later image, then those it no longer has.

    Layers that have only a number are the same where their content is; all others where they have one name.
    """
    numbered = {one.diff_id: one for one in before if one.is_numbered}
    left = {one.name: one for one in before}
    pairs: list[tuple[NamedLayer | None, NamedLayer]] = []
    for one in after:
        same = numbered.pop(one.diff_id, None) if one.is_numbered else None
        if same is not None:
            left.pop(same.name, None)
            pairs.append((same, one))
        else:
            pairs.append((None, one))
    found = []
    for old, one in pairs:
        partner = old or left.pop(one.name, None)
        # Of one content under two numbers, the same name whichever side is called the later one.
        name = max(partner.name, one.name) if partner else one.name
        differs = partner is not None and partner.diff_id != one.diff_id
        change = _change(was=partner is not None, is_=True, differs=differs)
        found.append(_delta(name, partner.bytes if partner else 0, one.bytes, change))
    gone = [_delta(one.name, one.bytes, 0, "removed") for one in left.values()]
    return (*found, *gone)


def _files(before: Sequence[TreeFile], after: Sequence[TreeFile]) -> tuple[Delta, ...]:
    old = {file.path: file for file in before}
    found = []
    for file in after:
        was = old.pop(file.path, None)
        size = was.bytes if was else 0
        change = _change(was=was is not None, is_=True, differs=was is not None and _differs(was, file))
        found.append(_delta(file.path, size, file.bytes, change))
    found += [_delta(file.path, file.bytes, 0, "removed") for file in old.values()]
    return tuple(found)


def _differs(one: TreeFile, other: TreeFile) -> bool:
    return (one.kind, one.mode, one.content, one.bytes) != (other.kind, other.mode, other.content, other.bytes)


def _findings(
    before: Sequence[AnatomyFinding], after: Sequence[AnatomyFinding]
) -> tuple[tuple[AnatomyFinding, ...], tuple[AnatomyFinding, ...]]:
    old, new = {_identity(one) for one in before}, {_identity(one) for one in after}
    return (
        tuple(one for one in after if _identity(one) not in old),
        tuple(one for one in before if _identity(one) not in new),
    )


def _identity(finding: AnatomyFinding) -> tuple[str, str, str]:
    """Return what makes two findings one: layers and wording differ from image to image."""
    # Variables have no path, and are told apart by what is said of them.
    is_said = finding.id == "secret.environment"
    return finding.id, finding.path, finding.message if is_said else ""


def _system_packages(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Dependency, ...]:
    return _changed_versions(before, after, "system-package")


def _platforms(before: Contents, after: Contents) -> tuple[Finding, ...]:
    if before.platform == after.platform:
        return ()
    return (
        Finding(
            id="diff.platforms",
            severity="warning",
            message=f"the two are for different platforms: {before.platform} and {after.platform}",
            hint="choose one with --platform: programs for two processors differ everywhere",
        ),
    )


def _plain_layers(before: Contents, after: Contents) -> tuple[Finding, ...]:
    plain = [side for side in (before, after) if side.has_plain_layers]
    if not plain or after.side.kind == "binary":
        return ()
    is_one = len(plain) == 1
    which = f"{plain[0].side.reference} has" if is_one else "both have"
    return (
        Finding(
            id=UNCOMPRESSED,
            severity="warning" if is_one else "info",
            message=f"{which} layers as a daemon saves them, not compressed: their sizes are not those of a registry",
            hint="compare images of a registry or a layout (skopeo copy docker-archive:FILE oci:FOLDER:TAG)",
        ),
    )


def _without_program(before: Contents, after: Contents) -> tuple[Finding, ...]:
    if (before.program is None) == (after.program is None):
        return ()
    which = before if before.program is None else after
    return (
        Finding(
            id="diff.no-program",
            severity="warning",
            message=f"{which.side.reference} starts no program that can be read, so its packages are not known",
        ),
    )


# Programs


def _program(before: Program | None, after: Program | None) -> Delta | None:
    if before is None and after is None:
        return None
    name = (after or before).place  # type: ignore[union-attr]
    old, new = (one.anatomy.total_bytes if one else 0 for one in (before, after))
    return _delta(name, old, new, _change(was=before is not None, is_=after is not None, differs=old != new))


def _package_sizes(program: Program | None) -> dict[str, int]:
    return _sums((one.name, one.bytes) for one in program.anatomy.packages) if program else {}


def _module_sizes(program: Program | None) -> dict[str, int]:
    return _sums((one.module or NO_MODULE, one.bytes) for one in program.anatomy.packages) if program else {}


def _section_sizes(program: Program | None) -> dict[str, int]:
    return _sums((one.name, one.bytes) for one in program.anatomy.sections) if program else {}


def _sums(amounts: Iterable[tuple[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, size in amounts:
        found[name] = found.get(name, 0) + size
    return found


def _modules(before: Program | None, after: Program | None) -> tuple[Dependency, ...]:
    """Return the tool chain and the modules that came, went or changed; the programs' own modules are none."""
    own = {one.main_module for one in (before, after) if one}
    old, new = (
        {path: version or "(local)" for path, version in one.modules.items() if path not in own} if one else {}
        for one in (before, after)
    )
    go = tuple(one.anatomy.go_version if one else "" for one in (before, after))
    toolchain = (Dependency(name="go", kind="toolchain", before=go[0], after=go[1]),) if go[0] != go[1] else ()
    return (*toolchain, *_changed_versions(old, new, "module"))


def _changed_versions(
    before: Mapping[str, str], after: Mapping[str, str], kind: Literal["module", "system-package"]
) -> tuple[Dependency, ...]:
    """Return what is new, what is gone, then what has another version, each by name."""
    found = [
        Dependency(name=name, kind=kind, before=before.get(name, ""), after=after.get(name, ""))
        for name in sorted({**before, **after})
        if before.get(name) != after.get(name)
    ]
    return tuple(sorted(found, key=lambda one: 0 if not one.before else 1 if not one.after else 2))
