"""Put a program and what it needs into an image: layers by how often they change, config, manifest, index.

base's layers   as they are
system files    change with certifi and tzdata
assets          change with the repository
program         changes with every build
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import BaseUnfit, WrongConfiguration, WrongUsage
from proa.outside.store import Store, disk_errors
from proa.pack import assets
from proa.pack.bases import Base, BaseContent, Files, check_base, choose_base, read_base, refuse_unread
from proa.pack.compress import choose_method
from proa.pack.entries import Entry, parents, with_parents
from proa.pack.files import system_files, zone_findings
from proa.pack.layers import make_layer
from proa.records.binary import Binary
from proa.records.configuration import ImageSettings
from proa.records.evidence import Finding, Needs
from proa.records.image import Image, Layer
from proa.records.oci import (
    CONFIG,
    DOCKER_LAYER,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    MANIFEST,
    Config,
    Descriptor,
    Execution,
    History,
    Index,
    Manifest,
    PlatformDocument,
    RootFs,
)
from proa.records.project import Main, Project

PROGRAM_FOLDER = "app"
ASSETS_WORKDIR = "/srv"
"""Where files that the program opens by a relative path lie, and where it is started then: apart from the
program's own folder, so that no file can have the program's name."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Source: Docker and containerd give this where an image has none."""
_OWN = "org.opencontainers.image."
_OCI_LAYERS = {
    DOCKER_LAYER: LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
    LAYER_GZIP: LAYER_GZIP,
    LAYER_TAR: LAYER_TAR,
    LAYER_ZSTD: LAYER_ZSTD,
}
_PORT = re.compile(r"([0-9]{1,5})(?:/(tcp|udp|sctp))?")


class Packed(msgspec.Struct, frozen=True, kw_only=True):
    """An image and what the user should hear about it."""

    image: Image
    findings: tuple[Finding, ...] = ()


def pack(
    binary: Binary,
    needs: Needs,
    settings: ImageSettings,
    *,
    project: Project,
    base: Base | None,
    store: Store,
    directory: Path,
    jobs: int,
    created_epoch_s: int | None = None,
) -> Packed:
    """Return the image of one program for one platform; all its blobs are in the store.

    ``directory`` is the repository that asset paths are relative to and may not leave. ``created_epoch_s`` is
    SOURCE_DATE_EPOCH where it is set; otherwise the image is as old as its commit and its files as 1970, so that a
    commit which changes no file changes no layer.
    Raises WrongUsage, WrongConfiguration, UnsafePath, NotStatic, BaseUnfit, HostileArchive, NoSpace.
    """
    if binary.platform.os != "linux":
        raise WrongUsage(
            f"images are packed for Linux, not for {binary.platform}", hint="choose --platform linux/ARCHITECTURE"
        )
    choice = choose_base(needs, binary, settings)
    refuse_unread(base, choice)
    content = read_base(base, store) if base else None
    findings = (*choice.findings, *zone_findings(needs))
    if base and content:
        findings += check_base(base, content, binary, needs)
    files = content.files if content else Files()
    user = image_user(settings.user, files.passwd)
    if user[0] == 0:
        findings += (_runs_as_root(settings.user),)

    groups = _groups(binary, needs, settings, project.main, user=user, directory=directory, is_empty=base is None)
    layers: list[Layer] = []
    present = set(files.paths())
    for holds, wanted in groups:
        entries = _new_entries(wanted, files, present, is_ours=holds != "system files")
        if not entries:
            continue
        present.update(entry.path for entry in entries)
        layers.append(_layer(entries, holds, binary, settings, mtime_s=created_epoch_s or 0, store=store, jobs=jobs))

    created = _created(created_epoch_s, project)
    names = labels(project, created=created)
    if base:
        names |= {f"{_OWN}base.digest": base.manifest.digest}
        if name := base_name(base.reference):
            names[f"{_OWN}base.name"] = name
    has_assets = any(need.what and not need.what.startswith("/") for need in needs.of("file"))
    execution = _execution(
        binary,
        settings,
        project,
        user=user,
        under=content.config.config if content else None,
        labels={**names, **settings.labels},
        has_assets=has_assets and any(layer.holds == "assets" for layer in layers),
        has_kodata=any(holds == "assets" and _has_kodata(wanted) for holds, wanted in groups),
    )
    config = _config(binary, execution, layers, created=created, content=content)
    manifest = _manifest(config, layers, content, annotations={**names, **settings.annotations}, store=store)
    return Packed(
        image=Image(
            platform=binary.platform,
            digest=manifest.digest,
            manifest=manifest,
            base=choice.reference if base is None else base.reference,
            base_digest=base.manifest.digest if base else "",
            base_reason=choice.reason,
            user=f"{user[0]}:{user[1]}",
            entrypoint=execution.entrypoint or (),
            layers=(*_base_layers(content), *layers),
        ),
        findings=findings,
    )


