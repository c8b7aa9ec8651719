"""What Node and the packages of a program that runs on it need.

Of every ``node_modules`` those packages are kept that the package.json beside it depends on, in turn, and those that
its own files name; each as a whole. Where no package.json says so, all of it is kept.
Source: nodejs.org, "Modules: CommonJS modules", loading from node_modules folders; npm's package.json(5).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from proa.slim.environments import is_dependency
from proa.slim.growth import Growth

_INTERPRETER = re.compile(r"/(?:node|nodejs)$|/libnode\.so[.0-9]*$")
_SOURCE = re.compile(r"\.(?:[cm]?js|[cm]?ts|jsx|tsx|json|vue|svelte)$")
_NAMED = re.compile(rb"[\"'`](@?[a-zA-Z0-9._~-]+(?:/[a-zA-Z0-9._~-]+)*)[\"'`]")
_REQUIRED = re.compile(
    rb"(?:require(?:\.resolve)?\(|import\(|from|import)\s*[\"'`](@?[a-zA-Z0-9._~-]+(?:/[a-zA-Z0-9._~-]+)?)"
)
_RUNS = re.compile(rb"(?:exec|spawn|execFile|fork|execa|\$)(?:Sync)?\s*[(`]\s*[\"'`]?([^\"'`\n)]{1,200})")
_NOT_RUN = re.compile(r"/(?:tests?|__tests__|examples?|docs?|benchmarks?)/|\.d\.[cm]?ts$|\.[cm]?tsx?$")
"""Files of packages that come with them and are loaded by nobody who uses them."""
_DEPENDS = ("dependencies", "optionalDependencies", "peerDependencies", "bundledDependencies", "bundleDependencies")
_MOST_SOURCE_BYTES = 4 << 20


def follow_node(growth: Growth, path: str) -> None:
    """Keep what a kept interpreter, package or source file of Node needs."""
    if _INTERPRETER.search(path):
        growth.keep("/etc/ssl/openssl.cnf", "configuration", f"{path} reads it")
        _keep_started(growth, path)
    name = posixpath.basename(path)
    if name == "package.json":
        _follow_description(growth, path)
    if _SOURCE.search(name) or "node" in _first_line(growth, path):
        _follow_source(growth, path)


def keep_own_modules(growth: Growth) -> None:
    """Keep whole those ``node_modules`` of the author beside which nothing says what is needed of them."""
    for path, entry in growth.tree.entries.items():
        if path.endswith("/node_modules") and entry.kind == "folder" and not is_dependency(posixpath.dirname(path)):
            if path in growth.packages.owners or path in ("/usr/lib/node_modules", "/usr/local/lib/node_modules"):
                continue
            beside = posixpath.dirname(path)
            if not growth.tree.is_file(f"{beside}/package.json"):
                growth.keep_below(path, "module", f"no package.json in {beside} says what is needed of it")
            else:
                growth.keep(f"{beside}/package.json", "application", "says what the program needs")


def _first_line(growth: Growth, path: str) -> str:
    if not growth.tree.entries[path].is_executable:
        return ""
    head = growth.tree.read(path, 128)
    return head.split(b"\n", 1)[0].decode("latin-1") if head.startswith(b"#!") else ""


def _keep_started(growth: Growth, path: str) -> None:
    """Keep global packages that the command names."""
    for word in growth.command_words:
        for folder in _global_folders(growth):
            place = f"{folder}/{word}"
            if word and not word.startswith((".", "/", "-")) and growth.tree.is_folder(place):
                growth.keep_below(place, "module", f"the image's command names it, and {path} runs it", all_of_it=True)


def _global_folders(growth: Growth) -> Iterator[str]:
    told = growth.environment.get("NODE_PATH", "").split(":")
    yield from (
        one for one in (*told, "/usr/local/lib/node_modules", "/usr/lib/node_modules", "/usr/share/nodejs") if one
    )


# Packages


def _described(growth: Growth, path: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(growth.tree.read(path, 4 << 20))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _follow_description(growth: Growth, path: str) -> None:
    """Keep what a package.json depends on, and what the scripts that start a program run."""
    folder = posixpath.dirname(path)
    described = _described(growth, path)
    for field in _DEPENDS:
        wanted = described.get(field)
        for name in wanted if isinstance(wanted, (dict, list)) else ():
            if isinstance(name, str):
                keep_package(growth, name, folder, f"{path} depends on it")
    scripts = described.get("scripts")
    if not is_dependency(path) and isinstance(scripts, dict) and _uses_scripts(growth):
        for name in ("start", "prestart", "poststart", *growth.command_words):
            if isinstance(text := scripts.get(name), str):
                _keep_script(growth, text, folder, path)


def _uses_scripts(growth: Growth) -> bool:
    return any(posixpath.basename(word) in ("npm", "yarn", "pnpm", "npx", "bun") for word in growth.command_words)


def _keep_script(growth: Growth, text: str, folder: str, path: str) -> None:
    from proa.slim.start import keep_words, run
    from proa.slim.words import words

    found = words(text, growth.environment)
    keep_words(growth, found, "entrypoint", f"a script of {path} runs it")
    growth.keep("/bin/sh", "entrypoint", f"scripts of {path} are run by it")
    for word in found:
        place = f"{folder}/node_modules/.bin/{word}"
        if "/" not in word and growth.tree.is_file(place):
            run(growth, place, "entrypoint", f"a script of {path} runs it")
            _keep_owner(growth, place)


def _keep_owner(growth: Growth, path: str) -> None:
    """Keep the package that a file of node_modules belongs to."""
    real = growth.tree.real(path)
    package = package_folder(real) if real else ""
    if package:
        growth.keep_below(package, "module", f"{path} is of it", all_of_it=True)


def package_folder(path: str) -> str:
    """Return the folder of the package a file belongs to; empty outside node_modules.

    >>> package_folder("/app/node_modules/@a/b/lib/c.js")
    '/app/node_modules/@a/b'
    """
    head, found, rest = path.rpartition("/node_modules/")
    parts = rest.split("/")
    depth = 2 if parts[0].startswith("@") else 1
    return f"{head}{found}{'/'.join(parts[:depth])}" if found and parts[0] and not parts[0].startswith(".") else ""


def keep_package(growth: Growth, name: str, folder: str, because: str) -> bool:
    """Keep the package that a file in a folder gets by a name, as a whole; say whether there is one."""
    if not re.fullmatch(r"(?:@[^/@]+/)?[^/@.][^/]*", name):
        return False
    found = False
    while True:
        place = f"{folder.rstrip('/')}/node_modules/{name}"
        if growth.tree.is_folder(place):
            _keep_whole(growth, place, because)
            found = True
            break
        if folder in ("/", ""):
            break
        folder = posixpath.dirname(folder)
    for parent in () if found else _global_folders(growth):
        place = f"{parent}/{name}"
        if growth.tree.is_folder(place) or growth.tree.is_file(f"{place}.js"):
            _keep_whole(growth, place, because)
            growth.keep(f"{place}.js", "module", because)
            found = True
    return found


def _keep_whole(growth: Growth, place: str, because: str) -> None:
    """Keep a package without the packages inside it: these are kept when it asks for them."""
    real = growth.keep(place, "module", because)
    if real is None or not growth.once("node package", real):
        return
    for path in growth.tree.below(real):
        if "/node_modules/" not in path[len(real) :] and not path.endswith("/node_modules"):
            growth.keep(path, "module", because)
    bundled = f"{real}/node_modules"
    if growth.tree.is_folder(bundled) and not growth.tree.is_file(f"{real}/package.json"):
        growth.keep_below(bundled, "module", because, all_of_it=True)


# Sources


def _follow_source(growth: Growth, path: str) -> None:
    """Keep packages that a source file names, and programs that it runs."""
    text = growth.tree.read(path, _MOST_SOURCE_BYTES)
    is_own = not is_dependency(path) and not growth.packages.owner(path)
    # An own file may load by name: ``app.set("view engine", "pug")``; a package's file says require or import.
    pattern = _NAMED if is_own else _REQUIRED
    is_lock = posixpath.basename(path) in ("package.json", "package-lock.json", "npm-shrinkwrap.json")
    if not is_own and _NOT_RUN.search(path):
        return
    if is_lock or (not is_own and not _SOURCE.search(path)) or (not is_own and path.endswith(".json")):
        return
    folder = posixpath.dirname(path)
    for name in sorted({_package_name(match) for match in pattern.findall(text)}):
        if name and growth.once("node name", f"{folder} {name}"):
            keep_package(growth, name, folder, f"{path} names it")
    if is_own and b"child_process" in text:
        from proa.slim.start import keep_words
        from proa.slim.words import words

        growth.keep("/bin/sh", "unsure", f"{path} starts programs")
        for found in _RUNS.findall(text):
            keep_words(growth, words(found.decode("utf-8", "surrogateescape")), "reference", f"{path} runs it")


def _package_name(match: bytes) -> str:
    """Return the package of what is required.

    >>> _package_name(b"@a/b/c"), _package_name(b"lodash/fp")
    ('@a/b', 'lodash')
    """
    parts = match.decode("ascii", "replace").split("/")
    return "/".join(parts[: 2 if parts[0].startswith("@") else 1])
