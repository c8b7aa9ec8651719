from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.analyze.key import content_key
from proa.errors import BuildFailed
from proa.records.project import Graph, Main, Module, Package


def project(root: Path, *, count: int = 2) -> Graph:
    """Write a module of a main package and a library; return its graph."""
    (root / "lib").mkdir(parents=True)
    (root / "go.mod").write_text("module a.org/app\n\ngo 1.24\n")
    (root / "main.go").write_text("package main\n")
    (root / "page.html").write_text("<p>")
    for at in range(count):
        (root / "lib" / f"f{at}.go").write_text(f"package lib // {at}\n")
    main = Main(
        name="app", import_path="a.org/app", directory=str(root), module="a.org/app", module_directory=str(root)
    )
    return Graph(
        mains=(main,),
        packages=(
            Package(import_path="fmt", directory="/usr/go/src/fmt", is_standard=True, files=("print.go",)),
            Package(
                import_path="b.org/dep",
                directory="/mod/b",
                module="b.org/dep",
                module_version="v1.0.0",
                files=("b.go",),
            ),
            Package(
                import_path="a.org/app/lib",
                directory=str(root / "lib"),
                module="a.org/app",
                is_local=True,
                files=tuple(f"f{at}.go" for at in range(count)),
                imports=("fmt",),
            ),
            Package(
                import_path="a.org/app",
                directory=str(root),
                module="a.org/app",
                is_local=True,
                files=("main.go",),
                other_files=("page.html",),
                imports=("a.org/app/lib", "b.org/dep"),
            ),
        ),
        modules=(
            Module(path="a.org/app", directory=str(root), is_main=True),
            Module(path="b.org/dep", version="v1.0.0", directory="/mod/b"),
        ),
        platform="linux/amd64",
        toolchain="go1.26.8",
        asked=("GOFLAGS=-mod=mod",),
    )


def key(graph: Graph, *extra: str) -> str:
    return content_key(graph, graph.mains[0], extra=extra)


def test_the_place_and_the_time_do_not_count(tmp_path):
    first, second = project(tmp_path / "a"), project(tmp_path / "b" / "c")
    os.utime(tmp_path / "b" / "c" / "main.go", (1, 1))
    assert key(first) == key(second)
    assert len(key(first)) == 64


@pytest.mark.parametrize(
    "name", ["main.go", "page.html", "lib/f1.go", "go.mod", "go.sum", "vendor/modules.txt", "default.pgo", "go.work"]
)
def test_every_file_that_decides_counts(tmp_path, name):
    graph = project(tmp_path)
    before = key(graph)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(b"other")
    assert key(graph) != before


def test_a_file_that_is_not_listed_does_not_count(tmp_path):
    graph = project(tmp_path)
    before = key(graph)
    (tmp_path / "README.md").write_text("new")
    (tmp_path / "main_test.go").write_text("package main")
    assert key(graph) == before


@pytest.mark.parametrize(
    "change",
    [
        {"toolchain": "go1.26.9"},
        {"platform": "linux/arm64"},
        {"asked": ("GOFLAGS=-mod=vendor",)},
        {"modules": (Module(path="a.org/app", is_main=True), Module(path="b.org/dep", version="v1.0.1"))},
        {"modules": (Module(path="b.org/dep", version="v1.0.0", replacement="c.org/fork@v1.0.0"),)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_beside_the_source_counts(tmp_path, change):
    graph = project(tmp_path)
    assert key(msgspec.structs.replace(graph, **change)) != key(graph)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_extras_have_different_keys(tmp_path_factory, one, other):
    graph = Graph(
        mains=(Main(name="a", import_path="a", directory="/x", module="a", module_version="v1"),),
        packages=(),
        modules=(),
    )
    assert (key(graph, *one) == key(graph, *other)) == (one == other)


def test_words_that_are_no_utf8_have_a_key(tmp_path):
    assert len(key(project(tmp_path), os.fsdecode(b"\xff"))) == 64


def test_a_file_that_went_away_is_named(tmp_path):
    graph = project(tmp_path)
    (tmp_path / "lib" / "f0.go").unlink()
    with pytest.raises(BuildFailed, match=r"f0\.go was listed and is gone"):
        key(graph)


def test_a_folder_in_the_place_of_a_file_is_no_crash(tmp_path):
    graph = project(tmp_path)
    (tmp_path / "lib" / "f0.go").unlink()
    (tmp_path / "lib" / "f0.go").mkdir()
    with pytest.raises(BuildFailed):
        key(graph)


def test_a_second_program_of_the_graph_does_not_count(tmp_path):
    graph = project(tmp_path)
    other = Package(import_path="a.org/app/cmd/b", directory=str(tmp_path / "cmd"), is_local=True, files=("gone.go",))
    second = Main(name="b", import_path="a.org/app/cmd/b", directory="", module="a.org/app")
    both = msgspec.structs.replace(graph, mains=(*graph.mains, second), packages=(*graph.packages, other))
    assert key(both) == key(graph)


def test_three_hundred_files_take_no_time(tmp_path):
    graph = project(tmp_path, count=300)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        key(graph)
        seconds.append(time.perf_counter() - started)
    # 11 ms measured; the limit leaves room for a busy machine.
    assert min(seconds) < 0.1
