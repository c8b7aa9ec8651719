"""The same check as a Job of the cluster: its manifest, its end, and its answer in the log."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from proa.outside.kubectl import RESTRICTED_CONTAINER, RESTRICTED_POD
from proa.records.preflight import Preflight

CONTAINER = "preflight"
_SLACK_S = 60
"""For scheduling and pulling, beside what the check itself may take (arbitrary)."""
_KEPT_S = 600
"""A Job that nobody deleted goes away by itself after ten minutes (arbitrary)."""


class JobWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the Job is to be."""

    name: str = "proa-preflight"
    namespace: str = "default"
    image: str
    secrets: tuple[str, ...] = ()
    config_maps: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    timeout_s: float = 5.0
    wait_s: float = 0.0
    service_account: str = ""


def manifest(wanted: JobWanted) -> dict[str, Any]:
    """Return the Job; its pod meets the level "restricted"."""
    labels = {"app.kubernetes.io/name": "proa-preflight", "app.kubernetes.io/managed-by": "proa"}
    account = {"serviceAccountName": wanted.service_account} if wanted.service_account else {}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": wanted.name, "namespace": wanted.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline_s(wanted),
            "ttlSecondsAfterFinished": _KEPT_S,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    **account,
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    # Otherwise every service of the namespace would be a variable, and be taken for one to contact.
                    "enableServiceLinks": False,
                    "securityContext": RESTRICTED_POD,
                    "containers": [_container(wanted)],
                    "volumes": [{"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}],
                },
            },
        },
    }


def _container(wanted: JobWanted) -> dict[str, Any]:
    arguments = ["preflight", "--dir", "/tmp", "--format", "json", "--timeout", f"{wanted.timeout_s:g}s"]  # noqa: S108
    arguments += ["--wait", f"{wanted.wait_s:g}s"] if wanted.wait_s else []
    arguments += [word for name in wanted.only for word in ("--only", name)]
    arguments += [word for name in wanted.optional for word in ("--optional", name)]
    sources = [{"configMapRef": {"name": name}} for name in wanted.config_maps]
    sources += [{"secretRef": {"name": name}} for name in wanted.secrets]
    return {
        "name": CONTAINER,
        "image": wanted.image,
        "command": ["proa"],
        "args": arguments,
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "CI", "value": "true"}],  # noqa: S108 (the pod's own)
        "envFrom": sources,
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": RESTRICTED_CONTAINER,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }


def deadline_s(wanted: JobWanted) -> int:
    """Return the seconds after which the cluster ends the Job.

    >>> deadline_s(JobWanted(image="x", timeout_s=5, wait_s=60))
    130
    """
    return math.ceil(wanted.wait_s + 2 * wanted.timeout_s + _SLACK_S)


def is_over(job: Mapping[str, Any]) -> bool:
    """Whether a Job came to its end, good or bad."""
    status = job.get("status") or {}
    return any(
        one.get("type") in ("Complete", "Failed") and one.get("status") == "True"
        for one in status.get("conditions") or ()
    )


def answer_in(log: str) -> Preflight | None:
    """Return the record in a pod's log, which holds both streams; None where there is none."""
    decoder = json.JSONDecoder()
    at = 0
    while (at := log.find("{", at)) >= 0:
        if at == 0 or log[at - 1] == "\n":
            try:
                found, _ = decoder.raw_decode(log, at)
                if "services" in found and str(found.get("schema", "")).startswith("proa/preflight/"):
                    return msgspec.convert(found, Preflight)
            except (ValueError, RecursionError, msgspec.ValidationError):
                pass
        at += 1
    return None
