"""Write the multi-stage Dockerfile that makes an equivalent image, for those who must have one.

Equivalent, not equal: a builder's layers carry its own times and its distribution's certificates and zones.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterator
from pathlib import Path

from proa.errors import WrongConfiguration
from proa.pack.assets import KODATA_PATH, image_path
from proa.pack.bases import NOTHING
from proa.pack.execution import exposed_ports, image_user, program_path, workdir
from proa.pack.files import CERTIFICATES_PATH, MIME_PATH, ZONES_PATH, users
from proa.pack.native_stage import ALPINE_PACKAGES, native_stage
from proa.records.configuration import BuildSettings, ImageSettings
from proa.records.evidence import Needs
from proa.records.project import Main, Project

_LINKER = {"none": (), "dwarf": ("-w",), "all": ("-s", "-w")}
_ROOT = "/rootfs"
_HEAD = """\
# Written by proa: the same program with the same files as `proa ship` would pack.
"""


def dockerfile(project: Project, needs: Needs, settings: ImageSettings, *, build: BuildSettings | None = None) -> str:
    """Return a Dockerfile for BuildKit, to stand in the module's root. Raises WrongConfiguration, WrongUsage."""
    build = build or BuildSettings()
    blocks = (
        _build_stage(project, build),
        _files_stage(project, needs, settings),
        _final_stage(project, needs, settings),
    )
    return _HEAD + "\n".join("\n".join(block) + "\n" for block in map(list, blocks) if block)


def _build_stage(project: Project, build: BuildSettings) -> Iterator[str]:
    main = project.main
    if project.native is not None:
        yield from native_stage(project, project.native, build, target=f"{_ROOT}/{program_path(main.name)}")
        return
    version = (project.toolchain or project.go_version).removeprefix("go")
    yield f"FROM --platform=$BUILDPLATFORM golang:{version or 'latest'} AS build"
    yield "ARG TARGETOS TARGETARCH"
    for name, value in sorted(build.env.items()):
        yield f"ENV {_assignment(name, value)}"
    words = ["go", "build", "-trimpath", *build.flags]
    if build.tags:
        words.append("-tags=" + ",".join(build.tags))
    if linker := (*_LINKER[build.strip], *build.ldflags):
        words.append("-ldflags=" + " ".join(linker))
    target = f"{_ROOT}/{program_path(main.name)}"
    environment = f"CGO_ENABLED={1 if build.cgo == 'on' else 0} GOOS=$TARGETOS GOARCH=$TARGETARCH"
    yield "WORKDIR /src"
    if main.module_version:
        # `go build` does not take path@version; a module that only names it does.
        yield f"RUN go mod init image && go get {shlex.quote(f'{main.import_path}@{main.module_version}')}"
        package = main.import_path
    else:
        yield "COPY . ."
        package = _package(main)
    yield f"RUN {environment} {shlex.join([*words, '-o', target, package])} && chmod 0555 {shlex.quote(target)}"


def _files_stage(project: Project, needs: Needs, settings: ImageSettings) -> Iterator[str]:
    """Yield what gathers the system files and assets below /rootfs."""
    debian = {"certificates": "ca-certificates", "zones": "tzdata", "mime": "media-types"}
    packages = debian if project.native is None else ALPINE_PACKAGES
    if wanted := [package for kind, package in packages.items() if any(n.kind == kind for n in needs.needs)]:
        update = "apt-get update && apt-get install --yes --no-install-recommends"
        yield f"RUN {update if project.native is None else 'apk add --no-cache'} " + " ".join(wanted)
    for need in needs.of("certificates")[:1]:
        yield from _copied(f"/{CERTIFICATES_PATH}", need.reason)
    zones = needs.of("zones")
    if zones and all(need.what for need in zones):
        for need in zones:
            yield from _copied(f"/{ZONES_PATH}/{need.what}", need.reason)
    elif zones:
        yield from _copied(f"/{ZONES_PATH}", next(need.reason for need in zones if not need.what))
    for need in needs.of("mime")[:1]:
        yield from _copied(f"/{MIME_PATH}", need.reason)
    for need in needs.of("users")[:1]:
        yield f"# {_line(need.reason)}"
        for entry in users(image_user(settings.user, ""), need.reason):
            text = shlex.quote((entry.data or b"").decode().replace("\n", "\\n"))
            yield f"RUN mkdir -p {_ROOT}/etc && printf {text} > {_ROOT}/{entry.path}"
    for need in needs.of("tmp")[:1]:
        yield f"# {_line(need.reason)}"
        yield f"RUN install --directory --mode=1777 {_ROOT}/tmp"  # noqa: S108 - of the image
    yield from _assets(project, needs, settings)


