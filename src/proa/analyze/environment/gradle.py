"""Gradle: what its scripts, version catalogues and lock files say.

A script is a program, so only what is written out is read: plugins with versions, dependencies as
``group:artifact:version``, the Java tool chain, entries of ``libs.versions.toml``. What a script computes is not known.
Source: https://docs.gradle.org/current/userguide/dependency_locking.html, …/version_catalogs.html.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from proa.analyze.environment.found import Dependency, table_of, text_of, toml_of
from proa.outside.projecttree import Tree
from proa.records.evidence import Evidence, Finding

_MOST_BYTES = 1 << 20
_COMMENT = re.compile(r"""("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|//[^\n]*|/\*.*?\*/""", re.DOTALL)
_PLUGIN = re.compile(r"""\bid\s*\(?\s*["']([\w.-]+)["']\s*\)?\s*version\s*\(?\s*["']([\w.-]+)["']""")
_COORDINATES = re.compile(r"""["']([\w.-]+):([\w.-]+)(?::([\w.$\{\}-]+))?["']""")
_JAVA = (
    re.compile(r"\bJavaLanguageVersion\.of\(\s*[\"']?(\d{1,3})[\"']?\s*\)"),
    re.compile(r"\bjvmToolchain\s*\(\s*(\d{1,3})\s*\)"),
    re.compile(r"\boptions\.release(?:\.set\(|\s*=)\s*(\d{1,3})"),
    re.compile(
        r"\b(?:source|target)Compatibility\s*=?\s*(?:JavaVersion\.(?:VERSION_|toVersion\()|)[\"']?((?:1[._])?\d{1,3})"
    ),
)
_CATALOGUE = re.compile(r"\blibs\.([\w.]+)")
_PROPERTY = re.compile(r"\$\{?(\w+)\}?")


class Gradle(msgspec.Struct, frozen=True, kw_only=True):
    """What a Gradle build says."""

    first: str
    dependencies: tuple[Dependency, ...] = ()
    locked: dict[str, str] = {}
    java: str = ""
    java_where: Evidence = Evidence()
    findings: tuple[Finding, ...] = ()


def read_gradle(tree: Tree, scripts: tuple[str, ...]) -> Gradle:
    """Return what the scripts of a tree say together."""
    catalogue, found = toml_of(tree, "gradle/libs.versions.toml")
    properties = dict(_properties(tree.text("gradle.properties", most=_MOST_BYTES)))
    dependencies: list[Dependency] = []
    java, java_where = "", Evidence(file=scripts[0], line=1)
    for path in scripts:
        # Comments give way to as many lines, so that places stay right.
        text = _COMMENT.sub(_without_comment, tree.text(path, most=_MOST_BYTES))
        dependencies += _dependencies(text, path, properties)
        dependencies += _from_catalogue(text, path, catalogue)
        if not java and (match := next((hit for one in _JAVA if (hit := one.search(text))), None)):
            java = match[1].replace("_", ".").removeprefix("1.")
            java_where = Evidence(file=path, line=text.count("\n", 0, match.start()) + 1)
    locked: dict[str, str] = {}
    for path in tree.names("gradle.lockfile")[:60]:
        locked |= dict(lock_lines(tree.text(path)))
    findings = [*found.findings, *_out_of_step(dependencies, locked)]
    return Gradle(
        first=scripts[0],
        dependencies=tuple(dependencies),
        locked=locked,
        java=java,
        java_where=java_where,
        findings=tuple(findings),
    )


def _without_comment(match: re.Match[str]) -> str:
    return match[1] or "\n" * match[0].count("\n")


def _properties(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if equals and not key.lstrip().startswith(("#", "!")):
            yield key.strip(), value.strip()


def _dependencies(text: str, path: str, properties: Mapping[str, str]) -> Iterator[Dependency]:
    def line(match: re.Match[str]) -> Evidence:
        return Evidence(file=path, line=text.count("\n", 0, match.start()) + 1)

    for match in _PLUGIN.finditer(text):
        yield Dependency(package=f"{match[1]}:{match[1]}.gradle.plugin", declared=match[2], where=line(match))
    for match in _COORDINATES.finditer(text):
        version = _PROPERTY.sub(lambda hole: properties.get(hole[1], ""), match[3] or "")
        yield Dependency(package=f"{match[1]}:{match[2]}", declared=version, where=line(match))


def _from_catalogue(text: str, path: str, catalogue: Mapping[str, Any]) -> Iterator[Dependency]:
    """Yield the dependencies a script takes from the version catalogue."""
    if not catalogue:
        return
    entries = {_alias(name): one for name, one in table_of(catalogue, "libraries").items()}
    plugins = {f"plugins.{_alias(name)}": one for name, one in table_of(catalogue, "plugins").items()}
    for match in _CATALOGUE.finditer(text):
        where = Evidence(file=path, line=text.count("\n", 0, match.start()) + 1)
        name = match[1].removesuffix(".get")
        if name in entries:
            package, version = _entry(entries[name], catalogue)
            yield Dependency(package=package, declared=version, where=where)
        elif name in plugins:
            package, version = _entry(plugins[name], catalogue)
            yield Dependency(package=f"{package}:{package}.gradle.plugin", declared=version, where=where)


def _alias(name: str) -> str:
    return re.sub(r"[-_]", ".", name)


def _entry(one: Any, catalogue: Mapping[str, Any]) -> tuple[str, str]:
    """Return package and version of a catalogue's entry, in each of the forms it may have."""
    if isinstance(one, str):
        package, _, pinned = one.rpartition(":")
        return package, pinned
    fields = one if isinstance(one, dict) else {}
    named = text_of(fields.get("module")) or text_of(fields.get("id"))
    named = named or f"{text_of(fields.get('group'))}:{text_of(fields.get('name'))}"
    version = fields.get("version")
    if isinstance(version, dict):
        version = table_of(catalogue, "versions").get(text_of(version.get("ref")))
    return named, text_of(version)


def lock_lines(text: str) -> Iterator[tuple[str, str]]:
    r"""Yield package and version of each line of a gradle.lockfile.

    >>> list(lock_lines("# x\norg.a:b:1.2=compileClasspath\nempty=annotationProcessor\n"))
    [('org.a:b', '1.2')]
    """
    for line in text.splitlines():
        parts = line.partition("=")[0].split(":")
        if len(parts) == 3 and not line.startswith("#"):
            yield f"{parts[0]}:{parts[1]}", parts[2]


def _out_of_step(dependencies: list[Dependency], locked: Mapping[str, str]) -> Iterator[Finding]:
    for one in dependencies if locked else ():
        if one.package in locked and re.fullmatch(r"\d[\w.-]*", one.declared) and locked[one.package] != one.declared:
            yield Finding(
                id="environment.lock-out-of-step",
                severity="info",
                message=f"{one.where.file} asks for {one.package}:{one.declared}, and the lock file has "
                f"{locked[one.package]}",
                hint="gradle dependencies --write-locks brings it in step, unless another dependency asks for more",
                evidence=(one.where,),
            )
