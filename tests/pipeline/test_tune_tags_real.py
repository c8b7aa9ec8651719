"""``proa tune tags`` with the real go command: what it finds, what it measures, and against a build by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from real_neighbours import need

pytestmark = pytest.mark.real

FILES = {
    "go.mod": "module example.com/app\n\ngo 1.24\n\nrequire example.com/dep v1.2.0\n\n"
    "replace example.com/dep => ./dep\n",
    "main.go": 'package main\n\nimport (\n\t"fmt"\n\n\t"example.com/dep/store"\n)\n\nvar features []string\n\n'
    "func main() { fmt.Println(features, store.Open()) }\n",
    "web.go": "//go:build !noweb || forceweb\n\npackage main\n\n"
    'import "example.com/app/web"\n\nfunc init() { features = append(features, web.Name()) }\n',
    "helper.go": '//go:build !nohelper\n\npackage main\n\nfunc helper() string { return "x" }\n',
    "uses.go": "package main\n\nfunc init() { features = append(features, helper()) }\n",
    "extra.go": "//go:build extra\n\npackage main\n\nfunc init() {}\n",
    "never.go": "//go:build nothing && !nothing\n\npackage main\n",
    "windows.go": "//go:build windows && !nowin\n\npackage main\n",
    "gen.go": "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
    "web/web.go": 'package web\n\nimport "text/template"\n\n'
    'func Name() string { return template.Must(template.New("web").Parse("{{.}}")).Name() }\n',
    "dep/go.mod": "module example.com/dep\n\ngo 1.24\n",
    "dep/store/store.go": "package store\n\nvar kinds []string\n\nfunc Open() []string { return kinds }\n",
    "dep/store/sql.go": "// +build !nosql\n\npackage store\n\n"
    'import "encoding/json"\n\nfunc init() { b, _ := json.Marshal(kinds); kinds = append(kinds, string(b)) }\n',
    "dep/store/nosql.go": '// +build nosql\n\npackage store\n\nfunc init() { kinds = append(kinds, "no SQL") }\n',
}


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need("go")
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def project(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("project"), FILES)


def proa(*words: str, cwd: Path, cache: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proa", "tune", "tags", *words],
        cwd=cwd,
        env={**os.environ, "PROA_CACHE": str(cache), "GOPROXY": "off", **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def tuned(*words: str, cwd: Path, cache: Path, **environ: str) -> tuple[dict, dict[str, dict]]:
    ran = proa("--format", "json", *words, cwd=cwd, cache=cache, **environ)
    assert ran.returncode == 0, ran.stderr
    tuning = json.loads(ran.stdout)
    return tuning, {tag["name"]: tag for tag in tuning["tags"]}


@pytest.fixture(scope="module")
def measured(project: Path, cache: Path) -> tuple[dict, dict[str, dict]]:
    return tuned("--strip", "all", cwd=project, cache=cache)


def test_every_tag_of_the_graph_is_found_and_no_other(measured):
    _, tags = measured
    own = {name for name, tag in tags.items() if tag["modules"] != ["std"]}
    assert own == {"noweb", "forceweb", "nohelper", "extra", "nothing", "nowin", "nosql"}


def test_a_tag_is_measured_with_what_it_leaves_out(measured):
    _, tags = measured
    web, sql = tags["noweb"], tags["nosql"]
    assert web["state"] == sql["state"] == "measured"
    assert {"example.com/app/web", "text/template"} <= set(web["left_out"])
    assert (web["modules"], web["evidence"][0]["file"]) == (["example.com/app"], "web.go")
    assert (sql["modules"], sql["evidence"][0]["file"]) == (
        ["example.com/dep@v1.2.0"],
        "example.com/dep@v1.2.0/store/sql.go",
    )
    assert (sql["files_left_out"], sql["files_added"]) == (1, 1)
    assert "example.com/app/web" in web["meaning"]


def by_hand(project: Path, target: Path, *flags: str) -> int:
    subprocess.run(
        ["go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", *flags, "-o", str(target), "."],
        cwd=project,
        env={**os.environ, "CGO_ENABLED": "0"},
        check=True,
    )
    return target.stat().st_size


def test_the_saving_is_that_of_a_build_by_hand(measured, project, tmp_path):
    tuning, tags = measured
    plain = by_hand(project, tmp_path / "plain")
    for name in ("noweb", "nosql"):
        saving = plain - by_hand(project, tmp_path / name, f"-tags={name}")
        assert tags[name]["saving_bytes"] == pytest.approx(saving, rel=0.02)
        assert 0 < tags[name]["saving_compressed_bytes"] < saving
    both = plain - by_hand(project, tmp_path / "both", "-tags=noweb,nosql")
    assert set(tuning["together"]) == {"noweb", "nosql"}
    assert tuning["together_saving_bytes"] == pytest.approx(both, rel=0.02)
    assert both > max(tags[name]["saving_bytes"] for name in ("noweb", "nosql"))


def test_the_largest_saving_comes_first(measured):
    savings = [tag["saving_bytes"] for tag in measured[0]["tags"] if tag["state"] == "measured"]
    assert len(savings) == 2
    assert savings == sorted(savings, reverse=True)


def test_a_tag_that_breaks_the_build_stays_listed_with_the_reason(measured):
    broken = measured[1]["nohelper"]
    assert broken["state"] == "failed"
    assert broken["reason"].endswith("undefined: helper")


def test_tags_that_change_nothing_say_why(measured):
    _, tags = measured
    assert tags["forceweb"]["beside"] == ["noweb"]
    for name in ("forceweb", "extra", "nothing", "nowin"):
        assert tags[name]["state"] == "skipped"
        assert tags[name]["reason"]


def test_the_limit_keeps_the_rest_unmeasured_with_an_estimate(project, cache):
    tuning, tags = tuned("--limit", "1", cwd=project, cache=cache)
    assert [name for name, tag in tags.items() if tag["state"] == "measured"] == ["noweb"]
    assert "--limit" in tags["nosql"]["reason"]
    assert 0 < tags["nosql"]["expected_bytes"] < tags["noweb"]["expected_bytes"]
    assert tuning["together"] == ["noweb"]


def test_the_table_says_what_each_tag_saves(project, cache):
    ran = proa("--tag", "nosql", cwd=project, cache=cache)
    assert ran.returncode == 0, ran.stderr
    assert "nosql\n      leaves out" in ran.stdout
    assert "example.com/dep@v1.2.0/store/sql.go:1" in ran.stdout
    assert "not measured: noweb, about" in ran.stdout


def test_a_program_without_tags_says_that_nothing_was_found(cache, tmp_path):
    plain = 'package main\n\nimport "fmt"\n\nfunc main() { fmt.Println("hello") }\n'
    ran = proa(cwd=write(tmp_path, {"go.mod": "module example.com/plain\n\ngo 1.24\n", "main.go": plain}), cache=cache)
    assert ran.returncode == 0, ran.stderr
    assert "nothing found" in ran.stdout


def test_a_tag_that_is_set_already_is_part_of_every_build(project, cache, tmp_path):
    tuning, tags = tuned("--build-tags", "noweb", "--tag", "nosql", cwd=project, cache=cache)
    assert tuning["own"] == ["noweb"]
    assert "set already" in tags["noweb"]["reason"]
    assert tags["nosql"]["state"] == "measured"
    assert not tags["forceweb"]["reason"].startswith("it changes nothing")
    in_flags, _ = tuned(
        "--tag", "nosql", cwd=write(tmp_path, {**FILES, "proa.yaml": "build: {flags: [-tags=noweb]}\n"}), cache=cache
    )
    assert (in_flags["own"], in_flags["bytes"]) == (["noweb"], tuning["bytes"])
    by_variable, _ = tuned("--tag", "nosql", cwd=project, cache=cache, GOFLAGS="-tags=noweb")
    assert by_variable["own"] == ["noweb"]
    assert by_variable["bytes"] == tuning["bytes"]


def test_a_tag_that_no_file_knows_is_refused(project, cache):
    ran = proa("--tag", "nosqll", cwd=project, cache=cache)
    assert ran.returncode == 2
    assert "did you mean nosql?" in ran.stderr
    assert proa("--write", "notthere", "--limit", "0", cwd=project, cache=cache).returncode == 2
    assert not (project / "proa.yaml").exists()


def test_tags_are_written_only_when_named_and_with_comments_kept(project, cache):
    file = project / "proa.yaml"
    file.write_text("# ours\nbuild:\n  strip: all # small\n  tags: [extra]\n")
    try:
        ran = proa("--limit", "0", "--write", "nosql,noweb", cwd=project, cache=cache)
        assert ran.returncode == 0, ran.stderr
        assert file.read_text() == "# ours\nbuild:\n  strip: all # small\n  tags: [extra, nosql, noweb]\n"
        before = file.read_text()
        assert proa("--limit", "0", "--write", "nohelper", cwd=project, cache=cache).returncode == 4
        assert file.read_text() == before
    finally:
        file.unlink()


def test_a_workspace_and_a_vendored_tree_are_read_where_they_lie(project, cache, tmp_path):
    vendored = write(tmp_path / "vendored", FILES)
    subprocess.run(["go", "mod", "vendor"], cwd=vendored, env={**os.environ, "GOPROXY": "off"}, check=True)
    _, tags = tuned("--limit", "0", cwd=vendored, cache=cache)
    assert tags["nosql"]["modules"] == ["example.com/dep@v1.2.0"]
    assert tags["nosql"]["expected_bytes"] > 0
    space = write(tmp_path / "space", {f"app/{name}": content for name, content in FILES.items()})
    (space / "app" / "go.mod").write_text("module example.com/app\n\ngo 1.24\n\nrequire example.com/dep v1.2.0\n")
    (space / "app" / "dep").rename(space / "dep")
    (space / "go.work").write_text("go 1.24\n\nuse (\n\t./app\n\t./dep\n)\n")
    _, tags = tuned("--limit", "0", "./app", cwd=space, cache=cache)
    assert tags["nosql"]["modules"] == ["example.com/dep"]
    assert tags["nosql"]["evidence"][0]["file"].endswith("store/sql.go")
    assert "encoding/json" in tags["nosql"]["left_out"]
