"""What to start from: nothing, exactly what is needed, or a given image; and what a given image has.

``choose_base`` is the judgement and reads nothing. ``read_base`` streams a base's layers once to learn its files,
so that nothing it has is packed again or overwritten, and keeps what it found in the store.
"""

from __future__ import annotations

import posixpath
from contextlib import suppress
from typing import Any

import msgspec

from proa.errors import BaseUnfit, HostileArchive, NotStatic, WrongUsage
from proa.outside.store import Store
from proa.pack.documents import read_config, read_manifest
from proa.pack.unpack import OPAQUE, WHITEOUT, hidden_name, note_written, parts_of
from proa.pack.untar import Budget, Layered, Limits, open_layer
from proa.records.binary import Binary
from proa.records.configuration import ImageSettings
from proa.records.evidence import Finding, Need, Needs
from proa.records.oci import Config, Descriptor, Manifest
from proa.records.platform import Platform

_MOST_LINKS = 40
_MOST_PASSWD_BYTES = 1 << 20
_PROGRAM_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_SHELLS = frozenset({"sh", "ash", "bash", "dash", "/bin/sh", "/bin/bash"})
NOTHING = frozenset({"auto", "scratch", ""})

_Folder = dict[str, Any]
"""By name: a folder is such a dict, a symbolic link its target, anything else None."""


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """A base image whose blobs are in the store."""

    reference: str
    """As it was asked for."""
    manifest: Descriptor
    """Of the platform's own manifest, never of an index."""


class BaseChoice(msgspec.Struct, frozen=True, kw_only=True):
    """What an image starts from, and why."""

    reference: str
    """``scratch``, or the reference that was asked for."""
    reason: str
    findings: tuple[Finding, ...] = ()


class BaseContent(msgspec.Struct, frozen=True, kw_only=True):
    """A base image, read."""

    manifest: Manifest
    config: Config
    files: Files


class Files(msgspec.Struct, frozen=True, kw_only=True):
    """The file system of an image: names and links, no content."""

    root: _Folder = {}
    passwd: str = ""
    """The content of /etc/passwd."""
    unpacked_bytes: tuple[int, ...] = ()
    """Of each layer."""

    def resolve(self, path: str) -> str:
        """Return a path with the links in its folders followed; what does not exist is taken as it is.

        >>> Files(root={"lib": "usr/lib", "usr": {"lib": {}}}).resolve("lib/a")
        'usr/lib/a'
        """
        folder, name = posixpath.split(path.strip("/"))
        found = self._walk(folder)
        return posixpath.join(found if found is not None else folder, name)

    def has(self, path: str) -> bool:
        """Say whether a file, folder or working link is there.

        >>> Files(root={"bin": "usr/bin", "usr": {"bin": {"sh": None}}}).has("/bin/sh")
        True
        """
        found = self._walk(path)
        return found is not None and self._node(found) is not _ABSENT

    def has_name(self, path: str) -> bool:
        """Say whether a name is there, be it a link that leads nowhere."""
        return self._node(self.resolve(path)) is not _ABSENT

    def is_folder(self, path: str) -> bool:
        """Say whether a folder, not a link to one, has this name."""
        return isinstance(self._node(path), dict)

    def paths(self) -> list[str]:
        """Return every path, sorted, folders before what is in them."""
        found: list[str] = []
        todo: list[tuple[str, _Folder]] = [("", self.root)]
        while todo:
            above, folder = todo.pop()
            for name, node in folder.items():
                path = f"{above}/{name}" if above else name
                found.append(path)
                if isinstance(node, dict):
                    todo.append((path, node))
        return sorted(found, key=lambda path: path.split("/"))

    def _node(self, path: str) -> Any:
        node: Any = self.root
        for part in path.split("/") if path else ():
            if not isinstance(node, dict) or part not in node:
                return _ABSENT
            node = node[part]
        return node

    def _walk(self, path: str) -> str | None:
        """Return a path without links; None where a link leads nowhere or round in circles."""
        todo = [part for part in reversed(path.split("/")) if part]
        done: list[str] = []
        nodes: list[Any] = [self.root]
        links = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:], nodes[max(1, len(nodes) - 1) :]
            elif part != ".":
                node = nodes[-1].get(part, _ABSENT) if isinstance(nodes[-1], dict) else _ABSENT
                if not isinstance(node, str):
                    done.append(part)
                    nodes.append(node)
                    continue
                links += 1
                if links > _MOST_LINKS:
                    return None
                if node.startswith("/"):
                    done, nodes = [], [self.root]
                todo += [piece for piece in reversed(node.split("/")) if piece]
        return "/".join(done)


