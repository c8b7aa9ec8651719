"""Mount points in an unpacked image, and the signals and engines an image may name."""

from __future__ import annotations

import errno

import pytest

from proa.outside import sandbox
from proa.outside.command import Ran


def test_mount_points_are_made_as_every_runtime_makes_them(tmp_path):
    mounts = sandbox.prepare_root(tmp_path, "/srv/app")

    assert (tmp_path / "proc").is_dir()
    assert (tmp_path / "srv/app").is_dir()
    assert ("hosts", "/etc/hosts") in mounts["overlays"]
    assert (tmp_path / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_nothing_is_made_through_a_link(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "etc").symlink_to(outside)
    (root / "tmp").symlink_to("/var/tmp")
    (root / "srv").symlink_to(outside)

    mounts = sandbox.prepare_root(root, "/srv/app/../../..")

    assert list(outside.iterdir()) == []
    assert mounts["overlays"] == []
    assert mounts["tmp"] == "/dev/shm"


def test_a_file_where_a_folder_should_be_is_left_alone(tmp_path):
    (tmp_path / "etc").write_text("a file")

    assert sandbox.prepare_root(tmp_path)["overlays"] == []
    assert (tmp_path / "etc").read_text() == "a file"


def test_only_engines_that_are_there_are_offered():
    names = [one.name for one in sandbox.find_engines("auto", {"PATH": "/nonexistent"}, is_root=False)]

    assert "namespaces" in names
    assert "runc" not in names
    assert list(sandbox.find_engines("made-up", {}, is_root=True)) == []


def test_a_prober_that_breaks_is_a_problem_and_not_an_error(tmp_path):
    def broken(argv, **_):
        return Ran(argv=tuple(argv), status=1, stdout=b"", stderr=b"Traceback\nOSError: no\n", seconds=0)

    question = sandbox.Question(
        rootfs=str(tmp_path), argv=("/app",), environment=(), directory="/", uid=1, gid=1, memory_bytes=0,
        start_timeout_s=1, stop_timeout_s=1,
    )  # fmt: skip
    report = sandbox.probe(sandbox.Engine(name="namespaces"), question, run=broken)

    assert report.problem == "the prober ended with 1: OSError: no"


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("bwrap: execvp /app: Permission denied", errno.EACCES),
        ("exec /script: no such file or directory", errno.ENOENT),
        (r'runc run failed: unable to start container process: exec: \"/gone\": stat /gone: no such file or directory"', errno.ENOENT),
        ('OCI runtime create failed: unable to start container process: exec: "/gone": stat /gone: no such file or directory: unknown', errno.ENOENT),
        ("executable file `/gone` not found in $PATH: No such file or directory", errno.ENOENT),
        ("exec container process (missing dynamic library?) `/script`: No such file or directory", errno.ENOENT),
        ("exec container process `/app`: Exec format error", errno.ENOEXEC),
        ("the program's own words: no such file", 0),
    ],
)  # fmt: skip
def test_each_engines_words_for_a_program_it_could_not_start_are_read(said, number):
    assert sandbox.exec_error(said) == number
