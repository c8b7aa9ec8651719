"""The Job of the check: what its manifest says, and how what comes back is read."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import WrongUsage
from proa.outside.kubectl import obstacle, pending
from proa.pipeline.preflight_job import wanted
from proa.preflight.job import JobWanted, answer_in, is_over, manifest
from proa.records.preflight import Contact, Preflight

GOLDEN = Path(__file__).parent / "job.json"
RECORD = Preflight(services=(Contact(name="DATABASE_URL", kind="postgres", address="db:5432", is_reachable=True),))


def test_the_manifest_is_as_it_was_reviewed() -> None:
    job = JobWanted(
        namespace="shop", image="r.example/proa@sha256:0", secrets=("db",), config_maps=("app",), optional=("REDIS_URL",),
        wait_s=30,
    )  # fmt: skip
    assert manifest(job) == json.loads(GOLDEN.read_text())


def test_the_pod_meets_the_level_restricted() -> None:
    pod = manifest(JobWanted(image="x", secrets=("db",)))["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    inside, outside = container["securityContext"], pod["securityContext"]
    assert inside["capabilities"] == {"drop": ["ALL"]}
    assert (inside["allowPrivilegeEscalation"], inside["readOnlyRootFilesystem"]) == (False, True)
    assert outside["runAsNonRoot"] is True
    assert outside["runAsUser"] > 0
    assert outside["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} == {"emptyDir"}
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)


@pytest.mark.parametrize(
    ("image", "secrets", "words"),
    [
        ("", ("a/b",), "--image"),
        ("x y", ("a/b",), "--image"),
        ("x", (), "no variables"),
        ("x", ("a/b", "c/b"), "own namespace"),
        ("x", ("a",), "NAMESPACE/NAME"),
        ("x", ("a/../b",), "NAMESPACE/NAME"),
        ("x", ("a/b?x",), "NAMESPACE/NAME"),
    ],
)
def test_what_no_job_can_be_made_of(image: str, secrets: tuple[str, ...], words: str) -> None:
    with pytest.raises(WrongUsage, match=words):
        wanted(image=image, secrets=secrets, config_maps=())


def test_the_answer_is_found_among_what_else_a_log_holds() -> None:
    text = msgspec.json.format(msgspec.json.encode(RECORD)).decode()
    log = f'contacting 1 services\n{{"level": "info"}}\n{{ not json\n{text}\nproa: 1 of 1 services is not there\n'
    assert answer_in(log) == RECORD


@given(st.text(alphabet='{}[]":,\nab1', max_size=200))
def test_no_other_log_holds_an_answer(log: str) -> None:
    assert answer_in(log) is None


@pytest.mark.parametrize(
    ("kind", "status", "over"), [("Complete", "True", True), ("Failed", "True", True), ("Failed", "False", False)]
)
def test_a_job_is_over_when_its_conditions_say_so(kind: str, status: str, over: bool) -> None:
    assert is_over({"status": {"conditions": [{"type": kind, "status": status}]}}) is over
    assert not is_over({"status": None})


def test_a_pod_that_cannot_be_scheduled_says_why_and_may_still_run() -> None:
    pods = [{"status": {"conditions": [{"reason": "Unschedulable", "message": "0/3 nodes are available"}]}}]
    assert pending(pods) == "0/3 nodes are available"
    assert obstacle(pods) == ""
