"""``proa preflight`` inside the cluster: create the Job, wait for its end, read its answer, delete it."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable
from typing import Any

import msgspec

from proa.errors import JobFailed, ProaError, WrongUsage
from proa.outside.kubectl import Cluster, obstacle, pending, place_of
from proa.preflight.job import CONTAINER, JobWanted, answer_in, deadline_s, is_over, manifest
from proa.records.preflight import Preflight

_LOOK_S = 1.0


def wanted(
    *,
    image: str,
    secrets: tuple[str, ...],
    config_maps: tuple[str, ...],
    namespace: str = "",
    only: tuple[str, ...] = (),
    optional: tuple[str, ...] = (),
    timeout_s: float = 5.0,
    wait_s: float = 0.0,
) -> JobWanted:
    """Return what the Job is to be. Raises WrongUsage where its secrets are not all in its own namespace."""
    if not image or any(sign.isspace() for sign in image):
        raise WrongUsage("the Job needs --image", hint="an image with proa in it, which the cluster can pull")
    of_secrets = [place_of(one, flag="--secret") for one in secrets]
    of_maps = [place_of(one, flag="--config-map") for one in config_maps]
    places = sorted({place for place, _ in (*of_secrets, *of_maps)} | ({namespace} if namespace else set()))
    if len(places) > 1:
        raise WrongUsage(f"a Job reads secrets of its own namespace only, and these are in {', '.join(places)}")
    if not places:
        raise WrongUsage("the Job would have no variables", hint="name what the program reads: --secret, --config-map")
    return JobWanted(
        image=image,
        namespace=places[0],
        secrets=tuple(name for _, name in of_secrets),
        config_maps=tuple(name for _, name in of_maps),
        only=only,
        optional=optional,
        timeout_s=timeout_s,
        wait_s=wait_s,
    )


def printed(job: JobWanted) -> dict[str, Any]:
    """Return the Job as a document that kubectl takes."""
    return manifest(job)


def in_cluster(
    job: JobWanted,
    *,
    cluster: Cluster,
    progress: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Preflight:
    """Run the check as a Job and return its answer; the Job is deleted whatever happens.

    Raises ToolMissing, ToolFailed, ToolTimedOut, JobFailed.
    """
    named = msgspec.structs.replace(job, name=f"{job.name}-{secrets.token_hex(4)}")
    jobs = f"/apis/batch/v1/namespaces/{job.namespace}/jobs"
    progress(f"creating the Job {named.name} in {job.namespace}")
    cluster.create(jobs, manifest(named))
    try:
        pods = _ended(named, cluster, progress, clock=clock, sleep=sleep)
        return _answer(named, cluster, pods)
    finally:
        # What cannot be deleted goes away by its time to live.
        with contextlib.suppress(ProaError):
            cluster.delete(f"{jobs}/{named.name}?propagationPolicy=Background")


def _ended(
    job: JobWanted,
    cluster: Cluster,
    progress: Callable[[str], None],
    *,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> list[dict[str, Any]]:
    """Wait until the Job is over and return its pods. Raises JobFailed."""
    place, end = f"/apis/batch/v1/namespaces/{job.namespace}/jobs/{job.name}", clock() + deadline_s(job)
    while not is_over(cluster.get(place)):
        pods = _pods(job, cluster)
        if why := obstacle(pods):
            raise JobFailed(f"the Job's pod does not start: {why[:400]}", hint="see --image, --secret and --config-map")
        if clock() > end:
            why = pending(pods) or _complaint(job, cluster, pods)
            raise JobFailed(f"the Job did not end within {deadline_s(job)} s{why and ': '}{why[:400]}", hint=_EVENTS)
        progress(f"waiting for the Job {job.name}")
        sleep(_LOOK_S)
    return _pods(job, cluster)


def _complaint(job: JobWanted, cluster: Cluster, pods: list[dict[str, Any]]) -> str:
    """Return what the cluster warned of: about the pod, or about the Job that could make none."""
    if pods:
        return cluster.complaint(job.namespace, (pods[-1].get("metadata") or {}).get("name", ""))
    return cluster.complaint(job.namespace, job.name) or "no pod was made: a quota or policy may forbid it"


_EVENTS = "kubectl get events, in the Job's namespace, says more"


def _answer(job: JobWanted, cluster: Cluster, pods: list[dict[str, Any]]) -> Preflight:
    if not pods:
        raise JobFailed("the Job ended without a pod", hint=_EVENTS)
    name = (pods[-1].get("metadata") or {}).get("name", "")
    log = cluster.text(f"/api/v1/namespaces/{job.namespace}/pods/{name}/log?container={CONTAINER}")
    found = answer_in(log)
    if found is None:
        raise JobFailed("the Job's pod gave no answer", output="\n".join(log.splitlines()[-5:]))
    return found


def _pods(job: JobWanted, cluster: Cluster) -> list[dict[str, Any]]:
    # The label without a prefix is set by every version; batch.kubernetes.io/job-name only since 1.27.
    told = cluster.get(f"/api/v1/namespaces/{job.namespace}/pods?labelSelector=job-name%3D{job.name}")
    items = told.get("items") if isinstance(told, dict) else None
    return [one for one in items or () if isinstance(one, dict)]
