"""The program that writes stubs: how it is asked, and what is made of its answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from proa.errors import BuildFailed, ToolFailed
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.outside.gostub import Unit, list_exports, write_stubs


class _Answering:
    def __init__(self, *answers: bytes, status: int = 0) -> None:
        self.answers, self.status = list(answers), status
        self.calls: list[tuple[list[str], dict[str, str], bytes]] = []

    def __call__(self, argv, *, env=None, stdin=b"", **_rest) -> Ran:  # type: ignore[no-untyped-def]
        self.calls.append((list(argv), dict(env or {}), stdin))
        return Ran(argv=tuple(argv), status=self.status, stdout=self.answers.pop(0), stderr=b"broken\n", seconds=0.0)


def test_the_export_data_of_the_build_is_asked_for_in_its_own_words(tmp_path: Path) -> None:
    listed = (
        b'{\n\t"ImportPath": "fmt",\n\t"Export": "/c/1"\n}\n{\n\t"ImportPath": "unsafe"\n}\n'
        b'{\n\t"ImportPath": "net",\n\t"Export": "/c/2",\n\t"ImportMap": {\n\t\t"golang.org/x": "vendor/golang.org/x"\n\t}\n}\n'
    )
    run = _Answering(listed)
    found = list_exports(["net"], go=Go(run=run), directory=tmp_path, environment={"A": "b"}, flags=["-trimpath"])
    assert found.files == {"fmt": "/c/1", "net": "/c/2"}
    assert found.maps == {"net": {"golang.org/x": "vendor/golang.org/x"}}
    assert run.calls[0][0][-3:] == ["-trimpath", "--", "net"]
    assert run.calls[0][1]["A"] == "b"


def test_packages_that_do_not_compile_are_told_with_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(BuildFailed) as caught:
        list_exports(["net"], go=Go(run=_Answering(b"", status=1)), directory=tmp_path, environment={}, flags=[])
    assert caught.value.output == "broken"


def test_the_program_runs_here_whatever_the_project_is_built_for(tmp_path: Path) -> None:
    run = _Answering(b"plan9\nmips\n", b'{"files": {"/a.go": "package a"}, "imports": {"a": ["io"]}}')
    go = Go(run=run, environment={"GOOS": "windows", "GOFLAGS": "-mod=vendor", "HOME": "/h"}, version="go1.24.0")
    unit = Unit(path="a", files=("/a.go",))
    found = write_stubs([unit], exports={}, architecture="arm", folder=tmp_path / "new", go=go, toolchain="go1.25.1")
    assert (found.files, found.imports) == ({"/a.go": "package a"}, {"a": ("io",)})
    argv, environment, question = run.calls[1]
    assert argv == ["go", "run", str(tmp_path / "new" / "gostub.go")]
    expected = {"GOOS": "plan9", "GOARCH": "mips", "GOFLAGS": "-trimpath", "GOTOOLCHAIN": "go1.25.1", "HOME": "/h"}
    assert expected.items() <= environment.items()
    assert json.loads(question)["units"][0]["path"] == "a"
    assert (tmp_path / "new" / "gostub.go").read_bytes().startswith(b"// Gostub")


def test_an_answer_that_is_none_is_a_fault_of_the_tool(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match="not its JSON"):
        write_stubs([], exports={}, architecture="arm", folder=tmp_path, go=Go(run=_Answering(b"a b", b"oops")))
