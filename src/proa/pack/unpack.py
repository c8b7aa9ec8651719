"""Unpack an image into a folder, whatever its layers try.

Invariants: (1) every step from the folder down is taken by ``openat`` without following links, so nothing outside
the folder is read, written or linked to; (2) links on the way are resolved as inside a container, the folder
being ``/``; (3) set-user-id bits and device nodes are never created; (4) the digests of all layers are checked.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from proa.errors import HostileArchive
from proa.outside.store import Store, disk_errors
from proa.pack.documents import read_config, read_manifest
from proa.pack.untar import Budget, Layered, Limits, Member, open_layer
from proa.records.oci import Config

_MOST_LINKS = 40
"""Source: Linux, path_resolution(7)."""
_MOST_DEPTH = 256
"""Of folders; the deepest in real images (node_modules) has about 40."""
_MOST_PATH = 4096
"""Source: Linux, limits.h, PATH_MAX."""
_PIECE_BYTES = 256 << 10
WHITEOUT = ".wh."
OPAQUE = ".wh..wh..opq"
"""Source: OCI image-spec, layer.md, "Whiteouts"."""


def unpack(manifest_digest: str, directory: Path, *, store: Store, limits: Limits | None = None) -> Config:
    """Unpack all layers of an image into a folder (made if missing) and return how it is started.

    Owners are restored where this process is root. Otherwise everything stays readable and removable by its user.
    Raises HostileArchive, StoreDamaged, ImageMissing, BaseUnfit, NoSpace, NotWritable.
    """
    manifest = read_manifest(manifest_digest, store)
    config = read_config(manifest, store)
    budget = Budget(limits or Limits())
    with _tree(directory) as tree:
        for layer, diff_id in zip(manifest.layers, config.rootfs.diff_ids, strict=True):
            with open_layer(layer, diff_id, store=store, budget=budget) as archive, _honest(directory):
                tree.apply(archive, budget)
    return config


def unpack_layers(layers: Iterable[Iterator[bytes]], directory: Path, *, limits: Limits) -> None:
    """Unpack layers into a folder (made if missing); each comes as the pieces of its tar, whose digests it checks.

    Owners are restored where this process is root. Otherwise everything stays readable and removable by its user.
    Raises HostileArchive, NoSpace, NotWritable, and what the pieces raise.
    """
    budget = Budget(limits)
    with _tree(directory) as tree:
        for pieces in layers:
            with _honest(directory):
                tree.apply(Layered(_counted(pieces, budget)), budget)


def _counted(pieces: Iterator[bytes], budget: Budget) -> Iterator[bytes]:
    for piece in pieces:
        budget.take_bytes(len(piece))
        yield piece


@contextmanager
def _tree(directory: Path) -> Iterator[_Tree]:
    with disk_errors(directory):
        directory.mkdir(parents=True, exist_ok=True)
        # The image's user must get into it, whatever the umask here.
        directory.chmod(0o755)
        tree = _Tree(directory)
    with tree:
        yield tree
        with _honest(directory):
            tree.finish()


def parts_of(name: str, *, limits: Limits) -> tuple[str, ...]:
    """Return a member name as path components. Raises HostileArchive for what leads out.

    >>> parts_of("./usr/bin/", limits=Limits())
    ('usr', 'bin')
    """
    if name.startswith("/") and not limits.allows_absolute:
        raise HostileArchive(f"a layer has the absolute entry {name[:200]!r}")
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in parts or "\0" in name:
        raise HostileArchive(f"a layer has the entry {name[:200]!r}, which leads out of the image")
    if len(parts) > _MOST_DEPTH or len(name) > _MOST_PATH:
        raise HostileArchive(f"a layer has a path of {len(parts)} parts and {len(name)} characters")
    return parts


def note_written(written: set[tuple[str, ...]], path: tuple[str, ...]) -> None:
    """Add a path and the folders above it to what a layer has written."""
    while path and path not in written:
        written.add(path)
        path = path[:-1]


def hidden_name(name: str) -> str:
    """Return what a whiteout hides. Raises HostileArchive.

    >>> hidden_name(".wh.cache")
    'cache'
    """
    hidden = name.removeprefix(WHITEOUT)
    if hidden in ("", ".", ".."):
        raise HostileArchive(f"a layer has the whiteout {name!r}")
    return hidden


@contextmanager
def _honest(place: Path) -> Iterator[None]:
    """Let a full disk be one; anything else the system refuses is the archive's doing."""
    try:
        with disk_errors(place):
            yield
    except OSError as error:
        raise HostileArchive(f"a layer cannot be unpacked: {error.strerror} ({error.filename})") from error


