from __future__ import annotations

import pytest

from proa.analyze.asked import what_decides
from proa.records.configuration import BuildSettings


def decides(directory, *flags: str, **environ: str) -> tuple[str, ...]:
    return what_decides({"GOENV": "off", **environ}, {"GOOS": "linux"}, BuildSettings(flags=flags), directory)


@pytest.mark.parametrize("name", ["GOFLAGS", "GOEXPERIMENT", "GOAMD64", "GOTOOLCHAIN", "CC", "GOFIPS140"])
def test_a_variable_that_changes_the_program_counts(tmp_path, name):
    assert decides(tmp_path, **{name: "x"}) != decides(tmp_path)


@pytest.mark.parametrize("name", ["HOME", "GOPROXY", "TERM", "GOCACHE", "LANG"])
def test_a_variable_that_does_not_change_it_does_not_count(tmp_path, name):
    assert decides(tmp_path, **{name: "x"}) == decides(tmp_path)


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (("-pgo=cpu.pprof",), "cpu.pprof"),
        (("--pgo", "cpu.pprof"), "cpu.pprof"),
        (("-modfile=ci.mod",), "ci.mod"),
        (("-modfile=ci.mod",), "ci.sum"),
        (("-overlay", "o.json"), "o.json"),
        (("-overlay=o.json",), "new.go"),
    ],
)
def test_a_file_that_a_flag_names_counts_by_its_content(tmp_path, flags, name):
    (tmp_path / "o.json").write_text('{"Replace": {"main.go": "new.go"}}')
    before = decides(tmp_path, *flags)
    (tmp_path / name).write_text('{"Replace": {}}')
    assert decides(tmp_path, *flags) != before


def test_flags_of_the_environment_name_files_too(tmp_path):
    before = decides(tmp_path, GOFLAGS="-pgo=cpu.pprof")
    (tmp_path / "cpu.pprof").write_text("x")
    assert decides(tmp_path, GOFLAGS="-pgo=cpu.pprof") != before


def test_what_go_env_keeps_counts(tmp_path):
    file = tmp_path / "env"
    before = decides(tmp_path, GOENV=str(file))
    file.write_text("GOFLAGS=-tags=x\n")
    assert decides(tmp_path, GOENV=str(file)) != before
