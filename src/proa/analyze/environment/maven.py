"""pom.xml: with parents, properties and imported bills of materials, as far as they are in the tree or on this machine.

Nothing is fetched: a parent that is only in a remote repository is not read. XML that declares entities is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from proa.analyze.environment.found import Dependency, Found, at, unreadable
from proa.outside.projecttree import Tree
from proa.records.evidence import Evidence

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

_MOST_BYTES = 4 << 20
_MOST_PARENTS = 12
_MOST_ROUNDS = 8
_HOLE = re.compile(r"\$\{([^}]{1,200})\}")
_RELEASES = ("maven.compiler.release", "java.version", "maven.compiler.source", "maven.compiler.target")


class Coordinates(msgspec.Struct, frozen=True, kw_only=True):
    """What an element with groupId, artifactId and version names."""

    group: str
    artifact: str
    version: str = ""
    is_import: bool = False


class Pom(msgspec.Struct, frozen=True, kw_only=True):
    """One pom.xml."""

    path: str
    """In the tree; absolute for one of the local repository."""
    text: str
    itself: Coordinates
    parent: Coordinates | None
    relative: str
    properties: dict[str, str]
    dependencies: tuple[Coordinates, ...]
    managed: tuple[Coordinates, ...]
    plugins: tuple[Coordinates, ...]
    release: str = ""
    """The compiler plugin's own setting."""
    wanted_maven: str = ""


class Poms:
    """The pom.xml files of a tree and of the local repository, each read once."""

    def __init__(self, tree: Tree, repository: Path) -> None:
        self._tree = tree
        self._repository = repository
        self._read: dict[str, tuple[Pom | None, Found]] = {}

    def read(self, path: str) -> tuple[Pom | None, Found]:
        """Return a pom.xml of the tree; None and a finding where it cannot be read."""
        if path not in self._read:
            self._read[path] = parse_pom(self._tree.text(path, most=_MOST_BYTES), path)
        return self._read[path]

    def lineage(self, pom: Pom) -> tuple[Pom, ...]:
        """Return a project and its parents, the nearest first, as far as they are here."""
        found, at_pom = [pom], pom
        while at_pom.parent is not None and len(found) < _MOST_PARENTS:
            above = self._parent(at_pom)
            if above is None or above in found:
                break
            found.append(above)
            at_pom = above
        return tuple(found)

    def _parent(self, pom: Pom) -> Pom | None:
        parent = pom.parent
        if parent is None:
            return None
        if not pom.path.startswith("/") and pom.relative:
            folder = pom.path.rpartition("/")[0]
            parts = [part for part in f"{folder}/{pom.relative}".split("/") if part not in ("", ".")]
            kept: list[str] = []
            for part in parts:
                if part == ".." and kept:
                    kept.pop()
                else:
                    kept.append(part)
            path = "/".join(kept)
            path = path if path.endswith(".xml") else f"{path}/pom.xml".lstrip("/")
            above = self.read(path)[0] if self._tree.has(path) else None
            if above is not None and above.itself.artifact == parent.artifact:
                return above
        return self._stored(parent)

    def _stored(self, one: Coordinates) -> Pom | None:
        """Return a POM of the local repository."""
        if not all(re.fullmatch(r"[\w.-]+", part) for part in (one.group, one.artifact, one.version)):
            return None
        place = self._repository / one.group.replace(".", "/") / one.artifact / one.version
        file = place / f"{one.artifact}-{one.version}.pom"
        key = str(file)
        if key not in self._read:
            try:
                text = file.read_bytes()[:_MOST_BYTES].decode(errors="replace")
            except (OSError, ValueError):
                text = ""
            self._read[key] = parse_pom(text, key) if text else (None, Found())
        return self._read[key][0]

    def properties(self, pom: Pom) -> dict[str, str]:
        """Return the properties that hold in a project: its own win over its parents'."""
        lineage = self.lineage(pom)
        found: dict[str, str] = {}
        for one in reversed(lineage):
            found |= one.properties
        version = pom.itself.version or (pom.parent.version if pom.parent else "")
        parent = {"project.parent.version": pom.parent.version} if pom.parent else {}
        return found | parent | {"project.version": version, "project.groupId": pom.itself.group}

    def dependencies(self, pom: Pom) -> Iterator[Dependency]:
        """Yield what a project depends on, its parent and its plugins among it, with the version that holds."""
        properties = self.properties(pom)
        managed = self._managed(pom)
        uses = [(pom.parent,)] if pom.parent else []
        for one in (*(one for group in uses for one in group), *pom.managed, *pom.dependencies, *pom.plugins):
            group, artifact = (filled(word, properties) for word in (one.group, one.artifact))
            version = filled(one.version, properties) or managed.get((group, artifact), "")
            yield Dependency(
                package=f"{group}:{artifact}",
                declared=version,
                where=at(pom.text, pom.path, f"<groupId>{one.group}<", f"<artifactId>{one.artifact}<"),
            )

    def _managed(self, pom: Pom, depth: int = 0) -> dict[tuple[str, str], str]:
        """Return the versions that a project's parents and imported bills of materials settle."""
        found: dict[tuple[str, str], str] = {}
        for one in reversed(self.lineage(pom)):
            properties = self.properties(pom) if depth == 0 else self.properties(one)
            for each in one.managed:
                filled_in = Coordinates(
                    group=filled(each.group, properties),
                    artifact=filled(each.artifact, properties),
                    version=filled(each.version, properties),
                )
                if each.is_import:
                    stored = self._stored(filled_in) if depth < _MOST_ROUNDS else None
                    for key, version in (self._managed(stored, depth + 1) if stored else {}).items():
                        found.setdefault(key, version)
                else:
                    found[filled_in.group, filled_in.artifact] = filled_in.version
        return found

    def java_release(self, pom: Pom) -> tuple[str, Evidence] | None:
        """Return the Java release a project is compiled for, and where that stands."""
        properties = self.properties(pom)
        for one in self.lineage(pom):
            if one.release:
                return filled(one.release, properties), at(one.text, one.path, "maven-compiler-plugin", "<release>")
        for name in _RELEASES:
            for one in self.lineage(pom):
                if name in one.properties:
                    file = one.path.removeprefix(f"{self._repository}/")
                    return filled(one.properties[name], properties), at(one.text, file, f"<{name}>")
        return None

    def maven_wanted(self, pom: Pom) -> str:
        """Return the version of Maven that a project asks for; empty where it does not."""
        return next(
            (filled(one.wanted_maven, self.properties(pom)) for one in self.lineage(pom) if one.wanted_maven), ""
        )


