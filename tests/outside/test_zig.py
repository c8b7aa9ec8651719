"""Which C compiler is taken; the ones found here are folders and scripts, never the machine's own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from proa.errors import ToolMissing, UnknownPlatform
from proa.outside.command import Ran
from proa.outside.zig import Zig, compilers, find_zig, found_compilers, target_of
from proa.records.platform import Platform

AMD64 = Platform("linux", "amd64")


def program(file: Path, text: str = "#!/bin/sh\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


def wheel(site: Path, version: str) -> str:
    program(site / "ziglang" / "zig")
    (site / f"ziglang-{version}.dist-info").mkdir()
    return str(site)


def never(*_args: object, **_more: object) -> Ran:
    raise AssertionError("a process was started")


def answering(answers: Mapping[str, str]):
    """Return a runner that answers by the last word of the command line."""

    def run(argv: Sequence[str], **_more: object) -> Ran:
        text = answers.get(argv[-1], "")
        status = 0 if argv[-1] in answers else 1
        return Ran(argv=tuple(argv), status=status, stdout=text.encode(), stderr=b"", seconds=0.0)

    return run


def test_the_wheel_beside_proa_is_taken_without_starting_it(tmp_path):
    program(tmp_path / "bin" / "zig")
    zig = find_zig({"PATH": str(tmp_path / "bin")}, search=["", wheel(tmp_path / "site", "0.17.1")], run=never)
    assert zig == Zig(program=str(tmp_path / "site/ziglang/zig"), version="0.17.1")


def test_a_package_of_that_name_without_a_wheel_is_none(tmp_path):
    program(tmp_path / "ziglang" / "zig")
    assert find_zig({"PATH": ""}, search=[str(tmp_path)], run=never) is None


def test_one_on_path_is_asked_for_its_version(tmp_path):
    program(tmp_path / "zig")
    environ = {"PATH": str(tmp_path)}
    assert find_zig(environ, search=[], run=answering({"version": "0.16.0\n"})).version == "0.16.0"
    assert find_zig(environ, search=[], run=answering({"version": "what?\n"})) is None


@pytest.mark.parametrize(
    ("platform", "target"),
    [
        ("linux/amd64", "x86_64-linux-musl"),
        ("linux/arm64", "aarch64-linux-musl"),
        ("linux/arm/v6", "arm-linux-musleabihf"),
        ("linux/arm/v7", "arm-linux-musleabihf"),
        ("linux/386", "x86-linux-musl"),
        ("linux/riscv64", "riscv64-linux-musl"),
        ("linux/ppc64le", "powerpc64le-linux-musl"),
        ("linux/s390x", "s390x-linux-musl"),
    ],
)
def test_a_platform_has_its_target(platform, target):
    assert target_of(Platform.parse(platform))[0] == target


@pytest.mark.parametrize("platform", ["linux/mips", "linux/ppc64", "linux/arm/v4", "windows/amd64", "plan9/386"])
def test_other_platforms_have_none(platform):
    with pytest.raises(UnknownPlatform):
        target_of(Platform.parse(platform))


def test_each_compiler_is_one_word_whole_and_left_alone_the_second_time(tmp_path):
    zig = Zig(program=str(program(tmp_path / "with space" / "zig")), version="0.17.1")
    found = compilers(zig, AMD64, root=tmp_path / "store")
    files = [Path(path) for path in (found.cc, found.cxx, found.ar, found.ranlib)]
    before = [file.stat().st_mtime_ns for file in files]
    assert all(os.access(file, os.X_OK) and "." not in file.name for file in files)
    assert len({file.parent for file in files}) == 1
    assert sorted(file.name for file in files[0].parent.iterdir()) == sorted(file.name for file in files)
    assert compilers(zig, AMD64, root=tmp_path / "store") == found
    assert [file.stat().st_mtime_ns for file in files] == before
    assert (found.libc, found.name) == ("musl", "zig 0.17.1")
    assert all(value.startswith(str(tmp_path / "store")) for value in found.environment.values())


def test_a_script_that_was_changed_is_written_again(tmp_path):
    zig = Zig(program=str(program(tmp_path / "bin" / "zig")), version="0.17.1")
    found = compilers(zig, AMD64, root=tmp_path / "store")
    Path(found.cc).write_text("#!/bin/sh\nexit 1\n")
    assert "exit 1" not in Path(compilers(zig, AMD64, root=tmp_path / "store").cc).read_text()


def test_the_places_of_zig_and_its_cache_are_called_the_same_everywhere(tmp_path):
    said = []
    for name in ("one", "another/place"):
        home = tmp_path / name
        zig = program(home / "zig", '#!/bin/sh\necho "$ZIG_LIB_DIR $ZIG_GLOBAL_CACHE_DIR $ZIG_LOCAL_CACHE_DIR" "$@"\n')
        program(home / "lib" / "std" / "std.zig")
        found = compilers(Zig(program=str(zig), version="0.17.1"), AMD64, root=home / "store")
        ran = subprocess.run([found.cc, "-c", "a file.c"], capture_output=True, text=True, check=True)
        said.append(ran.stdout)
        assert list((home / "store/zig/cache").iterdir()), "what zig builds once is noted"
    assert said[0] == said[1]
    assert said[0].endswith(" cc --target=x86_64-linux-musl -fno-sanitize=undefined -c a file.c\n")


def test_a_compiler_asked_for_is_found_with_all_that_belongs_to_it(tmp_path):
    for name in ("aarch64-linux-gnu-gcc", "aarch64-linux-gnu-g++", "aarch64-linux-gnu-ar", "ar", "ranlib"):
        program(tmp_path / name)
    run = answering(
        {"-dumpmachine": "aarch64-linux-gnu", "--version": "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"}
    )
    found = found_compilers("aarch64-linux-gnu-gcc", "", {"PATH": str(tmp_path)}, run=run)
    assert Path(found.cxx).name == "aarch64-linux-gnu-g++"
    assert Path(found.ar).name == "aarch64-linux-gnu-ar"
    assert Path(found.ranlib).name == "ranlib"
    assert (found.name, found.libc, found.machine) == ("aarch64-linux-gnu-gcc 12.2.0", "glibc", "aarch64-linux-gnu")


def test_musl_is_known_by_name(tmp_path):
    program(tmp_path / "musl-gcc")
    run = answering({"-dumpmachine": "x86_64-linux-gnu", "--version": "gcc 12.2.0"})
    assert found_compilers("musl-gcc", "", {"PATH": str(tmp_path)}, run=run).libc == "musl"


@pytest.mark.parametrize(("cc", "cxx"), [("nobody", ""), ("cc", "nobody")])
def test_a_compiler_that_is_not_there_is_missing(tmp_path, cc, cxx):
    program(tmp_path / "cc")
    with pytest.raises(ToolMissing, match=r"nobody.*not on PATH"):
        found_compilers(cc, cxx, {"PATH": str(tmp_path)}, run=answering({}))
