"""What a layer is called when two images are compared: by what it holds, else by its instruction, else its number."""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from proa.inspect.history import instruction
from proa.records.oci import Config, History

_DIGEST = re.compile(r"\b(file|dir|multi|sha256):[0-9a-f]{64}")
_MOST_CHARACTERS = 120


class NamedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """One layer as it is compared."""

    name: str
    diff_id: str
    bytes: int
    """As a registry stores it."""
    is_numbered: bool = False
    """No name but its number is known."""


def named_layers(config: Config, sizes: tuple[int, ...]) -> tuple[NamedLayer, ...]:
    """Return the layers, the lowest first; no two have the same name. ``sizes`` are the compressed ones."""
    steps = [step for step in config.history or () if not step.empty_layer]
    # Squashed and appended images keep a history of another length.
    names = [layer_name(step) for step in steps] if len(steps) == len(sizes) else [""] * len(sizes)
    counted: Counter[str] = Counter()
    found = []
    for number, (name, size, diff_id) in enumerate(zip(names, sizes, config.rootfs.diff_ids, strict=True), 1):
        counted[name] += 1
        own = f"{name} ({counted[name]})" if counted[name] > 1 else name
        found.append(
            NamedLayer(name=own if name else f"layer {number}", diff_id=diff_id, bytes=size, is_numbered=not name)
        )
    return tuple(found)


def layer_name(step: History) -> str:
    """Return a name that stays when the content changes.

    >>> layer_name(History(created_by="proa", comment="system files: /etc/passwd"))
    'system files'
    >>> layer_name(History(created_by=f"/bin/sh -c #(nop) ADD file:{'0' * 64} in / "))
    'ADD file:… in /'
    """
    if step.created_by == "proa" and step.comment and ": " in step.comment:
        return step.comment.partition(": ")[0][:_MOST_CHARACTERS]
    text = _DIGEST.sub(r"\1:…", instruction(step))
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}…"
