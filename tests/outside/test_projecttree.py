"""The files of a project: ignores are respected, links and pipes do no harm, the number is bounded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from proa.errors import WrongUsage
from proa.outside.projecttree import read_tree


def test_what_a_gitignore_names_is_left_out_without_git_too(tmp_path: Path) -> None:
    for name in ("a.js", "dist/b.js", "src/c.log", "src/keep.log", "node_modules/x/i.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".gitignore").write_text("/dist/\n*.log\n", encoding="utf-8")
    (tmp_path / "src" / ".gitignore").write_text("!keep.log\n", encoding="utf-8")
    tree = read_tree(tmp_path, environ={"PATH": ""})
    assert {"a.js", "src/keep.log"} <= set(tree.sizes)
    assert not {"dist/b.js", "src/c.log", "node_modules/x/i.js"} & set(tree.sizes)


def test_links_in_a_circle_are_not_followed_and_those_that_lead_out_are_not_read(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret").write_text("hunter2", encoding="utf-8")
    (project / "loop").symlink_to(".")
    (project / "package.json").symlink_to("../secret")
    (project / "self").symlink_to("self")
    tree = read_tree(project, environ={"PATH": ""})
    assert set(tree.sizes) == {"loop", "package.json", "self"}
    assert (tree.text("package.json"), tree.text("self"), tree.text("loop")) == ("", "", "")


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "package.json")
    tree = read_tree(tmp_path, environ={"PATH": ""})
    assert tree.sizes == {}
    assert tree.text("package.json") == ""


def test_more_files_than_the_bound_are_said_to_be_more(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"{number}.js").touch()
    assert len(read_tree(tmp_path, environ={"PATH": ""}, most=10).sizes) == 10
    assert not read_tree(tmp_path, environ={"PATH": ""}, most=10).is_complete
    assert read_tree(tmp_path, environ={"PATH": ""}, most=12).is_complete


def test_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage):
        read_tree(tmp_path / "nowhere", environ={})
