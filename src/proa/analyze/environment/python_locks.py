"""The lock files of Python's package managers: poetry.lock, uv.lock, pdm.lock, pylock.toml, Pipfile.lock.

Sources: https://packaging.python.org/en/latest/specifications/pylock-toml/, and the managers' own pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from proa.analyze.environment.found import Found, json_of, table_of, text_of, toml_of
from proa.outside.projecttree import Tree

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock")


def canonical(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it.

    >>> canonical("Flask_SQLAlchemy")
    'flask-sqlalchemy'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def read_lock(tree: Tree, path: str) -> tuple[dict[str, str], Found]:
    """Return the versions a lock file holds, by canonical name, and a finding where it cannot be read."""
    if path.endswith("Pipfile.lock"):
        said, found = json_of(tree, path)
        return pipfile_lock(said), found
    said, found = toml_of(tree, path)
    return toml_lock(said), found


def toml_lock(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of a lock file in TOML: a list of tables with name and version.

    >>> toml_lock({"package": [{"name": "Flask", "version": "3.0.0"}]})
    {'flask': '3.0.0'}
    """
    found = {}
    for key in ("package", "packages"):
        packages = said.get(key)
        for one in packages if isinstance(packages, list) else []:
            if isinstance(one, dict) and (name := text_of(one.get("name"))):
                found[canonical(name)] = text_of(one.get("version"))
    return found


def pipfile_lock(said: Mapping[str, Any]) -> dict[str, str]:
    """Return the versions of a Pipfile.lock.

    >>> pipfile_lock({"default": {"flask": {"version": "==3.0.0"}}})
    {'flask': '3.0.0'}
    """
    return {
        canonical(name): text_of(table_of(one).get("version")).lstrip("=")
        for group in ("develop", "default")
        for name, one in table_of(said, group).items()
    }