def filled(text: str, properties: Mapping[str, str]) -> str:
    """Return a text with its properties filled in; empty where one is not known.

    >>> filled("${a}.1", {"a": "${b}", "b": "3"}), filled("${x}", {})
    ('3.1', '')
    """
    for _ in range(_MOST_ROUNDS):
        if "${" not in text:
            return text.strip()
        text = _HOLE.sub(lambda match: properties.get(match[1], ""), text)[:500]
    return ""


def parse_pom(text: str, path: str) -> tuple[Pom | None, Found]:
    """Return what a pom.xml says; None and a finding where it is none, or declares entities."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(text)
    except DefusedXmlException:
        return None, unreadable(path, "it declares XML entities, which are not expanded")
    except (ParseError, ValueError, RecursionError) as error:
        return None, unreadable(path, str(error))
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    properties = {one.tag: (one.text or "").strip() for one in root.findall("properties/*") if isinstance(one.tag, str)}
    parent = root.find("parent")
    plugins = root.findall("build/plugins/plugin") + root.findall("build/pluginManagement/plugins/plugin")
    compiler = [one for one in plugins if one.findtext("artifactId", "").strip() == "maven-compiler-plugin"]
    wanted = root.findtext("prerequisites/maven") or root.findtext(".//requireMavenVersion/version")
    relative = parent.findtext("relativePath") if parent is not None else None
    pom = Pom(
        path=path,
        text=text,
        itself=_coordinates(root),
        parent=_coordinates(parent) if parent is not None else None,
        relative="../pom.xml"
        if relative is None and (parent is None or parent.find("relativePath") is None)
        else (relative or "").strip(),
        properties=properties,
        dependencies=tuple(map(_coordinates, root.findall("dependencies/dependency"))),
        managed=tuple(map(_coordinates, root.findall("dependencyManagement/dependencies/dependency"))),
        plugins=tuple(map(_coordinates, plugins)),
        release=next((said.strip() for one in compiler if (said := one.findtext("configuration/release"))), ""),
        wanted_maven=re.sub(r"[\[\]() ]|,.*", "", wanted or ""),
    )
    return pom, Found()


def _coordinates(element: Element) -> Coordinates:
    def said(name: str) -> str:
        return (element.findtext(name) or "").strip()[:200]

    return Coordinates(
        group=said("groupId") or "org.apache.maven.plugins",
        artifact=said("artifactId"),
        version=said("version"),
        is_import=said("scope") == "import",
    )
