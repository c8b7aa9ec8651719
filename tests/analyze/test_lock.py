from __future__ import annotations

from pathlib import Path

import pytest

from proa.analyze.lock import check_tidy, lock_findings, replaced_outside, summarise_diff
from proa.errors import ToolTimedOut
from proa.outside.command import Ran
from proa.outside.go import Go
from proa.records.project import Main, Module, Package

DIFF = """\
diff current/go.mod tidy/go.mod
--- current/go.mod
+++ tidy/go.mod
@@ -2,4 +2,3 @@

 go 1.24
-require a.org/unused v1.0.0
+require (
+\tb.org/new v1.2.0
+\tc.org/other v0.1.0 // indirect
+)
diff current/go.sum tidy/go.sum
--- current/go.sum
+++ tidy/go.sum
@@ -1,2 +1,3 @@
-a.org/unused v1.0.0 h1:x=
+b.org/new v1.2.0 h1:y=
+b.org/new v1.2.0/go.mod h1:z=
"""


def answering(stdout: str = "", stderr: str = "", status: int = 0) -> Go:
    def run(argv, **_more):
        return Ran(argv=tuple(argv), status=status, stdout=stdout.encode(), stderr=stderr.encode(), seconds=0)

    return Go(run=run)


def test_what_tidy_would_change_is_one_line():
    assert summarise_diff(DIFF) == (
        "go.mod + b.org/new v1.2.0, + c.org/other v0.1.0, - a.org/unused v1.0.0; go.sum +2 -1 lines"
    )


def test_an_untidy_module_is_a_warning_with_its_remedy():
    (finding,) = check_tidy(Path("/"), go=answering(DIFF, status=1), toolchain="go1.26.8")
    assert (finding.id, finding.severity, finding.hint) == ("analyze.untidy", "warning", "run: go mod tidy")
    assert "b.org/new" in finding.message


def test_a_tidy_module_is_nothing_to_tell():
    assert check_tidy(Path("/"), go=answering(), toolchain="go1.26.8") == ()


@pytest.mark.parametrize(
    ("go", "toolchain", "words"),
    [
        (
            answering(stderr="go: a imports\n\tb: module lookup disabled by GOPROXY=off", status=1),
            "go1.26.8",
            "GOPROXY",
        ),
        (answering(status=2), "go1.26.8", "exited with 2"),
        (answering(), "go1.22.1", "1.23"),
    ],
)
def test_what_could_not_be_checked_is_said(go, toolchain, words):
    (finding,) = check_tidy(Path("/"), go=go, toolchain=toolchain)
    assert (finding.id, finding.severity) == ("analyze.tidy-unchecked", "info")
    assert words in finding.message


def test_a_check_that_takes_too_long_is_given_up():
    def run(*_args, **_more):
        raise ToolTimedOut("go mod tidy did not end")

    (finding,) = check_tidy(Path("/"), go=Go(run=run), toolchain="go1.26.8")
    assert finding.severity == "info"


@pytest.mark.parametrize(
    ("module", "is_told"),
    [
        pytest.param(Module(path="a", directory="/src/app", is_main=True), False, id="the module itself"),
        pytest.param(Module(path="b", directory="/src/app/b", replacement="./b"), False, id="inside"),
        pytest.param(Module(path="c", directory="/src/c", replacement="../c"), True, id="outside"),
        pytest.param(Module(path="d", directory="/src/app/d", replacement="/src/app/d"), True, id="absolute"),
        pytest.param(Module(path="e", directory="/src/e", is_main=True), True, id="used by a workspace"),
        pytest.param(Module(path="f", directory="/mod/f", version="v1.0.0"), False, id="from the cache"),
        pytest.param(Module(path="g", version="v1.0.0"), False, id="vendored"),
        pytest.param(Module(path="h", replacement="../h"), False, id="replaced and vendored"),
        pytest.param(Module(path="i", directory="/src/application", replacement="../application"), True, id="like it"),
    ],
)
def test_source_outside_the_tree_is_told(module, is_told):
    assert bool(replaced_outside([module], Path("/src/app"))) is is_told


def vendored(root: Path, *, content: str, original: str | None, module: Module) -> list[str]:
    """Write one vendored file and its original; return the ids of what is found."""
    app, cache = root / "app", root / "mod"
    place = app / "vendor" / "b.org/B/sub"
    place.mkdir(parents=True)
    (place / "b.go").write_text(content)
    if original is not None:
        inside = cache / (module.replacement or "b.org/!b@v1.0.0") / "sub"
        inside.mkdir(parents=True)
        (inside / "b.go").write_text(original)
    package = Package(import_path="b.org/B/sub", directory=str(place), module="b.org/B", is_local=True, files=("b.go",))
    main = Main(name="a", import_path="a", directory=str(app), module="a")
    go = Go(environment={"GOMODCACHE": str(cache)}, run=answering().run)
    return [finding.id for finding in lock_findings(main, [package], [module], go=go, toolchain="go1.26.8")]


@pytest.mark.parametrize(
    ("content", "original", "replacement", "ids"),
    [
        ("same", "same", "", []),
        ("mine", "same", "", ["analyze.vendor-modified"]),
        ("same", None, "", ["analyze.vendor-unchecked"]),
        ("same", "same", "c.org/fork@v1.1.0", []),
        ("mine", "same", "c.org/fork@v1.1.0", ["analyze.vendor-modified"]),
        ("same", None, "./local", ["analyze.vendor-unchecked"]),
    ],
)
def test_vendored_files_are_compared_with_their_module(tmp_path, content, original, replacement, ids):
    module = Module(path="b.org/B", version="v1.0.0", replacement=replacement)
    assert vendored(tmp_path, content=content, original=original, module=module) == ids


def test_a_module_version_has_no_locks_to_look_at():
    main = Main(name="a", import_path="a", directory="/x", module="a", module_version="v1.0.0")

    def never(*_args, **_more):
        raise AssertionError("a process was started")

    assert (
        lock_findings(main, (), [Module(path="a", directory="/x", is_main=True)], go=Go(run=never), toolchain="") == ()
    )
