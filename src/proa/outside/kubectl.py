"""A cluster through kubectl, which knows the user's kubeconfig and how to log in; paths of its API, and nothing else.

Source: https://kubernetes.io/docs/reference/kubernetes-api/ (core/v1 and batch/v1).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from proa.errors import ProaError, ToolFailed, WrongUsage
from proa.outside.command import Run, run

Holder = Literal["secrets", "configmaps"]
_PATIENCE_S = 30.0
_MOST_BYTES = 8 << 20
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


_HOPELESS = frozenset(
    {
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
        "CreateContainerError", "RunContainerError",
    }
)  # fmt: skip
"""Reasons of waiting that no patience mends. Source: k8s.io/kubernetes, pkg/kubelet/images and kuberuntime."""
_USER = 65532
RESTRICTED_POD: Mapping[str, Any] = {
    "runAsNonRoot": True,
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "seccompProfile": {"type": "RuntimeDefault"},
}
RESTRICTED_CONTAINER: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
"""Both together meet the level "restricted".

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
"""


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """How a cluster is reached."""

    context: str = ""
    """Of the kubeconfig; empty: the current one."""
    environ: Mapping[str, str] = {}
    run: Run = run

    def get(self, path: str) -> Any:
        """Return what the API server says of a path. Raises ToolMissing, ToolFailed, ToolTimedOut."""
        return self._asked(["get", "--raw", path])

    def text(self, path: str) -> str:
        """Return a path's answer as it is: a log."""
        return self._said(["get", "--raw", path]).decode("utf-8", "replace")

    def create(self, path: str, document: Any) -> Any:
        """Create what a document says."""
        return self._asked(["create", "--raw", path, "-f", "-"], msgspec.json.encode(document))

    def complaint(self, namespace: str, pod: str) -> str:
        """Return what the cluster last warned of about a pod; empty where it did not, or does not say.

        Events are told by those that the user may see only; they are gone after an hour.
        """
        chosen = f"involvedObject.name%3D{pod}%2Ctype%3DWarning"
        try:
            told = self.get(f"/api/v1/namespaces/{namespace}/events?fieldSelector={chosen}&limit=50")
        except ProaError:
            return ""
        items = told.get("items") if isinstance(told, dict) else None
        return last_warning(items if isinstance(items, list) else [])

    def delete(self, path: str) -> None:
        """Delete what is at a path."""
        self._said(["delete", "--raw", path])

    def _asked(self, words: list[str], document: bytes | None = None) -> Any:
        try:
            return msgspec.json.decode(self._said(words, document))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ToolFailed("kubectl answered something that is no JSON", hint=_HINT) from error

    def _said(self, words: list[str], document: bytes | None = None) -> bytes:
        context = ["--context", self.context] if self.context else []
        argv = ["kubectl", *context, f"--request-timeout={_PATIENCE_S:.0f}s", *words]
        ran = self.run(argv, env=self.environ, stdin=document, timeout_s=_PATIENCE_S + 10)
        if len(ran.stdout) > _MOST_BYTES:
            raise ToolFailed(f"kubectl {words[0]} answered more than {_MOST_BYTES >> 20} MiB", hint=_HINT)
        return ran.stdout


_HINT = "see what `kubectl get --raw /version` says"


def is_name(text: str) -> bool:
    """Say whether a text can be the name of a namespace, secret or config map."""
    return _NAME.fullmatch(text) is not None


def place_of(text: str, *, flag: str) -> tuple[str, str]:
    """Return namespace and name. Raises WrongUsage.

    >>> place_of("shop/db-credentials", flag="--secret")
    ('shop', 'db-credentials')
    """
    namespace, slash, name = text.partition("/")
    if not slash or not is_name(namespace) or not is_name(name):
        raise WrongUsage(f"{flag} is given as NAMESPACE/NAME", hint=f"for example: {flag} shop/database")
    return namespace, name


def variables_of(cluster: Cluster, kind: Holder, namespace: str, name: str) -> dict[str, str]:
    """Return what a secret or config map gives a pod as variables. Raises ToolMissing, ToolFailed, ToolTimedOut."""
    told = cluster.get(f"/api/v1/namespaces/{namespace}/{kind}/{name}")
    data = told.get("data") if isinstance(told, dict) else None
    return decoded(data if isinstance(data, dict) else {}, is_encoded=kind == "secrets")


def decoded(data: Mapping[str, Any], *, is_encoded: bool) -> dict[str, str]:
    """Return the entries that can be variables, as ``envFrom`` takes them; the others are files.

    >>> decoded({"URL": "cmVkaXM6Ly9j", "tls crt": "eA==", "BLOB": "/w==", "BAD": "%"}, is_encoded=True)
    {'URL': 'redis://c'}
    """
    found: dict[str, str] = {}
    for name, value in data.items():
        if not isinstance(value, str) or not _VARIABLE.fullmatch(name):
            continue
        try:
            text = base64.b64decode(value, validate=True).decode() if is_encoded else value
        except (binascii.Error, UnicodeDecodeError):
            continue
        if "\0" not in text:
            found[name] = text
    return found


def obstacle(pods: Iterable[Mapping[str, Any]]) -> str:
    """Return why a pod will never run, in the cluster's own words; empty where it may still.

    >>> waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    >>> obstacle([{"status": {"containerStatuses": [{"state": waiting}]}}])
    'ErrImagePull: not found'
    """
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            waiting = (container.get("state") or {}).get("waiting") or {}
            if waiting.get("reason") in _HOPELESS:
                return f"{waiting['reason']}: {waiting.get('message', '')}".rstrip(": ")
    return ""


def last_warning(events: Iterable[Any]) -> str:
    """Return the reason and message of the latest warning among events.

    >>> last_warning([
    ...     {"reason": "Unhealthy", "message": "refused", "lastTimestamp": "2026-11-29T07:00:02Z"},
    ...     {"reason": "FailedMount", "message": "no such secret", "lastTimestamp": "2026-11-29T07:00:01Z"},
    ... ])
    'Unhealthy: refused'
    """
    known = [one for one in events if isinstance(one, dict) and one.get("reason") not in _HARMLESS]
    if not known:
        return ""
    # Older servers fill the one, newer clients the other.
    last = max(known, key=lambda one: str(one.get("lastTimestamp") or one.get("eventTime") or ""))
    return f"{last.get('reason', '')}: {' '.join(str(last.get('message') or '').split())}"


_HARMLESS = frozenset({"MissingClusterDNS", "DNSConfigForming"})
"""Warnings about a node's settings, which come with each pod. Source: k8s.io/kubernetes, pkg/kubelet/network/dns."""


def pending(pods: Iterable[Mapping[str, Any]]) -> str:
    """Return what a pod that does not start is waiting for."""
    conditions = [one for pod in pods for one in (pod.get("status") or {}).get("conditions") or ()]
    return next((str(one.get("message", "")) for one in conditions if one.get("reason") == "Unschedulable"), "")
