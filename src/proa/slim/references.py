"""Paths of the image that occur as text: in configuration, in scripts, among a program's own strings.

A text that names a path may not use it; it is kept all the same, as nothing proves that it does not.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator

from proa.records.slimming import KeepRule
from proa.slim.growth import Growth
from proa.slim.leftovers import is_left_out

MOST_FILE_BYTES = 512 << 20
"""Of a program whose strings are searched (arbitrary, above any known)."""
_MOST_TEXT_BYTES = 4 << 20
_MOST_FOUND = 20_000
_MOST_FOLDER_FILES, _MOST_FOLDER_BYTES = 2_000, 32 << 20
"""Of a folder that is kept because its name occurs (arbitrary)."""
_SHARED = frozenset(
    [
        "/",
        "/bin",
        "/boot",
        "/dev",
        "/etc",
        "/home",
        "/lib",
        "/lib32",
        "/lib64",
        "/libx32",
        "/media",
        "/mnt",
        "/opt",
        "/proc",
        "/root",
        "/run",
        "/sbin",
        "/srv",
        "/sys",
        "/tmp",  # noqa: S108 - a path in the image
        "/usr",
        "/usr/bin",
        "/usr/games",
        "/usr/include",
        "/usr/lib",
        "/usr/lib32",
        "/usr/lib64",
        "/usr/libexec",
        "/usr/libx32",
        "/usr/local",
        "/usr/local/bin",
        "/usr/local/etc",
        "/usr/local/include",
        "/usr/local/lib",
        "/usr/local/lib64",
        "/usr/local/man",
        "/usr/local/sbin",
        "/usr/local/share",
        "/usr/sbin",
        "/usr/share",
        "/usr/src",
        "/var",
        "/var/cache",
        "/var/lib",
        "/var/lock",
        "/var/log",
        "/var/mail",
        "/var/run",
        "/var/spool",
        "/var/tmp",  # noqa: S108
        "/usr/share/zoneinfo",
        "/usr/share/locale",
        "/usr/lib/locale",
        "/usr/share/man",
        "/usr/share/doc",
        "/usr/share/java",
        "/usr/share/nodejs",
        "/usr/share/fonts",
        "/usr/share/perl5",
        "/usr/lib/python3",
        "/usr/lib/python3/dist-packages",
        "/usr/share/javascript",
        "/usr/share/maven-repo",
        "/etc/alternatives",
        "/usr/lib/jvm",
        "/usr/share/icons",
        "/usr/share/terminfo",
        "/usr/lib/gcc",
        "/usr/share/i18n",
        "/usr/share/info",
        "/usr/share/zsh",
        "/usr/share/vim",
        "/usr/share/git-core",
    ]
)
"""Named by everyone, belonging to nobody: their names alone say nothing of what is in them."""
_TEXT_PATH = re.compile(rb"(?<![A-Za-z0-9_.$}*-])/[A-Za-z0-9_][A-Za-z0-9_.+@%:,~/-]{2,400}")
_NOT_BEFORE = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.$}*-")
"""A slash behind one of these is within a longer path."""
_PACKS_STRINGS = (b"Go buildinf:", b"/rustc/")
"""Occur in programs whose strings have nothing between them."""
_LIBRARY = re.compile(rb"[A-Za-z0-9_+-][A-Za-z0-9_.+-]{1,120}\.so(?![A-Za-z0-9_])")


def keep_reference(growth: Growth, path: str, rule: KeepRule, because: str, *, is_meant: bool = False) -> None:
    """Keep a file that is named; of a folder what is in it, where that is its own and bounded.

    ``is_meant``: the author or a configuration names it, so documentation counts as well: a web server may show it.
    """
    real = growth.tree.real(path)
    if real is None or real == "/":
        return
    if growth.tree.entries[real].is_executable:
        from proa.slim.start import run

        run(growth, path, rule, because)
        return
    if growth.tree.entries[real].kind != "folder":
        growth.keep(path, rule, because)
        return
    growth.keep(path, rule, because)
    if is_shared(real) or (is_left_out(real) and not is_meant):
        return
    from proa.slim.environments import is_dependency_folder

    if is_dependency_folder(real):
        return
    files = bytes_ = 0
    for below in growth.tree.below(real):
        files, bytes_ = files + 1, bytes_ + growth.tree.entries[below].bytes
        if files > _MOST_FOLDER_FILES or bytes_ > _MOST_FOLDER_BYTES:
            return
    growth.keep_below(real, rule, because, all_of_it=is_meant)


def is_shared(folder: str) -> bool:
    """Say whether a folder holds what belongs to many: libraries of a machine, packages of a language."""
    return folder in _SHARED or bool(re.fullmatch(r"(?:/usr)?/lib/[a-z0-9_]+-linux-[a-z0-9]+", folder))


def paths_in_text(text: bytes) -> Iterator[str]:
    """Yield absolute paths that occur in a text, as long as they can be read, and up to where a wildcard starts."""
    for number, match in enumerate(_TEXT_PATH.finditer(text)):
        if number > _MOST_FOUND:
            return
        word = match[0].decode("ascii")
        for part in dict.fromkeys((word, *word.split(":"), *word.split(","))):
            if part.startswith("/"):
                yield part.rstrip(".:,")


def keep_from_text(growth: Growth, path: str) -> None:
    """Keep what a configuration file or script names: absolute paths, and modules by their file names."""
    text = growth.tree.read(path, _MOST_TEXT_BYTES)
    if b"\0" in text[:8192]:
        return
    is_meant = path.startswith("/etc/") or growth.packages.owner(path) is None
    for found in dict.fromkeys(paths_in_text(text)):
        if growth.tree.real(found) is not None:
            keep_reference(growth, found, "reference", f"{path} names it", is_meant=is_meant)
    if b".so" in text:
        names = {match.decode("ascii") for match in _LIBRARY.findall(text)}
        for name in sorted(names):
            for place in libraries_named(growth, name):
                growth.keep(place, "reference", f"{path} names {name}")


def libraries_named(growth: Growth, name: str) -> tuple[str, ...]:
    """Return every library file of that name."""
    return _libraries(growth).get(name, ())


def _libraries(growth: Growth) -> dict[str, tuple[str, ...]]:
    if not growth.libraries:
        found: dict[str, list[str]] = {}
        for path, entry in growth.tree.entries.items():
            if ".so" in path and entry.kind in ("file", "link"):
                found.setdefault(path.rpartition("/")[2], []).append(path)
        growth.libraries.update({name: tuple(sorted(paths)) for name, paths in found.items()})
        growth.libraries.setdefault("", ())
    return growth.libraries


def paths_in_program(growth: Growth, path: str) -> Iterator[str]:
    """Yield files and folders of the image whose names are among a program's strings.

    Strings of Go and Rust lie one after the other with nothing between them: so the image's own names are matched,
    the longest that fits.
    """
    here = growth.tree.here(path)
    heads = b"|".join(
        re.escape(name.encode("utf-8", "surrogateescape"))
        for name in growth.tree.children["/"]
        if name not in ("proc", "sys", "dev", "run", "tmp")
    )
    if not heads or not 0 < growth.tree.entries[path].bytes <= MOST_FILE_BYTES:
        return
    seen: set[str] = set()
    try:
        with here.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            is_packed = any(data.find(mark) >= 0 for mark in _PACKS_STRINGS)
            allowed = rb"[\x21-\x7e]" if is_packed else rb"[A-Za-z0-9_.+@~/-]"
            for match in re.finditer(rb"/(?:" + heads + rb")/" + allowed + rb"{1,300}", data):
                if not is_packed and data[max(match.start() - 1, 0)] in _NOT_BEFORE:
                    continue
                text = match[0].decode("ascii")
                for one in _matches(growth, text) if is_packed else (text.rstrip("."),):
                    if one not in seen and growth.tree.real(one) not in (None, "/"):
                        seen.add(one)
                        yield one
                if len(seen) > _MOST_FOUND:
                    return
    except (OSError, ValueError):
        return


def _matches(growth: Growth, text: str) -> Iterator[str]:
    """Yield the path of the image that a text starts with, and those of the paths that follow in it."""
    at = 0
    for _ in range(20):
        found, end = _longest(growth, text, at)
        if found:
            yield found
        # Another path may start behind this one, or within what was no path.
        at = text.find("/", max(end, at + 1))
        if at < 0:
            return


def _longest(growth: Growth, text: str, start: int) -> tuple[str, int]:
    folder, at, path = "/", start, ""
    while text[at : at + 1] == "/":
        end = text.find("/", at + 1)
        end = len(text) if end < 0 else end
        names = growth.tree.names(folder)
        name = text[at + 1 : end]
        if name in names:
            path, at, folder = f"{path}/{name}", end, names[name]
            continue
        # The last name may be followed by another string without anything between.
        for length in range(min(len(name), 255), 1, -1):
            place = names.get(name[:length])
            if place is not None and growth.tree.is_file(place):
                return f"{path}/{name[:length]}", at + 1 + length
        break
    return path, at
