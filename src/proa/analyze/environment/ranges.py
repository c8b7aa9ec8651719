"""Whether a version is what was asked for, in the words of each ecosystem; None where either is not understood."""

from __future__ import annotations

import re

from proa.records.environment import Ecosystem

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")
_MOST = 200
"""Longer ranges are nobody's, and could take long to read."""


def satisfies(version: str, declared: str, ecosystem: Ecosystem) -> bool | None:
    """Say whether a version is one that was asked for.

    >>> satisfies("20.20.2", ">=18 <21", "node"), satisfies("3.11.7", ">=3.12", "python"), satisfies("17", "", "java")
    (True, False, None)
    >>> satisfies("go1.26.8", "1.24", "go"), satisfies("3.11.7", "^3.9", "python"), satisfies("20.1.0", "lts/*", "node")
    (True, True, None)
    """
    if not version or not declared or max(len(version), len(declared)) > _MOST:
        return None
    match ecosystem:
        case "node":
            return in_npm_range(version, declared)
        case "python":
            return in_python_range(version, declared)
        case "go" | "rust" | "java":
            have, want = numbers(_modern(version)), numbers(_modern(declared))
            return have >= want if have and want else None


def _modern(version: str) -> str:
    """Return a version of Java as it is written since 9: ``1.8`` is 8. Go and Rust begin with 1 for good."""
    return re.sub(r"^1\.8(?=\b)", "8", version)


def in_npm_range(version: str, declared: str) -> bool | None:
    """Say whether a version is in a range as npm writes it. Source: https://github.com/npm/node-semver#ranges."""
    from semantic_version import NpmSpec, Version

    # node-semver allows spaces after the sign and a v before the number; the library does not.
    spec = re.sub(r"([<>=~^])\s+", r"\1", declared.strip())
    spec = re.sub(r"(?<![\w.-])v(?=\d)", "", spec)
    try:
        return bool(NpmSpec(spec).match(Version.coerce(version.lstrip("v"))))
    except ValueError:
        return None


def in_python_range(version: str, declared: str) -> bool | None:
    """Say whether a version is in a PEP 440 specifier, or in one as Poetry writes it (``^3.9``, ``~3.9``)."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    if "||" not in declared:
        try:
            spec = re.sub(r"^(?=\d)", "==", declared.strip())
            spec = f"{spec}.*" if re.fullmatch(r"==\d+(\.\d+)?", spec) else spec
            return SpecifierSet(spec).contains(version, prereleases=True)
        except (InvalidSpecifier, InvalidVersion):
            pass
    return in_npm_range(version, declared.replace(",", " "))


def numbers(version: str) -> tuple[int, ...]:
    """Return the first numbers of a version, without zeros at the end.

    >>> numbers("go1.26.8"), numbers("^3.0"), numbers("latest")
    ((1, 26, 8), (3,), ())
    """
    match = _NUMBERS.search(version[:_MOST])
    found = [int(part[:9]) for part in match[0].split(".")] if match else []
    while len(found) > 1 and found[-1] == 0:
        found.pop()
    return tuple(found)


def is_exact(declared: str) -> bool:
    """Say whether only one version is meant.

    >>> is_exact("18.17.0"), is_exact("v18.17.0"), is_exact("^18.17.0"), is_exact("==2.1.0"), is_exact("18")
    (True, True, False, True, False)
    """
    return bool(re.fullmatch(r"(?:={1,3}|v|go)?\s*\d+\.\d+\.\d+(?:[-+.][0-9A-Za-z.+-]+)?", declared.strip()))
