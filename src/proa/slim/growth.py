"""What is kept so far, and what of it has still to be looked at: every rule adds here and takes nothing away.

That rules only add makes the result the same in any order, larger with every seed, and closed: what is kept once
more adds nothing. A path's first reason stays.
"""

from __future__ import annotations

import posixpath
from collections import deque

from proa.records.slimming import KeepRule, Kept
from proa.slim.leftovers import is_left_out
from proa.slim.packages import Packages
from proa.slim.tree import Tree


class Growth:
    """The set that grows."""

    def __init__(self, tree: Tree, packages: Packages, environment: dict[str, str], directory: str) -> None:
        self.tree = tree
        self.packages = packages
        self.environment = environment
        self.directory = directory
        self.reasons: dict[str, tuple[KeepRule, str]] = {}
        self.todo: deque[str] = deque()
        self.toolchains: dict[str, str] = {}
        """Folders of tool chains, and what each is."""
        self.command_words: tuple[str, ...] = ()
        """What the configuration's entrypoint and command say."""
        self.memory: dict[str, object] = {}
        """What a rule found once and needs again, by its name."""
        self.libraries: dict[str, tuple[str, ...]] = {}
        """Every library file by its own name; filled when it is first asked for."""
        self._done: set[tuple[str, str]] = set()

    def once(self, rule: str, about: str = "") -> bool:
        """Say whether a rule is asked for something for the first time."""
        is_first = (rule, about) not in self._done
        self._done.add((rule, about))
        return is_first

    def keep(self, path: str, rule: KeepRule, because: str) -> str | None:
        """Keep a path, the links on its way and its folders; return where it leads.

        A folder is kept without what is in it. Nothing happens where there is nothing.
        """
        if path in self.reasons and self.tree.entries[path].kind != "link":
            return path
        real, links = self.tree.walk(path)
        if real is None:
            # A link that leads nowhere here may be filled when the container is started.
            if links and self._leads_to(path) is not None:
                for link in links:
                    self._add(link, "link", f"{path} is a link")
            return None
        for link in links:
            self._add(link, "link", f"on the way to {real}")
        self._add(real, rule, because)
        return real

    def _leads_to(self, path: str) -> str | None:
        """Return the name a path ends at, a link at its end not followed."""
        folder, _, name = path.rstrip("/").rpartition("/")
        real = self.tree.real(folder or "/")
        return self.tree.children.get(real, {}).get(name) if real else None

    def _add(self, path: str, rule: KeepRule, because: str) -> None:
        if path in self.reasons or path == "/":
            return
        self._add(posixpath.dirname(path), "link", f"the folder of {path}")
        self.reasons[path] = (rule, because)
        self.todo.append(path)

    def keep_below(self, folder: str, rule: KeepRule, because: str, *, all_of_it: bool = False) -> None:
        """Keep a folder with what is in it: without documentation, headers and leftovers, or all of it."""
        real = self.keep(folder, rule, because)
        if real is None or real == "/" or not self.once(f"below {all_of_it}", real):
            return
        for path in list(self.tree.below(real)):
            if all_of_it or not is_left_out(path):
                self.keep(path, rule, because)

    def kept(self) -> tuple[Kept, ...]:
        """Return everything that is kept, by path."""
        return tuple(
            Kept(path=path, bytes=self.tree.entries[path].bytes, rule=rule, because=because)
            for path, (rule, because) in sorted(self.reasons.items())
        )
