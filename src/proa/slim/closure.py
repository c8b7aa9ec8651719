"""What of an image is needed, as far as its files say so: the closure of what it starts, and of every seed.

Every rule only adds. What is kept is looked at in its turn, whatever kept it: a program's libraries, a script's
interpreter, an interpreter's modules, the paths a configuration names.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from pathlib import Path

from proa.records import oci
from proa.records.slimming import Kept, Seed
from proa.slim.application import keep_application
from proa.slim.environments import is_dependency
from proa.slim.growth import Growth
from proa.slim.interpreters import follow_interpreter, follow_unknown
from proa.slim.java import follow_java, keep_class_paths
from proa.slim.leftovers import is_documentation
from proa.slim.libraries import Libraries
from proa.slim.node import follow_node, keep_own_modules
from proa.slim.packages import Packages
from proa.slim.python import follow_python
from proa.slim.references import keep_from_text, keep_reference, paths_in_program
from proa.slim.start import environment, keep_interpreter, keep_start, run
from proa.slim.started import follow_packed, follow_sources
from proa.slim.system import keep_system
from proa.slim.toolchains import follow_toolchain, keep_go_zones, toolchain_folders
from proa.slim.tree import Tree
from proa.slim.units import follow_package
from proa.slim.words import words

_MOST_STRINGS_BYTES = 4 << 30
"""Of all programs whose strings are searched."""
_MOST_TEXTS = 50_000
_SYSTEMS_OWN = frozenset(
    f"/etc/{name}"
    for name in ("passwd", "group", "shadow", "gshadow", "shells", "login.defs", "services", "protocols", "profile",
                 "bash.bashrc", "mime.types", "ld.so.cache", "environment", "rpc")
)  # fmt: skip
"""Kept in every image, and naming what people who log in would use."""


def close(root: Path, config: oci.Config, seeds: Sequence[Seed] = ()) -> tuple[Kept, ...]:
    """Return everything of an unpacked image that is needed, by path, with the reason for each.

    A seed's path with a slash at its end stands for the folder and all that is in it. Names that are no UTF-8 have
    surrogates, as in ``os.fsdecode``. Raises NotWritable where the folder cannot be read, HostileArchive.
    """
    tree = Tree(root)
    return close_tree(tree, Packages(tree), config, seeds)


def close_tree(tree: Tree, packages: Packages, config: oci.Config, seeds: Sequence[Seed] = ()) -> tuple[Kept, ...]:
    """Return the same as ``close`` for an image whose names were read already."""
    run = config.config or oci.Execution()
    growth = Growth(tree, packages, environment(config), run.working_dir or "/")
    growth.command_words = tuple(
        word for one in (*(run.entrypoint or ()), *(run.cmd or ())) for word in (one, *words(one))
    )
    growth.toolchains = toolchain_folders(tree)
    following = _Following(growth)
    keep_system(growth)
    keep_start(growth, config)
    following.all()
    for seed in seeds:
        _keep_seed(growth, seed)
    keep_class_paths(growth)
    keep_application(growth)
    keep_own_modules(growth)
    keep_go_zones(growth)
    following.all()
    return growth.kept()


def _keep_seed(growth: Growth, seed: Seed) -> None:
    if seed.path.endswith("/") and seed.path.strip("/"):
        growth.keep_below(seed.path.rstrip("/"), seed.rule, seed.because, all_of_it=True)
    elif seed.rule == "traced" and growth.tree.is_file(seed.path):
        run(growth, seed.path, seed.rule, seed.because)
    else:
        growth.keep(seed.path, seed.rule, seed.because)


class _Following:
    """Looks at what is kept, each path once, until nothing is added."""

    def __init__(self, growth: Growth) -> None:
        self._growth = growth
        self._libraries = Libraries(growth)
        self._left_bytes = _MOST_STRINGS_BYTES
        self._left_texts = _MOST_TEXTS

    def all(self) -> None:
        """Follow everything that is kept and what that adds."""
        while self._growth.todo:
            path = self._growth.todo.popleft()
            kind = self._growth.tree.entries[path].kind
            if kind == "link":
                self._growth.keep(path, *self._growth.reasons[path])
                follow_package(self._growth, path)
            elif kind == "file":
                self._file(path)

    def _file(self, path: str) -> None:
        growth = self._growth
        head = growth.tree.read(path, 4)
        is_program = head == b"\x7fELF" and self._libraries.follow(path)
        if is_program:
            self._strings(path)
            follow_packed(growth, path)
        elif not is_documentation(path):
            self._text(path, head)
            follow_sources(growth, path)
        follow_package(growth, path)
        follow_toolchain(growth, path)
        follow_python(growth, path)
        follow_node(growth, path)
        follow_java(growth, path)
        follow_interpreter(growth, path)

    def _strings(self, path: str) -> None:
        """Keep what a program or library has among its strings; libc's own names are everyone's."""
        name = posixpath.basename(path)
        size = self._growth.tree.entries[path].bytes
        if name.startswith(("libc.so", "libc-", "ld-", "libpthread", "ld-linux")) or size > self._left_bytes:
            return
        self._left_bytes -= size
        chains = tuple(f"{folder}/" for folder in self._growth.toolchains)
        for found in paths_in_program(self._growth, path):
            # A program names the places of the sources it was made from.
            if not _is_for_people(found) and not (chains and found.startswith(chains)):
                keep_reference(self._growth, found, "reference", f"{path} names it")

    def _text(self, path: str, head: bytes) -> None:
        growth = self._growth
        entry = growth.tree.entries[path]
        if head[:2] == b"#!" and entry.is_executable and not is_dependency(path):
            keep_interpreter(growth, path)
            self._unknown(path)
        if is_dependency(path) or self._left_texts <= 0 or not _is_read(path, growth):
            return
        self._left_texts -= 1
        keep_from_text(growth, path)

    def _unknown(self, path: str) -> None:
        line = self._growth.tree.read(path, 256)[2:].split(b"\n", 1)[0].decode("utf-8", "surrogateescape").split()
        real = self._growth.tree.real(line[0]) if line else None
        if real is not None and self._growth.tree.entries[real].kind == "file":
            follow_unknown(self._growth, real)


def _is_read(path: str, growth: Growth) -> bool:
    """Say whether a text's words count: configuration, scripts and what the author wrote; not a language's library."""
    if path in _SYSTEMS_OWN:
        return False
    if path.startswith(
        ("/usr/share/zoneinfo", "/etc/ssl/", "/usr/share/ca-certificates", "/usr/share/perl", "/usr/lib/python3")
    ):
        return False
    owner = growth.packages.owner(path)
    if owner is None:
        return "/lib/python3" not in path and "/lib/ruby" not in path
    return (
        path.startswith("/etc/")
        or growth.tree.entries[path].is_executable
        or path.endswith((".conf", ".cnf", ".ini", ".cfg"))
    )


def _is_for_people(path: str) -> bool:
    return is_documentation(path) or path.startswith(("/usr/share/locale", "/usr/share/terminfo"))
