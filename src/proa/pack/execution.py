"""How a container of the image is started: user, ports, folder, environment, entrypoint, labels."""

from __future__ import annotations

import re

from proa.errors import WrongConfiguration, WrongUsage
from proa.pack import assets
from proa.records.binary import Binary
from proa.records.configuration import ImageSettings
from proa.records.evidence import Needs
from proa.records.oci import Execution
from proa.records.project import Project

PROGRAM_FOLDER = "app"
ASSETS_WORKDIR = "/srv"
"""Where files that the program opens by a relative path lie, and where it is started then: apart from the
program's own folder, so that no file can have the program's name."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Source: Docker and containerd give this where an image has none."""
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")


def execution_of(
    binary: Binary,
    settings: ImageSettings,
    project: Project,
    *,
    user: tuple[int, int],
    under: Execution | None,
    labels: dict[str, str],
    has_assets: bool,
    has_kodata: bool,
) -> Execution:
    """Return how a container is started. Of the base its environment, volumes and folder stay, no more.

    Its ports, stop signal, entrypoint and labels speak of another program.
    """
    environment = dict(line.partition("=")[::2] for line in (under and under.env) or ())
    environment.setdefault("PATH", _PATH)
    if has_kodata:
        environment["KO_DATA_PATH"] = f"/{assets.KODATA_PATH}"
    environment |= settings.env
    folder = settings.workdir and "/" + assets.image_path(settings.workdir, where="image.workdir")
    if not folder:
        folder = ASSETS_WORKDIR if has_assets else (under and under.working_dir) or "/"
    for name in environment:
        if not name or "=" in name or "\0" in name:
            raise WrongConfiguration(f"image.env: {name!r} is not the name of a variable")
    return Execution(
        user=f"{user[0]}:{user[1]}",
        exposed_ports={port: {} for port in exposed_ports(settings, project)} or None,
        env=tuple(f"{name}={value}" for name, value in environment.items()),
        entrypoint=settings.entrypoint or binary.command or ("/" + program_path(binary.name),),
        cmd=settings.args or None,
        volumes=(under and under.volumes) or None,
        working_dir=folder,
        labels=dict(sorted(labels.items())),
    )


def image_user(text: str, passwd: str) -> tuple[int, int]:
    """Return the numeric user and group; a name is looked up in the base's ``passwd``. Raises WrongUsage.

    >>> image_user("65532", ""), image_user("app", "app:x:7:8::/:/bin/sh")
    ((65532, 65532), (7, 8))
    """
    user, colon, group = text.partition(":")
    if user.isascii() and user.isdecimal() and (not colon or (group.isascii() and group.isdecimal())):
        # Without a group: the one of the same number, where docker would take 0, root's.
        uid, gid = int(user), int(group or user)
        if max(uid, gid) >= (1 << 32) - 1:
            raise WrongUsage(f"image.user: {text!r} is larger than any user id")
        return uid, gid
    for line in passwd.splitlines():
        fields = line.split(":")
        if len(fields) >= 4 and fields[0] == user and fields[2].isdecimal() and fields[3].isdecimal() and not colon:
            return int(fields[2]), int(fields[3])
    raise WrongUsage(
        f"image.user: {text!r} is not a number, and the base has no such user",
        hint="give uid:gid, such as 65532:65532: Kubernetes can only prove of a number that it is not root",
    )


def exposed_ports(settings: ImageSettings, project: Project) -> tuple[str, ...]:
    """Return the ports as the configuration writes them: ``8080/tcp``. Raises WrongConfiguration."""
    if not settings.ports:
        return tuple(dict.fromkeys(f"{port.number}/tcp" for port in project.ports if 0 < port.number < 65536))
    found: list[str] = []
    for text in settings.ports:
        match = _PORT.fullmatch(text)
        if match is None or not 0 < int(match[1]) < 65536:
            raise WrongConfiguration(f"image.ports: {text!r} is not a port", hint='write it as "8080" or "53/udp"')
        found.append(f"{int(match[1])}/{match[2] or 'tcp'}")
    return tuple(dict.fromkeys(found))


def program_path(main_name: str) -> str:
    """Return where the program lies, relative to the root."""
    return f"{PROGRAM_FOLDER}/{main_name}"


def workdir(settings: ImageSettings, needs: Needs) -> str:
    """Return where the program is started; empty: wherever the base says. Raises WrongConfiguration."""
    if settings.workdir:
        return "/" + assets.image_path(settings.workdir, where="image.workdir")
    return ASSETS_WORKDIR if any(not need.what.startswith("/") for need in needs.of("file")) else ""
