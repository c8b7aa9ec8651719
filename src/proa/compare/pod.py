"""The program as one pod of a cluster: its manifest, and when it is ready."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.outside.kubectl import RESTRICTED_CONTAINER, RESTRICTED_POD

CONTAINER = "program"


class PodWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the pod is to be."""

    name: str
    namespace: str
    image: str
    """By digest."""
    arguments: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    port: int = 0
    route: str = ""
    memory_bytes: int


def manifest(wanted: PodWanted) -> dict[str, Any]:
    """Return the pod; it is ready when what answered in the trial answers, asked once a second: the most there is."""
    probe: dict[str, Any] = {"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 120}
    if wanted.route and wanted.port:
        probe["httpGet"] = {"path": wanted.route, "port": wanted.port}
    elif wanted.port:
        probe["tcpSocket"] = {"port": wanted.port}
    container = {
        "name": CONTAINER,
        "image": wanted.image,
        "args": list(wanted.arguments),
        "env": [{"name": name, "value": value} for name, value in wanted.environment],
        "resources": {"limits": {"memory": str(wanted.memory_bytes)}, "requests": {"cpu": "50m"}},
        "securityContext": RESTRICTED_CONTAINER,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 (the pod's own)
        **({"readinessProbe": probe} if wanted.port else {}),
    }
    labels = {"app.kubernetes.io/name": "proa-ways", "app.kubernetes.io/managed-by": "proa"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": wanted.name, "namespace": wanted.namespace, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            # It goes away by itself where nobody is left to delete it.
            "activeDeadlineSeconds": 300,
            "securityContext": RESTRICTED_POD,
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether its condition says so."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def has_ended(pod: Mapping[str, Any]) -> str:
    """Return why it will not get ready any more; empty where it may.

    >>> has_ended({"status": {"phase": "Failed", "message": "evicted"}}), has_ended({"status": {"phase": "Running"}})
    ('Failed: evicted', '')
    """
    status = pod.get("status") or {}
    if status.get("phase") not in ("Failed", "Succeeded"):
        return ""
    return f"{status['phase']}: {status.get('message') or 'the program ended'}"
