"""What is laid over the build of a program without a package."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.outside.command import Ran
from proa.outside.gooverlay import Laid
from proa.pipeline.why_verify import _laying, _of_bodies
from proa.records.project import Package


def _run(argv, *, env=None, **_rest) -> Ran:  # type: ignore[no-untyped-def]
    words = [f"{name}={value}" for name, value in sorted((env or {}).items())]
    return Ran(argv=(*argv, *words), status=0, stdout=b"", stderr=b"", seconds=0.0)


def test_only_the_build_is_changed_and_it_is_noted_as_it_was_meant() -> None:
    laid = Laid(flags=("-overlay=/o",), environment={"GOWORK": "/w"}, program="/linked/go")
    runner, noted = _laying(_run, laid)
    assert runner(["go", "list", "-e"], env={"A": "b"}).argv == ("go", "list", "-e", "A=b")
    assert not noted
    asked = ["go", "build", "-trimpath", "-o", "/t/", "--", "."]
    ran = runner(asked, cwd=Path("/p"), env={"GOTMPDIR": "/t", "GOWORK": "off"})
    assert ran.argv[:5] == ("/linked/go", "build", "-trimpath", "-overlay=/o", "-o")
    assert ran.argv[-2:] == ("GOTMPDIR=/t", "GOWORK=/w")
    # The stubs are written in the words of the program as it is, in no folder that is gone by then.
    assert [(one.flags, dict(one.environment), one.directory) for one in noted] == [
        (("-trimpath",), {"GOWORK": "off"}, Path("/p"))
    ]


@pytest.mark.parametrize(
    ("imports", "gone"),
    [
        pytest.param((), ["/d/a.s", "/d/b.c", "/d/sub/c.S"], id="no C is named"),
        pytest.param(("C",), ["/d/a.s"], id="a type is of C"),
    ],
)
def test_assembly_goes_and_c_where_nothing_names_it(imports: tuple[str, ...], gone: list[str]) -> None:
    package = Package(import_path="d", directory="/d", other_files=("a.s", "b.c", "b.h", "sub/c.S", "logo.png"))
    assert _of_bodies(package, imports) == gone
