"""Images into kind's nodes and into containerd, by those tools' own commands where they are on PATH."""

from __future__ import annotations

from proa.outside.access import Access
from proa.outside.archive import docker_parts, full_name, oci_parts, write_archive
from proa.outside.docker import local_name
from proa.outside.manifests import one_image
from proa.outside.store import Store
from proa.records.oci import Descriptor
from proa.records.platform import Platform
from proa.records.reference import Name

_PATIENCE_S = 600.0


def load_into_kind(descriptor: Descriptor, name: Name, platform: Platform, *, store: Store, access: Access) -> str:
    """Load one platform of a stored image into a kind cluster (KIND_CLUSTER_NAME) and return NAME:TAG.

    Raises ToolMissing, ToolFailed, ToolTimedOut.
    """
    tag = local_name(name)
    _, manifest = one_image(descriptor, platform, store=store)
    cluster = access.environ.get("KIND_CLUSTER_NAME", "kind")
    with store.folder() as folder, docker_parts(manifest, names=[tag], store=store) as parts:
        write_archive(parts, folder / "image.tar")
        arguments = ["kind", "load", "image-archive", str(folder / "image.tar"), "--name", cluster]
        access.run(arguments, env=access.environ, timeout_s=_PATIENCE_S)
    return tag


def load_into_containerd(descriptor: Descriptor, name: Name, *, store: Store, access: Access) -> str:
    """Import a stored image into containerd's namespace for Kubernetes (CONTAINERD_NAMESPACE) and return its name.

    Raises ToolMissing, ToolFailed, ToolTimedOut.
    """
    full = full_name(name)
    namespace = access.environ.get("CONTAINERD_NAMESPACE", "k8s.io")
    with store.folder() as folder:
        # An OCI archive, not docker's: containerd reads zstd layers and several platforms from it.
        write_archive(oci_parts(descriptor, tag=full, store=store), folder / "image.tar")
        arguments = ["ctr", "-n", namespace, "images", "import", str(folder / "image.tar")]
        access.run(arguments, env=access.environ, timeout_s=_PATIENCE_S)
    return full
