"""The user's own files: laid out as asked, and never from outside their tree."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from proa.errors import ProaError, UnsafePath, WrongConfiguration
from proa.pack.assets import configured, image_path, kodata, needed
from proa.pack.entries import Entry
from proa.records.configuration import AssetFile
from proa.records.evidence import Need
from proa.records.project import Project


def laid(tree: Path, *files: AssetFile) -> dict[str, Entry]:
    return {entry.path: entry for entry in configured(files, tree)}


def test_a_folder_comes_with_all_that_is_in_it(tree: Path) -> None:
    found = laid(tree, AssetFile(source="templates", target="/srv/templates"))
    assert sorted(found) == ["srv/templates", "srv/templates/index.html"]
    assert found["srv/templates"].mode == 0o555
    assert found["srv/templates/index.html"].mode == 0o444


def test_what_can_be_run_stays_so(tree: Path) -> None:
    assert laid(tree, AssetFile(source="run.sh", target="/run.sh"))["run.sh"].mode == 0o555


def test_a_target_that_ends_in_a_slash_is_a_folder(tree: Path) -> None:
    assert sorted(laid(tree, AssetFile(source="run.sh", target="/bin/"))) == ["bin/run.sh"]


def test_mode_and_owner_are_taken_as_given(tree: Path) -> None:
    found = laid(tree, AssetFile(source="templates", target="/t", mode="0640", owner="5:6"))
    assert (found["t/index.html"].mode, found["t/index.html"].uid, found["t/index.html"].gid) == (0o640, 5, 6)
    assert found["t"].mode == 0o750


@pytest.mark.parametrize("source", ["../outside", "/etc/passwd", "templates/../../outside", "link", "folder/link", ""])
def test_what_leads_out_of_the_tree_is_refused(source: str, tree: Path) -> None:
    (tree.parent / "outside").write_text("secret")
    (tree / "link").symlink_to(tree.parent / "outside")
    (tree / "folder").mkdir()
    (tree / "folder" / "link").symlink_to("../../outside")
    with pytest.raises(UnsafePath):
        laid(tree, AssetFile(source=source, target="/x"))


def test_a_link_deep_in_a_folder_is_found_as_well(tree: Path) -> None:
    (tree / "templates" / "deep").mkdir()
    (tree / "templates" / "deep" / "link").symlink_to("/etc")
    with pytest.raises(UnsafePath, match="leads out of"):
        laid(tree, AssetFile(source="templates", target="/x"))


def test_a_link_inside_the_tree_becomes_what_it_names(tree: Path) -> None:
    (tree / "templates" / "run").symlink_to("../run.sh")
    found = laid(tree, AssetFile(source="templates", target="/x"))
    assert found["x/run"].kind == "file"
    assert found["x/run"].source == (tree / "run.sh").resolve()


def test_a_link_to_a_folder_above_itself_ends(tree: Path) -> None:
    (tree / "templates" / "again").symlink_to("..")
    with pytest.raises(UnsafePath, match="leads back"):
        laid(tree, AssetFile(source=".", target="/x"))


def test_a_broken_link_is_named(tree: Path) -> None:
    (tree / "templates" / "broken").symlink_to("nowhere")
    with pytest.raises(UnsafePath, match="leads nowhere"):
        laid(tree, AssetFile(source="templates", target="/x"))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(str(path))])
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_pipes_and_sockets_are_refused(make, tree: Path, monkeypatch) -> None:
    monkeypatch.chdir(tree / "templates")  # a socket's name is at most 108 bytes long
    make(Path("special"))
    with pytest.raises(UnsafePath, match="device, socket or pipe"):
        laid(tree, AssetFile(source="templates", target="/x"))


def test_the_history_of_the_repository_stays_out(tree: Path) -> None:
    (tree / ".git").mkdir()
    (tree / ".git" / "config").write_text("secret")
    assert not any(".git" in path for path in laid(tree, AssetFile(source=".", target="/x")))


def test_a_name_that_is_no_utf_8_is_refused(tree: Path) -> None:
    Path(os.fsdecode(os.fsencode(tree / "templates") + b"/\xff")).write_text("x")
    with pytest.raises(UnsafePath, match="UTF-8"):
        laid(tree, AssetFile(source="templates", target="/x"))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mode", "rwx"),
        ("mode", "0o644"),
        ("mode", "99999"),
        ("mode", "²"),
        ("owner", "root"),
        ("owner", "1:x"),
        ("owner", "-1"),
        ("target", "relative"),
        ("target", "/a/../b"),
        ("source", "missing"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: str, tree: Path) -> None:
    given = {"source": "run.sh", "target": "/x", field: value}
    with pytest.raises(ProaError, match=r"image\.files\[0\]") as caught:
        laid(tree, AssetFile(**given))
    assert isinstance(caught.value, WrongConfiguration | UnsafePath)


def test_files_the_program_opens_lie_where_it_looks(tree: Path, project: Project) -> None:
    need = Need(kind="file", what="templates/index.html", reason="main.load opens it")
    found = list(needed((need,), "/srv", main=project.main, directory=tree))
    assert [entry.path for entry in found] == ["srv/templates/index.html"]
    assert found[0].reason == "main.load opens it"


def test_files_beside_the_main_package_are_found_too(tree: Path, project: Project) -> None:
    (tree / "cmd" / "shop" / "static").mkdir()
    (tree / "cmd" / "shop" / "static" / "a.css").write_text("a{}")
    need = Need(kind="file", what="./static", reason="r")
    found = list(needed((need,), "/srv", main=project.main, directory=tree))
    assert [entry.path for entry in found] == ["srv/static", "srv/static/a.css"]


def test_a_file_that_is_not_in_the_repository_is_none_of_ours(tree: Path, project: Project) -> None:
    needs = (Need(kind="file", what="absent", reason="r"), Need(kind="file", what="/etc/hosts", reason="r"))
    assert list(needed(needs, "/srv", main=project.main, directory=tree)) == []


def test_a_needed_file_outside_the_repository_is_refused(tree: Path, project: Project) -> None:
    (tree.parent / "outside").write_text("secret")
    with pytest.raises(UnsafePath):
        list(needed((Need(kind="file", what="../outside", reason="r"),), "/srv", main=project.main, directory=tree))


def test_kodata_is_laid_out_as_ko_does(tree: Path, project: Project) -> None:
    assert list(kodata(project.main, tree)) == []
    (tree / "cmd" / "shop" / "kodata").mkdir()
    (tree / "cmd" / "shop" / "kodata" / "index.html").write_text("<p>")
    assert [entry.path for entry in kodata(project.main, tree)] == ["var/run/ko", "var/run/ko/index.html"]


def test_kodata_may_not_lead_out(tree: Path, project: Project) -> None:
    (tree / "cmd" / "shop" / "kodata").mkdir()
    (tree / "cmd" / "shop" / "kodata" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(UnsafePath):
        list(kodata(project.main, tree))


def test_the_root_is_a_path() -> None:
    assert image_path("/", where="x") == ""
