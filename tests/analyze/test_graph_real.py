"""Projects as the real go command sees them. No network: what is required lies in the tree."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from proa.analyze import list_graph, packages_of
from proa.analyze.key import content_key
from proa.errors import (
    BuildFailed,
    LockBroken,
    ModuleMissing,
    NeedsC,
    NoMain,
    SeveralMains,
    ToolTooOld,
    UnknownPlatform,
    WrongUsage,
)
from proa.outside.go import Go, find_go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform
from proa.records.project import Graph
from real_neighbours import need

pytestmark = pytest.mark.real

MAIN = "package main\n\nfunc main() {}\n"


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.fixture(params=["", "-buildvcs=false", "-buildvcs=true"], ids=lambda flags: flags or "no flags")
def any_go(request: pytest.FixtureRequest) -> Go:
    return offline_go(GOFLAGS=request.param)


@pytest.fixture
def go() -> Go:
    return offline_go()


def offline_go(**more: str) -> Go:
    need("go")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GO", "CGO"))}
    return find_go({**kept, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", **more})


def listed(go: Go, root: Path, *patterns: str, platform: str = "linux/amd64", **settings: object) -> Graph:
    return list_graph(
        patterns,
        directory=root,
        platform=Platform.parse(platform),
        go=go,
        settings=BuildSettings(**settings),  # type: ignore[arg-type]
    )


def names(graph: Graph) -> list[str]:
    return [main.name for main in graph.mains]


SHOP = {
    "go.mod": "module example.com/shop\n\ngo 1.21\n",
    "main.go": 'package main\n\nimport (\n\t_ "embed"\n\t"example.com/shop/lib"\n)\n\n//go:embed page.html\nvar page string\n\nfunc main() { lib.Do() }\n',
    "page.html": "<p>",
    "lib/lib.go": "package lib\n\nfunc Do() {}\n",
    "lib/lib_windows.go": "package lib\n",
    "lib/lib_test.go": "package lib\n",
    "gen.go": "//go:build ignore\n\npackage main\n\nfunc main() {}\n",
    "cmd/api/main.go": MAIN,
    "testdata/x/main.go": MAIN,
}


def test_a_program_its_library_and_what_it_embeds(tmp_path, any_go):
    graph = listed(any_go, write(tmp_path, SHOP))
    assert names(graph) == ["shop"]
    local = {package.import_path: package for package in graph.packages if package.is_local}
    assert set(local) == {"example.com/shop", "example.com/shop/lib"}
    assert local["example.com/shop"].other_files == ("page.html",)
    assert local["example.com/shop/lib"].files == ("lib.go",)
    assert graph.toolchain == any_go.version
    order = [package.import_path for package in graph.packages]
    assert order.index("example.com/shop/lib") < order.index("example.com/shop")
    assert order.index("runtime") < order.index("example.com/shop")


def test_every_program_of_a_module_and_what_each_needs(tmp_path, go):
    graph = listed(go, write(tmp_path, SHOP), "./...")
    assert names(graph) == ["shop", "api"]
    shop, api = graph.mains
    assert "example.com/shop/lib" in {package.import_path for package in packages_of(shop, graph)}
    assert "example.com/shop/lib" not in {package.import_path for package in packages_of(api, graph)}
    assert "runtime" in {package.import_path for package in packages_of(api, graph)}


def test_changing_one_program_leaves_the_key_of_the_other(tmp_path, go):
    write(tmp_path, SHOP)
    before = {
        main.name: content_key(graph, main, extra=())
        for graph in [listed(go, tmp_path, "./...")]
        for main in graph.mains
    }
    (tmp_path / "lib/lib.go").write_text("package lib\n\nfunc Do() { println() }\n")
    graph = listed(go, tmp_path, "./...")
    after = {main.name: content_key(graph, main, extra=()) for main in graph.mains}
    assert after["api"] == before["api"]
    assert after["shop"] != before["shop"]


def test_another_platform_and_other_tags_choose_other_files(tmp_path, go):
    write(tmp_path, SHOP | {"lib/extra.go": "//go:build extra\n\npackage lib\n"})

    def files(**settings: object) -> tuple[str, ...]:
        graph = listed(go, tmp_path, **settings)  # type: ignore[arg-type]
        return next(one.files for one in graph.packages if one.import_path == "example.com/shop/lib")

    assert files(platform="windows/amd64") == ("lib.go", "lib_windows.go")
    assert files(tags=("extra",)) == files(flags=("-tags", "extra")) == ("extra.go", "lib.go")
    with_flags = listed(offline_go(GOFLAGS="-tags=extra"), tmp_path)
    assert content_key(with_flags, with_flags.mains[0], extra=()) != content_key(
        listed(go, tmp_path), with_flags.mains[0], extra=()
    )


def test_a_folder_without_a_program_means_the_only_one_below(tmp_path, go):
    write(tmp_path, {"go.mod": "module example.com/a\n\ngo 1.21\n", "a.go": "package a\n", "cmd/api/main.go": MAIN})
    write(tmp_path, {"examples/x/main.go": MAIN})
    for patterns in ((), (".",), ("./cmd",), ("cmd/api",), ("example.com/a/cmd/api",), (str(tmp_path / "cmd/api"),)):
        assert names(listed(go, tmp_path, *patterns)) == ["api"]
    assert names(listed(go, tmp_path, "./...")) == ["api", "x"]


def test_several_programs_are_listed(tmp_path, go):
    write(tmp_path, {"go.mod": "module a\n\ngo 1.21\n", "cmd/a/main.go": MAIN, "cmd/b/main.go": MAIN})
    with pytest.raises(SeveralMains) as caught:
        listed(go, tmp_path)
    assert caught.value.output.splitlines() == ["./cmd/a", "./cmd/b"]


@pytest.mark.parametrize("patterns", [(), ("./...",), ("./lib",)])
def test_a_library_is_no_program(tmp_path, go, patterns):
    write(tmp_path, {"go.mod": "module a\n\ngo 1.21\n", "lib/a.go": "package a\n", "a_test.go": "package main\n"})
    with pytest.raises(NoMain):
        listed(go, tmp_path, *patterns)


def test_a_program_for_another_system_only_is_none_here(tmp_path, go):
    write(tmp_path, {"go.mod": "module a\n\ngo 1.21\n", "main_windows.go": MAIN})
    with pytest.raises(NoMain):
        listed(go, tmp_path)
    assert names(listed(go, tmp_path, platform="windows/amd64")) == ["a"]


WORKSPACE = {
    "ws/go.work": "go 1.21\n\nuse (\n\t./a\n\t./deep/b\n\t../other\n)\n",
    "ws/a/go.mod": "module example.com/a\n\ngo 1.21\n",
    "ws/a/main.go": 'package main\n\nimport _ "example.com/b/lib"\n\nfunc main() {}\n',
    "ws/deep/b/go.mod": "module example.com/b\n\ngo 1.21\n",
    "ws/deep/b/cmd/b/main.go": MAIN,
    "ws/deep/b/lib/lib.go": "package lib\n",
    "other/go.mod": "module example.com/other\n\ngo 1.21\n",
    "other/main.go": MAIN,
    "ws/alone/go.mod": "module example.com/alone\n\ngo 1.21\n",
    "ws/alone/cmd/x/main.go": MAIN,
}


def test_everything_in_a_workspace_is_every_module_it_uses(tmp_path, any_go):
    graph = listed(any_go, write(tmp_path, WORKSPACE) / "ws", "./...")
    assert names(graph) == ["a", "b", "other"]
    assert {main.module_directory for main in graph.mains} == {str((tmp_path / "ws").resolve())}
    assert {one.path for one in graph.modules if one.is_main} == {"example.com/a", "example.com/b", "example.com/other"}


def test_a_module_outside_its_workspace_is_asked_without_it(tmp_path, go):
    main = listed(go, write(tmp_path, WORKSPACE) / "ws", "./alone/cmd/x").mains[0]
    assert main.go_environment == (("GOWORK", "off"),)
    assert main.module_directory == str((tmp_path / "ws/alone").resolve())


def test_programs_of_unrelated_modules_keep_their_own_graphs(tmp_path, go):
    write(tmp_path, WORKSPACE)
    graph = listed(go, tmp_path / "ws", "./alone/cmd/x", "./a")
    assert names(graph) == ["x", "a"]
    assert len(graph.parts) == 2
    assert "example.com/b/lib" in {package.import_path for package in packages_of(graph.mains[1], graph)}
    assert "example.com/b/lib" not in {package.import_path for package in packages_of(graph.mains[0], graph)}


REPLACED = {
    "app/go.mod": "module example.com/app\n\ngo 1.21\n\nrequire example.com/dep v1.0.0\n\nreplace example.com/dep => ../dep\n",
    "app/main.go": 'package main\n\nimport _ "example.com/dep"\n\nfunc main() {}\n',
    "dep/go.mod": "module example.com/dep\n\ngo 1.21\n",
    "dep/dep.go": "package dep\n",
}


def test_a_replaced_module_is_read_for_the_key(tmp_path, go):
    graph = listed(go, write(tmp_path, REPLACED) / "app")
    assert {one.import_path for one in graph.packages if one.is_local} == {"example.com/app", "example.com/dep"}
    before = content_key(graph, graph.mains[0], extra=())
    (tmp_path / "dep/dep.go").write_text("package dep // changed\n")
    assert content_key(listed(go, tmp_path / "app"), graph.mains[0], extra=()) != before


def test_a_vendored_module_is_read_for_the_key(tmp_path, go):
    write(tmp_path, REPLACED)
    app = tmp_path / "app"
    go.call(["mod", "vendor"], directory=app)
    graph = listed(go, app)
    dep = next(one for one in graph.packages if one.import_path == "example.com/dep")
    assert dep.is_local
    assert dep.directory == str(app.resolve() / "vendor/example.com/dep")
    (app / "go.mod").write_text((app / "go.mod").read_text() + "require example.com/more v1.0.0\n")
    with pytest.raises(LockBroken) as caught:
        listed(go, app)
    assert "go mod vendor" in caught.value.hint


UNLOCKED = {
    "go.mod": "module example.com/app\n\ngo 1.21\n\nrequire github.com/go-chi/chi/v5 v5.1.0\n",
    "main.go": 'package main\n\nimport _ "github.com/go-chi/chi/v5"\n\nfunc main() {}\n',
}


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        pytest.param({}, "go mod tidy", id="no go.sum"),
        pytest.param({"go.sum": "rubbish\n"}, "restore", id="rubbish in go.sum"),
        pytest.param({"go.mod": "modul x\n"}, "mend", id="rubbish in go.mod"),
        pytest.param({"go.mod": "module example.com/app\n\ngo 1.21\n"}, "go mod tidy", id="no requirement"),
        pytest.param({"go.work": "go 1.21\n\nuse (\n\t.\n\t./gone\n)\n"}, "go.work", id="a module that is not there"),
        pytest.param(
            {"go.mod": UNLOCKED["go.mod"] + "replace github.com/go-chi/chi/v5 => ./gone\n"},
            "replace",
            id="a folder gone",
        ),
    ],
)
def test_broken_locks_say_what_mends_them(tmp_path, go, files, hint):
    with pytest.raises(LockBroken) as caught:
        listed(go, write(tmp_path, UNLOCKED | files))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("files", "words"),
    [
        pytest.param({"main.go": "pakage main\n"}, "main.go:1:1", id="no package clause"),
        pytest.param({"main.go": 'package main\n\nimport "not/there"\n'}, "not/there", id="no such standard package"),
        pytest.param(
            {"main.go": 'package main\n\nimport _ "example.com/app/gone"\n\nfunc main() {}\n'},
            "gone",
            id="no such own package",
        ),
        pytest.param(
            {"main.go": 'package main\n\nimport _ "embed"\n\n//go:embed gone\nvar x string\n\nfunc main() {}\n'},
            "gone",
            id="nothing to embed",
        ),
        pytest.param(
            {
                "a/a.go": 'package a\n\nimport _ "example.com/app"\n',
                "main.go": 'package main\n\nimport _ "example.com/app/a"\n',
            },
            "example.com/app",
            id="a circle",
        ),
        pytest.param({"other.go": "package other\n", "main.go": MAIN}, "other", id="two packages in a folder"),
    ],
)
def test_faults_of_the_code_keep_gos_own_words(tmp_path, go, files, words):
    with pytest.raises(BuildFailed) as caught:
        listed(go, write(tmp_path, {"go.mod": "module example.com/app\n\ngo 1.21\n"} | files))
    assert words in caught.value.output


def test_a_fault_in_a_package_that_no_program_uses_is_passed_over(tmp_path, go):
    assert names(listed(go, write(tmp_path, SHOP | {"broken/b.go": "pakage b\n"}), "./...")) == ["shop", "api"]


def test_a_package_that_is_all_c_is_told_with_its_chain(tmp_path, go):
    write(
        tmp_path,
        {
            "go.mod": "module example.com/app\n\ngo 1.21\n",
            "main.go": 'package main\n\nimport _ "example.com/app/mid"\n\nfunc main() {}\n',
            "mid/mid.go": 'package mid\n\nimport _ "example.com/app/native"\n',
            "native/native.go": 'package native\n\n// int x;\nimport "C"\n',
        },
    )
    with pytest.raises(NeedsC, match=r"example\.com/app/native") as caught:
        listed(go, tmp_path)
    assert [line.split()[-1] for line in caught.value.output.splitlines()] == [
        "example.com/app",
        "example.com/app/mid",
        "example.com/app/native",
    ]
    assert names(listed(go, tmp_path, cgo="on")) == ["app"]


@pytest.mark.parametrize("patterns", [(), (".",), ("./...",)])
def test_a_program_that_is_all_c_is_told_so(tmp_path, go, patterns):
    files = {"go.mod": "module example.com/app\n\ngo 1.21\n"}
    write(tmp_path, files | {"main.go": 'package main\n\n// int x;\nimport "C"\n\nfunc main() {}\n'})
    with pytest.raises(NeedsC, match=r"example\.com/app needs C"):
        listed(go, tmp_path, *patterns)


def test_a_go_mod_of_the_future_is_refused(tmp_path, go):
    with pytest.raises(ToolTooOld, match=r"1\.99"):
        listed(go, write(tmp_path, {"go.mod": "module a\n\ngo 1.99\n", "main.go": MAIN}))


def test_an_unknown_platform_is_refused_before_anything(tmp_path, go):
    with pytest.raises(UnknownPlatform):
        listed(go, tmp_path, platform="linux/quantum")


def test_a_link_to_the_project_is_the_project(tmp_path, go):
    write(tmp_path / "real", SHOP)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    linked, real = listed(go, tmp_path / "link"), listed(go, tmp_path / "real")
    assert linked.mains == real.mains


def test_offline_an_unknown_version_is_missing(tmp_path):
    go = offline_go(GOMODCACHE=str(tmp_path / "mod"))
    with pytest.raises(ModuleMissing) as caught:
        listed(go, tmp_path, "example.com/no/such@v1.0.0")
    assert "GOPROXY" in caught.value.output


@pytest.fixture
def proxy(tmp_path: Path) -> Callable[[str, dict[str, str]], dict[str, str]]:
    """Make a module proxy of files; returns a function that adds a module and gives the variables for it."""
    import zipfile

    def add(name: str, files: dict[str, str]) -> dict[str, str]:
        module, _, version = name.partition("@")
        folder = tmp_path / "proxy" / module / "@v"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{version}.info").write_text(f'{{"Version": "{version}", "Time": "2026-01-02T03:04:05Z"}}')
        (folder / f"{version}.mod").write_text(files["go.mod"])
        with (folder / "list").open("a") as file:
            file.write(f"{version}\n")
        with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
            for path, text in files.items():
                archive.writestr(f"{name}/{path}", text)
        return {"GOPROXY": (tmp_path / "proxy").as_uri(), "GONOSUMDB": "*", "GOFLAGS": "-modcacherw"}

    return add


DEP = {"go.mod": "module example.org/dep\n\ngo 1.21\n", "dep.go": "package dep\n"}
TOOL = {
    "go.mod": "module example.org/tool\n\ngo 1.21\n\nrequire example.org/dep v1.0.0\n",
    "cmd/tool/main.go": 'package main\n\nimport _ "example.org/dep"\n\nfunc main() {}\n',
    "tool.go": "package tool\n",
}


@pytest.mark.parametrize("version", ["v1.2.0", "latest"])
def test_a_module_version_is_fetched_listed_and_then_works_offline(tmp_path, proxy, version):
    proxy("example.org/dep@v1.0.0", DEP)
    proxy("example.org/dep@v1.9.0", DEP)
    environ = proxy("example.org/tool@v1.2.0", TOOL) | {"GOMODCACHE": str(tmp_path / "mod")}
    environ["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    graph = listed(offline_go(**environ), tmp_path, f"example.org/tool/cmd/tool@{version}")
    (main,) = graph.mains
    assert (main.name, main.module, main.module_version) == ("tool", "example.org/tool", "v1.2.0")
    assert main.go_flags == ("-mod=mod",)
    assert [(one.path, one.version) for one in graph.modules] == [
        ("example.org/dep", "v1.0.0"),
        ("example.org/tool", "v1.2.0"),
    ]
    assert not any(package.is_local for package in graph.packages)
    again = listed(offline_go(**{**environ, "GOPROXY": "off"}), tmp_path, "example.org/tool/cmd/tool@v1.2.0")
    assert again == graph


def test_a_program_of_a_module_version_shows_the_version_it_is(tmp_path, proxy):
    proxy("example.org/dep@v1.0.0", DEP)
    environ = proxy("example.org/tool@v1.2.0", TOOL) | {"GOMODCACHE": str(tmp_path / "mod")}
    go = offline_go(**environ, XDG_CACHE_HOME=str(tmp_path / "cache"))
    main = listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0").mains[0]
    # The settings of every other build here, so that the standard library is compiled already.
    words = ["build", "-trimpath", "-o", str(tmp_path / "out"), *main.go_flags, main.import_path]
    environment = {**dict(main.go_environment), "CGO_ENABLED": "0"}
    go.call(words, directory=Path(main.module_directory), environment=environment)
    said = go.call(["version", "-m", str(tmp_path / "out")], directory=tmp_path).text
    assert "example.org/tool\tv1.2.0" in said
    assert "(devel)" not in said


def test_what_is_kept_of_a_module_version_is_dropped_with_its_module(tmp_path, proxy):
    import shutil

    proxy("example.org/dep@v1.0.0", DEP)
    environ = proxy("example.org/tool@v1.2.0", TOOL) | {"GOMODCACHE": str(tmp_path / "mod")}
    go = offline_go(**environ, XDG_CACHE_HOME=str(tmp_path / "cache"))
    first = listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0")
    (kept,) = (tmp_path / "cache").rglob("graph-*.json")
    kept.write_bytes(kept.read_bytes().replace(b'"dep"', b'"DEP"'))
    assert "DEP" in {package.name for package in listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0").packages}
    shutil.rmtree(tmp_path / "mod/example.org/dep@v1.0.0")
    assert listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0") == first
    kept.write_bytes(b"{half a")
    assert listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0") == first
    listed(go, tmp_path, "example.org/tool/cmd/tool@v1.2.0", platform="linux/arm64")
    assert len(list((tmp_path / "cache").rglob("graph-*.json"))) == 2


def test_a_package_of_nobody_is_no_program(tmp_path, go):
    with pytest.raises(WrongUsage, match=r"example\.net/nobody"):
        listed(go, write(tmp_path, SHOP), "example.net/nobody")


def test_a_library_of_a_module_version_is_no_program(tmp_path, proxy):
    proxy("example.org/dep@v1.0.0", DEP)
    environ = proxy("example.org/tool@v1.2.0", TOOL) | {"GOMODCACHE": str(tmp_path / "mod")}
    with pytest.raises(NoMain, match="package tool"):
        listed(offline_go(**environ, XDG_CACHE_HOME=str(tmp_path / "cache")), tmp_path, "example.org/tool@v1.2.0")
