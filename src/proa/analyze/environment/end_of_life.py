"""When support ends for the version a project runs on, from data kept with its date and sources."""

from __future__ import annotations

import re
import tomllib
from functools import lru_cache
from importlib.resources import files

_NAMES = {
    "go": "go",
    "node": "node",
    "python": "python",
    "java": "java",
    "Django": "django",
    "Spring Boot": "spring-boot",
}


@lru_cache(maxsize=1)
def _data() -> dict[str, dict[str, str]]:
    text = (files("proa.analyze") / "data" / "end_of_life.toml").read_text(encoding="utf-8")
    return {name: table for name, table in tomllib.loads(text).items() if isinstance(table, dict)}


def end_of_life(name: str, version: str) -> str:
    """Return the day support ends for a version of a run time or framework; empty where it is not known.

    >>> end_of_life("node", "18.17.0"), end_of_life("python", "3.8"), end_of_life("java", "1.8.0_392")
    ('2025-04-30', '2024-10-07', '')
    """
    lines = _data().get(_NAMES.get(name, ""), {})
    match = re.search(r"\d+(?:\.\d+)*", version)
    if not lines or match is None:
        return ""
    parts = match[0].split(".")
    return lines.get(".".join(parts[:2])) or lines.get(parts[0]) or ""
