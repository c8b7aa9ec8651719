"""Rust: Cargo.toml, rust-toolchain(.toml), Cargo.lock. Source: https://doc.rust-lang.org/cargo/reference/manifest.html."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from proa.analyze.environment.found import (
    Dependency,
    Found,
    Manifest,
    Names,
    at,
    framework,
    limited,
    table_of,
    text_of,
    toml_of,
)
from proa.outside.projecttree import Tree
from proa.records.environment import Version
from proa.records.evidence import Evidence, Finding

NAMES: Names = {
    "actix-web": ("Actix Web", "web"),
    "axum": ("axum", "web"),
    "rocket": ("Rocket", "web"),
    "warp": ("warp", "web"),
    "hyper": ("hyper", "web"),
    "poem": ("Poem", "web"),
    "salvo": ("Salvo", "web"),
    "tonic": ("tonic (gRPC)", "rpc"),
    "tokio": ("Tokio", "other"),
    "sqlx": ("SQLx", "data"),
    "diesel": ("Diesel", "data"),
    "sea-orm": ("SeaORM", "data"),
    "reqwest": ("reqwest", "client"),
}


def read_rust(tree: Tree, installed: Mapping[str, str], *, cargo_home: Path) -> Found:
    """Return what the tree's Cargo files say."""
    names, found = limited(tree.names("Cargo.toml"), "Cargo.toml files")
    if not names:
        return found
    manifests = {name: toml_of(tree, name) for name in names}
    for _, problem in manifests.values():
        found += problem
    locks = {name: toml_of(tree, name) for name in tree.names("Cargo.lock")[:10]}
    for _, problem in locks.values():
        found += problem
    shared = next((table_of(said, "workspace") for said, _ in manifests.values() if table_of(said, "workspace")), {})
    for name, (said, _) in manifests.items():
        if not table_of(said, "package"):
            continue
        lock_name = _nearest(tuple(locks), name)
        locked = _locked(locks[lock_name][0]) if lock_name else {}
        manifest = Manifest(path=name, text=tree.text(name), said=said)
        each = tuple(_dependencies(manifest, shared, locked, cargo_home))
        found += Found(
            versions=(_rustc(tree, name, said, shared, installed),),
            frameworks=tuple(one for dependency in each if (one := framework(dependency, NAMES, "rust"))),
            findings=tuple(_out_of_step(each, lock_name)),
        )
    where = (Evidence(file=names[0], line=1),)
    cargo = Version(
        name="cargo", ecosystem="rust", role="package-manager", installed=installed.get("cargo", ""), where=where
    )
    return found + Found(versions=(cargo,))


def _nearest(names: tuple[str, ...], manifest: str) -> str:
    folder = manifest.removesuffix("Cargo.toml")
    fitting = [name for name in names if folder.startswith(name.removesuffix("Cargo.lock"))]
    return max(fitting, key=len, default="")


def _locked(said: Mapping[str, Any]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    packages = said.get("package")
    for one in packages if isinstance(packages, list) else []:
        if isinstance(one, dict):
            found.setdefault(text_of(one.get("name")), []).append(text_of(one.get("version")))
    return found


def _rustc(
    tree: Tree, name: str, said: Mapping[str, Any], shared: Mapping[str, Any], installed: Mapping[str, str]
) -> Version:
    declared = table_of(said, "package").get("rust-version")
    if isinstance(declared, dict):
        declared = table_of(shared, "package").get("rust-version")
    where = [at(tree.text(name), name, "rust-version")] if declared else []
    locked = ""
    for file in ("rust-toolchain.toml", "rust-toolchain"):
        if text := tree.text(file, most=64 << 10):
            locked = _channel(text)
            where.append(at(text, file, locked))
            break
    return Version(
        name="rustc",
        ecosystem="rust",
        declared=text_of(declared),
        locked=locked,
        installed=installed.get("rustc", ""),
        where=tuple(where or [Evidence(file=name, line=1)]),
    )


def _channel(text: str) -> str:
    r"""Return the channel a rust-toolchain file names, in either of its two forms.

    >>> _channel("1.75.0\n"), _channel('[toolchain]\nchannel = "1.80"')
    ('1.75.0', '1.80')
    """
    if "[toolchain]" not in text:
        return text.strip().splitlines()[0][:60] if text.strip() else ""
    try:
        return text_of(table_of(tomllib.loads(text), "toolchain").get("channel"))
    except (ValueError, RecursionError):
        return ""


def _dependencies(
    manifest: Manifest, shared: Mapping[str, Any], locked: Mapping[str, list[str]], cargo_home: Path
) -> Iterator[Dependency]:
    for table in ("dependencies", "dev-dependencies", "build-dependencies"):
        for alias, one in table_of(manifest.said, table).items():
            if isinstance(one, dict) and one.get("workspace") is True:
                one = table_of(shared, "dependencies").get(alias, {})  # noqa: PLW2901 - what it stands for
            fields = one if isinstance(one, dict) else {"version": one}
            if "path" in fields or "git" in fields:
                continue
            package = text_of(fields.get("package")) or alias
            declared = text_of(fields.get("version"))
            version = _chosen(locked.get(package, []), declared)
            is_here = bool(version) and package in NAMES and _in_registry(cargo_home, f"{package}-{version}")
            yield Dependency(
                package=package,
                declared=declared,
                locked=version,
                installed=version if is_here else "",
                where=manifest.at(f"[{table}", alias),
            )


def _chosen(versions: list[str], declared: str) -> str:
    """Return the locked version that fits: several of one crate may be in a program."""
    from proa.analyze.environment.ranges import in_npm_range

    spec = re.sub(r"^(?=\d)", "^", declared).replace(",", " ")
    fitting = [one for one in versions if in_npm_range(one, spec) is not False]
    return fitting[-1] if fitting else ""


def _in_registry(cargo_home: Path, crate: str) -> bool:
    sources = cargo_home / "registry" / "src"
    if "/" in crate:
        return False
    return sources.is_dir() and any((index / crate).is_dir() for index in sources.iterdir())


def _out_of_step(dependencies: tuple[Dependency, ...], lock_name: str) -> Iterator[Finding]:
    if not lock_name:
        return
    missing = [one for one in dependencies if one.declared and not one.locked]
    for one in missing[:5]:
        yield Finding(
            id="environment.lock-out-of-step",
            message=f"{one.where.file} asks for {one.package} {one.declared}, and {lock_name} has no such version",
            hint="cargo update --workspace brings it in step",
            evidence=(one.where, Evidence(file=lock_name, line=1)),
        )
