"""The local store: blobs by digest, one small file per reference, referrer and cached stage.

    ROOT/blobs/sha256/HEX             content, never changed once it is there
    ROOT/refs/NAME                    a descriptor (JSON); NAME is percent-encoded
    ROOT/referrers/HEX/HEX            a descriptor of something that refers to the first
    ROOT/stages/STAGE/KEY             what a stage returned for a key (JSON)
    ROOT/partial/                     what is being written; swept when old
    ROOT/locks/                       one file per lock

Invariants: (1) a file appears under its final name by rename only, so a reader never sees half of one;
(2) a blob's name is the digest of its content; (3) a reference is written after all it names. Writers never
queue on a shared index: every reference and referrer is its own file.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote, unquote

import msgspec

from proa.errors import ImageMissing, NoSpace, NotWritable
from proa.records.oci import Descriptor, is_digest

_CHUNK_BYTES = 1 << 20
_STALE_S = 24 * 3600.0
"""A partial file older than this belongs to a writer that is gone (arbitrary, longer than any push)."""


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Map the operating system's disk errors: NoSpace, NotWritable."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoSpace(f"no space left while writing {place}") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise NotWritable(f"{error.filename or place}: {error.strerror}") from error
        raise


def _make_folder(folder: Path) -> None:
    try:
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, FileNotFoundError) as error:
        # A file in the way, or what /proc and /sys answer.
        hint = "the local store is in PROA_CACHE, else in XDG_CACHE_HOME/proa or ~/.cache/proa"
        raise NotWritable(f"{folder} cannot be made: {error.strerror}", hint=hint) from error


class BlobWriter:
    """A blob being written: bytes in, digest out."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self.bytes = 0

    def write(self, data: bytes | memoryview) -> int:
        """Add bytes to the blob."""
        self._hash.update(data)
        self.bytes += len(data)
        return self._file.write(data)

    @property
    def digest(self) -> str:
        """Return the digest of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"


class Store:
    """Blobs, references, referrers and cached stages in one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    # Blobs

    def blob_path(self, digest: str) -> Path:
        """Return where a blob is, or would be. Raises ImageMissing for what is no digest."""
        if not is_digest(digest):
            raise ImageMissing(f"{digest!r} is not a sha256 digest")
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def has_blob(self, digest: str) -> bool:
        """Say whether a blob is here."""
        return self.blob_path(digest).is_file()

    def read_blob(self, digest: str) -> bytes:
        """Return a small blob whole. Raises ImageMissing."""
        try:
            return self.blob_path(digest).read_bytes()
        except FileNotFoundError as error:
            raise ImageMissing(f"blob {digest} is not in the local store") from error

    def open_blob(self, digest: str) -> BinaryIO:
        """Open a blob for reading. Raises ImageMissing."""
        try:
            return self.blob_path(digest).open("rb")
        except FileNotFoundError as error:
            raise ImageMissing(f"blob {digest} is not in the local store") from error

    def put_blob(self, data: bytes) -> str:
        """Store bytes and return their digest; a blob already here is left alone."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.has_blob(digest):
            with self.write_blob() as writer:
                writer.write(data)
        return digest

    @contextmanager
    def write_blob(self, *, expected: str = "", mode: int = 0o644) -> Iterator[BlobWriter]:
        """Write a blob as a stream; it appears under its digest when the block ends well.

        With ``expected``, a different digest raises ImageMissing and nothing appears.
        """
        with self._partial() as (path, file):
            writer = BlobWriter(file)
            yield writer
            file.flush()
            if expected and writer.digest != expected:
                raise ImageMissing(f"received {writer.digest} where {expected} was expected")
            path.chmod(mode)
            self._publish(path, self.blob_path(writer.digest))

    def adopt_file(self, file: Path, *, digest: str = "") -> str:
        """Move a finished file into the store as a blob and return its digest; ``digest`` where it is known."""
        if not digest:
            with file.open("rb") as stream:
                digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
        self._publish(file, self.blob_path(digest))
        return digest

    def digests(self) -> Iterator[str]:
        """Yield the digest of every blob."""
        for path in _files(self.root / "blobs" / "sha256"):
            yield f"sha256:{path.name}"

    # References and referrers

    def set_reference(self, name: str, descriptor: Descriptor) -> None:
        """Point a name at a descriptor whose blobs are all here."""
        self._put_json(self.root / "refs" / _file_name(name), descriptor)

    def reference(self, name: str) -> Descriptor | None:
        """Return what a name points at, or None."""
        return self._descriptor(self.root / "refs" / _file_name(name))

    def references(self) -> Iterator[tuple[str, Descriptor]]:
        """Yield every name and what it points at, sorted."""
        for path in _files(self.root / "refs"):
            if (descriptor := self._descriptor(path)) is not None:
                yield unquote(path.name), descriptor

    def add_referrer(self, subject: str, descriptor: Descriptor) -> None:
        """Note that ``descriptor`` refers to the blob ``subject``."""
        folder = self.root / "referrers" / self.blob_path(subject).name
        self._put_json(folder / self.blob_path(descriptor.digest).name, descriptor)

    def referrers(self, subject: str) -> Iterator[Descriptor]:
        """Yield what refers to ``subject``, sorted by digest."""
        for path in _files(self.root / "referrers" / self.blob_path(subject).name):
            if (descriptor := self._descriptor(path)) is not None:
                yield descriptor

    def all_referrers(self) -> Iterator[Descriptor]:
        """Yield everything that refers to something, sorted by subject and digest."""
        for folder in _folders(self.root / "referrers"):
            if is_digest(f"sha256:{folder.name}"):
                yield from self.referrers(f"sha256:{folder.name}")

    # Cached stages

    def stage(self, stage: str, key: str) -> bytes | None:
        """Return what a stage returned for this key, and mark it as used; None where it never ran."""
        path = self.root / "stages" / stage / key
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        with suppress(OSError):
            os.utime(path)
        return content

    def kept(self, stage: str) -> Iterator[bytes]:
        """Yield all that a stage returned for any key, sorted by key; nothing is marked as used."""
        for path in _files(self.root / "stages" / stage):
            with suppress(FileNotFoundError):
                yield path.read_bytes()

    def set_stage(self, stage: str, key: str, content: bytes) -> None:
        """Keep what a stage returned for this key."""
        self._put(self.root / "stages" / stage / key, content)

    @contextmanager
    def lock(self, name: str) -> Iterator[bool]:
        """Hold a lock between processes; yields True where another process had to be waited for.

        The kernel lets go of it when the process ends, however it ends.
        """
        folder = self.root / "locks"
        _make_folder(folder)
        with disk_errors(folder):
            file = (folder / _file_name(name)).open("wb")
        with file:
            waited = False
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waited = True
                fcntl.flock(file, fcntl.LOCK_EX)
            yield waited

    @contextmanager
    def using(self) -> Iterator[None]:
        """Keep every blob from being pruned for as long as the block runs: a whole run holds this."""
        with self._use_file() as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Say whether no other process uses the store; then none can begin to before the block ends."""
        with self._use_file() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
            else:
                yield True

    def _use_file(self) -> BinaryIO:
        folder = self.root / "locks"
        _make_folder(folder)
        with disk_errors(folder):
            return (folder / ".use").open("wb")

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """Lend a scratch folder on the store's own disk, removed when the block ends."""
        path = self.root / "partial" / secrets.token_hex(8)
        try:
            # Within the block: Ctrl-C may come between two lines.
            _make_folder(path)
            # The disk's own clock: this process may have another one, and folders of its own to lose.
            self._sweep(path.stat().st_mtime)
            yield path
        finally:
            _remove_folder(path)

    # How everything is written

    @contextmanager
    def _partial(self) -> Iterator[tuple[Path, BinaryIO]]:
        folder = self.root / "partial"
        _make_folder(folder)
        with disk_errors(folder):
            path = folder / secrets.token_hex(8)
            try:
                with path.open("xb") as file:
                    yield path, file
            finally:
                path.unlink(missing_ok=True)

    def _publish(self, source: Path, target: Path) -> None:
        _make_folder(target.parent)
        with disk_errors(target):
            source.replace(target)

    def _put(self, target: Path, content: bytes) -> None:
        with self._partial() as (path, file):
            file.write(content)
            file.flush()
            self._publish(path, target)

    def _put_json(self, target: Path, descriptor: Descriptor) -> None:
        self._put(target, msgspec.json.encode(descriptor))

    def _descriptor(self, path: Path) -> Descriptor | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=Descriptor)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def _sweep(self, now_s: float) -> None:
        import shutil

        oldest = now_s - _STALE_S
        with suppress(FileNotFoundError):
            for path in (self.root / "partial").iterdir():
                with suppress(OSError):
                    if path.stat().st_mtime < oldest:
                        shutil.rmtree(path) if path.is_dir() else path.unlink()


def check_room(store: Store, needed_bytes: int) -> None:
    """Raise NoSpace where the store's disk cannot hold that much more; better now than after an hour's transfer."""
    import shutil

    place = next(folder for folder in (store.root, *store.root.parents) if folder.exists())
    free_bytes = shutil.disk_usage(place).free
    if needed_bytes > free_bytes:
        raise NoSpace(f"{store.root} has {free_bytes >> 20} MiB left, and {needed_bytes >> 20} MiB are needed")


def _file_name(name: str) -> str:
    """Return a name as a file's: percent-encoded, never ``.`` or ``..``, and short enough for any file system.

    Beyond 240 bytes the end is a hash: still one file per name, but listed by its beginning only.
    """
    quoted = quote(name, safe="")
    if quoted.startswith("."):
        quoted = "%2E" + quoted[1:]
    if len(quoted) <= 240:
        return quoted
    return f"{quoted[:160]}~{hashlib.sha256(name.encode()).hexdigest()}"


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except FileNotFoundError:
        return []


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_file())
    except FileNotFoundError:
        return []


def _remove_folder(path: Path) -> None:
    """Remove a scratch folder; compilers of an interrupted build may still write into it for a moment."""
    import shutil
    import time

    for _ in range(20):
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(0.05)
