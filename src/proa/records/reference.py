"""Names of images and where they are, written as skopeo and podman do."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from proa.errors import WrongUsage

Transport = Literal["store", "oci", "oci-archive", "docker-archive", "docker-daemon", "docker", "kind", "containerd"]

_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]+)?"
_PATH = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# Source: the grammar in github.com/distribution/reference.
_NAME = re.compile(rf"(?:(?P<registry>{_DOMAIN}|\[[0-9a-fA-F:]+\](?::[0-9]+)?)/)?(?P<path>{_PATH}(?:/{_PATH})*)")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DOCKER_HUB = "registry-1.docker.io"


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """An image's name in a registry, daemon or the local store."""

    registry: str
    """Host and port; empty where the name had none and needs none."""
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Return the name without tag and digest."""
        return f"{self.registry}/{self.path}" if self.registry else self.path

    def __str__(self) -> str:
        """Return the whole name."""
        return self.repository + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """Where an image is, or is to go."""

    transport: Transport
    path: str = ""
    """A folder or file for oci, oci-archive and docker-archive."""
    name: Name | None = None

    @property
    def tag(self) -> str:
        """Return the tag, or an empty string."""
        return self.name.tag if self.name else ""

    def __str__(self) -> str:
        """Return the reference as it would be written."""
        if self.transport == "store":
            return str(self.name)
        if self.transport == "docker":
            return f"docker://{self.name}"
        if not self.path:
            return f"{self.transport}:{self.name}"
        tail = _tail(self.name) if self.name else ""
        digest = f"@{self.name.digest}" if self.name and self.name.digest else ""
        return f"{self.transport}:{self.path}" + (f":{tail}" if tail else "") + digest


def _tail(name: Name) -> str:
    return str(msgspec.structs.replace(name, digest="")) if name.path else name.tag


def parse_name(text: str) -> Name:
    """Return the name written as ``[registry/]path[:tag][@digest]``.

    The first part is a registry if it has a dot or a port, or is ``localhost``. Raises WrongUsage.

    >>> parse_name("localhost:5000/shop/api:1.4").repository
    'localhost:5000/shop/api'
    """
    rest, _, digest = text.partition("@")
    if "@" in text and not _DIGEST.fullmatch(digest):
        raise WrongUsage(f"{text!r} has no valid digest after @", hint="a digest is sha256: and 64 hexadecimal digits")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        head, tag = rest, ""
    elif not _TAG.fullmatch(tag):
        raise WrongUsage(f"{text!r} has no valid tag after the colon")
    first, slash, remainder = head.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost" or first.startswith("["))
    registry, path = (first, remainder) if has_registry else ("", head)
    if not _NAME.fullmatch(f"{registry}/{path}" if registry else path):
        raise WrongUsage(f"{text!r} is not an image name", hint="names are lower case: registry.example/team/name:tag")
    return Name(registry=registry, path=path, tag=tag, digest=digest)


def parse_reference(text: str) -> Reference:
    """Return where an image is, from skopeo's notation; a bare name is in the local store.

    Raises WrongUsage.

    >>> parse_reference("oci:out:1.0").path, parse_reference("docker://ghcr.io/a/b:1").transport
    ('out', 'docker')
    """
    transport, colon, rest = text.partition(":")
    match transport if colon else "":
        case "docker" if rest.startswith("//"):
            name = parse_name(rest.removeprefix("//"))
            if name.registry in ("", "docker.io", "index.docker.io"):
                path = name.path if "/" in name.path else f"library/{name.path}"
                name = Name(registry=_DOCKER_HUB, path=path, tag=name.tag, digest=name.digest)
            return Reference(transport="docker", name=name)
        case "oci" | "oci-archive" | "docker-archive" as kind:
            place, at, digest = rest.rpartition("@")
            if not at or not _DIGEST.fullmatch(digest):
                place, digest = rest, ""
            path, _, tail = place.partition(":")
            if not path:
                raise WrongUsage(f"{text!r} names no path", hint=f"write {kind}:PATH[:TAG]")
            name = _archive_name(tail) if tail else Name(registry="", path="")
            if digest:
                name = msgspec.structs.replace(name, digest=digest)
            return Reference(transport=kind, path=path, name=name if tail or digest else None)
        case "docker-daemon" | "kind" | "containerd" as kind:
            return Reference(transport=kind, name=parse_name(rest))
        case _:
            return Reference(transport="store", name=parse_name(text))


def _archive_name(tail: str) -> Name:
    if _TAG.fullmatch(tail):
        return Name(registry="", path="", tag=tail)
    return parse_name(tail)
