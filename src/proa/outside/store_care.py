"""Look after the local store: what it holds, whether it is whole, and what has not been used for longest.

Removal goes from names to what they name: references, then cached stages, then referrers, then blobs. A process
that ends half-way through leaves blobs that nothing names, never a name without its blobs.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import ProaError
from proa.outside.manifests import DOCUMENT_BYTES, media_type_of, parts, read_document
from proa.outside.store import Store, disk_errors
from proa.records.evidence import Finding
from proa.records.listing import Usage
from proa.records.oci import INDEX_TYPES, MANIFEST_TYPES, Descriptor, Index, is_digest

LIMIT_BYTES = 10 << 30
"""How large the store may grow before the least recently used is removed (arbitrary)."""
_YOUNG_S = 3600.0
"""While another process uses the store, nothing younger than this is removed: it may be in the making."""
_MENTION = re.compile(rb"sha256:[0-9a-f]{64}")


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What was removed."""

    references: int = 0
    stages: int = 0
    blobs: int = 0
    freed_bytes: int = 0
    kept_bytes: int = 0


def usage(store: Store) -> Usage:
    """Return what the store holds, counted from its files."""
    blobs = [_size(path) for path in _walk(store.root / "blobs")]
    stages = [_size(path) for path in _walk(store.root / "stages")]
    return Usage(
        references=sum(1 for _ in store.references()),
        blobs=len(blobs),
        blob_bytes=sum(blobs),
        stages=len(stages),
        stage_bytes=sum(stages),
        leftover_bytes=sum(_size(path) for path in _walk(store.root / "partial")),
        compiled_bytes=sum(_folder_bytes(folder) for folder in (store.root / "cargo", store.root / "zig")),
    )


# Checking


def check(store: Store, *, repair: bool = False) -> tuple[Finding, ...]:
    """Return everything that is wrong with the store; with ``repair``, remove it: it is made anew when needed.

    Every blob is read and compared with its digest; references, referrers and cached stages must name blobs that
    are here. What a killed process left half-written is no fault, and is removed where nobody else is at work.
    """
    with store.alone() as is_alone:
        if is_alone:
            _sweep(store)
        # Names after blobs: removing a damaged blob makes its names wrong as well.
        checks = (_check_blobs, _check_references, _check_referrers, _check_stages)
        return tuple(finding for each in checks for finding in each(store, repair))


def _check_blobs(store: Store, repair: bool) -> Iterator[Finding]:
    for path in _walk(store.root / "blobs" / "sha256"):
        trouble = _blob_trouble(path)
        if trouble:
            yield _finding("blob", f"{path.name[:80]} {trouble}", path, repair)


def _blob_trouble(path: Path) -> str:
    if not is_digest(f"sha256:{path.name}"):
        return "is not named by a digest"
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if found == path.name else f"is damaged: its content has the digest sha256:{found}"


def _check_references(store: Store, repair: bool) -> Iterator[Finding]:
    for path in _walk(store.root / "refs"):
        trouble = _name_trouble(store, path)
        if trouble:
            yield _finding("reference", f"the reference {path.name[:200]} {trouble}", path, repair)


def _check_referrers(store: Store, repair: bool) -> Iterator[Finding]:
    for path in _walk(store.root / "referrers"):
        trouble = _name_trouble(store, path)
        if trouble:
            yield _finding(
                "referrer", f"the referrer {path.name[:16]} of {path.parent.name[:16]} {trouble}", path, repair
            )


def _check_stages(store: Store, repair: bool) -> Iterator[Finding]:
    for path in _walk(store.root / "stages"):
        try:
            promises = set(promised(msgspec.json.decode(path.read_bytes())))
            missing = sorted(each for digest in promises for each in closure(store, digest) if not store.has_blob(each))
        except FileNotFoundError:
            continue
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ProaError):
            # A stage may keep something else than JSON; then it promises no blob.
            continue
        if missing:
            name = f"{path.parent.name}/{path.name}"[:80]
            yield _finding("stage", f"the cached stage {name} names blob {missing[0]}, which is not here", path, repair)


def _name_trouble(store: Store, path: Path) -> str:
    try:
        descriptor = msgspec.json.decode(path.read_bytes(), type=Descriptor)
        missing = [digest for digest in reachable(store, descriptor) if not store.has_blob(digest)]
    except FileNotFoundError:
        return ""
    except (msgspec.MsgspecError, ProaError) as error:
        return f"cannot be read: {error}"
    return f"names blob {missing[0]}, which is not here" if missing else ""


