"""Node: package.json, .nvmrc, .node-version, the lock files of npm, Yarn and pnpm, and what is in node_modules.

Sources: https://docs.npmjs.com/cli/v11/configuring-npm/package-json, https://nodejs.org/api/packages.html#packagemanager,
https://docs.volta.sh/advanced/tool-versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from proa.analyze.environment.found import (
    Dependency,
    Found,
    Manifest,
    Names,
    framework,
    json_of,
    limited,
    table_of,
    text_of,
)
from proa.analyze.environment.node_locks import Lock, read_lock
from proa.analyze.environment.ranges import in_npm_range
from proa.outside.projecttree import Tree
from proa.records.environment import Version
from proa.records.evidence import Evidence, Finding

NAMES: Names = {
    "express": ("Express", "web"),
    "fastify": ("Fastify", "web"),
    "koa": ("Koa", "web"),
    "hono": ("Hono", "web"),
    "@hapi/hapi": ("hapi", "web"),
    "@nestjs/core": ("Nest", "application"),
    "next": ("Next.js", "application"),
    "nuxt": ("Nuxt", "application"),
    "@remix-run/node": ("Remix", "application"),
    "@sveltejs/kit": ("SvelteKit", "application"),
    "astro": ("Astro", "application"),
    "react": ("React", "client"),
    "vue": ("Vue", "client"),
    "svelte": ("Svelte", "client"),
    "@angular/core": ("Angular", "client"),
    "@grpc/grpc-js": ("gRPC", "rpc"),
    "graphql": ("GraphQL", "rpc"),
    "@apollo/server": ("Apollo Server", "rpc"),
    "socket.io": ("Socket.IO", "web"),
    "prisma": ("Prisma", "data"),
    "@prisma/client": ("Prisma", "data"),
    "sequelize": ("Sequelize", "data"),
    "typeorm": ("TypeORM", "data"),
    "mongoose": ("Mongoose", "data"),
    "knex": ("Knex", "data"),
    "jest": ("Jest", "test"),
    "vitest": ("Vitest", "test"),
    "mocha": ("Mocha", "test"),
    "typescript": ("TypeScript", "other"),
}
_LOCKS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_TABLES = ("dependencies", "devDependencies", "optionalDependencies")
_LOCAL = re.compile(r"(?:file|link|workspace|portal|git|git\+\w+|https?|github|patch|catalog):|.*/")


def read_node(tree: Tree, installed: Mapping[str, str]) -> Found:
    """Return what the tree's package.json files and their neighbours say."""
    names, found = limited(tree.names("package.json"), "package.json files")
    for name in names:
        found += _package(tree, name, installed)
    return found


def _package(tree: Tree, path: str, installed: Mapping[str, str]) -> Found:
    said, found = json_of(tree, path)
    if not said:
        return found
    manifest = Manifest(path=path, text=tree.text(path), said=said)
    lock_path = _above(tree, manifest.folder, tuple(_LOCKS))
    lock, problem = read_lock(tree, lock_path) if lock_path else (Lock(), Found())
    found += problem
    found += Found(versions=(_node(tree, manifest, installed),))
    if manager := _manager(manifest, lock_path, installed):
        found += Found(versions=(manager,))
    dependencies = tuple(_dependencies(tree, manifest, lock))
    return found + Found(
        frameworks=tuple(one for each in dependencies if (one := framework(each, NAMES, "node"))),
        findings=tuple(_out_of_step(dependencies, lock, lock_path, path)),
    )


def _above(tree: Tree, folder: str, names: tuple[str, ...]) -> str:
    """Return the nearest file of one of these names, here or in a folder above: workspaces share one."""
    place = folder
    while True:
        for name in names:
            if tree.has(f"{place}{name}"):
                return f"{place}{name}"
        if not place:
            return ""
        place = place.rstrip("/").rpartition("/")[0]
        place = f"{place}/" if place else ""


