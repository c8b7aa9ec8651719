"""What is said of real projects before they are built. No network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.analyze import list_graph, read_project
from proa.outside.go import find_go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git, Project
from real_neighbours import need

pytestmark = pytest.mark.real


def read(root: Path, files: dict[str, str], *, cgo: str = "auto") -> Project:
    need("go")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO"))}
    go = find_go({**kept, "GOPROXY": "off", "GOTOOLCHAIN": "local"})
    settings = BuildSettings(cgo=cgo)  # type: ignore[arg-type]
    platform = Platform.parse("linux/amd64")
    graph = list_graph([], directory=root / "app", platform=platform, go=go, settings=settings)
    return read_project(graph.mains[0], graph, go=go, git=Git(revision="abc"), settings=settings)


APP = {
    "app/go.mod": "module example.com/app\n\ngo 1.22\n",
    "app/main.go": 'package main\n\nimport (\n\t_ "net/http"\n\t_ "os/user"\n)\n\nfunc main() {}\n',
}
USES = 'package main\n\nimport _ "example.com/app/store"\n\nfunc main() {}\n'
STORE = 'package store\n\nimport _ "example.com/app/native"\n'
NATIVE = 'package native\n\n// int x;\nimport "C"\n\nfunc Open() error { return nil }\n\nfunc Use() { _ = C.x }\n'
EXCUSE = '//go:build !cgo\n\npackage native\n\nimport "errors"\n\nfunc Open() error { return errors.New("no cgo") }\n'
TWIN = "//go:build !cgo\n\npackage native\n\nfunc Open() error {\n\tfor i := range 3 {\n\t\tprintln(i)\n\t}\n\treturn nil\n}\n"


def test_an_ordinary_service_has_nothing_to_tell(tmp_path):
    project = read(tmp_path, APP)
    assert project.cgo == ()
    assert project.findings == ()
    assert (project.go_version, project.git.revision) == ("1.22", "abc")
    assert project.toolchain.startswith("go1.")


def test_a_stub_is_told_before_the_build_with_its_chain(tmp_path):
    files = {"app/main.go": USES, "app/store/s.go": STORE, "app/native/c.go": NATIVE, "app/native/n.go": EXCUSE}
    project = read(tmp_path, APP | files)
    (use,) = project.cgo
    assert use.chain == ("example.com/app", "example.com/app/store", "example.com/app/native")
    assert use.is_stub_without
    assert [finding.id for finding in project.findings] == ["analyze.cgo-stub"]


def test_a_twin_that_does_the_work_is_no_finding(tmp_path):
    files = {"app/main.go": USES, "app/store/s.go": STORE, "app/native/c.go": NATIVE, "app/native/n.go": TWIN}
    project = read(tmp_path, APP | files)
    assert [use.is_stub_without for use in project.cgo] == [False]
    assert project.findings == ()


def test_with_cgo_a_stub_is_none(tmp_path):
    files = {"app/main.go": USES, "app/store/s.go": STORE, "app/native/c.go": NATIVE, "app/native/n.go": EXCUSE}
    project = read(tmp_path, APP | files, cgo="on")
    assert [use.package for use in project.cgo] == ["example.com/app/native"]
    assert project.findings == ()


def test_an_untidy_module_with_a_replaced_folder_is_told(tmp_path):
    files = {
        "app/go.mod": "module example.com/app\n\ngo 1.22\n\nrequire (\n\texample.com/dep v1.0.0\n\texample.com/spare v1.0.0\n)\n"
        "\nreplace (\n\texample.com/dep => ../dep\n\texample.com/spare => ../dep\n)\n",
        "app/main.go": 'package main\n\nimport _ "example.com/dep"\n\nfunc main() {}\n',
        "dep/go.mod": "module example.com/dep\n\ngo 1.22\n",
        "dep/dep.go": "package dep\n",
    }
    files["app/go.mod"] = files["app/go.mod"].replace(
        "\texample.com/spare => ../dep\n", "\texample.com/spare => ../spare\n"
    )
    files |= {"spare/go.mod": "module example.com/spare\n\ngo 1.22\n"}
    project = read(tmp_path, files)
    found = {finding.id: finding for finding in project.findings}
    if "analyze.tidy-unchecked" in found:
        pytest.skip("real: go is older than 1.23, which has no `go mod tidy -diff`")
    assert set(found) == {"analyze.untidy", "analyze.replaced-outside"}
    assert "- example.com/spare v1.0.0" in found["analyze.untidy"].message
    assert "example.com/dep" in found["analyze.replaced-outside"].message