_ABSENT = object()


def choose_base(needs: Needs, binary: Binary, settings: ImageSettings) -> BaseChoice:
    """Return what the image starts from. Raises NotStatic where an empty base cannot run the program."""
    if settings.base not in NOTHING:
        return BaseChoice(reference=settings.base, reason=f"asked for: {settings.base}")
    if not binary.is_static and not binary.runtime_files:
        wanted = binary.interpreter or ", ".join(binary.libraries)
        raise NotStatic(
            f"{binary.name} needs {wanted}, and an empty base has no libc", hint=_libc_hint(binary, needs.of("libc"))
        )
    findings = tuple(_missing_program(need, "an empty base") for need in needs.of("program"))
    kinds = _kinds(needs)
    linked = "static" if binary.is_static else _loaded(binary)
    if settings.base == "scratch" or not kinds:
        reason = f"{linked}, and nothing was found that it needs beside itself" if not kinds else "asked for: scratch"
    else:
        reason = f"{linked}; beside itself it needs only " + ", ".join(kinds)
    if findings:
        names = dict.fromkeys(need.what or "one named at run time" for need in needs.of("program"))
        reason += f"; it can run other programs, which are not there: {', '.join(names)}"
    return BaseChoice(reference="scratch", reason=reason, findings=findings)


def check_base(base: Base, content: BaseContent, binary: Binary, needs: Needs) -> tuple[Finding, ...]:
    """Return findings about programs a base lacks. Raises BaseUnfit, NotStatic."""
    _check_platform(base, content.config, binary.platform)
    if binary.interpreter and not content.files.has(binary.interpreter):
        raise NotStatic(
            f"{binary.name} needs the loader {binary.interpreter}, which {base.reference} does not have",
            hint=_libc_hint(binary, needs.of("libc")),
        )
    return tuple(
        _missing_program(need, base.reference)
        for need in needs.of("program")
        if not _has_program(content.files, need.what)
    )


def read_base(base: Base, store: Store, *, limits: Limits | None = None) -> BaseContent:
    """Return a base's documents and file names. Raises BaseUnfit, HostileArchive, StoreDamaged, ImageMissing."""
    manifest = read_manifest(base.manifest.digest, store)
    config = read_config(manifest, store)
    files = list_files(base.manifest.digest, store=store, limits=limits)
    return BaseContent(manifest=manifest, config=config, files=files)


def list_files(manifest_digest: str, *, store: Store, limits: Limits | None = None) -> Files:
    """Return the file system of an image, all layers applied, without unpacking it.

    Raises BaseUnfit, HostileArchive, StoreDamaged, ImageMissing.
    """
    manifest = read_manifest(manifest_digest, store)
    config = read_config(manifest, store)
    key = manifest_digest.removeprefix("sha256:")
    if (content := store.stage("image-files", key)) is not None:
        # Written by another version: read again.
        with suppress(msgspec.MsgspecError):
            return msgspec.json.decode(content, type=Files)
    budget = Budget(limits or Limits())
    listing = _Listing()
    for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
        before = budget.bytes
        with open_layer(layer, diff_id, store=store, budget=budget) as archive:
            listing.apply(archive, budget)
        listing.unpacked_bytes.append(budget.bytes - before)
    files = Files(root=listing.root, passwd=listing.passwd, unpacked_bytes=tuple(listing.unpacked_bytes))
    # A name that is no UTF-8 cannot be written as JSON; this is only a cache.
    with suppress(UnicodeEncodeError, RecursionError):
        store.set_stage("image-files", key, msgspec.json.encode(files))
    return files


