"""Which build system a folder is, and which programs it means."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.analyze import native
from proa.errors import NoProgram, NoProject, SeveralMains, WrongUsage
from proa.outside.cargo import Crate
from proa.records.configuration import BuildSettings


def system(folder: Path, source: str = ".", wanted: str = "auto") -> str | None:
    return native.find_system((source,), directory=folder, wanted=wanted)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        pytest.param(["Makefile"], "make", id="a Makefile"),
        pytest.param(["GNUmakefile"], "make", id="make's other names"),
        pytest.param(["CMakeLists.txt", "Makefile"], "cmake", id="CMake before the Makefile beside it"),
        pytest.param(["meson.build", "Makefile"], "meson", id="meson before the Makefile beside it"),
        pytest.param(["Cargo.toml", "Makefile", "CMakeLists.txt"], "cargo", id="Cargo before all others"),
        pytest.param(["go.mod", "Makefile", "Cargo.toml"], None, id="Go projects have Makefiles"),
        pytest.param(["README.md"], None, id="nothing"),
    ],
)
def test_a_folder_is_what_its_files_say(tmp_path, names, expected):
    for name in names:
        (tmp_path / name).touch()
    assert system(tmp_path) == expected


def test_the_setting_wins_over_what_is_found(tmp_path):
    for name in ("go.mod", "Makefile"):
        (tmp_path / name).touch()
    assert system(tmp_path, wanted="make") == "make"
    assert system(tmp_path, wanted="go") is None
    with pytest.raises(NoProject, match=r"there is no CMakeLists\.txt"):
        system(tmp_path, wanted="cmake")


def test_below_a_go_module_a_folder_with_go_files_is_go_and_one_without_is_not(tmp_path):
    (tmp_path / "go.mod").touch()
    for name in ("cmd", "native"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Makefile").touch()
    (tmp_path / "cmd" / "main.go").touch()
    assert system(tmp_path, "./cmd") is None
    assert system(tmp_path, "./native") == "make"


@pytest.mark.parametrize("source", ["example.com/a/cmd/b@v1.2.3", "nowhere", "nul\0l", "example.com/a/..."])
def test_what_is_no_folder_is_left_to_the_go_command(tmp_path, source):
    (tmp_path / "Makefile").touch()
    assert system(tmp_path, source) is None


def test_programs_of_different_systems_are_refused(tmp_path):
    for folder, name in (("a", "Makefile"), ("b", "Cargo.toml")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).touch()
    with pytest.raises(WrongUsage, match="different tools"):
        native.find_system(("./a", "./b"), directory=tmp_path, wanted="auto")


@pytest.mark.parametrize(
    ("system", "text", "name", "version"),
    [
        pytest.param("cmake", "project(shapes VERSION 1.2.3 LANGUAGES CXX)", "shapes", "1.2.3", id="cmake"),
        pytest.param("cmake", "# project(no)\nPROJECT( shapes\n  C )", "shapes", "", id="cmake, another spelling"),
        pytest.param("cmake", "project(${NAME})", "", "", id="cmake, computed"),
        pytest.param("meson", "project('greeter', 'c',\n  version : '0.3')", "greeter", "0.3", id="meson"),
        pytest.param("meson", "project(" * 10_000, "", "", id="meson, nonsense"),
    ],
)
def test_name_and_version_are_read_where_they_stand(tmp_path, system, text, name, version):
    (tmp_path / native.MARKS[system][0]).write_text(text)
    assert native.describe(tmp_path, system) == native.Described(name=name, version=version)


def test_a_chosen_program_names_the_image(tmp_path):
    (tmp_path / "Makefile").touch()
    main, found = native.native_main(tmp_path, "make", program="src/server", names=["src/a.c", "b.cpp"])
    assert (main.name, main.import_path, main.language, found.system) == (
        "server",
        f"{tmp_path.name}/server",
        "c++",
        "make",
    )


def crate(name: str, package: str = "", directory: str = "", **more: bool) -> Crate:
    return Crate(name=name, package=package or name, version="1.0.0", directory=directory or f"/w/{name}", **more)


def chosen(crates: list[Crate], folder: str = "/w", *, takes_all: bool = False, program: str = "") -> list[str]:
    found = native.cargo_mains(crates, root=Path("/w"), folder=Path(folder), takes_all=takes_all, program=program)
    return [main.name for main, _ in found]


def test_of_a_cargo_workspace_one_program_is_meant():
    crates = [crate("api"), crate("web")]
    assert chosen(crates, "/w/api") == ["api"]
    assert chosen(crates, takes_all=True) == ["api", "web"]
    assert chosen(crates, program="web") == ["web"]
    assert chosen([crate("api", is_default_member=True), crate("web")]) == ["api"]
    with pytest.raises(SeveralMains) as refused:
        chosen(crates)
    assert refused.value.output.splitlines() == ["./api  api", "./web  web"]


def test_of_a_package_with_several_programs_its_namesake_or_its_default_is_meant():
    assert chosen([crate("shop", directory="/w"), crate("admin", "shop", "/w")]) == ["shop"]
    two = [crate("a", "shop", "/w"), crate("b", "shop", "/w", is_default=True)]
    assert chosen(two) == ["b"]
    with pytest.raises(SeveralMains):
        chosen([crate("a", "shop", "/w"), crate("b", "shop", "/w")])


def test_a_name_that_no_program_or_several_have_is_refused():
    crates = [crate("run", "a", "/w/a"), crate("run", "b", "/w/b")]
    for program in ("nothing", "run"):
        with pytest.raises(NoProgram):
            chosen(crates, program=program)
    assert chosen(crates, program="b/run") == ["run"]
    with pytest.raises(NoProgram, match="no package"):
        chosen([crate("api")], "/elsewhere")


def test_settings_that_do_nothing_to_a_project_are_told():
    asked = BuildSettings(
        flags=("-v",), tags=("x",), cgo="on", program="src/a", arguments=("B=1",), cflags=("-Os",), ldflags=("-s",)
    )
    for system in ("make", "cmake", "meson", "cargo"):
        told = [finding.message.partition(" ")[0] for finding in native.unused_settings(asked, system)]
        assert told == ["build.flags", "build.tags", "build.cgo"]
    told = [finding.message.partition(" ")[0] for finding in native.unused_settings(asked, "go")]
    assert told == ["build.program", "build.arguments"]
    assert native.unused_settings(BuildSettings(cc="gcc", strip="all"), "make") == ()
