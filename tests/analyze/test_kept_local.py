"""A listing is repeated exactly when something it was read from has changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from proa.analyze import content_key, list_graph
from proa.outside.command import run
from proa.outside.go import Go
from proa.records.configuration import BuildSettings
from proa.records.platform import Platform

pytestmark = pytest.mark.real

HERE = Platform("linux", "amd64")


class Counted:
    """The real go command, and how often it was asked for a list."""

    def __init__(self) -> None:
        self.lists = 0

    def __call__(self, argv, **options):
        self.lists += argv[1] == "list"
        return run(argv, **options)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    if shutil.which("go") is None:
        pytest.skip("real: go is not on PATH")
    folder = tmp_path / "project"
    (folder / "inner" / "deep").mkdir(parents=True)
    (folder / "pages" / "sub").mkdir(parents=True)
    (folder / "pages" / "a.html").write_text("a")
    (folder / "pages" / "sub" / "b.txt").write_text("b")
    (folder / "go.mod").write_text("module example.com/kept\n\ngo 1.24\n")
    (folder / "main.go").write_text(
        'package main\n\nimport (\n\t"embed"\n\n\t"example.com/kept/inner/deep"\n)\n\n'
        "//go:embed pages\nvar pages embed.FS\n\nfunc main() { deep.Do(pages) }\n"
    )
    (folder / "inner" / "deep" / "deep.go").write_text("package deep\n\nfunc Do(any) {}\n")
    return folder


@pytest.fixture
def ask(project, tmp_path):
    counted = Counted()
    go = Go(program=shutil.which("go") or "go", environment=dict(os.environ), run=counted, version="go1")

    def listed(pattern: str = ".", **settings):
        before = counted.lists
        graph = list_graph(
            [pattern],
            directory=project,
            platform=HERE,
            go=go,
            settings=BuildSettings(**settings),
            graphs_directory=tmp_path / "graphs",
        )
        return graph, counted.lists - before

    # Files written a moment ago would not be trusted; a person's are older.
    for path in [project, *project.rglob("*")]:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return listed


def add(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nothing_changed_asks_nobody(ask):
    first, asked = ask()
    again, asked_again = ask()
    assert (asked, asked_again) == (1, 0)
    assert again == first


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("more.go", "package main\n"),
        ("inner/deep/more.go", "package deep\n"),
        ("inner/deep/code.s", ""),
        ("inner/go.mod", "module example.com/other\n"),
        ("pages/new.html", "new"),
        ("pages/sub/new.txt", "new"),
        ("pages/sub/further/new.txt", "new"),
        ("go.sum", ""),
        ("inner/deep/deep.go", 'package deep\n\nimport "fmt"\n\nfunc Do(any) { fmt.Println() }\n'),
    ],
)
def test_whatever_the_list_was_read_from_counts(ask, project, path, text):
    ask()
    add(project / path, text)
    try:
        _, asked = ask()
    except Exception:  # noqa: BLE001 - some of these break the project, which is seen only by asking again
        asked = 1
    assert asked >= 1


def test_a_new_embedded_file_is_part_of_the_next_key(ask, project):
    before, _ = ask()
    add(project / "pages" / "sub" / "late.txt", "late")
    after, _ = ask()
    keys = {content_key(graph, graph.mains[0], extra=[]) for graph in (before, after)}
    assert len(keys) == 2


def test_code_below_the_imports_changes_the_key_and_not_the_graph(ask, project):
    before, _ = ask()
    add(project / "inner" / "deep" / "deep.go", "package deep\n\nfunc Do(any) { println() }\n")
    after, asked = ask()
    assert (after, asked) == (before, 0)
    first = content_key(after, after.mains[0], extra=[])
    add(project / "inner" / "deep" / "deep.go", "package deep\n\nfunc Do(any) { print() }\n")
    assert content_key(after, after.mains[0], extra=[]) != first


def test_test_files_and_time_stamps_do_not_count(ask, project):
    ask()
    (project / "inner" / "deep" / "deep.go").touch()
    assert ask()[1] == 0


def test_other_settings_are_other_lists(ask):
    ask()
    assert ask(tags=("other",))[1] == 1
    assert ask(tags=("other",))[1] == 0


def test_a_search_is_never_taken_from_before(ask):
    assert [ask("./...")[1] for _ in range(2)] == [1, 1]


def test_a_file_written_while_the_list_was_made_is_not_trusted(ask, project):
    future = 4_000_000_000
    os.utime(project / "main.go", (future, future))
    assert [ask()[1] for _ in range(2)] == [1, 1]


def test_a_damaged_file_is_asked_for_again(ask, tmp_path):
    ask()
    for file in (tmp_path / "graphs").iterdir():
        file.write_bytes(b'{"graph": 1')
    assert ask()[1] == 1