def _node(tree: Tree, manifest: Manifest, installed: Mapping[str, str]) -> Version:
    said = manifest.said
    where: list[Evidence] = []
    declared = text_of(table_of(said, "engines").get("node"))
    if declared:
        where.append(manifest.at('"engines"', '"node"'))
    locked = text_of(table_of(said, "volta").get("node"))
    if locked:
        where.append(manifest.at('"volta"', '"node"'))
    file = _above(tree, manifest.folder, (".nvmrc", ".node-version"))
    # An alias such as lts/* pins nothing: it is another version next year.
    if file and (line := tree.text(file, most=200).strip().splitlines()[:1]):
        word = line[0].strip().removeprefix("v")
        if re.match(r"\d", word):
            locked = locked or word
        else:
            declared = declared or word
        where.append(Evidence(file=file, line=1))
    return Version(
        name="node",
        ecosystem="node",
        declared=declared,
        locked=locked,
        installed=installed.get("node", ""),
        where=tuple(where or [Evidence(file=manifest.path, line=1)]),
    )


def _manager(manifest: Manifest, lock_path: str, installed: Mapping[str, str]) -> Version | None:
    """Return the package manager: the one packageManager names, else the lock file's, else npm."""
    said = manifest.said
    named = re.match(r"(npm|yarn|pnpm|bun)@([^+\s]{1,60})", text_of(said.get("packageManager")))
    name = named[1] if named else _LOCKS.get(lock_path.rpartition("/")[2], "npm")
    if not lock_path and not named and not any(table_of(said, table) for table in _TABLES):
        return None
    declared = text_of(table_of(said, "engines").get(name))
    where = [manifest.at('"engines"', f'"{name}"')] if declared else []
    if named:
        where.append(manifest.at('"packageManager"'))
    if lock_path:
        where.append(Evidence(file=lock_path, line=1))
    return Version(
        name=name,
        ecosystem="node",
        role="package-manager",
        declared=declared,
        locked=(named[2] if named else "") or text_of(table_of(said, "volta").get(name)),
        installed=installed.get(name, ""),
        where=tuple(where or [Evidence(file=manifest.path, line=1)]),
    )


def _dependencies(tree: Tree, manifest: Manifest, lock: Lock) -> Iterator[Dependency]:
    folder = manifest.folder
    for table in _TABLES:
        for package, declared in table_of(manifest.said, table).items():
            yield Dependency(
                package=str(package)[:214],
                declared=text_of(declared),
                locked=lock.version(folder, package, text_of(declared)),
                installed=_installed(tree, folder, str(package)) if package in NAMES else "",
                where=manifest.at(f'"{table}"', f'"{package}"'),
            )


def _installed(tree: Tree, folder: str, package: str) -> str:
    """Return the version in the nearest node_modules; they are ignored by git, so the tree does not list them."""
    if not re.fullmatch(r"(?:@[\w.-]+/)?[\w.-]+", package) or ".." in package:
        return ""
    places = [folder, ""] if folder else [""]
    for place in places:
        text = tree.text(f"{place}node_modules/{package}/package.json", most=1 << 20)
        try:
            said = msgspec.json.decode(text) if text else {}
        except msgspec.MsgspecError:
            continue
        if isinstance(said, dict) and (version := text_of(said.get("version"))):
            return version
    return ""


def _out_of_step(dependencies: tuple[Dependency, ...], lock: Lock, lock_path: str, path: str) -> Iterator[Finding]:
    """Yield what the lock file lacks or holds in another version than package.json asks for."""
    outside = [one for one in dependencies if one.declared and not _LOCAL.match(one.declared)]
    if not lock_path:
        if outside:
            yield Finding(
                id="environment.no-lock",
                message=f"{path} has {len(outside)} dependencies and no lock file: every installation may differ",
                hint="npm install --package-lock-only writes one; commit it",
                evidence=(Evidence(file=path, line=1),),
            )
        return
    if not lock.is_read:
        return
    wrong = [one for one in outside if not one.locked or in_npm_range(one.locked, one.declared) is False]
    for one in wrong[:5]:
        holds = f"has {one.locked}" if one.locked else "does not have it"
        yield Finding(
            id="environment.lock-out-of-step",
            message=f"{path} asks for {one.package} {one.declared}, and {lock_path} {holds}",
            hint=_MEND.get(_LOCKS[lock_path.rpartition("/")[2]], ""),
            evidence=(one.where, Evidence(file=lock_path, line=1)),
        )
    if len(wrong) > 5:
        yield Finding(
            id="environment.lock-out-of-step",
            message=f"{len(wrong) - 5} more dependencies of {path} are out of step with {lock_path}",
        )


_MEND = {
    "npm": "npm install --package-lock-only brings it in step",
    "yarn": "yarn install brings it in step",
    "pnpm": "pnpm install --lockfile-only brings it in step",
}
