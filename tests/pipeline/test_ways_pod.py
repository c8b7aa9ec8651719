"""A pod that does not get ready, told in the cluster's own words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from proa.compare.pod import PodWanted
from proa.errors import JobFailed, ToolFailed
from proa.outside.command import Ran
from proa.outside.kubectl import Cluster
from proa.pipeline.preflight_job import in_cluster
from proa.pipeline.ways_pod import start_pods
from proa.preflight.job import JobWanted

WANTED = PodWanted(name="p", namespace="shop", image="r/x@sha256:0", memory_bytes=1 << 20)
PROBE = {"reason": "Unhealthy", "message": "Readiness probe failed:\n refused", "lastTimestamp": "2026-11-29T07:00:09Z"}
DNS = {"reason": "MissingClusterDNS", "message": "no DNS", "lastTimestamp": "2026-11-29T07:01:00Z"}


class Passing:
    """A clock that goes on by a second whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def cluster(*, events: list[dict[str, Any]] | None, pods: Sequence[dict[str, Any]] = ({"metadata": {"name": "p-1"}},)):
    """Return a cluster in which nothing gets ready and no Job ends; without events they may not be seen."""
    asked: list[str] = []

    def run(argv: Sequence[str], **_: Any) -> Ran:
        path = argv[argv.index("--raw") + 1]
        asked.append(path)
        if "/events?" in path and events is None:
            raise ToolFailed("kubectl get exited with 1", output="events is forbidden")
        told: Any = {"status": {"phase": "Pending"}}
        if "/events?" in path:
            told = {"items": events}
        elif "labelSelector" in path:
            told = {"items": list(pods)}
        return Ran(argv=tuple(argv), status=0, stdout=json.dumps(told).encode(), stderr=b"", seconds=0.0)

    return Cluster(run=run), asked


def test_a_pod_that_is_never_ready_is_told_with_the_clusters_last_warning():
    bed, asked = cluster(events=[PROBE, DNS])
    started = start_pods(WANTED, runs=3, cluster=bed, progress=lambda _: None, clock=Passing(), sleep=lambda _: None)
    assert started.problem == "not ready within 120 s: Unhealthy: Readiness probe failed: refused"
    (question,) = [path for path in asked if "/events?" in path]
    assert question.startswith("/api/v1/namespaces/shop/events?fieldSelector=involvedObject.name%3Dp-")


@pytest.mark.parametrize("events", [None, [], [{"reason": 1, "message": None}, "x"], [DNS]])
def test_where_the_cluster_does_not_say_why_the_time_alone_is_told(events):
    bed, _ = cluster(events=events)
    started = start_pods(WANTED, runs=1, cluster=bed, progress=lambda _: None, clock=Passing(), sleep=lambda _: None)
    assert started.problem.startswith("not ready within 120 s")
    assert "DNS" not in started.problem


@pytest.mark.parametrize(
    ("pods", "events", "told"),
    [
        ([{"metadata": {"name": "p-1"}}], [PROBE], "Unhealthy: Readiness probe failed: refused"),
        ([], [{"reason": "FailedCreate", "message": "exceeded quota: small"}], "FailedCreate: exceeded quota: small"),
        ([], None, "no pod was made: a quota or policy may forbid it"),
    ],
)
def test_a_job_that_does_not_end_is_told_with_what_the_cluster_warned_of(pods, events, told):
    bed, _ = cluster(events=events, pods=pods)
    wanted = JobWanted(image="x", namespace="shop")
    with pytest.raises(JobFailed, match="did not end within 70 s") as failed:
        in_cluster(wanted, cluster=bed, progress=lambda _: None, clock=Passing(), sleep=lambda _: None)
    assert told in str(failed.value)
