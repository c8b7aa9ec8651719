"""cargo's answers."""

from __future__ import annotations

import json

import pytest

from proa.errors import ToolFailed, WrongConfiguration
from proa.outside import cargo
from proa.outside.cargo import Crate, parse_metadata, parse_rust


def metadata(**more):
    package = {
        "id": "path+file:///w/api#0.4.0",
        "name": "api",
        "version": "0.4.0",
        "manifest_path": "/w/api/Cargo.toml",
        "default_run": "api",
        "targets": [
            {"name": "api", "kind": ["bin"]},
            {"name": "api", "kind": ["lib"]},
            {"name": "t", "kind": ["test"]},
        ],
        "dependencies": [{"name": "serde"}, {"name": "prices", "path": "/w/prices"}],
    }
    return {
        "workspace_root": "/w",
        "target_directory": "/w/target",
        "workspace_members": [package["id"]],
        "packages": [package],
        **more,
    }


def test_binary_targets_are_read_and_others_are_not():
    workspace = parse_metadata(json.dumps(metadata()).encode())
    assert workspace.crates == (
        Crate(name="api", package="api", version="0.4.0", directory="/w/api", is_default=True, is_default_member=True),
    )


def test_path_dependencies_outside_are_found_with_their_own(tmp_path):
    for name, text in (("a", '[target."cfg(unix)".dependencies]\nb = { path = "../b" }\n'), ("b", "[[[")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Cargo.toml").write_text(text)
    said = metadata()
    said["packages"][0]["dependencies"] = [{"path": str(tmp_path / "a")}]
    workspace = parse_metadata(json.dumps(said).encode())
    assert workspace.outside == (str(tmp_path / "a"), str(tmp_path / "b"))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"packages": 1}', b'{"workspace_root": "/w"}', b"\xff"])
def test_what_is_not_understood_is_an_error(content):
    with pytest.raises(WrongConfiguration):
        parse_metadata(content)


def test_an_odd_compiler_is_an_error():
    with pytest.raises(ToolFailed):
        parse_rust("rustc 1.95.0\n", "/opt\n")


def test_files_that_the_last_build_read_are_known_whatever_ignores_them(tmp_path):
    root, output = tmp_path / "a tree", tmp_path / "target"
    (output / "x86_64-unknown-linux-musl/release").mkdir(parents=True)
    (root / "src").mkdir(parents=True)
    for name in ("src/main.rs", "made here.txt"):
        (root / name).touch()
    assert cargo.read_files(output, root) == ()
    read = [str(root / name).replace(" ", "\\ ") for name in ("src/main.rs", "made here.txt", "gone.txt")]
    (output / "x86_64-unknown-linux-musl/release/a.d").write_text(f"/t/a: {' '.join(read)} /etc/passwd\n")
    assert cargo.read_files(output, root) == ("made here.txt", "src/main.rs")