def _finding(kind: str, message: str, path: Path, repair: bool) -> Finding:
    if repair:
        with disk_errors(path):
            path.unlink(missing_ok=True)
    hint = "it was removed" if repair else "`proa store check --repair` removes it"
    return Finding(id=f"store.{kind}", severity="error", message=message, hint=hint)


def reachable(store: Store, descriptor: Descriptor) -> Iterator[str]:
    """Yield the digests of an image and of all it is made of.

    An index's manifests may be missing: a base is fetched for the platforms asked for. Raises BaseUnfit.
    """
    yield descriptor.digest
    if descriptor.media_type in INDEX_TYPES | MANIFEST_TYPES and store.has_blob(descriptor.digest):
        document = read_document(store.read_blob(descriptor.digest), descriptor.media_type, place=descriptor.digest)
        for part in parts(document):
            if not isinstance(document, Index) or store.has_blob(part.digest):
                yield from reachable(store, part)


def closure(store: Store, digest: str) -> Iterator[str]:
    """Yield a digest and, where its blob is a manifest or index, all that is made of."""
    yield digest
    path = store.blob_path(digest)
    if not 0 < _size(path) <= DOCUMENT_BYTES:
        return
    with path.open("rb") as file:
        if file.read(1) != b"{":
            return
    content = store.read_blob(digest)
    kind = media_type_of(content)
    if kind in INDEX_TYPES | MANIFEST_TYPES:
        descriptor = Descriptor(media_type=kind, digest=digest, size=len(content))
        yield from (each for each in reachable(store, descriptor) if each != digest)


def promised(document: Any) -> Iterator[str]:
    """Yield the digests in a stage's record that are said to be blobs: those that stand beside a size.

    >>> list(promised({"digest": "sha256:" + "0" * 64, "bytes": 7, "diff_id": "sha256:" + "1" * 64}))[0][:9]
    'sha256:00'
    """
    if isinstance(document, dict):
        for key, value in document.items():
            sized = {key.replace("digest", "bytes"), key.replace("digest", "size")} & document.keys()
            if key.endswith("digest") and sized and isinstance(value, str) and is_digest(value):
                yield value
            else:
                yield from promised(value)
    elif isinstance(document, list):
        for each in document:
            yield from promised(each)


# Pruning


def prune(store: Store, *, limit_bytes: int = LIMIT_BYTES, now_s: float, everything: bool = False) -> Pruned:
    """Remove what has not been used for longest until blobs and stages fit into ``limit_bytes``.

    What a reference names is kept, unless ``everything`` also forgets the references. A process that is at work
    keeps the store from it: then only what is older than an hour goes. What compilers keep goes first, a workspace
    of cargo's at a time, for it is the largest and is only time saved; zig's C libraries are not counted, and
    go with everything.
    """
    with store.alone() as is_alone:
        if is_alone:
            _sweep(store)
        oldest_s = float("inf") if is_alone else now_s - _YOUNG_S
        forgotten = _forget_references(store, oldest_s) if everything else 0
        limit_bytes = 0 if everything else limit_bytes
        freed = _drop_workspaces(store, limit_bytes, oldest_s)
        freed += _drop_folder(store, store.root / "zig") if everything and is_alone else 0
        compiled = _folder_bytes(store.root / "cargo")
        pruned = _prune(store, max(0, limit_bytes - compiled), oldest_s)
        return msgspec.structs.replace(
            pruned,
            references=forgotten,
            freed_bytes=pruned.freed_bytes + freed,
            kept_bytes=pruned.kept_bytes + compiled,
        )


def _drop_workspaces(store: Store, limit_bytes: int, oldest_s: float) -> int:
    """Remove what cargo compiled for the workspaces not built for longest, until the store fits; return the bytes."""
    places = [store.root / name for name in ("blobs", "stages", "cargo")]
    total = start = sum(map(_folder_bytes, places))
    with suppress(FileNotFoundError):
        for folder in sorted((store.root / "cargo").iterdir(), key=_used_s):
            if total <= limit_bytes or _used_s(folder) >= oldest_s:
                break
            total -= _drop_folder(store, folder)
    return start - total


def _drop_folder(store: Store, folder: Path) -> int:
    """Remove a folder, whole for whoever looks: it is moved aside first. Return its bytes."""
    size, aside = _folder_bytes(folder), store.root / "partial" / f"dropped-{os.getpid()}-{folder.name}"
    with disk_errors(folder), suppress(FileNotFoundError):
        aside.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(aside)
    shutil.rmtree(aside, ignore_errors=True)
    return size


