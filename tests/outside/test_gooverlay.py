"""Changed files laid over a build, wherever they are."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from pathlib import Path

import pytest

from proa.errors import WrongConfiguration
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.outside.gooverlay import Laid, lay_over


class _Recorder:
    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def __call__(self, argv, **_rest) -> Ran:  # type: ignore[no-untyped-def]
        self.calls.append(list(argv))
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"", seconds=0.0)


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    names = ("project", "cache", "goroot", "laid")
    found = {name: tmp_path / name for name in names}
    for name in names[:3]:
        found[name].mkdir()
    (found["project"] / "go.mod").write_text("module a.org/b\n\ngo 1.24\n\nreplace c.org/d => e.org/f v1.0.0\n")
    module = found["cache"] / "c.org" / "d@v1.2.3"
    module.mkdir(parents=True)
    (module / "d.go").write_text("package d\n")
    (module / "go.mod").write_text("module c.org/d\n")
    module.chmod(0o555)
    return found


def _lay(places: dict[str, Path], changed: Mapping[str, bytes | None], recorder: _Recorder, **rest) -> Laid:  # type: ignore[no-untyped-def]
    module = places["cache"] / "c.org" / "d@v1.2.3"
    return lay_over(
        changed,
        modules={str(module): "c.org/d"},
        folder=places["laid"],
        go=Go(environment={"GOMODCACHE": str(places["cache"]), "HOME": "/"}, run=recorder),
        directory=places["project"],
        environment=rest.pop("environment", {"GOWORK": "off"}),
        **rest,
    )


def _overlay(laid: Laid) -> dict[str, str]:
    replaced: dict[str, str] = json.loads(Path(laid.flags[0].partition("=")[2]).read_text())["Replace"]
    return replaced


def test_files_outside_the_cache_need_an_overlay_only(places: dict[str, Path]) -> None:
    recorder = _Recorder()
    laid = _lay(places, {"/usr/lib/go/src/text/template/exec.go": b"package template"}, recorder)
    replaced = _overlay(laid)
    assert Path(replaced["/usr/lib/go/src/text/template/exec.go"]).read_bytes() == b"package template"
    assert (laid.environment, laid.program, recorder.calls) == ({}, "", [])


def test_a_module_in_the_cache_is_copied_and_replaced(places: dict[str, Path]) -> None:
    recorder = _Recorder()
    file = places["cache"] / "c.org" / "d@v1.2.3" / "d.go"
    laid = _lay(places, {str(file): b"package changed"}, recorder)
    copy = places["laid"] / "module0"
    assert (copy / "d.go").read_bytes() == b"package changed"
    assert (copy / "go.mod").read_bytes() == b"module c.org/d\n"
    assert file.read_bytes() == b"package d\n"
    assert laid.flags[1] == f"-modfile={places['laid']}/laid.mod"
    assert recorder.calls[0][1:5] == ["mod", "edit", "-dropreplace=c.org/d", f"-replace=c.org/d={copy}"]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o755


def test_a_workspace_gets_a_go_work_of_its_own(places: dict[str, Path]) -> None:
    work = places["project"].parent / "go.work"
    work.write_text("go 1.24\n\nuse ./project\n\nreplace g.org/h => ./h\n")
    file = places["cache"] / "c.org" / "d@v1.2.3" / "d.go"
    laid = _lay(places, {str(file): b"package changed"}, _Recorder(), environment={})
    written = Path(laid.environment["GOWORK"]).read_text()
    assert f'use "{places["project"]}"' in written
    assert f'replace g.org/h  => "{work.parent}/h"' in written
    assert f'replace c.org/d => "{places["laid"]}/module0"' in written


def test_a_fetched_tool_chain_is_called_by_another_way(places: dict[str, Path]) -> None:
    root = places["cache"] / "golang.org" / "toolchain@v0.0.1-go1.26.8.linux-amd64"
    (root / "src" / "reflect").mkdir(parents=True)
    laid = _lay(places, {str(root / "src" / "reflect" / "value.go"): b"package reflect"}, _Recorder())
    link = places["laid"] / "goroot"
    assert laid.environment == {"GOROOT": str(link), "GOTOOLCHAIN": "local"}
    assert laid.program == f"{link}/bin/go"
    assert link.resolve() == root.resolve()
    assert list(_overlay(laid)) == [f"{link}/src/reflect/value.go"]


def test_the_users_own_overlay_stays(places: dict[str, Path]) -> None:
    (places["project"] / "o.json").write_text(json.dumps({"Replace": {"a.go": "b.go", "gone.go": ""}}))
    replaced = _overlay(_lay(places, {"/x/y.go": b"package y"}, _Recorder(), flags=["-overlay=o.json"]))
    home = places["project"]
    assert replaced[f"{home}/a.go"] == f"{home}/b.go"
    assert replaced[f"{home}/gone.go"] == ""
    assert "/x/y.go" in replaced


@pytest.mark.parametrize("content", ["", "[]", '{"Replace": 3}', "{}"])
def test_an_overlay_that_is_none_is_the_users_to_mend(places: dict[str, Path], content: str) -> None:
    (places["project"] / "o.json").write_text(content)
    with pytest.raises(WrongConfiguration, match=r"o\.json"):
        _lay(places, {"/x/y.go": b"package y"}, _Recorder(), flags=["-overlay=o.json"])


def test_a_file_without_content_is_gone(places: dict[str, Path]) -> None:
    local, cached = places["project"] / "a.s", places["cache"] / "c.org" / "d@v1.2.3" / "d.go"
    laid = _lay(places, {str(local): None, str(cached): None}, _Recorder())
    assert _overlay(laid) == {str(local): ""}
    assert not (places["laid"] / "module0" / "d.go").exists()
    assert (places["laid"] / "module0" / "go.mod").exists()
    assert cached.exists()


def test_the_copy_of_a_module_without_a_go_mod_gets_one(places: dict[str, Path]) -> None:
    module = places["cache"] / "c.org" / "d@v1.2.3"
    (module / "go.mod").unlink()
    _lay(places, {str(module / "d.go"): b"package d\n"}, _Recorder())
    assert (places["laid"] / "module0" / "go.mod").read_text() == "module c.org/d\n"
    assert not (module / "go.mod").exists()
