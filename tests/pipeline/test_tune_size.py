"""Where the settings of ``proa tune size`` go, and what is said of a step that fails."""

from __future__ import annotations

import pytest

from proa.errors import BuildFailed, WrongUsage
from proa.pipeline.tune_size import _placed, _said, settings_file
from proa.records.request import Request


def test_settings_go_where_the_program_has_them():
    settings = {"build": {"strip": "all", "cflags": ["-Os"], "env": {"A": "1"}}}
    origins = {
        "build.strip": "proa.yaml programs.api",
        "build.cflags": "proa.yaml",
        "build.env.A": "proa.yaml programs.api",
    }
    assert _placed(settings, origins) == {
        "programs": {"api": {"build": {"strip": "all", "env": {"A": "1"}}}},
        "build": {"cflags": ["-Os"]},
    }


def test_the_file_is_the_one_that_holds_else_a_new_one_beside_go_mod(tmp_path):
    command = tmp_path / "cmd" / "api"
    command.mkdir(parents=True)
    (tmp_path / "go.mod").write_text("module m\n")
    request = Request(sources=("./cmd/api",), directory=str(tmp_path))
    assert settings_file(request, environ={}) == tmp_path / "proa.yaml"
    (command / "proa.yml").write_text("")
    assert settings_file(request, environ={}) == command / "proa.yml"


def test_a_project_without_go_mod_has_it_in_its_own_folder(tmp_path):
    request = Request(directory=str(tmp_path))
    assert settings_file(request, environ={}) == tmp_path / "proa.yaml"
    elsewhere = Request(sources=("example.com/x@v1.0.0",), directory=str(tmp_path))
    assert settings_file(elsewhere, environ={}) == tmp_path / "proa.yaml"


def test_a_ko_configuration_is_not_hidden_by_a_new_file(tmp_path):
    (tmp_path / ".ko.yaml").write_text("defaultPlatforms: [linux/amd64]\n")
    with pytest.raises(WrongUsage, match="would hide"):
        settings_file(Request(directory=str(tmp_path)), environ={})


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("cc -o a\nerror: unsupported linker arg: --icf\nmake: *** [a] Error 1", "it failed: error: unsupported linker arg: --icf"),
        ("collect2: error: ld returned 1 exit status\nmake: *** [a] Error 1", "it failed: collect2: error: ld returned 1 exit status"),
        ("make: *** [a] Error 1", "it failed"),
        ("", "it failed"),
        ("the last words", "it failed: the last words"),
    ],
)  # fmt: skip
def test_the_tools_own_reason_is_told_not_who_gave_up(output, said):
    assert _said(BuildFailed("it failed", output=output)) == said
