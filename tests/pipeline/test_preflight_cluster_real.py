"""Secrets of a cluster, and the check as its Job: the real kubectl, before a model of the API server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fakes.api_server import Api, api_server
from proa.preflight.job import JobWanted, answer_in, manifest
from proa.records.preflight import Contact, Preflight
from real_neighbours import need
from service_bed import answering

pytestmark = pytest.mark.real

SECRET = "kube-Ocelot.19~dune"
GOOD = Preflight(services=(Contact(name="DATABASE_URL", kind="postgres", address="db:5432", is_reachable=True),))


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    need("kubectl")
    with api_server(tmp_path, Api()) as server:
        yield server


def proa(api: Api, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    folder = api.kubeconfig.parent
    return subprocess.run(
        [sys.executable, "-m", "proa", "preflight", *words],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"], "HOME": str(folder), "CI": "true", "PROA_CACHE": str(folder / ".store"),
            "KUBECONFIG": str(api.kubeconfig), **more,
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def refusing(peer: Any) -> None:
    peer.recv(4096)
    peer.sendall(f"-WRONGPASS {SECRET} is not it\r\n".encode())


def test_a_services_variables_come_from_a_secret_and_are_not_shown(api: Api) -> None:
    with answering(refusing) as port:
        api.secrets["shop/cache"] = {"REDIS_URL": f"redis://app:{SECRET}@127.0.0.1:{port}/0", "tls crt": "x"}
        ran = proa(api, "--secret", "shop/cache", "--format", "json", REDIS_URL="redis://elsewhere.invalid")
    (found,) = json.loads(ran.stdout)["services"]
    assert (found["failed_layer"], found["address"]) == ("authentication", f"127.0.0.1:{port}")
    assert SECRET not in ran.stdout + ran.stderr


def test_a_config_map_gives_the_address_and_the_secret_the_password(api: Api) -> None:
    with answering(refusing) as port:
        api.config_maps["shop/app"] = {"REDIS_HOST": "127.0.0.1", "REDIS_PORT": str(port)}
        api.secrets["shop/cache"] = {"REDIS_PASSWORD": SECRET}
        ran = proa(api, "--config-map", "shop/app", "--secret", "shop/cache", "--context", "bed")
    assert ran.returncode == 1
    assert "REDIS_HOST" in ran.stdout
    assert SECRET not in ran.stdout + ran.stderr


@pytest.mark.parametrize(
    ("forbids", "words", "status"), [("", 'secrets "absent" not found', 3), ("secrets", "cannot get resource", 3)]
)
def test_a_secret_that_is_not_there_or_not_to_be_seen(api: Api, forbids: str, words: str, status: int) -> None:
    api.forbids = forbids
    ran = proa(api, "--secret", "shop/absent")
    assert ran.returncode == status
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_job_is_run_read_and_deleted(api: Api) -> None:
    api.log = f"contacting 1 services\n{msgspec.json.format(msgspec.json.encode(GOOD)).decode()}\n"
    ran = proa(api, "--in-cluster", "--image", "r/proa:1", "--secret", "shop/db", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    assert msgspec.json.decode(ran.stdout, type=Preflight) == GOOD
    (job,) = api.created
    assert job["metadata"]["namespace"] == "shop"
    assert api.deleted == [job["metadata"]["name"]]


def test_a_service_that_is_missing_there_fails_here(api: Api) -> None:
    bad = Contact(name="X", kind="redis", address="c:6379", is_reachable=False, failed_layer="dns", message="not found")
    api.log = msgspec.json.encode(Preflight(services=(bad,))).decode()
    ran = proa(api, "--in-cluster", "--image", "r/proa:1", "--secret", "shop/db")
    assert ran.returncode == 1
    assert "PROA106" in ran.stderr


def test_a_pod_that_cannot_be_made_is_told_at_once_and_deleted(api: Api) -> None:
    api.looks_until_over = 1000
    waiting = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "db" not found'}}
    api.pod_status = {"containerStatuses": [{"state": waiting}]}
    ran = proa(api, "--in-cluster", "--image", "r/proa:1", "--secret", "shop/db")
    assert ran.returncode == 3
    assert 'CreateContainerConfigError: secret "db" not found' in ran.stderr
    assert len(api.deleted) == 1


@pytest.mark.parametrize(("log", "has_pods", "words"), [("hello\n", True, "no answer"), ("", False, "without a pod")])
def test_a_job_that_says_nothing(api: Api, log: str, has_pods: bool, words: str) -> None:
    api.log, api.has_pods = log, has_pods
    ran = proa(api, "--in-cluster", "--image", "r/proa:1", "--secret", "shop/db")
    assert ran.returncode == 3
    assert words in ran.stderr
    assert api.jobs == {}


def test_kubectl_takes_the_printed_job(api: Api, tmp_path: Path) -> None:
    ran = proa(api, "--job", "--image", "r/proa:1", "--secret", "shop/db")
    (tmp_path / "job.json").write_text(ran.stdout)
    made = subprocess.run(
        ["kubectl", "create", "--raw", "/apis/batch/v1/namespaces/shop/jobs", "-f", str(tmp_path / "job.json")],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "KUBECONFIG": str(api.kubeconfig)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    assert api.created == [json.loads(ran.stdout)]


def test_printing_and_running_exclude_each_other(api: Api) -> None:
    ran = proa(api, "--job", "--in-cluster", "--image", "r/proa:1", "--secret", "shop/db")
    assert ran.returncode == 2
    assert api.created == []


def test_the_jobs_command_answers_as_its_user_on_a_root_that_is_read_only() -> None:
    need("bwrap")
    pod = manifest(JobWanted(image="x", secrets=("db",)))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    user = str(pod["securityContext"]["runAsUser"])
    variables = {one["name"]: one["value"] for one in container["env"]} | {
        "REDIS_URL": f"redis://:{SECRET}@127.0.0.1:1"
    }
    given = [word for name, value in variables.items() for word in ("--setenv", name, value)]
    ran = subprocess.run(
        ["bwrap", "--ro-bind", "/", "/", "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc", "--unshare-user",
         "--uid", user, "--gid", user, "--clearenv", *given, "--chdir", "/", sys.executable, "-m", "proa",
         *container["args"]],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    found = answer_in(ran.stderr + ran.stdout)
    assert found is not None, ran.stderr
    assert [(one.name, one.failed_layer) for one in found.services] == [("REDIS_URL", "tcp")]
    assert SECRET not in ran.stdout + ran.stderr