class _Tree:
    """A folder taken for a root file system."""

    def __init__(self, directory: Path) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._is_root = os.geteuid() == 0
        self._modes: dict[tuple[str, ...], int] = {}
        """Of folders; set at the end, so that a read-only one can be filled."""
        self._last: tuple[tuple[str, ...], tuple[str, ...], int] | None = None
        """The folder of the last entry: as named, as resolved, and open. Neighbours stand together in an archive."""
        self._is_stale = False
        """True once anything was removed: it may have been a link on the way to that folder."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._let_go()
        os.close(self._root)

    def apply(self, archive: Layered, budget: Budget) -> None:
        """Lay one layer over what is there."""
        written: set[tuple[str, ...]] = set()
        opaque: set[tuple[str, ...]] = set()
        for member in archive.members():
            parts = parts_of(member.path, limits=budget.limits)
            budget.take_entry(depth=len(parts))
            if member.kind == "device":
                if budget.limits.skips_devices:
                    continue
                raise HostileArchive(f"a layer has the device or pipe {member.path[:200]!r}")
            if not parts:
                continue
            folder, parent = self._enter(parts[:-1])
            name = parts[-1]
            if name == OPAQUE:
                if folder not in opaque:
                    opaque.add(folder)
                    self._clear(parent, folder, written)
                continue
            if name.startswith(WHITEOUT):
                self._remove(parent, hidden_name(name))
                continue
            note_written(written, (*folder, name))
            self._create(parent, (*folder, name), member, archive, budget.limits)

    def finish(self) -> None:
        """Give folders the modes they were meant to have, deepest first."""
        for parts in sorted(self._modes, key=len, reverse=True):
            mode = self._modes[parts] if self._is_root else self._modes[parts] | 0o700
            with suppress(FileNotFoundError, NotADirectoryError), self._open(parts) as folder:
                os.fchmod(folder, mode)

    def _create(self, parent: int, path: tuple[str, ...], member: Member, archive: Layered, limits: Limits) -> None:
        name = path[-1]
        is_folder = _is_folder(parent, name)
        if member.kind == "folder":
            if not is_folder:
                self._remove(parent, name)
                os.mkdir(name, 0o700, dir_fd=parent)
            self._modes[path] = member.mode & 0o1777
        else:
            self._remove(parent, name)
            if member.kind == "file":
                self._write(parent, name, member, archive)
            elif member.kind == "symlink":
                os.symlink(member.target, name, dir_fd=parent)
            else:
                self._link(parent, name, parts_of(member.target, limits=limits))
                return
        if self._is_root:
            os.chown(name, _id(member.uid), _id(member.gid), dir_fd=parent, follow_symlinks=False)

    def _write(self, parent: int, name: str, member: Member, archive: Layered) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as file:
            while data := archive.read(_PIECE_BYTES):
                file.write(data)
            mode = member.mode & 0o777
            os.fchmod(file.fileno(), mode if self._is_root else mode | 0o400)

    def _link(self, parent: int, name: str, target: tuple[str, ...]) -> None:
        if not target:
            raise HostileArchive("a layer has a hard link to the root")
        try:
            with self._open(self._resolve_folder(target[:-1], should_make=False)) as there:
                if _is_folder(there, target[-1]):
                    raise HostileArchive(f"a layer has a hard link to the folder {'/'.join(target)!r}")
                os.link(target[-1], name, src_dir_fd=there, dst_dir_fd=parent, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise HostileArchive(f"a layer has a hard link to {'/'.join(target)!r}, which is not there") from error

    def _clear(self, parent: int, folder: tuple[str, ...], written: set[tuple[str, ...]]) -> None:
        """Remove what lower layers put there; the mark may stand anywhere among its own layer's entries."""
        with os.scandir(parent) as there:
            others = [other.name for other in there]
        for other in others:
            if (*folder, other) not in written:
                self._remove(parent, other)

    def _enter(self, parts: tuple[str, ...]) -> tuple[tuple[str, ...], int]:
        """Return a member's folder, resolved and open until the next member."""
        if self._last is None or self._last[0] != parts or self._is_stale:
            self._let_go()
            folder = self._resolve_folder(parts)
            with self._open(folder) as descriptor:
                self._last = (parts, folder, os.dup(descriptor))
            self._is_stale = False
        return self._last[1], self._last[2]

    def _let_go(self) -> None:
        if self._last is not None:
            os.close(self._last[2])
            self._last = None

    def _resolve_folder(self, parts: tuple[str, ...], *, should_make: bool = True) -> tuple[str, ...]:
        """Return where a folder is once links are followed inside the root; missing folders are made."""
        if self._is_plain(parts):
            return parts
        todo = list(reversed(parts))
        done: list[str] = []
        links = 0
        while todo:
            part = todo.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if not done:
                    raise HostileArchive(
                        f"a layer writes through a link that leads out of the image: {'/'.join(parts)!r}"
                    )
                done.pop()
                continue
            with self._open(tuple(done)) as folder:
                target = _link_target(folder, part)
                if target is None:
                    done.append(part)
                    if should_make:
                        self._make_folder(folder, tuple(done))
                    continue
            links += 1
            if links > _MOST_LINKS:
                raise HostileArchive(f"a layer has a loop of links at {'/'.join(parts)!r}")
            if target.startswith("/"):
                done.clear()
            todo += reversed(target.split("/"))
        return tuple(done)

    def _is_plain(self, parts: tuple[str, ...]) -> bool:
        """Say whether these are folders all the way, without a link: nearly always so, and quickly found out."""
        try:
            with self._open(parts):
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _make_folder(self, parent: int, path: tuple[str, ...]) -> None:
        try:
            os.mkdir(path[-1], 0o755, dir_fd=parent)
        except FileExistsError:
            if not _is_folder(parent, path[-1]):
                raise HostileArchive(f"a layer has entries below {'/'.join(path)!r}, which is no folder") from None
        else:
            os.chmod(path[-1], 0o755, dir_fd=parent)  # noqa: S103 - a folder nobody gave a mode
            self._modes.pop(path, None)  # of a folder that a lower layer had here

    @contextmanager
    def _open(self, parts: tuple[str, ...]) -> Iterator[int]:
        """Open a folder by steps that follow no link."""
        folder = os.dup(self._root)
        try:
            for part in parts:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(part, flags, dir_fd=folder)
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)

    def _remove(self, parent: int, name: str) -> None:
        try:
            os.stat(name, dir_fd=parent, follow_symlinks=False)
            self._is_stale = True
            os.unlink(name, dir_fd=parent)
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno not in (errno.EISDIR, errno.EPERM):
                raise
            import shutil

            shutil.rmtree(name, dir_fd=parent)


def _is_folder(parent: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _link_target(parent: int, name: str) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return None
        raise


def _id(number: int) -> int:
    """Return an owner the system can store; others become nobody's, as in a user namespace."""
    return number if number < (1 << 32) - 1 else 65534
