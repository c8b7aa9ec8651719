"""Lay an image's layers over each other and keep the account of every stored file.

Invariants: (1) each regular file of each layer is one ``Stored``, whether it is ever seen or not; (2) whiteouts, plain
and opaque, hide what the layers below show and never what their own layer has, in whatever order its entries stand;
(3) a hard link shows the file it was made to, and goes on showing it when the first name is gone; (4) links among the
folders of a path are followed as inside a container.
Source: OCI image-spec, layer.md, "Applying Changesets" and "Whiteouts".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from proa.errors import HostileArchive
from proa.records.image_anatomy import Change, WasteReason
from proa.records.layer_entry import Entry

WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
_MOST_LINKS = 40
"""Source: Linux, path_resolution(7)."""


class Stored:
    """One regular file as a layer stores it, and what became of it."""

    __slots__ = ("entry", "hidden_by", "layer", "reason", "shown_at")

    def __init__(self, entry: Entry, layer: int) -> None:
        self.entry = entry
        self.layer = layer
        self.hidden_by = -1
        self.reason: WasteReason = "removed"
        self.shown_at = ""
        """The first of its paths in the final view, filled in when all layers are applied; empty for waste."""


class Node:
    """One name of the merged view."""

    __slots__ = ("below", "entry", "layer", "stored")

    def __init__(self, entry: Entry | None, layer: int, stored: Stored | None = None) -> None:
        self.entry = entry
        """None for a folder that no layer has an entry for."""
        self.layer = layer
        """The last one that wrote this name."""
        self.stored = stored
        is_folder = entry is None or entry.kind == "folder"
        self.below: dict[str, Node] | None = {} if is_folder else None


class LayerChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What one layer did to the view below it."""

    added: Change
    changed: Change
    removed: Change


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """All layers applied."""

    root: Node
    stored: tuple[Stored, ...]
    changes: tuple[LayerChanges, ...]

    def find(self, path: str) -> tuple[str, Node] | None:
        """Return a path with every link followed, and what is there; None for nothing, or links without an end."""
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[tuple[str, Node]] = []
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            here = done[-1][1] if done else self.root
            node = None if here.below is None else here.below.get(part)
            if part == ".":
                continue
            if node is None:
                return None
            if node.entry is not None and node.entry.kind == "symlink":
                links += 1
                if links > _MOST_LINKS:
                    return None
                if node.entry.target.startswith("/"):
                    done = []
                todo += [piece for piece in reversed(node.entry.target.split("/")) if piece]
            else:
                done.append((part, node))
        return "/".join(name for name, _ in done), done[-1][1] if done else self.root

    def walk(self) -> Iterator[tuple[str, Node]]:
        """Yield every path of the final view but the root."""
        return walk("", self.root)


def walk(above: str, folder: Node) -> Iterator[tuple[str, Node]]:
    """Yield every path below a folder."""
    todo = [(above, folder)]
    while todo:
        place, node = todo.pop()
        for name, child in (node.below or {}).items():
            path = f"{place}/{name}" if place else name
            yield path, child
            if child.below is not None:
                todo.append((path, child))


def merge_layers(layers: Sequence[Sequence[Entry]]) -> Merged:
    """Return the view of all layers, the lowest first. Raises HostileArchive for a whiteout of nothing."""
    view = _View()
    changes = []
    for number, entries in enumerate(layers):
        for entry in entries:
            view.apply(entry, number)
        changes.append(view.close_layer())
    merged = Merged(root=view.root, stored=tuple(view.stored), changes=tuple(changes))
    for path, node in merged.walk():
        stored = node.stored
        if stored is not None and (not stored.shown_at or path < stored.shown_at):
            stored.shown_at = path
    return merged


