"""Which go command is taken; the ones found here are scripts and folders, never the machine's own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import ToolMissing, ToolTooOld
from proa.outside.command import Ran
from proa.outside.go import Wanted, find_go, find_wanted, module_cache, read_setting, version_key


def tool_chain(root: Path, version: str, *, setting: str = "") -> Path:
    """Make a GOROOT that has a version and a go that nobody starts."""
    (root / "bin").mkdir(parents=True)
    (root / "bin" / "go").write_bytes(b"\x7fELF")
    (root / "bin" / "go").chmod(0o755)
    if version:
        (root / "VERSION").write_text(f"{version}\ntime 2026-08-28T16:20:06Z\n")
    if setting:
        (root / "go.env").write_text(f"# defaults\n{setting}\n")
    return root


def wheel(site: Path, version: str, *, setting: str = "GOTOOLCHAIN=auto") -> str:
    tool_chain(site / "go", version, setting=setting)
    return str(site)


def environ(*roots: Path, **more: str) -> dict[str, str]:
    return {"PATH": ":".join(str(root / "bin") for root in roots), "GOENV": "off", **more}


def never(*_args: object, **_more: object) -> Ran:
    raise AssertionError("a process was started")


def test_the_one_on_path_is_taken_without_starting_it(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.26.8")
    go = find_go(environ(root), wanted="1.24", run=never, search=[wheel(tmp_path / "site", "go1.27.0")])
    assert (go.program, go.version) == (str(root / "bin" / "go"), "go1.26.8")


def test_the_wheel_is_taken_where_path_has_none(tmp_path):
    go = find_go(environ(), wanted="1.24", run=never, search=["", wheel(tmp_path / "site", "go1.27.0")])
    assert go.program == str(tmp_path / "site/go/bin/go")


def test_the_wheel_is_taken_where_path_is_too_old(tmp_path):
    old = tool_chain(tmp_path / "usr", "go1.22.2")
    go = find_go(
        environ(old, GOTOOLCHAIN="local"), wanted="1.26.1", run=never, search=[wheel(tmp_path / "site", "go1.27.0")]
    )
    assert go.version == "go1.27.0"


def test_a_tool_chain_line_is_preferred_but_not_demanded(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.26.1")
    asked = Wanted(minimum="1.25", preferred="go1.27.0")
    assert find_go(environ(root), wanted=asked, run=never, search=[]).version == "go1.26.1"
    both = find_go(environ(root), wanted=asked, run=never, search=[wheel(tmp_path / "site", "go1.27.0")])
    assert both.version == "go1.27.0"


def test_one_that_may_fetch_is_taken_where_none_is_new_enough(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.26.1")
    assert find_go(environ(root, GOTOOLCHAIN="auto"), wanted="1.99", run=never, search=[]).version == "go1.26.1"


@pytest.mark.parametrize("choice", ["local", "go1.26.1"])
def test_too_old_names_both_versions(tmp_path, choice):
    root = tool_chain(tmp_path / "usr", "go1.26.1")
    with pytest.raises(ToolTooOld, match=r"1\.99.*go1\.26\.1"):
        find_go(environ(root, GOTOOLCHAIN=choice), wanted="1.99", run=never, search=[])


def test_the_tool_chains_own_setting_forbids_fetching(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.26.1", setting="GOTOOLCHAIN=local")
    with pytest.raises(ToolTooOld):
        find_go(environ(root), wanted="1.99", run=never, search=[])


def test_a_go_of_debian_12_is_too_old_for_anything(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.19.8")
    with pytest.raises(ToolTooOld, match=r"1\.21"):
        find_go(environ(root), wanted="1.18", run=never, search=[])


def test_without_any_it_says_how_to_get_one(tmp_path):
    with pytest.raises(ToolMissing) as caught:
        find_go(environ(tmp_path), run=never, search=[])
    assert "proa[go]" in caught.value.hint


def test_the_script_of_a_wheel_is_passed_over_for_what_it_starts(tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "go").write_text("#!/usr/bin/python3\n")
    (venv / "bin" / "go").chmod(0o755)
    wheel(venv / "lib" / "python3.13" / "site-packages", "go1.27.0")
    go = find_go(environ(venv, GOROOT="/elsewhere"), run=never, search=[])
    assert go.program.endswith("site-packages/go/bin/go")
    assert "GOROOT" not in go.environment


def test_a_go_without_a_version_file_is_asked(tmp_path):
    root = tool_chain(tmp_path / "shim", "")

    def answer(argv, **_more):
        return Ran(argv=tuple(argv), status=0, stdout=b"go version go1.25.3 linux/amd64\n", stderr=b"", seconds=0)

    assert find_go(environ(root), run=answer, search=[]).version == "go1.25.3"


def test_another_package_that_is_called_go_is_no_tool_chain(tmp_path):
    (tmp_path / "go" / "bin").mkdir(parents=True)
    (tmp_path / "go" / "bin" / "go").write_text("")
    with pytest.raises(ToolMissing):
        find_go(environ(), run=never, search=[str(tmp_path)])


def test_a_workspace_is_asked_before_its_modules(tmp_path):
    (tmp_path / "go.work").write_text("go 1.25\ntoolchain go1.26.8\nuse ./a\n")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "go.mod").write_text("module a\ngo 1.24\n")
    assert find_wanted(tmp_path / "a") == Wanted(minimum="1.25", preferred="go1.26.8", file=str(tmp_path / "go.work"))
    assert find_wanted(tmp_path / "a", {"GOWORK": "off"}).minimum == "1.24"


def test_an_older_or_default_tool_chain_line_asks_for_nothing(tmp_path):
    for line in ("toolchain default", "toolchain go1.23.0", ""):
        (tmp_path / "go.mod").write_text(f"module a\ngo 1.24.1\n{line}\n")
        assert find_wanted(tmp_path).preferred == ""


def test_settings_are_read_where_go_keeps_them(tmp_path):
    root = tool_chain(tmp_path / "usr", "go1.26.8", setting="GOPROXY=https://a,direct")
    (tmp_path / "env").write_text("GOPATH=/data/go\nGOFLAGS=-mod=mod\n")
    go = find_go(environ(root, GOENV=str(tmp_path / "env"), HOME="/home/me"), run=never, search=[])
    assert read_setting("GOFLAGS", go) == "-mod=mod"
    assert read_setting("GOPROXY", go) == "https://a,direct"
    assert module_cache(go) == Path("/data/go/pkg/mod")


ORDERED = ["", "1.20", "go1.21", "1.21rc2", "1.21.0", "1.21.13", "1.22", "go1.22.0", "1.100.1", "2.0"]


@given(st.sampled_from(range(len(ORDERED))), st.sampled_from(range(len(ORDERED))))
def test_versions_are_ordered_as_the_go_command_does(one, other):
    assert (version_key(ORDERED[one]) < version_key(ORDERED[other])) == (one < other)


@given(st.text(max_size=30))
def test_any_text_has_a_place_in_the_order(text):
    assert version_key(text) >= (0, 0, 0, 0)