def _folder_bytes(folder: Path) -> int:
    """Return the size of all files below a folder; one of several names, as cargo makes them, counts once."""
    found: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                status = os.lstat(f"{place}/{name}")
                found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())


def _forget_references(store: Store, oldest_s: float) -> int:
    count = 0
    for path in _walk(store.root / "refs"):
        if _used_s(path) < oldest_s:
            path.unlink(missing_ok=True)
            count += 1
    return count


def _prune(store: Store, limit_bytes: int, oldest_s: float) -> Pruned:
    kept = _kept(store)
    stages = {path: set(_mentions(store, path)) for path in _walk(store.root / "stages")}
    referrers = {path: set(_referred(store, path)) for path in _walk(store.root / "referrers")}
    blobs = {f"sha256:{path.name}": path for path in _walk(store.root / "blobs" / "sha256")}
    used = _last_use(blobs, stages)
    total = sum(_size(path) for path in (*blobs.values(), *stages))
    start, removed_stages, removed_blobs = total, 0, 0
    for digest in sorted(blobs.keys() - kept, key=lambda each: (used[each], each)):
        if total <= limit_bytes or used[digest] >= oldest_s:
            break
        for stage in [path for path, mentioned in stages.items() if digest in mentioned]:
            total -= _remove(stage)
            removed_stages += 1
            del stages[stage]
        # Before the blob: whoever is killed between the two leaves no name without what it names.
        for referrer in [path for path, mentioned in referrers.items() if digest in mentioned]:
            _remove(referrer)
            del referrers[referrer]
        total -= _remove(blobs[digest])
        removed_blobs += 1
    for stage in sorted(stages, key=_used_s):
        if total <= limit_bytes or _used_s(stage) >= oldest_s:
            break
        total -= _remove(stage)
        removed_stages += 1
    _drop_orphans(store)
    return Pruned(stages=removed_stages, blobs=removed_blobs, freed_bytes=start - total, kept_bytes=total)


def _kept(store: Store) -> set[str]:
    """Return the blobs of every reference, and of what refers to those images."""
    kept: set[str] = set()
    queue = [descriptor for _, descriptor in store.references()]
    while queue:
        with suppress(ProaError):
            for digest in reachable(store, queue.pop()):
                if digest not in kept:
                    kept.add(digest)
                    queue += store.referrers(digest)
    return kept


def _last_use(blobs: dict[str, Path], stages: dict[Path, set[str]]) -> dict[str, float]:
    """Return when each blob was last written, or a stage that names it last used."""
    used = {digest: _used_s(path) for digest, path in blobs.items()}
    for path, mentioned in stages.items():
        at = _used_s(path)
        for digest in mentioned & used.keys():
            used[digest] = max(used[digest], at)
    return used


def _mentions(store: Store, path: Path) -> Iterator[str]:
    """Yield every digest that a stage's record names, and what those are made of."""
    with suppress(OSError, ProaError):
        for match in set(_MENTION.findall(path.read_bytes())):
            yield from closure(store, match.decode())


def _referred(store: Store, path: Path) -> Iterator[str]:
    """Yield the image that a referrer is kept beside, and all that the referrer is made of."""
    yield f"sha256:{path.parent.name}"
    with suppress(OSError, ProaError):
        yield from closure(store, f"sha256:{path.name}")


def _drop_orphans(store: Store) -> None:
    """Remove referrers whose artifact or subject is gone."""
    for path in _walk(store.root / "referrers"):
        if not (_is_there(store, path.name) and _is_there(store, path.parent.name)):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()


def _is_there(store: Store, hexadecimal: str) -> bool:
    return is_digest(f"sha256:{hexadecimal}") and store.has_blob(f"sha256:{hexadecimal}")


def _remove(path: Path) -> int:
    size = _size(path)
    with disk_errors(path):
        path.unlink(missing_ok=True)
    return size


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _used_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _sweep(store: Store) -> None:
    """Remove everything half-written; only while nobody else is at work."""
    with suppress(FileNotFoundError):
        for path in (store.root / "partial").iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


def _walk(folder: Path) -> Iterable[Path]:
    """Return the files below a folder; what others remove meanwhile is not there, and no error."""
    found = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return sorted(path for path in found if path.is_file())