def _assets(project: Project, needs: Needs, settings: ImageSettings) -> Iterator[str]:
    start = workdir(settings, needs) or "/"
    for need in needs.of("file"):
        if need.what and not need.what.startswith("/") and not project.main.module_version:
            target = posixpath.normpath(posixpath.join(start, need.what))
            yield f"# {_line(need.reason)}"
            yield f"COPY {json.dumps([need.what, _ROOT + target])}"
    if _has_kodata(project.main):
        yield f"COPY {json.dumps([posixpath.join(_package(project.main), 'kodata'), f'{_ROOT}/{KODATA_PATH}'])}"
    for number, asset in enumerate(settings.files):
        target = f"{_ROOT}/{image_path(asset.target, where=f'image.files[{number}].to')}"
        options = [f"--chmod={asset.mode}"] if asset.mode else []
        options += [f"--chown={asset.owner}"] if asset.owner else []
        slash = "/" if asset.target.endswith("/") else ""
        yield " ".join(("COPY", *options, json.dumps([asset.source, target + slash])))


def _final_stage(project: Project, needs: Needs, settings: ImageSettings) -> Iterator[str]:
    is_empty = settings.base in NOTHING
    base = "scratch" if is_empty else settings.base.removeprefix("docker://")
    yield f"FROM {base}"
    yield f"COPY --from=build {_ROOT}/ /"
    if _has_kodata(project.main):
        yield f"ENV KO_DATA_PATH=/{KODATA_PATH}"
    for name, value in settings.env.items():
        yield f"ENV {_assignment(name, value)}"
    if folder := workdir(settings, needs):
        yield f"WORKDIR {folder}"
    for port in exposed_ports(settings, project):
        yield f"EXPOSE {port}"
    user = image_user(settings.user, "")
    yield f"USER {user[0]}:{user[1]}"
    yield f"ENTRYPOINT {json.dumps(list(settings.entrypoint or ('/' + program_path(project.main.name),)))}"
    if settings.args:
        yield f"CMD {json.dumps(list(settings.args))}"


def _copied(path: str, reason: str) -> Iterator[str]:
    yield f"# {_line(reason)}"
    folder = shlex.quote(_ROOT + posixpath.dirname(path))
    # Links are followed: Debian's zones are links into one another.
    yield f"RUN mkdir -p {folder} && cp -rL {shlex.quote(path)} {folder}/"


def _package(main: Main) -> str:
    """Return the main package's folder as the module's root sees it.

    >>> _package(Main(name="a", import_path="x/cmd/a", directory="/m/cmd/a", module="x", module_directory="/m"))
    './cmd/a'
    """
    root = Path(main.module_directory or main.directory)
    directory = Path(main.directory)
    if not directory.is_relative_to(root) or directory == root:
        return "."
    return "./" + directory.relative_to(root).as_posix()


def _has_kodata(main: Main) -> bool:
    return bool(main.directory) and not main.module_version and (Path(main.directory) / "kodata").is_dir()


def _assignment(name: str, value: str) -> str:
    r"""Return ``NAME="value"`` as a Dockerfile quotes it. Raises WrongConfiguration.

    >>> _assignment("A", 'say "$5"')
    'A="say \\"\\$5\\""'
    """
    if "\n" in value or "\r" in value:
        raise WrongConfiguration(f"image.env.{name}: a Dockerfile cannot hold a value with a line break")
    for character in '\\"$':
        value = value.replace(character, "\\" + character)
    return f'{name}="{value}"'


def _line(text: str) -> str:
    return " ".join(text.split())