def pack_program(
    binary: Binary, settings: ImageSettings, *, store: Store, jobs: int, created_epoch_s: int | None = None
) -> None:
    """Make the program's layer for an empty base before all that is needed beside it is known.

    ``pack`` then finds it in the store. Compressing takes long, and needs nothing but the program.
    """
    entries = _new_entries([_program(binary)], Files(), set(), is_ours=True)
    _layer(entries, "program", binary, settings, mtime_s=created_epoch_s or 0, store=store, jobs=jobs)


def _layer(
    entries: Sequence[Entry],
    holds: str,
    binary: Binary,
    settings: ImageSettings,
    *,
    mtime_s: int,
    store: Store,
    jobs: int,
) -> Layer:
    method = choose_method(
        settings.compression,
        settings.compression_level,
        size_bytes=sum(entry.size_bytes for entry in entries),
        strip=binary.strip,
    )
    return make_layer(entries, holds=holds, method=method, mtime_s=mtime_s, store=store, jobs=jobs)


def index(images: Sequence[Image], *, annotations: Mapping[str, str], store: Store) -> Descriptor:
    """Store an index of images, platforms in the order given, and return its descriptor."""
    document = Index(
        schema_version=2,
        media_type=INDEX,
        manifests=tuple(image.manifest for image in images),
        annotations=dict(sorted(annotations.items())) or None,
    )
    return _put(document, INDEX, store)


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
    return {f"{_OWN}{key}": value for key, value in sorted(found.items()) if value}


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


def _groups(
    binary: Binary,
    needs: Needs,
    settings: ImageSettings,
    main: Main,
    *,
    user: tuple[int, int],
    directory: Path,
    is_empty: bool,
) -> tuple[tuple[str, list[Entry]], ...]:
    is_libc_linked = is_empty and binary.is_static and bool(needs.of("libc"))
    system = list(system_files(needs, user=user, is_libc_linked=is_libc_linked))
    own = [
        *assets.needed(needs.of("file"), workdir(settings, needs) or "/", main=main, directory=directory),
        *assets.kodata(main, directory),
        *assets.configured(settings.files, directory),
    ]
    program = _program(binary)
    if any(entry.path == program.path for entry in own):
        raise WrongConfiguration(
            f"/{program.path} is where the program itself lies", hint="put that file elsewhere, or set image.workdir"
        )
    _refuse_clashes([*system, *own, program])
    return ("system files", system), ("assets", own), ("program", [program])


def _program(binary: Binary) -> Entry:
    return Entry(
        path=program_path(binary.name),
        mode=0o555,
        size_bytes=binary.bytes,
        blob=binary.digest,
        reason=f"the program, {'static' if binary.is_static else 'dynamically linked'}",
    )


def _refuse_clashes(entries: Sequence[Entry]) -> None:
    kinds = {entry.path: entry.kind for entry in entries}
    for entry in entries:
        for parent in parents(entry.path):
            if kinds.get(parent, "folder") != "folder":
                raise WrongConfiguration(
                    f"/{parent} is asked for as a file, and /{entry.path} lies below it", hint="see image.files"
                )


def _new_entries(wanted: Sequence[Entry], files: Files, present: set[str], *, is_ours: bool) -> tuple[Entry, ...]:
    """Return what a layer must hold: folders that are there are left alone, and so are a base's system files."""
    moved = [msgspec.structs.replace(entry, path=files.resolve(entry.path)) for entry in wanted]
    kept = [entry for entry in moved if entry.path not in present or (is_ours and entry.kind != "folder")]
    for entry in kept:
        if files.is_folder(entry.path):
            raise WrongConfiguration(
                f"/{entry.path} is a folder of the base, not a file", hint="end `to` with a slash to put a file into it"
            )
    paths = {entry.path for entry in kept}
    # A hard link whose first name the base has cannot stand alone in our layer.
    linked = [entry for entry in kept if entry.kind != "hardlink" or entry.target in paths]
    return with_parents(linked, present=present)


