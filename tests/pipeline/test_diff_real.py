"""`proa diff` with go, git and a registry: revisions built, what was published found, sums against the files' sizes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from fakes.layers import archive, docker_archive, item
from proa.cli.exits import run_guarded
from real_neighbours import free_port, need

pytestmark = pytest.mark.real
HTTPBIN = "github.com/mccutchen/go-httpbin/v2/cmd/go-httpbin"
MAIN = """package main

import (
	"fmt"
	"os"
{imports})

func main() {{ fmt.Println(os.Args{uses}) }}
"""


def git(*words: str, cwd: Path) -> str:
    identity = ["-c", "user.name=n", "-c", "user.email=n@example.com"]
    ran = subprocess.run(["git", *identity, *words], cwd=cwd, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


def write(root: Path, *, with_dependency: bool) -> None:
    imports, uses = ('\n\t"example.com/dep/tables"\n', ", tables.Rows()") if with_dependency else ("", "")
    (root / "main.go").write_text(MAIN.format(imports=imports, uses=uses))
    more = "\nrequire example.com/dep v0.3.0\n\nreplace example.com/dep => ./dep\n" if with_dependency else ""
    (root / "go.mod").write_text(f"module example.com/hello\n\ngo 1.24\n{more}")


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """Give a repository: v1, v2 with one dependency more, `broken` which does not compile."""
    need("go", "git")
    root = tmp_path_factory.mktemp("hello")
    (root / "dep" / "tables").mkdir(parents=True)
    (root / "dep" / "go.mod").write_text("module example.com/dep\n\ngo 1.24\n")
    rows = ", ".join(f'"row {number} of a table that is in no other package"' for number in range(200))
    (root / "dep" / "tables" / "tables.go").write_text(
        f"package tables\n\nfunc Rows() []string {{ return []string{{{rows}}} }}\n"
    )
    git("init", "-q", "-b", "main", cwd=root)
    for tag, with_dependency in (("v1", False), ("v2", True)):
        write(root, with_dependency=with_dependency)
        git("add", "-A", cwd=root)
        git("commit", "-qm", tag, cwd=root)
        git("tag", tag, cwd=root)
    git("checkout", "-q", "-b", "broken", cwd=root)
    (root / "bad.go").write_text("package main\n\nfunc bad() int { return x }\n")
    git("add", "-A", cwd=root)
    git("commit", "-qm", "broken", cwd=root)
    git("checkout", "-q", "main", cwd=root)
    return root


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(autouse=True)
def _here(repository, cache, monkeypatch):
    monkeypatch.chdir(repository)
    monkeypatch.setenv("PROA_CACHE", str(cache))
    for name in ("PROA_REPO", "KO_DOCKER_REPO"):
        monkeypatch.delenv(name, raising=False)


def answer(capsys, *words: str, status: int = 0) -> dict:
    assert run_guarded(["diff", *words, "--format", "json"]) == status, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def test_two_revisions_are_built_and_the_tree_is_left_alone(repository, capsys):
    before = git("status", "--porcelain=v2", "--branch", cwd=repository), git("worktree", "list", cwd=repository)
    found = answer(capsys, "v1", "v2", "--budget", "no_new=dependency", "--budget", "package:*=20MB", status=1)
    assert found["before"]["version"] == "v1"
    assert found["after"]["version"] == "v2"
    assert [(one["name"], one["before"], one["kind"]) for one in found["dependencies"]] == [
        ("example.com/dep", "", "module")
    ]
    package = next(one for one in found["packages"] if one["name"] == "example.com/dep/tables")
    assert package["change"] == "added"
    # Each of the 200 texts has 48 to 51 letters, and they are in no other package.
    assert package["after_bytes"] > 0
    grown = sum(one["after_bytes"] - one["before_bytes"] for one in (*found["packages"], *found["sections"]))
    assert grown == found["program"]["after_bytes"] - found["program"]["before_bytes"]
    assert [one["name"] for one in found["layers"]] == ["program"]
    assert [one["subject"] for one in found["budgets"] if not one["is_within"]] == ["example.com/dep"]
    after = git("status", "--porcelain=v2", "--branch", cwd=repository), git("worktree", "list", cwd=repository)
    assert after == before


def test_the_tree_as_it_is_counts_with_what_is_not_committed(repository, capsys):
    assert not answer(capsys, "v2", ".")["files"]
    try:
        write(repository, with_dependency=False)
        found = answer(capsys, "HEAD", ".")
        assert [(one["name"], one["after"]) for one in found["dependencies"]] == [("example.com/dep", "")]
    finally:
        git("checkout", "-q", "--", ".", cwd=repository)


def test_a_revision_that_does_not_compile_is_named(capsys):
    assert run_guarded(["diff", "v1", "broken"]) == 4
    said = capsys.readouterr().err
    assert "revision broken (" in said
    assert "undefined: x" in said


def test_what_was_published_last_is_found(repository, docker_registry, capsys, monkeypatch):
    monkeypatch.setenv("PROA_REPO", f"{docker_registry}/hello")
    assert run_guarded(["diff", "--insecure-registry", "--bare"]) == 3
    assert "nothing was published" in capsys.readouterr().err
    git("checkout", "-q", "v1", cwd=repository)
    try:
        words = ["ship", "--push", "--bare", "--tags", "v1.9.0,v1.10.0-rc1,other", "--no-trial", "--insecure-registry"]
        assert run_guarded(words) == 0
    finally:
        git("checkout", "-q", "main", cwd=repository)
    assert run_guarded(["ship", "--push", "--bare", "--tags", "v1.10.0", "--no-trial", "--insecure-registry"]) == 0
    capsys.readouterr()
    flags = ("--insecure-registry", "--bare")
    newest = answer(capsys, "@latest", ".", *flags)
    assert newest["before"]["reference"].endswith("/hello:v1.10.0")
    assert not newest["files"]
    older = answer(capsys, "published:v1.9.0", *flags)
    assert older["before"]["reference"].endswith("/hello:v1.10.0")
    assert older["after"]["reference"].endswith("/hello:v1.9.0")
    assert [(one["name"], one["after"]) for one in older["dependencies"]] == [("example.com/dep", "")]
    older = answer(capsys, "published:v1.9.0", ".", *flags)
    assert [one["name"] for one in older["dependencies"]] == ["example.com/dep"]


def test_a_registry_that_is_not_there_is_said(capsys, monkeypatch):
    monkeypatch.setenv("PROA_REPO", f"127.0.0.1:{free_port()}/hello")
    assert run_guarded(["diff"]) == 3
    assert "could not reach" in capsys.readouterr().err


@pytest.fixture(scope="module")
def httpbins(tmp_path_factory) -> tuple[Path, Path]:
    need("go")
    folder = tmp_path_factory.mktemp("httpbin")
    found = []
    for version in ("v2.25.0", "v2.26.0"):
        env = {**os.environ, "GOBIN": str(folder / version), "CGO_ENABLED": "0"}
        subprocess.run(["go", "install", f"{HTTPBIN}@{version}"], env=env, check=True, capture_output=True, timeout=300)
        found.append(folder / version / "go-httpbin")
    return found[0], found[1]


def test_two_programs_add_up_to_their_files(httpbins, capsys):
    old, new = httpbins
    found = answer(capsys, str(old), str(new))
    assert (found["total"]["before_bytes"], found["total"]["after_bytes"]) == (old.stat().st_size, new.stat().st_size)
    for kind in ("packages", "modules"):
        grown = sum(one["after_bytes"] - one["before_bytes"] for one in (*found[kind], *found["sections"]))
        assert grown == new.stat().st_size - old.stat().st_size
    assert (found["before"]["version"], found["after"]["version"]) == ("v2.25.0", "v2.26.0")
    back = answer(capsys, str(new), str(old))
    assert {one["name"]: one["after_bytes"] for one in back["packages"]} == {
        one["name"]: one["before_bytes"] for one in found["packages"]
    }


def test_the_program_of_an_image_is_found_through_its_launcher(httpbins, tmp_path, capsys):
    images = []
    for number, file in enumerate(httpbins):
        content = file.read_bytes()
        layers = [
            archive([item("sbin/start.sh", b'#!/bin/sh\nexec "$@"\n', mode=0o755)]),
            archive([item("usr/local/bin/go-httpbin", content, mode=0o755)]),
        ]
        words = {"Entrypoint": ["/sbin/start.sh", "-v"], "Cmd": ["go-httpbin"], "User": "1"}
        images.append(str(docker_archive(tmp_path / f"{number}.tar", layers, execution=words, compress=True)))
    as_images = answer(capsys, *images)
    as_programs = answer(capsys, *map(str, httpbins))
    assert as_images["program"]["name"] == "/usr/local/bin/go-httpbin"
    for kind in ("packages", "modules", "sections", "dependencies"):
        assert as_images[kind] == as_programs[kind]
    assert [one["name"] for one in as_images["files"]] == ["/usr/local/bin/go-httpbin"]
    mixed = answer(capsys, images[0], str(httpbins[1]))
    assert mixed["packages"] == as_programs["packages"]
    assert [one["id"] for one in mixed["findings"]] == ["diff.other-kinds"]
