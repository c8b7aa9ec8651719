"""The program started as a pod of a cluster, as often as the other ways; every pod is deleted again."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable

import msgspec

from proa.compare.pod import PodWanted, has_ended, is_ready, manifest
from proa.errors import ProaError
from proa.outside.kubectl import Cluster, obstacle, pending

_PATIENCE_S = 120.0
_LOOK_S = 0.1


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What starting it showed."""

    seconds: tuple[float, ...] = ()
    """From the request to create it until its condition was seen to be Ready, the first start left out."""
    problem: str = ""


def start_pods(
    wanted: PodWanted,
    *,
    runs: int,
    cluster: Cluster,
    progress: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Started:
    """Start the pod ``runs`` times after one that fetches the image; a refusal of the cluster is told as a problem."""
    seconds: list[float] = []
    for number in range(runs + 1):
        progress(f"starting the pod, {number} of {runs}")
        named = msgspec.structs.replace(wanted, name=f"{wanted.name}-{secrets.token_hex(4)}")
        try:
            took, problem = _one(named, cluster, clock, sleep)
        except ProaError as error:
            took, problem = 0.0, f"{error.what}{': ' if error.output else ''}{error.output.strip()[:300]}"
        if problem:
            return Started(seconds=tuple(seconds), problem=problem)
        seconds += [took] if number else []
    return Started(seconds=tuple(seconds))


def _one(
    wanted: PodWanted, cluster: Cluster, clock: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[float, str]:
    """Return how long it took, or why it did not get ready."""
    pods = f"/api/v1/namespaces/{wanted.namespace}/pods"
    began = clock()
    cluster.create(pods, manifest(wanted))
    try:
        while True:
            pod = cluster.get(f"{pods}/{wanted.name}")
            took = clock() - began
            if is_ready(pod):
                return took, ""
            if problem := obstacle([pod]) or has_ended(pod):
                return took, problem
            if took > _PATIENCE_S:
                why = pending([pod]) or cluster.complaint(wanted.namespace, wanted.name)[:300]
                return took, f"not ready within {_PATIENCE_S:g} s{why and ': '}{why}"
            sleep(_LOOK_S)
    finally:
        with contextlib.suppress(ProaError):
            cluster.delete(f"{pods}/{wanted.name}?gracePeriodSeconds=0")