def _execution(
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
        entrypoint=settings.entrypoint or ("/" + program_path(binary.name),),
        cmd=settings.args or None,
        volumes=(under and under.volumes) or None,
        working_dir=folder,
        labels=dict(sorted(labels.items())),
    )


def _config(
    binary: Binary, execution: Execution, layers: Sequence[Layer], *, created: str, content: BaseContent | None
) -> Config:
    below = content.config if content else None
    steps = tuple(
        History(created=created, created_by="proa", comment=f"{layer.holds}: {_summary(layer)}") for layer in layers
    )
    return Config(
        architecture=binary.platform.architecture,
        os=binary.platform.os,
        variant=binary.platform.variant or None,
        created=created,
        config=execution,
        rootfs=RootFs(
            diff_ids=(*(below.rootfs.diff_ids if below else ()), *(layer.diff_id for layer in layers)),
        ),
        history=(*_base_history(below), *steps),
    )


def _manifest(
    config: Config,
    layers: Sequence[Layer],
    content: BaseContent | None,
    *,
    annotations: dict[str, str],
    store: Store,
) -> Descriptor:
    document = Manifest(
        schema_version=2,
        media_type=MANIFEST,
        config=_put(config, CONFIG, store),
        layers=(
            *(_oci_layer(layer) for layer in (content.manifest.layers if content else ())),
            *(Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.bytes) for layer in layers),
        ),
        annotations=dict(sorted(annotations.items())),
    )
    platform = PlatformDocument(os=config.os, architecture=config.architecture, variant=config.variant)
    return msgspec.structs.replace(_put(document, MANIFEST, store), platform=platform)


def _base_layers(content: BaseContent | None) -> tuple[Layer, ...]:
    if content is None:
        return ()
    return tuple(
        Layer(
            digest=layer.digest,
            diff_id=diff_id,
            media_type=_oci_layer(layer).media_type,
            bytes=layer.size,
            unpacked_bytes=unpacked,
            holds="base",
        )
        for layer, diff_id, unpacked in zip(
            content.manifest.layers, content.config.rootfs.diff_ids, content.files.unpacked_bytes, strict=True
        )
    )


def _oci_layer(layer: Descriptor) -> Descriptor:
    """Return a base's layer under its OCI name; the bytes are the same, so is the digest."""
    media_type = _OCI_LAYERS.get(layer.media_type)
    if media_type is None:
        raise BaseUnfit(f"the base has a layer of the type {layer.media_type!r}, which cannot be passed on")
    return Descriptor(media_type=media_type, digest=layer.digest, size=layer.size)


def _base_history(below: Config | None) -> tuple[History, ...]:
    """Return the base's history; where it does not fit its layers, one plain step per layer."""
    if below is None:
        return ()
    steps = below.history or ()
    count = len(below.rootfs.diff_ids)
    if sum(not step.empty_layer for step in steps) == count:
        return steps
    return tuple(History(created_by="base layer") for _ in range(count))


def _created(created_epoch_s: int | None, project: Project) -> str:
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


def base_name(reference: str) -> str:
    """Return a base's name for the annotation; empty for a path of this machine, which is nobody's name for it.

    >>> base_name("docker://ghcr.io/a/b:1"), base_name("alpine:3"), base_name("oci:/home/me/base")
    ('ghcr.io/a/b:1', 'alpine:3', '')
    """
    for prefix in ("docker://", "docker-daemon:", "kind:", "containerd:"):
        reference = reference.removeprefix(prefix)
    is_path = reference.startswith(("oci:", "oci-archive:", "docker-archive:"))
    return "" if is_path else reference.replace("registry-1.docker.io/", "docker.io/", 1)


def _runs_as_root(user: str) -> Finding:
    return Finding(
        id="pack.root",
        message=f"the image runs as root (image.user: {user})",
        hint="leave image.user out; clusters that forbid root refuse this image",
    )


def _has_kodata(entries: Sequence[Entry]) -> bool:
    return any(entry.path == assets.KODATA_PATH for entry in entries)


def _summary(layer: Layer) -> str:
    shown = ", ".join(file.path for file in layer.files[:3])
    return shown + (f" and {len(layer.files) - 3} more" if len(layer.files) > 3 else "")


def _put(document: Index | Manifest | Config, media_type: str, store: Store) -> Descriptor:
    data = msgspec.json.encode(document)
    with disk_errors(store.root):
        return Descriptor(media_type=media_type, digest=store.put_blob(data), size=len(data))
