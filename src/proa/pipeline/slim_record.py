"""What is said of a slimmed image: the record, what of it is printed, and what is kept beside the image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa import publish
from proa.outside.machine import write_file
from proa.outside.store import Store
from proa.pipeline.slim_view import FinalView, displayed, readable
from proa.records.oci import Descriptor
from proa.records.slimming import SLIMMING, KeepRule, Kept, LeftOutGroup, RuleSum, Slimming, pack_slimming

_MOST_KEPT = 200
_MOST_PATHS = 5


def kept_list(
    asked: Sequence[Kept],
    metadata: Mapping[str, tuple[KeepRule, str]],
    sizes: Mapping[str, int],
    view: FinalView,
) -> tuple[Kept, ...]:
    """Return a line for every file, link and device that stays, and for every folder asked for by itself; by path.

    ``sizes`` has everything that is in the new layer. What stays only because a link leads to it, or as a link on the
    way, has the rule ``link``.
    """
    found: dict[str, Kept] = {}
    for one in asked:
        path = displayed(one.path)
        found.setdefault(view.locate(path) or path, one)
    for path, (rule, because) in metadata.items():
        found.setdefault(displayed(path), Kept(path=path, rule=rule, because=because))
    shown = view.paths()
    lines = {
        path: msgspec.structs.replace(one, path=f"/{path}", bytes=sizes[path], because=readable(one.because))
        for path, one in found.items()
        # The folders above a file need no line of their own.
        if path in sizes and (path in shown or one.rule != "link")
    }
    for path, size in sizes.items():
        if path in shown and path not in lines:
            lines[path] = Kept(path=f"/{path}", bytes=size, rule="link", because="a link leads there, or is on the way")
    return tuple(lines[path] for path in sorted(lines))


def by_rule(kept: Sequence[Kept]) -> tuple[RuleSum, ...]:
    """Return what each rule keeps, the largest first."""
    sizes, files = Counter[KeepRule](), Counter[KeepRule]()
    for one in kept:
        sizes[one.rule] += one.bytes
        files[one.rule] += 1
    order = sorted(files, key=lambda rule: (-sizes[rule], rule))
    return tuple(RuleSum(rule=rule, files=files[rule], bytes=sizes[rule]) for rule in order)


def printed(slimming: Slimming) -> Slimming:
    """Return the record as it is printed: the largest files, and the first paths of each group."""
    largest = sorted(slimming.kept, key=lambda one: (-one.bytes, one.path))[:_MOST_KEPT]
    groups = tuple(msgspec.structs.replace(group, paths=group.paths[:_MOST_PATHS]) for group in slimming.left_out)
    return msgspec.structs.replace(slimming, kept=tuple(largest), left_out=groups)


def attach_slimming(slimming: Slimming, subject: Descriptor, *, store: Store) -> Descriptor:
    """Keep the whole record beside the image and return the artifact's descriptor."""
    return publish.attach(pack_slimming(slimming), subject, media_type=SLIMMING, title="slimming.json.gz", store=store)


def write_left_out(file: str, groups: Sequence[LeftOutGroup]) -> None:
    """Write every path that was left out, one a line, sorted. Raises NotWritable, NoSpace."""
    paths = sorted(path for group in groups for path in group.paths)
    write_file(Path(file), "".join(f"{path}\n" for path in paths).encode())
