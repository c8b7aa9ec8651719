"""The scripts that stand for compilers, run as they are written."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from proa.build import driver
from proa.outside.zig import Compilers
from proa.records.configuration import BuildSettings


@pytest.fixture
def called(tmp_path: Path):
    """Return a function that calls a script whose compiler prints its words."""
    echo = tmp_path / "a compiler"
    echo.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    echo.chmod(0o755)

    def call(*words: str, name: str = "cc", is_zig: bool = False, libc: str = "musl", **settings) -> list[str]:
        compilers = Compilers(
            cc=str(echo), cxx=str(echo), ar=str(echo), ranlib="", environment={}, name="x", libc=libc, is_zig=is_zig
        )
        texts = driver.scripts(compilers, BuildSettings(**settings), places={"/w": "."})
        script = tmp_path / name
        script.write_text(texts[name])
        script.chmod(0o755)
        return subprocess.run([script, *words], capture_output=True, text=True, check=True).stdout.splitlines()

    return call


def test_the_projects_words_stand_between_the_defaults_and_the_settings(called):
    words = called("-O0", "a b.c", "-o", "a", cflags=("-Os",), ldflags=("-lm",))
    assert words.index("-O2") < words.index("-O0") < words.index("-Os") < words.index("-lm")
    assert "a b.c" in words
    assert {"-static", "-Wl,--gc-sections", "-Wl,--build-id=sha1", "-ffile-prefix-map=/w=."} <= set(words)


@pytest.mark.parametrize("flag", ["-c", "-S", "-E", "-fsyntax-only"])
def test_nothing_of_the_linker_is_said_where_nothing_is_linked(called, flag):
    words = called(flag, "a.c", ldflags=("-lm",))
    assert not {"-static", "-lm", "-Wl,--gc-sections"} & set(words)
    assert "-ffunction-sections" in words


def test_a_shared_library_is_not_linked_statically(called):
    words = called("-shared", "a.o")
    assert "-static" not in words
    assert "-Wl,--build-id=sha1" in words


def test_with_glibc_a_program_is_static_only_where_the_settings_say_so(called):
    assert "-static" not in called("a.c", libc="glibc")
    assert "-static" in called("a.c", libc="glibc", ldflags=("-static",))


@pytest.mark.parametrize("question", ["--version", "-v", "-dumpmachine", "-print-search-dirs"])
def test_a_question_to_the_compiler_is_passed_on_alone(called, question):
    assert called(question) == [question]


def test_zig_is_not_told_a_target_and_answers_for_its_linker(called):
    assert "--target=x86_64-unknown-linux-musl" not in called("--target=x86_64-unknown-linux-musl", "a.c", is_zig=True)
    assert "--target=x86_64-linux-gnu" in called("--target=x86_64-linux-gnu", "a.c")
    assert called("-Wl,--version", is_zig=True) == ["LLD 19.0.0 (compatible with GNU linkers)"]


def test_strip_does_nothing_and_succeeds(called):
    assert called("-s", "a", name="strip") == []


def test_compilers_that_makefiles_name_outright_are_all_ours():
    named = Compilers(cc="/c", cxx="", ar="/a", ranlib="", environment={}, name="x", libc="musl")
    texts = driver.scripts(named, BuildSettings(), places={})
    assert {"cc", "gcc", "gcc-12", "clang-19", "musl-gcc", "ar"} <= set(texts)
    assert not {"g++", "c++", "ranlib"} & set(texts)
    assert driver.variables("/b", named) == {"CC": "/b/cc", "AR": "/b/ar", "STRIP": "/b/strip"}
