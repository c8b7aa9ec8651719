"""Which of the files that a build left are programs, and which one is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.build.programs import Found, choose, find_programs, others_installed
from proa.errors import NoProgram


def found(*names: str) -> list[Found]:
    return [Found(name=name, path=Path("/b", name), identity=(1, 1, 1)) for name in names]


def test_the_only_one_the_named_one_and_the_namesake_are_chosen():
    assert choose(found("src/a"), program="", project="x", tool="make").name == "src/a"
    assert choose(found("src/a", "b"), program="a", project="x", tool="make").name == "src/a"
    assert choose(found("x/a", "y/a"), program="y/a", project="x", tool="make").name == "y/a"
    assert choose(found("usr/bin/x", "usr/bin/b"), program="", project="x", tool="make").name == "usr/bin/x"


@pytest.mark.parametrize(
    ("programs", "program", "what"),
    [
        pytest.param([], "", "made no program", id="none"),
        pytest.param(["a", "b"], "", "made 2 programs and none was chosen", id="several"),
        pytest.param(["a", "b"], "c", "none of what make made", id="another name"),
        pytest.param(["x/a", "y/a"], "a", "2 of what make made", id="a name of two"),
    ],
)
def test_what_is_not_certain_is_refused_with_the_list(programs, program, what):
    with pytest.raises(NoProgram, match=what) as refused:
        choose(found(*programs), program=program, project="shop", tool="make")
    assert refused.value.output.splitlines() == programs


def test_scripts_links_libraries_and_damaged_files_are_no_programs(tmp_path):
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "damaged").write_bytes(b"\x7fELF" + b"\xff" * 100)
    (tmp_path / "libown.so.1").write_bytes(b"\x7fELF")
    (tmp_path / "link").symlink_to("/bin/sh")
    (tmp_path / "CMakeFiles").mkdir()
    (tmp_path / "CMakeFiles" / "a.out").write_bytes(Path("/bin/sh").read_bytes())
    assert find_programs(tmp_path) == []
    (tmp_path / "sh").write_bytes(Path("/bin/sh").read_bytes())
    assert [one.name for one in find_programs(tmp_path)] == ["sh"]


def test_what_is_installed_beside_a_program_is_listed_without_its_documentation(tmp_path):
    for name in ("usr/bin/a", "usr/share/a/page.html", "usr/share/man/man1/a.1", "usr/include/a.h", "etc/a.conf"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    chosen = Found(name="usr/bin/a", path=tmp_path / "usr/bin/a", identity=(0, 0, 0))
    assert others_installed(tmp_path, chosen) == ["/etc/a.conf", "/usr/share/a/page.html"]
