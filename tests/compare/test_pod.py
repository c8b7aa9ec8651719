"""The pod that is started to be timed."""

from __future__ import annotations

import msgspec
import pytest

from proa.compare.pod import PodWanted, has_ended, is_ready, manifest

SHOP = PodWanted(name="x", namespace="n", image="r/x@sha256:0", port=8080, route="/healthz", memory_bytes=64 << 20)


def test_it_meets_the_level_restricted_and_goes_away_by_itself() -> None:
    spec = manifest(SHOP)["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] > 0


@pytest.mark.parametrize(("changed", "kind"), [({}, "httpGet"), ({"route": ""}, "tcpSocket"), ({"port": 0}, None)])
def test_it_is_asked_what_the_trial_asked(changed: dict[str, object], kind: str | None) -> None:
    (container,) = manifest(msgspec.structs.replace(SHOP, **changed))["spec"]["containers"]
    probe = container.get("readinessProbe", {})
    assert {"httpGet", "tcpSocket"} & probe.keys() == ({kind} if kind else set())


@pytest.mark.parametrize("pod", [{}, {"status": None}, {"status": {"conditions": None}}])
def test_a_pod_of_which_nothing_is_known_is_neither_ready_nor_over(pod: dict[str, object]) -> None:
    assert not is_ready(pod)
    assert has_ended(pod) == ""