class _View:
    """The merged view while layers are applied."""

    def __init__(self) -> None:
        self.root = Node(None, -1)
        self.stored: list[Stored] = []
        self._folders: dict[str, Node] = {}
        """By path as the entries write it; forgotten whenever a name on the way may mean something else."""
        self._added: dict[str, int] = {}
        self._changed: dict[str, int] = {}
        self._removed: dict[str, int] = {}

    def apply(self, entry: Entry, number: int) -> None:
        """Lay one entry of the current layer over the view."""
        above, _, name = entry.path.rpartition("/")
        if name.startswith(WHITEOUT):
            self._whiteout(above, name, number)
            return
        stored = None
        if entry.kind == "file":
            stored = Stored(entry, number)
            self.stored.append(stored)
        if not name:
            return  # the root itself
        folder = self._folder(above, number)
        if entry.kind == "hardlink":
            there = self._existing(entry.target)
            if there is not None and there.below is None:
                entry, stored = there.entry or entry, there.stored
        self._place(folder, f"{above}/{name}" if above else name, name, Node(entry, number, stored))

    def close_layer(self) -> LayerChanges:
        """Return what the layer did, and begin the next."""
        done = LayerChanges(added=_change(self._added), changed=_change(self._changed), removed=_change(self._removed))
        self._added, self._changed, self._removed = {}, {}, {}
        return done

    def _place(self, folder: Node, path: str, name: str, node: Node) -> None:
        below = folder.below
        assert below is not None  # noqa: S101 - _folder returns folders
        old = below.get(name)
        if old is not None and old.below is not None and node.below is not None:
            # A folder over a folder: its attributes change, what is in it stays.
            old.entry, old.layer = node.entry, node.layer
            return
        if old is not None:
            self._drop(path, old, node)
        below[name] = node
        if node.below is None:
            self._note(path, node, old)

    def _note(self, path: str, node: Node, old: Node | None) -> None:
        """Count a name under what the layers below show for it."""
        was_below = old is not None and old.below is None and old.layer < node.layer
        is_changed = self._removed.pop(path, None) is not None or path in self._changed or was_below
        (self._changed if is_changed else self._added)[path] = _size(node)

    def _drop(self, path: str, old: Node, new: Node) -> None:
        """Take what a name shows out of the view, because something else takes its place."""
        if old.below is None:
            reason: WasteReason = "overwritten"
            if old.layer == new.layer:
                reason = "repeated"
            elif old.stored and new.stored and old.stored.entry.content == new.stored.entry.content:
                reason = "metadata"
            elif new.stored is None:
                reason = "replaced"
            self._hide(path, old, new.layer, reason)
            if old.entry is not None and old.entry.kind == "symlink":
                self._folders.clear()
            return
        self._folders.clear()
        for inner, node in walk(path, old):
            if node.below is None:
                self._hide(inner, node, new.layer, "replaced")

    def _hide(self, path: str, node: Node, number: int, reason: WasteReason) -> None:
        if node.stored is not None:
            node.stored.hidden_by, node.stored.reason = number, reason
        if node.layer < number:
            self._removed[path] = _size(node)
        else:
            was_below = self._changed.pop(path, None) is not None
            self._added.pop(path, None)
            if was_below:
                # What the layers below show there is gone all the same.
                self._removed.setdefault(path, 0)

    # Whiteouts

    def _whiteout(self, above: str, name: str, number: int) -> None:
        if name == OPAQUE:
            folder = self._folder(above, number)
            self._prune_below(above, folder, number)
            self._folders.clear()
            return
        hidden = name.removeprefix(WHITEOUT)
        if hidden in ("", ".", ".."):
            raise HostileArchive(f"a layer has the whiteout {name!r}")
        if hidden.startswith(WHITEOUT):
            return  # aufs's own: .wh..wh.plnk, .wh..wh.orph, .wh..wh.aufs
        parent = self._existing(above)
        node = parent.below.get(hidden) if parent is not None and parent.below is not None else None
        if parent is None or parent.below is None or node is None:
            return
        if not self._prune(f"{above}/{hidden}" if above else hidden, node, number):
            del parent.below[hidden]
        self._folders.clear()

    def _prune(self, path: str, node: Node, number: int) -> bool:
        """Take what lower layers show out of a subtree; say whether anything of this layer stays."""
        if node.below is None:
            if node.layer >= number:
                return True
            self._hide(path, node, number, "removed")
            return False
        self._prune_below(path, node, number)
        return bool(node.below) or node.layer >= number

    def _prune_below(self, path: str, folder: Node, number: int) -> None:
        below = folder.below or {}
        for name in [
            name for name, node in below.items() if not self._prune(f"{path}/{name}" if path else name, node, number)
        ]:
            del below[name]

    # Names

    def _folder(self, path: str, number: int) -> Node:
        """Return the folder a path leads to, made where it is missing; a file in the way is replaced."""
        if not path:
            return self.root
        known = self._folders.get(path)
        if known is None:
            known = self._follow(path, number)
            self._folders[path] = known
        return known

    def _existing(self, path: str) -> Node | None:
        """Return what a path leads to, links in its folders followed, its last name not."""
        above, _, name = path.rpartition("/")
        found = Merged(root=self.root, stored=(), changes=()).find(above)
        if found is None or found[1].below is None:
            return None
        return found[1].below.get(name) if name else found[1]

    def _follow(self, path: str, number: int) -> Node:
        todo = path.split("/")[::-1]
        done: list[tuple[str, Node]] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                del done[-1:]
                continue
            here = done[-1][1] if done else self.root
            assert here.below is not None  # noqa: S101 - only folders are put there
            node = here.below.get(part)
            if node is not None and node.entry is not None and node.entry.kind == "symlink":
                links += 1
                if links > _MOST_LINKS:
                    raise HostileArchive(
                        f"a layer has entries below {path[:200]!r}, a link that leads round in circles"
                    )
                if node.entry.target.startswith("/"):
                    done = []
                todo += node.entry.target.split("/")[::-1]
                continue
            if node is None or node.below is None:
                made = Node(None, number)
                self._place(here, "/".join([*(name for name, _ in done), part]), part, made)
                node = made
            done.append((part, node))
        return done[-1][1] if done else self.root


def _size(node: Node) -> int:
    return node.stored.entry.size_bytes if node.stored is not None else 0


def _change(sizes: dict[str, int]) -> Change:
    return Change(files=len(sizes), bytes=sum(sizes.values()))
