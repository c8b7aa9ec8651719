"""What proa does in a cluster, in a real one: pods that start, Jobs that contact services, and who may see what."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import proa_image
from real_cluster import RealCluster, real_cluster
from real_neighbours import crane, crane_registry, free_port, need, running

pytestmark = [pytest.mark.real, pytest.mark.slow]

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SECRET = "kube-Ocelot.19~dune"


@dataclass(frozen=True)
class Bed:
    """A cluster, a registry it pulls from, and a Redis that its pods reach."""

    cluster: RealCluster
    registry: str
    redis: str
    home: Path

    def proa(self, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "proa", *words],
            cwd=cwd or self.home,
            env={**os.environ, "PROA_CACHE": str(self.home / "store"), "KUBECONFIG": str(self.cluster.kubeconfig)},
            capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    need("redis-server")
    home, port = tmp_path_factory.mktemp("home"), free_port()
    with real_cluster() as cluster, crane_registry(tmp_path_factory.mktemp("registry"), os.environ) as registry:
        for name in ("shop", "trial"):
            cluster.kubectl("create", "namespace", name)
            # Whatever runs there is as little privileged as the strictest of Kubernetes' own standards asks for.
            cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        for name, password in (("cache", SECRET), ("wrong", "x-Civet.7~moor")):
            url = f"redis://:{password}@{cluster.gateway}:{port}/0"
            cluster.kubectl("create", "secret", "generic", name, "--namespace=shop", f"--from-literal=REDIS_URL={url}")
        redis = ["redis-server", "--bind", cluster.gateway, "--port", str(port), "--requirepass", SECRET, "--save", ""]
        with running(redis, log=home / "redis.log"):
            yield Bed(cluster=cluster, registry=registry, redis=f"{cluster.gateway}:{port}", home=home)


@pytest.fixture(scope="module")
def image(bed: Bed) -> str:
    """Push an image with proa in it."""
    archive, name = bed.home / "proa.tar", f"{bed.registry}/proa:1"
    proa_image.build(archive)
    tool = crane(os.environ)
    for words in (
        ["append", "--oci-empty-base", "--new_layer", archive, "--new_tag", name],
        ["mutate", "--set-platform", "linux/amd64", "--env", "PATH=/usr/bin", "--tag", name, name],
    ):
        subprocess.run([tool, *words], check=True, capture_output=True)
    return name


def test_a_build_is_started_as_a_pod_and_nothing_of_it_is_left(bed: Bed, tmp_path: Path) -> None:
    shipped = bed.proa("ship", "--to", f"docker://{bed.registry}/shop:1", cwd=SHOP)
    assert shipped.returncode == 0, shipped.stderr
    words = ("--runs", "2", "--pod", shipped.stdout.strip(), "--namespace", "trial", "--format", "json")
    ran = bed.proa("ways", "-o", str(tmp_path), *words, cwd=SHOP)
    assert ran.returncode == 0, ran.stderr
    record = json.loads(ran.stdout)
    service, container, pod = record["ways"]
    assert (pod["is_measured"], pod["engine"], record["advice"]) == (True, "cluster", "pod"), pod["reason"]
    assert len(pod["ready_s"]["samples"]) == 2
    # A pod waits for its sandbox and for the question that is asked once a second; the other two for nothing.
    assert pod["ready_s"]["median"] > max(service["ready_s"]["median"], container["ready_s"]["median"])
    assert bed.cluster.kubectl("get", "pods", "--all-namespaces", "--output=name") == ""


def test_a_pod_whose_image_is_not_there_says_so(bed: Bed, tmp_path: Path) -> None:
    shipped = bed.proa("ship", "--to", f"docker://{bed.registry}/shop:1", cwd=SHOP)
    missing = shipped.stdout.strip().replace("/shop@", "/absent@")
    ran = bed.proa("ways", "-o", str(tmp_path), "--runs", "1", "--pod", missing, "--format", "json", cwd=SHOP)
    assert ran.returncode == 0, ran.stderr
    pod = json.loads(ran.stdout)["ways"][2]
    assert pod["is_measured"] is False
    assert "ErrImagePull" in pod["reason"] or "ImagePullBackOff" in pod["reason"]


@pytest.mark.parametrize(("secret", "layer", "status"), [("cache", None, 0), ("wrong", "authentication", 1)])
def test_a_job_contacts_what_only_the_cluster_reaches(
    bed: Bed, image: str, secret: str, layer: str | None, status: int
) -> None:
    words = ("--in-cluster", "--image", image, "--secret", f"shop/{secret}", "--format", "json")
    ran = bed.proa("preflight", *words)
    assert ran.returncode == status, ran.stderr
    (found,) = json.loads(ran.stdout)["services"]
    assert (found["name"], found["address"], found["failed_layer"]) == ("REDIS_URL", bed.redis, layer)
    assert found["is_reachable"] is (layer is None)
    assert SECRET not in ran.stdout + ran.stderr
    assert bed.cluster.kubectl("get", "jobs", "--namespace=shop", "--output=name") == ""


@pytest.mark.parametrize(
    ("secret", "named", "words"),
    [("cache", "absent:1", "ErrImagePull"), ("absent", "", 'CreateContainerConfigError: secret "absent" not found')],
)
def test_a_job_that_cannot_start_is_told_at_once(bed: Bed, image: str, secret: str, named: str, words: str) -> None:
    chosen = f"{bed.registry}/{named}" if named else image
    ran = bed.proa("preflight", "--in-cluster", "--image", chosen, "--secret", f"shop/{secret}")
    assert ran.returncode == 3
    assert words in ran.stderr.replace("ImagePullBackOff", "ErrImagePull")
    assert bed.cluster.kubectl("get", "jobs", "--namespace=shop", "--output=name") == ""


def test_the_printed_job_is_taken_by_the_server(bed: Bed) -> None:
    printed = bed.proa("preflight", "--job", "--image", "registry.example/proa:1", "--secret", "shop/cache")
    taken = bed.cluster.kubectl("create", "--dry-run=server", "-f", "-", document=json.loads(printed.stdout))
    assert "job.batch/proa-preflight created (server dry run)" in taken


def test_a_secret_of_the_cluster_is_used_from_here(bed: Bed) -> None:
    ran = bed.proa("preflight", "--secret", "shop/cache", "--format", "json")
    assert ran.returncode == 0, ran.stderr
    (found,) = json.loads(ran.stdout)["services"]
    assert (found["is_reachable"], found["address"]) == (True, bed.redis)
    assert SECRET not in ran.stdout + ran.stderr


def test_who_may_not_see_the_secret_is_told_so_by_the_server(bed: Bed) -> None:
    ran = bed.proa("preflight", "--secret", "shop/cache", "--context", "guest")
    assert ran.returncode == 3
    assert 'User "guest" cannot get resource "secrets"' in ran.stderr
