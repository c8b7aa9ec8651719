"""The lock files of Node's package managers: which version of each direct dependency they hold.

package-lock.json of lockfileVersion 1 to 3, yarn.lock of Yarn 1 and of Yarn 2 and later, pnpm-lock.yaml of version 5
to 9. Of a pnpm lock only the part before the list of all packages is parsed: the rest can have megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from proa.analyze.environment.found import Found, json_of, table_of, text_of, yaml_of
from proa.outside.projecttree import Tree

_YARN_VERSION = re.compile(r'^\s+version:?\s+"?([^"\s]{1,100})"?\s*$')
_PNPM_END = re.compile(r"^(?:packages|snapshots):", re.MULTILINE)


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The versions a lock file holds."""

    is_read: bool = False
    exact: dict[str, str] = {}
    """By ``folder|package``: what is installed for the package.json of that folder."""
    asked: dict[str, str] = {}
    """By ``package@range``, as Yarn keys them."""

    def version(self, folder: str, package: str, declared: str) -> str:
        """Return the version locked for a dependency declared in a folder (empty, or ending in ``/``)."""
        if self.asked:
            return self.asked.get(f"{package}@{declared}") or self.asked.get(f"{package}@npm:{declared}", "")
        return self.exact.get(f"{folder}|{package}") or self.exact.get(f"|{package}", "")


def read_lock(tree: Tree, path: str) -> tuple[Lock, Found]:
    """Return what a lock file holds; folders are relative to the tree's root."""
    name = path.rpartition("/")[2]
    base = path.removesuffix(name)
    match name:
        case "package-lock.json" | "npm-shrinkwrap.json":
            said, found = json_of(tree, path)
            return (npm_lock(said, base) if said else Lock()), found
        case "yarn.lock":
            return yarn_lock(tree.text(path)), Found()
        case "pnpm-lock.yaml":
            text = tree.text(path)
            end = _PNPM_END.search(text)
            said, found = yaml_of(text[: end.start()] if end else text, path)
            return (pnpm_lock(said, base) if said else Lock()), found
        case _:
            return Lock(), Found()


def npm_lock(said: Mapping[str, Any], base: str = "") -> Lock:
    """Return the versions of a package-lock.json.

    Source: https://docs.npmjs.com/cli/v11/configuring-npm/package-lock-json.

    >>> npm_lock({"packages": {"node_modules/a": {"version": "1.2.3"}}}).version("", "a", "^1")
    '1.2.3'
    """
    exact: dict[str, str] = {}
    for place, one in table_of(said, "packages").items():
        folder, found, package = place.rpartition("node_modules/")
        if found and "node_modules/" not in folder:
            exact[f"{base if folder else ''}{folder}|{package}"] = text_of(table_of(one).get("version"))
    for package, one in table_of(said, "dependencies").items():
        exact.setdefault(f"|{package}", text_of(table_of(one).get("version")))
    # Those at the lock's own level hold for its folder and all below it.
    exact |= {f"{base}{key}": version for key, version in exact.items() if key.startswith("|")} if base else {}
    return Lock(is_read=True, exact=exact)


def yarn_lock(text: str) -> Lock:
    r"""Return the versions of a yarn.lock, of any version of Yarn.

    >>> yarn_lock('a@^1.0.0, a@^1.1.0:\n  version "1.2.3"\n').version("", "a", "^1.1.0")
    '1.2.3'
    >>> yarn_lock('"@b/c@npm:^2.0.0":\n  version: 2.1.0\n').version("", "@b/c", "^2.0.0")
    '2.1.0'
    """
    asked: dict[str, str] = {}
    keys: list[str] = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        if not line.startswith((" ", "\t")):
            keys = [key.strip().strip('"') for key in line.rstrip().removesuffix(":").strip('"').split(", ")]
        elif keys and (match := _YARN_VERSION.match(line)):
            asked |= dict.fromkeys(keys, match[1])
            keys = []
    return Lock(is_read=bool(asked), asked=asked)


def pnpm_lock(said: Mapping[str, Any], base: str = "") -> Lock:
    """Return the versions of a pnpm-lock.yaml's importers; of one project in old versions.

    >>> new = {"importers": {".": {"dependencies": {"a": {"specifier": "^1", "version": "1.2.3(b@1.0.0)"}}}}}
    >>> pnpm_lock(new).version("", "a", "^1"), pnpm_lock({"dependencies": {"a": "1.2.3_b@1.0.0"}}).version("", "a", "")
    ('1.2.3', '1.2.3')
    """
    exact: dict[str, str] = {}
    for place, importer in (table_of(said, "importers") or {".": said}).items():
        folder = base if place == "." else f"{base}{place}/"
        for kind in ("dependencies", "devDependencies", "optionalDependencies"):
            for package, one in table_of(importer, kind).items():
                version = text_of(one.get("version") if isinstance(one, dict) else one)
                exact[f"{folder}|{package}"] = re.split(r"[(_]", version, maxsplit=1)[0]
    return Lock(is_read=True, exact=exact)