class _Listing:
    """Names of an image, layer by layer."""

    def __init__(self) -> None:
        self.root: _Folder = {}
        self.passwd = ""
        self.unpacked_bytes: list[int] = []

    def apply(self, archive: Layered, budget: Budget) -> None:
        """Lay one layer over what is there, with the rules of unpacking."""
        written: set[tuple[str, ...]] = set()
        opaque: set[tuple[str, ...]] = set()
        for member in archive.members():
            parts = parts_of(member.path, limits=budget.limits)
            budget.take_entry(depth=len(parts))
            if member.kind == "device" and not budget.limits.skips_devices:
                raise HostileArchive(f"a layer has the device or pipe {member.path[:200]!r}")
            if member.kind == "hardlink" and not self._is_there(parts_of(member.target, limits=budget.limits)):
                raise HostileArchive(f"a layer has a hard link to {member.target[:200]!r}, which is not there")
            if not parts or member.kind == "device":
                continue
            path = self._resolved(parts)
            if path[-1] == OPAQUE:
                if path[:-1] not in opaque:
                    opaque.add(path[:-1])
                    self._clear(path[:-1], written)
            elif path[-1].startswith(WHITEOUT):
                self._folder(path[:-1]).pop(hidden_name(path[-1]), None)
            else:
                self._place(path, member.kind, member.target)
                note_written(written, path)
                if path == ("etc", "passwd") and member.kind == "file":
                    self.passwd = _text(archive)

    def _place(self, path: tuple[str, ...], kind: str, target: str) -> None:
        folder = self._folder(path[:-1])
        if kind == "folder":
            if not isinstance(folder.get(path[-1]), dict):
                folder[path[-1]] = {}
        else:
            folder[path[-1]] = target if kind == "symlink" else None

    def _clear(self, path: tuple[str, ...], written: set[tuple[str, ...]]) -> None:
        folder = self._folder(path)
        for name in [name for name in folder if (*path, name) not in written]:
            del folder[name]

    def _folder(self, path: tuple[str, ...]) -> _Folder:
        folder = self.root
        for part in path:
            below = folder.setdefault(part, {})
            if not isinstance(below, dict):
                raise HostileArchive(f"a layer has entries below {'/'.join(path)!r}, which is no folder")
            folder = below
        return folder

    def _resolved(self, parts: tuple[str, ...]) -> tuple[str, ...]:
        path = "/".join(parts)
        resolved = Files(root=self.root).resolve(path)
        return tuple(resolved.split("/"))

    def _is_there(self, parts: tuple[str, ...]) -> bool:
        return bool(parts) and Files(root=self.root).has_name("/".join(parts))


def _text(archive: Layered) -> str:
    found = b""
    while (data := archive.read(_MOST_PASSWD_BYTES)) and len(found) < _MOST_PASSWD_BYTES:
        found += data
    return found.decode(errors="replace")


def _check_platform(base: Base, config: Config, platform: Platform) -> None:
    has = Platform(config.os, config.architecture, config.variant or "")
    is_older_arm = platform.architecture == "arm" and has.variant > platform.variant != ""
    if (has.os, has.architecture) != (platform.os, platform.architecture) or is_older_arm:
        raise BaseUnfit(
            f"the base {base.reference} is for {has}, not for {platform}", hint="choose a base that has the platform"
        )


def _has_program(files: Files, name: str) -> bool:
    if "/" in name:
        return files.has(name)
    return any(files.has(f"{folder}/{name}") for folder in _PROGRAM_FOLDERS)


def _missing_program(need: Need, where: str) -> Finding:
    name = need.what or "a program named at run time"
    has_it = "busybox, alpine or debian:stable-slim" if name in _SHELLS else "an image that has it, e.g. from alpine"
    return Finding(
        id="pack.program-missing",
        message=f"it can run {name}, which {where} does not have: {need.reason}",
        hint=f"if it is used, choose a base with {need.what or 'it'}: --base REF ({has_it})",
        evidence=need.evidence,
    )


def _libc_hint(binary: Binary, needs: tuple[Need, ...]) -> str:
    because = f" ({needs[0].reason})" if needs else ""
    example = "alpine" if "musl" in binary.interpreter else "gcr.io/distroless/base-nossl-debian12"
    return f"build with CGO_ENABLED=0, or choose a base that has libc{because}: --base {example}"


def _loaded(binary: Binary) -> str:
    count = sum(not file.target for file in binary.runtime_files if file.holds == "libraries") - bool(
        binary.interpreter
    )
    return f"dynamic, with its loader and {count} {'library' if count == 1 else 'libraries'}"


def _kinds(needs: Needs) -> list[str]:
    words = {
        "certificates": "CA certificates",
        "zones": "time zones",
        "users": "passwd and group",
        "tmp": "a temporary folder",
        "mime": "media types",
        "file": "files of the repository",
    }
    return [text for kind, text in words.items() if any(need.kind == kind for need in needs.needs)]


def refuse_unread(base: Base | None, choice: BaseChoice) -> None:
    """Raise WrongUsage where a base was asked for but not fetched."""
    if base is None and choice.reference != "scratch":
        raise WrongUsage(f"the base {choice.reference} was not fetched")
