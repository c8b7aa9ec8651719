"""How C is built for a platform: the words alone, nothing is compiled."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.build.compile import words_of
from proa.build.cross import c_compilers, environment, with_c
from proa.build.flags import quote, split, static_link
from proa.errors import ToolMissing, UnknownPlatform, WrongConfiguration
from proa.outside.go import Go
from proa.outside.zig import Compilers
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Git

ZIG = Compilers(
    cc="/store/zig/bin/zig-cc",
    cxx="/store/zig/bin/zig-c++",
    ar="/store/zig/bin/zig-ar",
    ranlib="/store/zig/bin/zig-ranlib",
    environment={"ZIG_GLOBAL_CACHE_DIR": "/store/zig/cache"},
    name="zig 0.17.1",
    libc="musl",
    is_zig=True,
)


@pytest.mark.parametrize(
    ("paths", "libc", "tags"),
    [
        pytest.param(["fmt"], "musl", ["netgo", "osusergo"], id="nothing special"),
        pytest.param(["github.com/mattn/go-sqlite3"], "glibc", ["sqlite_omit_load_extension"], id="sqlite"),
        pytest.param(["github.com/confluentinc/confluent-kafka-go/v2/kafka"], "musl", ["musl"], id="kafka"),
    ],
)
def test_packages_bring_their_tags(paths, libc, tags):
    found = with_c(BuildSettings(), import_paths=paths, libc=libc)
    assert found.cgo == "on"
    assert set(tags) <= set(found.tags)


def test_a_library_for_musl_is_not_taken_with_another_libc():
    paths = ["github.com/confluentinc/confluent-kafka-go/v2/kafka"]
    assert "musl" not in with_c(BuildSettings(), import_paths=paths, libc="glibc").tags


def test_a_module_with_a_longer_name_is_another_module():
    tags = with_c(BuildSettings(), import_paths=["github.com/mattn/go-sqlite3x/a"], libc="musl").tags
    assert tags == ("netgo", "osusergo")


@pytest.mark.parametrize(
    ("settings", "goflags"),
    [
        pytest.param(BuildSettings(tags=("a", "b")), "", id="tags"),
        pytest.param(BuildSettings(flags=("-v", "-tags", "a,b")), "", id="flags"),
        pytest.param(BuildSettings(flags=("-tags=a b",)), "", id="flags, the old way"),
        pytest.param(BuildSettings(), "-mod=mod -tags=a,b", id="GOFLAGS"),
        pytest.param(BuildSettings(tags=("x",), flags=("-tags=a,b",)), "-tags=y", id="the last one counts"),
    ],
)
def test_the_users_tags_stay_before_ours(settings, goflags):
    found = with_c(settings, import_paths=[], libc="musl", goflags=goflags)
    assert found.tags == ("a", "b", "netgo", "osusergo")
    assert not any("tags" in flag for flag in found.flags)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        pytest.param(BuildSettings(), "-linkmode=external -extldflags=-static", id="nothing"),
        pytest.param(BuildSettings(ldflags=("-s -w",)), "-linkmode=external -s -w -extldflags=-static", id="ldflags"),
        pytest.param(BuildSettings(flags=("-ldflags", "-s")), "-linkmode=external -s -extldflags=-static", id="flags"),
        pytest.param(
            BuildSettings(flags=("-ldflags=all=-s",)), "-linkmode=external -s -extldflags=-static", id="of all packages"
        ),
        pytest.param(
            BuildSettings(ldflags=("-extldflags '-L/lib -lx'",)),
            "-linkmode=external '-extldflags=-static -L/lib -lx'",
            id="their extldflags",
        ),
        pytest.param(
            BuildSettings(ldflags=("-linkmode=internal -extldflags=-static",)),
            "-linkmode=internal -extldflags=-static",
            id="their choice",
        ),
    ],
)
def test_there_is_one_ldflags_with_one_extldflags(settings, expected):
    words = words_of(BuildSettings(cgo="on", ldflags=settings.ldflags, flags=settings.flags), **GO, found=ZIG)
    assert [flag for flag in words.flags if "ldflags" in flag] == [f"-ldflags={expected}"]


GO = {"git": Git(), "go": Go(program="/usr/lib/go/bin/go", environment={"GOENV": "off"})}


def test_without_a_compiler_of_ours_nothing_is_said_to_the_linker():
    assert words_of(BuildSettings(cgo="on"), **GO, found=None).flags == ("-trimpath",)


def test_the_flags_of_one_package_cannot_be_joined():
    settings = BuildSettings(cgo="on", flags=("-ldflags=./cmd/...=-s",))
    with pytest.raises(WrongConfiguration, match="cannot be joined"):
        words_of(settings, **GO, found=ZIG)


_WORD = st.text(st.characters(codec="ascii", exclude_categories=["C"], exclude_characters="'\"{} "), min_size=1)


@given(st.lists(_WORD.map(lambda word: f"-X=m.v={word}")), st.lists(_WORD.map(lambda word: f"-L{word}")))
def test_every_flag_of_theirs_is_still_there_once(defined, searched):
    theirs = [*defined, f"-extldflags={' '.join(searched)}"]
    made = split(static_link(" ".join(quote(word) for word in theirs)), where="")
    assert [word for word in made if word.startswith("-X")] == defined
    assert [word for word in made if "extldflags" in word] == [f"-extldflags={' '.join(['-static', *searched])}"]


def test_the_compilers_are_called_by_name_so_that_no_place_is_in_the_build_id():
    laid = environment(ZIG, BuildSettings(cflags=("-Os", "-DNAME=two words")), {"PATH": "/usr/bin"})
    assert (laid["CC"], laid["CXX"], laid["AR"]) == ("zig-cc", "zig-c++", "zig-ar")
    assert laid["PATH"] == "/store/zig/bin:/usr/bin"
    assert laid["CGO_CFLAGS"] == "-O2 -g -Os '-DNAME=two words'"


def test_flags_for_c_are_laid_over_the_users_own():
    laid = environment(ZIG, BuildSettings(cflags=("-Os",), env={"CGO_CFLAGS": "-I/x"}), {"CGO_CXXFLAGS": "-I/y"})
    assert (laid["CGO_CFLAGS"], laid["CGO_CXXFLAGS"]) == ("-I/x -Os", "-I/y -Os")


def test_no_compiler_is_looked_for_where_c_is_off(tmp_path):
    settings = BuildSettings(cgo="off", cc="nobody")
    assert c_compilers(settings, Platform("linux", "amd64"), environ={}, root=tmp_path) is None


def test_a_compiler_that_is_named_must_be_there(tmp_path):
    for settings in (
        BuildSettings(cc="nobody"),
        BuildSettings(env={"CC": "nobody"}),
        BuildSettings(cgo="on", cc="nobody"),
    ):
        with pytest.raises(ToolMissing, match="nobody"):
            c_compilers(settings, Platform("linux", "amd64"), environ={"PATH": str(tmp_path)}, root=tmp_path)


def _compiler(folder: Path, machine: str) -> str:
    file = folder / "some-cc"
    file.write_text(f"#!/bin/sh\necho {machine}\n")
    file.chmod(0o755)
    return str(folder)


def test_a_compiler_for_another_machine_is_refused(tmp_path):
    environ = {"PATH": _compiler(tmp_path, "x86_64-linux-gnu") + ":/usr/bin:/bin"}
    settings = BuildSettings(cc="some-cc")
    assert c_compilers(settings, Platform("linux", "amd64"), environ=environ, root=tmp_path) is not None
    with pytest.raises(UnknownPlatform, match=r"compiles for x86_64-linux-gnu, not for linux/arm64"):
        c_compilers(settings, Platform("linux", "arm64"), environ=environ, root=tmp_path)


@pytest.mark.parametrize("platform", [Platform("windows", "amd64"), Platform("darwin", "arm64")])
def test_elsewhere_than_linux_the_go_command_has_its_own(platform, tmp_path):
    assert c_compilers(BuildSettings(cgo="on"), platform, environ={"PATH": ""}, root=tmp_path) is None
