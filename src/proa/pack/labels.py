"""What an image says of itself: labels and annotations from the source, its age, its base's name."""

from __future__ import annotations

import datetime as dt

from proa.errors import WrongUsage
from proa.records.project import Project

OWN = "org.opencontainers.image."


def labels(project: Project, *, created: str) -> dict[str, str]:
    """Return what the source says of the image, under the specification's names.

    Source: OCI image-spec, annotations.md, "Pre-Defined Annotation Keys".
    """
    git, main = project.git, project.main
    found = {"created": created, "title": main.name}
    if main.module_version:
        # A program asked for as path@version comes from there, whatever repository proa was started in.
        found |= {"version": main.module_version, "source": f"https://{main.module}"}
    else:
        version = git.tag + ("+dirty" if git.tag and git.is_dirty else "")
        found |= {"version": version, "revision": git.revision, "source": git.remote}
    return {f"{OWN}{key}": value for key, value in sorted(found.items()) if value}


def base_name(reference: str) -> str:
    """Return a base's name for the annotation; empty for a path of this machine, which is nobody's name for it.

    >>> base_name("docker://ghcr.io/a/b:1"), base_name("alpine:3"), base_name("oci:/home/me/base")
    ('ghcr.io/a/b:1', 'alpine:3', '')
    """
    for prefix in ("docker://", "docker-daemon:", "kind:", "containerd:"):
        reference = reference.removeprefix(prefix)
    is_path = reference.startswith(("oci:", "oci-archive:", "docker-archive:"))
    return "" if is_path else reference.replace("registry-1.docker.io/", "docker.io/", 1)


def created_at(created_epoch_s: int | None, project: Project) -> str:
    """Return the image's age: SOURCE_DATE_EPOCH where it is given, else its commit's. Raises WrongUsage."""
    seconds = created_epoch_s
    if seconds is None:
        seconds = 0 if project.main.module_version else project.git.committed_epoch_s
    try:
        moment = dt.datetime.fromtimestamp(seconds, tz=dt.UTC)
    except (OverflowError, ValueError, OSError) as error:
        raise WrongUsage(
            f"{seconds} is no moment in time", hint="SOURCE_DATE_EPOCH is in seconds since 1970"
        ) from error
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
