from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import ToolMissing
from proa.outside.git import clean_remote, parse_status, pick_tag, read_git, why_not
from proa.records.project import Git
from real_neighbours import need


@pytest.mark.parametrize(
    ("remote", "clean"),
    [
        ("git@github.com:a/b.git", "https://github.com/a/b"),
        ("https://github.com/a/b.git", "https://github.com/a/b"),
        ("https://user:token@github.com/a/b", "https://github.com/a/b"),
        ("https://token@git.example.com:8443/a/b.git/", "https://git.example.com:8443/a/b"),
        ("ssh://git@git.example.com:2222/a/b.git", "https://git.example.com/a/b"),
        ("git://example.com/a", "https://example.com/a"),
        ("http://example.com/a?token=secret#x", "https://example.com/a"),
        ("host.example:a/b", "https://host.example/a/b"),
        ("/srv/git/a.git", ""),
        ("../a", ""),
        ("file:///srv/git/a", ""),
        ("https://[::1]:99999/a", ""),
        ("", ""),
    ],
)
def test_a_remote_becomes_an_address_without_secrets(remote, clean):
    assert clean_remote(remote) == clean


@given(st.text(max_size=80), st.text("abcdefXYZ0123456789", min_size=6, max_size=20))
def test_no_password_survives(path, secret):
    assert f":{secret}@" not in clean_remote(f"https://me:{secret}@example.com/{path.replace(secret, '')}")


@given(st.text(max_size=200))
def test_any_remote_and_status_can_be_read(text):
    assert clean_remote(text) == "" or clean_remote(text).startswith("https://")
    assert isinstance(parse_status(text)[1], bool)


@pytest.mark.parametrize(
    ("refs", "described", "tag"),
    [
        ("HEAD -> refs/heads/main, tag: refs/tags/v1.2.0", "v1.2.0", "v1.2.0"),
        ("tag: refs/tags/v1.2.0-rc1, tag: refs/tags/v1.2.0", "v1.2.0-rc1", "v1.2.0"),
        ("refs/heads/main", "v1.2.0-4-gabcdef0", "v1.2.0-4-gabcdef0"),
        ("refs/heads/main", "", ""),
        ("refs/heads/main", "%(describe:tags=true)", ""),
    ],
)
def test_the_tag_on_the_commit_goes_before_one_further_back(refs, described, tag):
    assert pick_tag(refs, described) == tag


def test_without_git_there_is_nothing_to_read(tmp_path):
    def missing(*_args, **_more):
        raise ToolMissing("git was not found on PATH")

    (tmp_path / ".git").mkdir()
    assert read_git(tmp_path, environ={}, run=missing) == Git()
    assert "not installed" in why_not(tmp_path, environ={}, run=missing)


def test_outside_a_repository_no_process_is_started(tmp_path):
    def never(*_args, **_more):
        raise AssertionError("a process was started")

    assert read_git(tmp_path, environ={}, run=never) == Git()
    assert why_not(tmp_path, environ={}, run=never) == ""


ENVIRON = {
    "PATH": os.environ.get("PATH", ""),
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example.com", "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
}  # fmt: skip


def git(folder: Path, *words: str) -> str:
    argv = ["git", "-c", "protocol.file.allow=always", *words]
    return subprocess.run(argv, cwd=folder, env=ENVIRON, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    need("git")
    folder = tmp_path / "tree"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.go").write_text("package a\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    return folder


@pytest.mark.real
def test_a_tagged_clean_commit(tree):
    git(tree, "tag", "v1.9.0")
    git(tree, "tag", "-a", "v1.10.0", "-m", "x")
    git(tree, "remote", "add", "origin", "https://me:secret@example.com/a/b.git")
    found = read_git(tree, environ=ENVIRON)
    revision = git(tree, "rev-parse", "HEAD").strip()
    assert found == Git(
        revision=revision,
        short_revision=revision[:7],
        tag="v1.10.0",
        branch="main",
        committed_at="2026-01-02T03:04:05Z",
        committed_epoch_s=1767323045,
        is_dirty=False,
        remote="https://example.com/a/b",
    )
    assert why_not(tree, environ=ENVIRON) == ""


@pytest.mark.real
def test_a_commit_after_a_tag_is_described_and_a_new_file_is_a_change(tree):
    git(tree, "tag", "v1.0.0")
    git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    (tree / "new.go").write_text("package a\n")
    (tree / "sub").mkdir()
    found = read_git(tree / "sub", environ=ENVIRON)
    assert found.tag.startswith("v1.0.0-1-g")
    assert found.is_dirty


@pytest.mark.real
def test_a_repository_without_a_commit_says_why(tmp_path):
    need("git")
    git(tmp_path, "init", "-q")
    assert read_git(tmp_path, environ=ENVIRON) == Git()
    assert "commits" in why_not(tmp_path, environ=ENVIRON)


@pytest.mark.real
def test_a_detached_shallow_clone_is_read(tree, tmp_path):
    git(tree, "commit", "-q", "--allow-empty", "-m", "two")
    git(tmp_path, "clone", "-q", "--depth", "1", tree.as_uri(), "shallow")
    git(tmp_path / "shallow", "checkout", "-q", "--detach")
    found = read_git(tmp_path / "shallow", environ=ENVIRON)
    assert (found.branch, found.remote, found.is_dirty) == ("", "", False)
    assert len(found.revision) == 40


@pytest.mark.real
def test_a_work_tree_and_a_submodule_are_read(tree, tmp_path):
    git(tree, "worktree", "add", "-q", "-b", "side", str(tmp_path / "side"))
    assert read_git(tmp_path / "side", environ=ENVIRON).branch == "side"
    git(tree, "submodule", "--quiet", "add", str(tree), "inner")
    assert read_git(tree / "inner", environ=ENVIRON).revision == read_git(tree, environ=ENVIRON).revision


@pytest.mark.real
def test_a_tree_of_somebody_else_counts_as_none_and_says_why(tree):
    if os.geteuid() != 0:
        pytest.skip("real: only root can give a folder away")
    for path in (tree, tree / ".git"):
        os.chown(path, 12345, 12345)
    assert read_git(tree, environ=ENVIRON) == Git()
    assert "dubious ownership" in why_not(tree, environ=ENVIRON)


@pytest.mark.real
def test_a_hooks_variables_do_not_lead_elsewhere(tree, tmp_path):
    environ = {**ENVIRON, "GIT_DIR": str(tmp_path / "nowhere"), "GIT_INDEX_FILE": "nothing"}
    assert read_git(tree, environ=environ).branch == "main"


@pytest.mark.real
def test_the_repositorys_own_monitor_is_not_started(tree, tmp_path):
    (tmp_path / "monitor").write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    (tmp_path / "monitor").chmod(0o755)
    git(tree, "config", "core.fsmonitor", str(tmp_path / "monitor"))
    assert read_git(tree, environ=ENVIRON).branch == "main"
    assert not (tmp_path / "started").exists()
