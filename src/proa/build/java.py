"""What an executable jar is and needs: judged from its manifest, its names and what a run of it said. Pure.

Which modules a program needs is what jdeps sees, what the rules of ``data/java.toml`` add, and what trials add.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

import msgspec

from proa.errors import JarUnfit
from proa.outside.jar import Jar

HOME = "/app/jre"
"""Where the run time lies in the image."""
_FOLDER = "/app"
_MOST_BESIDE = 20_000
_LOST = (
    re.compile(r"(?:NoClassDefFoundError|ClassNotFoundException): (?:Could not initialize class )?([\w/.$]{3,300})"),
    re.compile(r"FindException: Module ([\w.]{3,100}) not found"),
)
"""Source: messages of java.lang.NoClassDefFoundError and java.lang.module.FindException, JDK 17 and 25."""
_FLAGS = (
    # Half: threads, code and the collector's own tables need the rest. A quarter is what the JVM takes by itself.
    "-XX:MaxRAMPercentage=50",
    # A program without memory left should end, so that it is started again.
    "-XX:+ExitOnOutOfMemoryError",
    # It would write to /tmp/hsperfdata_… from its first moment.
    "-XX:-UsePerfData",
)


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """How an executable jar is laid out."""

    main_class: str
    framework: str = ""
    """``Spring Boot``, ``Quarkus``; empty where nothing of the layout is special."""
    nested: str = ""
    """The folder in the jar that has the jars it uses."""
    class_path: tuple[str, ...] = ()
    """What the manifest names, relative to the jar's folder."""
    folders: tuple[str, ...] = ()
    """Folders beside it that its own launcher reads."""
    dependencies: tuple[str, ...] = ()
    """Those of them that change only with the versions of others' jars."""


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """A module of the JDK that a program needs."""

    name: str
    reason: str


@cache
def _data() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((files("proa.build") / "data" / "java.toml").read_text(encoding="utf-8"))


def shape_of(jar: Jar, *, name: str) -> Shape:
    """Return how a jar is laid out. Raises JarUnfit where ``java -jar`` cannot start it."""
    main_class = jar.manifest.get("main-class", "")
    if not main_class:
        raise JarUnfit(
            f"{name} names no Main-Class in its manifest, so java -jar cannot start it",
            hint="name the executable jar: Spring Boot's repackaged one, a shaded one, quarkus-app/quarkus-run.jar",
        )
    nested = next((one for one in _data()["nested"] if main_class.startswith(one["main_class"])), None)
    beside = next((one for one in _data()["beside"] if main_class == one["main_class"]), None)
    class_path = tuple(_beside(one, name) for one in jar.manifest.get("class-path", "").split())
    if len(class_path) > _MOST_BESIDE:
        raise JarUnfit(f"{name} names {len(class_path)} jars in its Class-Path, more than any honest one")
    return Shape(
        main_class=main_class,
        framework=(nested or beside or {}).get("name", ""),
        nested=nested["folder"] if nested else "",
        class_path=class_path,
        folders=tuple(beside["folders"]) if beside else (),
        dependencies=tuple(beside["dependencies"]) if beside else (),
    )


def _beside(text: str, name: str) -> str:
    """Return a word of a Class-Path as a path relative to the jar's folder. Raises JarUnfit."""
    path = posixpath.normpath(unquote(text.removeprefix("file:")))
    if path.startswith(("/", "../")) or path == ".." or "\0" in path or re.match(r"[a-z]+:", path):
        raise JarUnfit(
            f"the Class-Path of {name} names {text!r}, which is not below the jar's own folder",
            hint="put what it needs beside it: lib/NAME.jar",
        )
    return path


def layer_of(path: str, shape: Shape) -> str:
    """Return which layer a file beside the jar goes into: jars of others change with their versions only.

    >>> layer_of("lib/a.jar", Shape(main_class="A", class_path=("lib/a.jar",)))
    'dependencies'
    """
    first = path.partition("/")[0]
    return "dependencies" if first in shape.dependencies or (not shape.folders and "/" in path) else "program"


def modules_of(
    used: Mapping[str, str], names: Iterable[str], *, feature: int, available: Iterable[str]
) -> tuple[Module, ...]:
    """Return the modules a program needs, by name: what jdeps saw (``used``), and what it cannot see.

    ``names`` are the classes' files, ``available`` what the JDK has.
    """
    found = {name: f"classes of {by} use it (jdeps)" for name, by in used.items()}
    present = _prefixes(names)
    for rule in _data()["rule"]:
        if feature >= rule.get("before", feature + 1):
            continue
        hit = next((one for one in rule.get("classes", ()) if one in present), None)
        if "classes" in rule and hit is None:
            continue
        because = f" ({hit.strip('/').replace('/', '.')})" if hit else ""
        found.setdefault(rule["module"], rule["reason"] + because)
    found.setdefault("java.base", "every program needs it")
    here = set(available)
    return tuple(Module(name=name, reason=found[name]) for name in sorted(found) if not here or name in here)


def _prefixes(names: Iterable[str]) -> frozenset[str]:
    """Return every folder above the names, each with a slash at its end."""
    found: set[str] = set()
    for name in names:
        at = name.rfind("/")
        while at > 0 and name[: at + 1] not in found:
            found.add(name[: at + 1])
            at = name.rfind("/", 0, at)
    return frozenset(found)


def lost_modules(output: str, packages: Mapping[str, str]) -> tuple[Module, ...]:
    """Return the modules whose absence a run's output tells of; ``packages`` has the module of each package.

    >>> said = "java.lang.NoClassDefFoundError: java/sql/Driver"
    >>> lost_modules(said, {"java.sql": "java.sql"})[0].reason
    'the trial died without it: NoClassDefFoundError: java/sql/Driver'
    """
    found = {module.name: module for module in _lost(output, packages)}
    return tuple(found[name] for name in sorted(found))


def _lost(output: str, packages: Mapping[str, str]) -> Iterator[Module]:
    modules = frozenset(packages.values())
    for pattern in _LOST:
        for match in pattern.finditer(output):
            word = match[1].replace("/", ".")
            module = word if word in modules else packages.get(word.rpartition(".")[0], "")
            if module:
                yield Module(name=module, reason=f"the trial died without it: {match[0]}")
    for rule in _data()["said"]:
        told = re.search(rule["pattern"], output)
        if told and rule["module"] in modules:
            yield Module(name=rule["module"], reason=f"the trial died without it: {told[0]}")


def command_of(name: str, modules: Iterable[str]) -> tuple[str, ...]:
    """Return how the image starts the jar."""
    headless = ("-Djava.awt.headless=true",) if "java.desktop" in modules else ()
    return (f"{HOME}/bin/java", *_FLAGS, *headless, "-jar", f"{_FOLDER}/{name}")
