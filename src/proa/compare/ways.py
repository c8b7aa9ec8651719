"""What each way to deploy takes and gives, and which suits."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from proa.compare.unit import install_commands
from proa.records.ways import Effort, WayName


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What of a program and its surroundings decides."""

    is_server: bool
    is_static: bool
    writes_files: bool
    needs_files: bool
    """It needs files beside itself: assets, zones, certificates."""
    has_cluster: bool
    has_runtime: bool
    """docker, podman or a runtime is on this machine."""
    services: int
    """How many other services it is configured for."""


def effort_of(way: WayName, *, name: str, ports: Sequence[int], is_static: bool, variables: int) -> Effort:
    """Return what somebody keeps, types and understands for one way."""
    match way:
        case "service":
            return Effort(
                files=(f"{name}.service", f"/etc/{name}/env") if variables else (f"{name}.service",),
                commands=("copy the archive to the machine", f"tar -xzf {name}.tar.gz", *install_commands(name)),
                update=("copy the archive to the machine", f"tar -xzf {name}.tar.gz", install_commands(name)[0],
                        f"systemctl restart {name}"),
                moving_parts=("systemd", *(() if is_static else ("the machine's libraries, at their versions",))),
            )  # fmt: skip
        case "container":
            publish = "".join(f" -p {port}:{port}" for port in ports)
            given = " --env-file env" if variables else ""
            start = f"docker run -d --restart=unless-stopped --read-only --cap-drop=ALL{publish}{given} IMAGE"
            return Effort(
                files=("env",) if variables else (),
                commands=("proa ship --to docker://REGISTRY/NAME", "docker pull IMAGE", start),
                update=("proa ship --to docker://REGISTRY/NAME", "docker pull IMAGE", f"docker rm -f {name}", start),
                moving_parts=("a container engine and its daemon", "a registry"),
            )
        case "pod":
            kinds = ["deployment.yaml", *(["service.yaml"] if ports else []), *(["secret.yaml"] if variables else [])]
            return Effort(
                files=tuple(kinds),
                commands=("proa ship --to docker://REGISTRY/NAME", "kubectl apply -f .",
                          f"kubectl rollout status deploy/{name}"),
                update=("proa ship --to docker://REGISTRY/NAME", f"kubectl set image deploy/{name} {name}=IMAGE",
                        f"kubectl rollout status deploy/{name}"),
                moving_parts=("a registry", "the API server and its store", "scheduler and controllers", "kubelet",
                              "a container runtime", "the cluster's network and name service"),
            )  # fmt: skip


def advise(traits: Traits) -> tuple[WayName, tuple[str, ...]]:
    """Return the way that suits, and why: the first of these that holds.

    >>> advise(Traits(is_server=True, is_static=True, writes_files=False, needs_files=False, has_cluster=False,
    ...               has_runtime=False, services=0))[0]
    'service'
    """
    if traits.has_cluster and traits.is_server and not traits.writes_files:
        return "pod", (
            "a cluster answers from here, so its moving parts are run already",
            "it serves and was not seen to write files: copies of it can run side by side and replace one another",
        )
    if not traits.is_static:
        return "container", (
            "it needs shared libraries: in an image they are those it was tried with, on a machine they change with it",
        )
    if traits.needs_files and traits.has_runtime:
        return "container", (
            "it needs files beside itself, and the image carries them",
            "a container runtime is here already",
        )
    if traits.services > 1 and traits.has_runtime:
        return "container", (
            f"it talks to {traits.services} other services, which start beside it as containers most easily",
        )
    why = ["one static file: nothing else has to be installed", "no daemon, no registry between it and the machine"]
    if traits.writes_files:
        why.append("it writes files: a state folder of the machine keeps them over restarts")
    if not traits.is_server:
        why.append("it is not seen to serve: a timer of systemd or a shell can start it as it is")
    return "service", tuple(why)
