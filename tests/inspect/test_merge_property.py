"""The account against an overlay merge of its own: layers applied one by one to a plain dictionary."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proa.inspect.merge import merge_layers
from proa.records.layer_entry import Entry

NAMES = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
ITEMS = st.tuples(
    st.sampled_from(["file", "file", "folder", "symlink", "whiteout", "opaque", "hardlink"]), PATHS, PATHS
)
LAYERS = st.lists(st.lists(ITEMS, max_size=6), min_size=1, max_size=4)


def below(view: dict[str, Any], path: str) -> list[str]:
    return [name for name in view if name == path or name.startswith(f"{path}/")]


def overlay(layers: list[list[tuple[str, str, str]]]) -> set[tuple[int, int]]:
    """Return layer and number of every file entry that is visible at the end.

    Whiteouts are applied before all else of their layer, which is what "only lower layers" means.
    """
    view: dict[str, Any] = {}
    for number, layer in enumerate(layers):
        for kind, path, _ in layer:
            if kind == "whiteout":
                for name in below(view, path):
                    del view[name]
            elif kind == "opaque":
                for name in below(view, path):
                    if name != path:
                        del view[name]
        for position, (kind, path, target) in enumerate(layer):
            parts = path.split("/")
            folders = parts if kind == "opaque" else parts[:-1]
            if kind == "whiteout":
                continue
            for depth in range(1, len(folders) + 1):
                above = "/".join(folders[:depth])
                if view.get(above) != "folder":
                    for name in below(view, above):
                        del view[name]
                    view[above] = "folder"
            if kind == "opaque" or (kind == "folder" and view.get(path) == "folder"):
                continue
            shown: Any = kind
            if kind == "file":
                shown = (number, position)
            if kind == "hardlink":
                shown = view.get(target) if isinstance(view.get(target), tuple) else "device"
            for name in below(view, path):
                del view[name]
            view[path] = shown
    return {shown for shown in view.values() if isinstance(shown, tuple)}


def entry(kind: str, path: str, target: str, number: int, position: int) -> Entry:
    above, _, name = path.rpartition("/")
    if kind == "whiteout":
        return Entry(path=f"{above}/.wh.{name}".lstrip("/"), kind="file")
    if kind == "opaque":
        return Entry(path=f"{path}/.wh..wh..opq", kind="file")
    content = bytes([number, position])
    if kind == "file":
        return Entry(path=path, kind="file", size_bytes=1 + number * 100 + position, content=content)
    if kind == "symlink":
        # Devices stand for links here: what is followed is another test's matter.
        return Entry(path=path, kind="device")
    return Entry(path=path, kind=kind, target=target)  # type: ignore[arg-type]


def hard_link_is_plain(layers: list[list[tuple[str, str, str]]]) -> bool:
    """Say whether no layer has both hard links and whiteouts: what a link to a hidden name means, nothing defines."""
    for layer in layers:
        kinds = {kind for kind, _, _ in layer}
        if "hardlink" in kinds and kinds & {"whiteout", "opaque"}:
            return False
    return True


@settings(max_examples=400, deadline=None)
@given(LAYERS.filter(hard_link_is_plain))
def test_what_is_shown_is_what_an_overlay_shows(layers: list[list[tuple[str, str, str]]]) -> None:
    entries = [
        [entry(kind, path, target, number, position) for position, (kind, path, target) in enumerate(layer)]
        for number, layer in enumerate(layers)
    ]
    merged = merge_layers(entries)
    shown = {(one.layer, one.entry.content[1]) for one in merged.stored if one.shown_at}
    assert shown == overlay(layers)
    # Nothing is lost: every file entry is accounted for once.
    assert len(merged.stored) == sum(kind == "file" for layer in layers for kind, _, _ in layer)


@settings(max_examples=200, deadline=None)
@given(LAYERS.filter(hard_link_is_plain))
def test_changes_add_up_to_the_view(layers: list[list[tuple[str, str, str]]]) -> None:
    merged = merge_layers(
        [
            [entry(kind, path, target, number, position) for position, (kind, path, target) in enumerate(layer)]
            for number, layer in enumerate(layers)
        ]
    )
    shown = sum(1 for _, node in merged.walk() if node.below is None)
    assert shown == sum(one.added.files - one.removed.files for one in merged.changes)
