""".ko.yaml as ko reads it, laid into proa's own settings.

Fields that ko does not know either are passed over, as ko does: such files are often GoReleaser's as well.
Source: https://ko.build/configuration/.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

from proa.errors import WrongConfiguration
from proa.outside.plainyaml import Document, Path, dotted
from proa.records.configuration import BuildSettings, Configuration, ImageSettings, ProgramSettings
from proa.records.evidence import Finding


def from_ko(document: Document, *, name: str) -> tuple[Configuration, tuple[Finding, ...]]:
    """Return what a .ko.yaml says, and what of it proa cannot do. Raises WrongConfiguration."""
    if document.value is None:
        return Configuration(), ()
    ko = _Ko(document, name)
    top = ko.mapping(document.value, ())
    build = ko.build(top, (), env="defaultEnv", flags="defaultFlags", ldflags="defaultLdflags")
    programs: dict[str, ProgramSettings] = {}
    for path, base in ko.mapping(top.get("baseImageOverrides"), ("baseImageOverrides",)).items():
        text = ko.text(base, ("baseImageOverrides", path))
        programs[path] = ProgramSettings(image=ImageSettings(base=text))
    for at, entry in enumerate(ko.sequence(top.get("builds"), ("builds",))):
        program, settings = ko.program(ko.mapping(entry, ("builds", at)), ("builds", at))
        programs[program] = settings
    configuration = Configuration(
        build=build,
        image=ImageSettings(base=ko.text(top.get("defaultBaseImage"), ("defaultBaseImage",)) or "auto"),
        platforms=ko.platforms(top.get("defaultPlatforms")),
        programs=programs,
    )
    return configuration, tuple(ko.findings)


class _Ko:
    """Read the fields of one file; ``path`` says where, for errors."""

    def __init__(self, document: Document, name: str) -> None:
        self.document = document
        self.name = name
        self.findings: list[Finding] = []

    def program(self, entry: Mapping[str, Any], path: Path) -> tuple[str, ProgramSettings]:
        """Return the package one of ``builds`` is for, as ``./cmd/api``, and its settings."""
        folder = self.text(entry.get("dir"), (*path, "dir")) or "."
        main = self.text(entry.get("main"), (*path, "main")) or "."
        package = posixpath.normpath(posixpath.join(folder, main))
        if package.endswith(".go"):
            package = posixpath.dirname(package) or "."
        if package.startswith(("/", "../")) or package == "..":
            raise self.wrong(path, "dir and main lead outside the folder of the file")
        if entry.get("linux_capabilities"):
            self.findings.append(
                Finding(
                    id="configuration.capabilities-left-out",
                    message=f"{self.name}: {dotted((*path, 'linux_capabilities'))} is left out",
                    hint="proa's images run without capabilities: listen on a port above 1023",
                )
            )
        return package if package == "." else f"./{package}", ProgramSettings(
            build=self.build(entry, path, env="env", flags="flags", ldflags="ldflags")
        )

    def build(self, entry: Mapping[str, Any], path: Path, *, env: str, flags: str, ldflags: str) -> BuildSettings:
        """Return the build settings among the fields of a mapping."""
        environment = self.environment(entry.get(env), (*path, env))
        cgo = environment.pop("CGO_ENABLED", "")
        return BuildSettings(
            flags=self.words(entry.get(flags), (*path, flags), splits=True),
            ldflags=self.words(entry.get(ldflags), (*path, ldflags)),
            env=environment,
            cgo="on" if cgo == "1" else "off" if cgo == "0" else "auto",
        )

    def environment(self, value: Any, path: Path) -> dict[str, str]:
        """Return a list of ``NAME=value`` as a mapping; the last of a name wins."""
        found = {}
        for at, word in enumerate(self.words(value, path)):
            key, equals, content = word.partition("=")
            if not equals or not key:
                raise self.wrong((*path, at), f"{word!r} is not NAME=value")
            found[key] = content
        return found

    def platforms(self, value: Any) -> tuple[str, ...]:
        """Return ko's list of platforms, which may be one text with commas."""
        texts = self.words(value, ("defaultPlatforms",))
        platforms = tuple(part.strip() for text in texts for part in text.split(",") if part.strip())
        if "all" in platforms:
            raise self.wrong(("defaultPlatforms",), "'all' depends on the base image; name the platforms")
        return platforms

    def words(self, value: Any, path: Path, *, splits: bool = False) -> tuple[str, ...]:
        """Return a list of texts; ko takes a single text for one as well, and splits that of ``flags``."""
        if isinstance(value, str):
            return tuple(value.split()) if splits else (value,)
        return tuple(self.text(item, (*path, at)) for at, item in enumerate(self.sequence(value, path)))

    def text(self, value: Any, path: Path) -> str:
        """Return a text; a number is taken as it is written."""
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        place = self.document.places.get(path)
        if isinstance(value, bool | int | float) and place is not None:
            return place.raw
        raise self.wrong(path, "this is no text")

    def mapping(self, value: Any, path: Path) -> Mapping[str, Any]:
        """Return a mapping; nothing stands for an empty one."""
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        raise self.wrong(path, "this is no mapping of names to values")

    def sequence(self, value: Any, path: Path) -> list[Any]:
        """Return a list; nothing stands for an empty one."""
        if value is None:
            return []
        if isinstance(value, list):
            return value
        raise self.wrong(path, "this is no list")

    def wrong(self, path: Path, what: str) -> WrongConfiguration:
        """Return the error for a field."""
        place = self.document.places.get(path)
        line = f":{place.line}" if place else ""
        return WrongConfiguration(f"{self.name}{line}: {dotted(path) + ': ' if path else ''}{what}")
