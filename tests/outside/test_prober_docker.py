"""What docker is told for a trial, and what is made of its refusals."""

from __future__ import annotations

import os

import pytest

from proa.errors import ToolFailed
from proa.outside.docker_run import create_arguments, probe_in_docker, socket_path
from proa.outside.sandbox import Question

QUESTION = Question(
    rootfs="/r", argv=("/app", "serve"), environment=(("PASSWORD", "secret"), ("PATH", "/bin")), directory="/srv",
    uid=7, gid=8, memory_bytes=1 << 20, start_timeout_s=1, stop_timeout_s=1,
)  # fmt: skip


def test_every_limit_is_asked_for_and_no_value_is_shown():
    arguments = " ".join(create_arguments(QUESTION, "name"))

    for flag in (
        "--read-only",
        "--cap-drop ALL",
        "no-new-privileges",
        "--network none",
        "--user 7:8",
        "--memory 1048576",
    ):
        assert flag in arguments
    assert "--env PASSWORD" in arguments
    assert "secret" not in arguments
    assert arguments.endswith("--entrypoint /app name serve")


def test_a_daemon_elsewhere_cannot_be_measured():
    assert socket_path({"DOCKER_HOST": "ssh://host"}) == ""
    report = probe_in_docker("docker", QUESTION, {"DOCKER_HOST": "tcp://host:2375"})
    assert "DOCKER_HOST" in report.problem


def test_a_daemon_that_refuses_is_a_problem_and_everything_is_removed(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("real: only root measures in docker")
    asked = []

    def refuse(argv, **_):
        asked.append(argv[1])
        if argv[1] == "import":
            raise ToolFailed("docker import exited with 1", output="Cannot connect to the Docker daemon")

    import msgspec

    report = probe_in_docker("docker", msgspec.structs.replace(QUESTION, rootfs=str(tmp_path)), {}, run=refuse)

    assert report.problem == "docker import exited with 1: Cannot connect to the Docker daemon"
    assert asked == ["import", "rm", "rmi"]
