"""Put a program and what it needs into an image: the layers, by how often they change.

How it is started, what it says of itself and its documents: ``execution``, ``labels``, ``manifests``.

base's layers   as they are
system files    change with certifi and tzdata
libraries       change with the distribution that the program was linked on
run time        changes with the JDK and the modules that a jar uses
dependencies    change with the versions of others' jars
assets          change with the repository
program         changes with every build
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from proa.errors import WrongConfiguration, WrongUsage
from proa.outside.store import Store
from proa.pack import assets
from proa.pack.bases import Base, Files, check_base, choose_base, read_base, refuse_unread
from proa.pack.compress import choose_method
from proa.pack.entries import Entry, parents, with_parents
from proa.pack.execution import execution_of, image_user, program_path, workdir
from proa.pack.files import system_files, zone_findings
from proa.pack.labels import OWN, base_name, created_at, labels
from proa.pack.layers import make_layer
from proa.pack.libraries import entries_of, library_entries
from proa.pack.manifests import base_layers, config_of, put_manifest
from proa.records.binary import Binary
from proa.records.configuration import ImageSettings
from proa.records.evidence import Finding, Needs
from proa.records.image import Image, Layer
from proa.records.project import Main, Project


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

    groups = _groups(
        binary, needs, settings, project.main, user=user, directory=directory, files=files, is_empty=base is None
    )
    layers: list[Layer] = []
    present = set(files.paths())
    for holds, wanted in groups:
        entries = _new_entries(wanted, files, present, is_ours=holds not in ("system files", "libraries"))
        if not entries:
            continue
        present.update(entry.path for entry in entries)
        layers.append(_layer(entries, holds, binary, settings, mtime_s=created_epoch_s or 0, store=store, jobs=jobs))

    created = created_at(created_epoch_s, project)
    names = labels(project, created=created)
    if base:
        names |= {f"{OWN}base.digest": base.manifest.digest}
        if name := base_name(base.reference):
            names[f"{OWN}base.name"] = name
    has_assets = any(need.what and not need.what.startswith("/") for need in needs.of("file"))
    execution = execution_of(
        binary,
        settings,
        project,
        user=user,
        under=content.config.config if content else None,
        labels={**names, **settings.labels},
        has_assets=has_assets and any(layer.holds == "assets" for layer in layers),
        has_kodata=any(holds == "assets" and _has_kodata(wanted) for holds, wanted in groups),
    )
    config = config_of(binary, execution, layers, created=created, content=content)
    manifest = put_manifest(config, layers, content, annotations={**names, **settings.annotations}, store=store)
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
            layers=(*base_layers(content), *layers),
        ),
        findings=findings,
    )


def pack_program(
    binary: Binary, settings: ImageSettings, *, store: Store, jobs: int, created_epoch_s: int | None = None
) -> Layer:
    """Return the program's layer for an empty base before all that is needed beside it is known.

    ``pack`` then finds it in the store. Compressing takes long, and needs nothing but the program.
    """
    entries = _new_entries(_program(binary), Files(), set(), is_ours=True)
    return _layer(entries, "program", binary, settings, mtime_s=created_epoch_s or 0, store=store, jobs=jobs)


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


def _groups(
    binary: Binary,
    needs: Needs,
    settings: ImageSettings,
    main: Main,
    *,
    user: tuple[int, int],
    directory: Path,
    files: Files,
    is_empty: bool,
) -> tuple[tuple[str, list[Entry]], ...]:
    has_libc = binary.is_static or bool(binary.runtime_files)
    is_libc_linked = is_empty and has_libc and bool(needs.of("libc"))
    system = list(system_files(needs, user=user, is_libc_linked=is_libc_linked))
    own = [
        *assets.needed(needs.of("file"), workdir(settings, needs) or "/", main=main, directory=directory),
        *assets.kodata(main, directory),
        *assets.configured(settings.files, directory),
    ]
    loaded = library_entries(binary, files)
    program = _program(binary)
    if any(entry.path == program[0].path for entry in own):
        raise WrongConfiguration(
            f"/{program[0].path} is where the program itself lies", hint="put that file elsewhere, or set image.workdir"
        )
    run_time, dependencies = entries_of(binary, "run time"), entries_of(binary, "dependencies")
    _refuse_clashes([*system, *loaded, *run_time, *dependencies, *own, *program])
    return (
        ("system files", system),
        ("libraries", loaded),
        ("run time", run_time),
        ("dependencies", dependencies),
        ("assets", own),
        ("program", program),
    )


def _program(binary: Binary) -> list[Entry]:
    """Return the program itself, and what of a jar's folder changes with it."""
    kind = "a jar" if binary.language == "java" else "static" if binary.is_static else "dynamically linked"
    itself = Entry(
        path=program_path(binary.name),
        mode=0o555,
        size_bytes=binary.bytes,
        blob=binary.digest,
        reason=f"the program, {kind}",
    )
    return [itself, *entries_of(binary, "program")]


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


def _runs_as_root(user: str) -> Finding:
    return Finding(
        id="pack.root",
        message=f"the image runs as root (image.user: {user})",
        hint="leave image.user out; clusters that forbid root refuse this image",
    )


def _has_kodata(entries: Sequence[Entry]) -> bool:
    return any(entry.path == assets.KODATA_PATH for entry in entries)
