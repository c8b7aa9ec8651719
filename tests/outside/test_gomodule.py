from __future__ import annotations

import json
from pathlib import Path

import pytest

from proa.errors import ModuleMissing, NotWritable, ToolTooOld, WrongUsage
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.outside.gomod import parse_mod
from proa.outside.gomodule import escape, fetch_module, wrapper_text


def cached(cache: Path, module: str, version: str, *, package: str = "", go_mod: str = "") -> None:
    """Put a module into a cache as the go command lays it out."""
    folder = cache / f"{escape(module)}@{version}" / package
    folder.mkdir(parents=True)
    (folder / "main.go").write_text("package main\n")
    download = cache / "cache" / "download" / escape(module) / "@v"
    download.mkdir(parents=True, exist_ok=True)
    (download / f"{version}.mod").write_text(go_mod or f"module {module}\n\ngo 1.24\n\nrequire c.org/d v0.1.0\n")


def never(*_args: object, **_more: object) -> Ran:
    raise AssertionError("a process was started")


def test_an_exact_version_in_the_cache_needs_no_process(tmp_path):
    cached(tmp_path / "mod", "github.com/Me/app", "v1.2.3", package="cmd/x")
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=never)
    found = fetch_module("github.com/Me/app/cmd/x", "v1.2.3", go=go, environment={}, keep=tmp_path / "keep")
    assert (found.module, found.version) == ("github.com/Me/app", "v1.2.3")
    said = parse_mod((found.directory / "go.mod").read_text())
    assert said.go == "1.24"
    assert said.requires == (("github.com/Me/app", "v1.2.3"), ("c.org/d", "v0.1.0"))


def test_the_longest_module_that_has_the_package_wins(tmp_path):
    cached(tmp_path / "mod", "a.org/b", "v1.0.0", package="c")
    cached(tmp_path / "mod", "a.org/b/c", "v1.0.0")
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=never)
    assert fetch_module("a.org/b/c", "v1.0.0", go=go, environment={}, keep=tmp_path).module == "a.org/b/c"


def test_a_second_call_leaves_what_go_wrote(tmp_path):
    cached(tmp_path / "mod", "a.org/b", "v1.0.0")
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=never)
    first = fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path)
    (first.directory / "go.mod").write_text("module proa.invalid/program // as go left it\n")
    assert fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path) == first
    assert "as go left it" in (first.directory / "go.mod").read_text()


@pytest.mark.parametrize("line", ["replace c.org/d => ./d", "exclude c.org/d v0.2.0"])
def test_what_only_counts_in_a_main_module_is_refused(tmp_path, line):
    cached(tmp_path / "mod", "a.org/b", "v1.0.0", go_mod=f"module a.org/b\n{line}\n")
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=never)
    with pytest.raises(WrongUsage, match=line.split()[0]):
        fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path / "keep")
    assert not (tmp_path / "keep").exists()


def answering(*answers: dict[str, str], stderr: bytes = b""):
    def run(argv, **_more):
        return Ran(
            argv=tuple(argv),
            status=1,
            stdout="".join(json.dumps(answer, indent="\t") + "\n" for answer in answers).encode(),
            stderr=stderr,
            seconds=0,
        )

    return run


def test_the_newest_version_is_asked_for_and_named(tmp_path):
    cached(tmp_path / "mod", "a.org/b", "v1.4.0", package="cmd")
    run = answering(
        {"Path": "a.org/b/cmd", "Version": "latest", "Error": "a.org/b/cmd@latest: 404 Not Found"},
        {
            "Path": "a.org/b",
            "Version": "v1.4.0",
            "Dir": str(tmp_path / "mod/a.org/b@v1.4.0"),
            "GoMod": str(tmp_path / "mod/cache/download/a.org/b/@v/v1.4.0.mod"),
        },
    )
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=run)
    found = fetch_module("a.org/b/cmd", "latest", go=go, environment={}, keep=tmp_path / "keep")
    assert (found.module, found.version) == ("a.org/b", "v1.4.0")


def test_a_module_without_the_package_is_named(tmp_path):
    cached(tmp_path / "mod", "a.org/b", "v1.4.0")
    run = answering({"Path": "a.org/b", "Version": "v1.4.0", "Dir": str(tmp_path / "mod/a.org/b@v1.4.0")})
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=run)
    with pytest.raises(ModuleMissing, match=r"a\.org/b@v1\.4\.0 has no package a\.org/b/cmd"):
        fetch_module("a.org/b/cmd", "v1.4.0", go=go, environment={}, keep=tmp_path / "keep")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("a.org/b@v1.0.0: reading https://proxy/a.org/b/@v/v1.0.0.info: 404 Not Found", ModuleMissing),
        ("a.org/b@latest: module lookup disabled by GOPROXY=off", ModuleMissing),
        ("a.org/b@v9: invalid version: unknown revision v9", ModuleMissing),
        ("go: a.org/b@v1.0.0 requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)", ToolTooOld),
    ],
)
def test_what_cannot_be_had_keeps_gos_own_words(tmp_path, said, kind):
    go = Go(environment={"GOMODCACHE": str(tmp_path)}, run=answering({"Path": "a.org/b", "Error": said}))
    with pytest.raises(kind) as caught:
        fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path / "keep")
    assert said in caught.value.output


def test_an_answer_that_is_no_json_is_missing_too(tmp_path):
    go = Go(environment={"GOMODCACHE": str(tmp_path)}, run=answering(stderr=b"go: GOPROXY list is empty"))
    with pytest.raises(ModuleMissing) as caught:
        fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path / "keep")
    assert "GOPROXY" in caught.value.output


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    cached(tmp_path / "mod", "a.org/b", "v1.0.0")
    go = Go(environment={"GOMODCACHE": str(tmp_path / "mod")}, run=never)
    with pytest.raises(NotWritable, match="is a file, not a folder"):
        fetch_module("a.org/b", "v1.0.0", go=go, environment={}, keep=tmp_path / "file")


def test_a_module_without_a_go_line_gets_none():
    assert "go 1" not in wrapper_text("a.org/b", "v1.0.0", parse_mod("module a.org/b"))
