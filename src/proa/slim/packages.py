"""Which system package owns which file of an image, and what the package depends on.

Databases of dpkg, of distroless images and of apk are read; rpm's is not, so there nothing has an owner.
Source: dpkg-query(1), deb-control(5); Alpine wiki, "Apk spec", "Installed Database V2".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

import msgspec

from proa.slim.tree import Tree

_DPKG = "/var/lib/dpkg"
_APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
_MOST_BYTES = 64 << 20


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One installed package."""

    name: str
    """With its manager: ``debian:nginx``, ``apk:busybox``."""
    source: str = ""
    section: str = ""
    depends: tuple[str, ...] = ()
    """Names of packages or of what they provide (``so:libssl.so.3``, ``cmd:sh``), without versions."""
    provides: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """As they lie in the image, links among their folders followed; no folders."""
    folders: tuple[str, ...] = ()


class Packages:
    """All packages of an image, by name, by what they provide and by file."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: dict[str, str] = {}
        self.by_name: dict[str, Package] = {}
        for one in (*self._dpkg(), *self._distroless(), *self._apk()):
            self.by_name.setdefault(one.name, one)
        self.owners: dict[str, str] = {}
        self._provided: dict[str, list[str]] = {}
        for one in self.by_name.values():
            for path in (*one.files, *one.folders):
                self.owners.setdefault(path, one.name)
            manager, _, short = one.name.partition(":")
            for provided in (short, *one.provides):
                self._provided.setdefault(f"{manager}:{provided}", []).append(one.name)

    @property
    def are_known(self) -> bool:
        """Say whether the image has a database that can be read."""
        return bool(self.owners)

    def owner(self, path: str) -> Package | None:
        """Return the package of a file or folder; None for what none owns."""
        name = self.owners.get(path)
        return self.by_name[name] if name else None

    def depends(self, package: Package) -> Iterator[Package]:
        """Yield the installed packages that a package depends on, each once."""
        manager = package.name.partition(":")[0]
        seen = {package.name}
        for wanted in package.depends:
            for name in self._provided.get(f"{manager}:{wanted}", ()):
                if name not in seen:
                    seen.add(name)
                    yield self.by_name[name]

    def _located(self, path: str) -> str:
        """Return a path with the links among its folders followed: lists say /lib where /usr/lib is meant."""
        folder, name = posixpath.split("/" + path.lstrip("/"))
        real = self._folders.get(folder)
        if real is None:
            real = self._folders[folder] = self._tree.real(folder) or folder
        return f"{real.rstrip('/')}/{name}"

    def _placed(self, paths: Iterator[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        files: list[str] = []
        folders: list[str] = []
        for path in paths:
            place = self._located(path)
            entry = self._tree.entries.get(place)
            if entry is not None:
                (folders if entry.kind == "folder" else files).append(place)
        return tuple(dict.fromkeys(files)), tuple(dict.fromkeys(folders))

    def _dpkg(self) -> Iterator[Package]:
        for fields in _stanzas(self._tree.text(f"{_DPKG}/status", _MOST_BYTES)):
            name, architecture = fields.get("package", ""), fields.get("architecture", "")
            if not name or "/" in name or "installed" not in fields.get("status", "").split():
                continue
            listing = next(
                (
                    path
                    for path in (f"{_DPKG}/info/{name}.list", f"{_DPKG}/info/{name}:{architecture}.list")
                    if path in self._tree.entries
                ),
                "",
            )
            lines = self._tree.text(listing, _MOST_BYTES).splitlines() if listing else []
            files, folders = self._placed(line for line in lines if line not in ("/.", ""))
            yield _debian(fields, files, folders)

    def _distroless(self) -> Iterator[Package]:
        for path in self._tree.names(f"{_DPKG}/status.d").values():
            if path.endswith(".md5sums"):
                continue
            for fields in _stanzas(self._tree.text(path)):
                if fields.get("package"):
                    sums = self._tree.text(f"{path}.md5sums", _MOST_BYTES).splitlines()
                    files, folders = self._placed(line.partition("  ")[2] for line in sums)
                    yield _debian(fields, files, folders)

    def _apk(self) -> Iterator[Package]:
        for path in _APK:
            for stanza in self._tree.text(path, _MOST_BYTES).split("\n\n"):
                package = self._apk_package(stanza)
                if package is not None:
                    yield package

    def _apk_package(self, stanza: str) -> Package | None:
        fields: dict[str, str] = {}
        paths, folder = [], ""
        for line in stanza.splitlines():
            key, _, value = line.partition(":")
            if key == "F":
                folder = value
                paths.append(folder)
            elif key == "R":
                paths.append(f"{folder}/{value}")
            else:
                fields.setdefault(key, value)
        if not fields.get("P"):
            return None
        files, folders = self._placed(iter(paths))
        return Package(
            name=f"apk:{fields['P']}",
            source=fields.get("o", fields["P"]),
            depends=tuple(re.split(r"[<>=~]", word)[0] for word in fields.get("D", "").split() if word[0] != "!"),
            provides=tuple(re.split(r"[<>=~]", word)[0] for word in fields.get("p", "").split()),
            files=files,
            folders=folders,
        )


def _debian(fields: dict[str, str], files: tuple[str, ...], folders: tuple[str, ...]) -> Package:
    name = fields["package"]
    return Package(
        name=f"debian:{name}",
        source=fields.get("source", name).partition(" ")[0],
        section=fields.get("section", "").rpartition("/")[2],
        depends=(*_relations(fields.get("pre-depends", "")), *_relations(fields.get("depends", ""))),
        provides=_relations(fields.get("provides", "")),
        files=files,
        folders=folders,
    )


def _relations(text: str) -> tuple[str, ...]:
    """Return the names of a list of relations, alternatives one after the other.

    >>> _relations("libc6 (>= 2.36), perl:any | mawk, media-types")
    ('libc6', 'perl', 'mawk', 'media-types')
    """
    names = (re.split(r"[\s(:\[]", word.strip())[0] for word in re.split(r"[,|]", text))
    return tuple(dict.fromkeys(name for name in names if name))


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each stanza: names in small letters, first lines."""
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        for line in stanza.splitlines():
            if line[:1] not in (" ", "\t") and ":" in line:
                name, _, value = line.partition(":")
                fields.setdefault(name.strip().lower(), value.strip())
        if fields:
            yield fields
