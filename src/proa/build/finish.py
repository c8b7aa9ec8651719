"""From a linked program to what is kept of it: proved, split in two, and all its files in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proa.build.proof import Proof, prove
from proa.build.split import Split, split
from proa.outside.store import Store
from proa.records.binary import Binary, DebugFile, Language, Libc, RuntimeFile
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform

_MOST_NAME_BYTES = 255
"""Of a file's name. Source: Linux, NAME_MAX."""
_SUFFIX = ".debug"


def finish(
    linked: Path,
    *,
    name: str,
    platform: Platform,
    settings: BuildSettings,
    store: Store,
    language: Language = "go",
    libc: Libc = "",
    compiler: str = "",
    uses_cgo: bool = False,
    runtime_files: Sequence[RuntimeFile] = (),
    findings: Sequence[Finding] = (),
) -> Binary:
    """Prove a linked program, split it, and move it and what was made of it into the store.

    ``linked`` is in a folder lent by ``store.folder()`` (the store's own disk), and no longer there afterwards.
    Raises BinaryDamaged, BuildFailed, NoSpace, NotWritable.
    """
    linked.chmod(0o755)
    proof = prove(linked, platform)
    linked_bytes = linked.stat().st_size
    with store.folder() as folder, ThreadPoolExecutor(2) as pool:
        shipped, debug = folder / "shipped", folder / "debug"
        done = split(
            linked,
            shipped,
            settings.strip,
            debug=debug if settings.debug else None,
            link=debug_name(name),
            keep=settings.keep_symbols,
        )
        sizes = [file.stat().st_size if file.exists() else 0 for file in (shipped, debug)]
        shipped_digest, debug_digest = pool.map(_adopted, (shipped, debug), (0o755, 0o644), (store, store))
    unstripped_digest = store.adopt_file(linked, digest=done.linked_digest)
    return Binary(
        name=name,
        platform=platform,
        digest=shipped_digest or unstripped_digest,
        bytes=sizes[0] or linked_bytes,
        unstripped_digest=unstripped_digest,
        unstripped_bytes=linked_bytes,
        strip="none" if done.reason else settings.strip,
        is_static=proof.is_static,
        interpreter=proof.interpreter,
        libraries=proof.libraries,
        build_id=proof.build_id,
        go_version=proof.go_version,
        uses_cgo=uses_cgo,
        language=language,
        libc=libc,
        compiler=compiler,
        debug=DebugFile(digest=debug_digest, bytes=sizes[1], name=debug_name(name), build_id=proof.build_id)
        if debug_digest
        else None,
        runtime_files=tuple(runtime_files),
        findings=(*findings, *_told(name, language, proof, done, has_debug=bool(debug_digest))),
    )


def _adopted(file: Path, mode: int, store: Store) -> str:
    """Move a file into the store where it was written; return its digest or nothing."""
    if not file.exists():
        return ""
    file.chmod(mode)
    return store.adopt_file(file)


def debug_name(name: str) -> str:
    """Return the name of a program's debug file, never too long for a file's.

    >>> debug_name("api")
    'api.debug'
    """
    return name.encode()[: _MOST_NAME_BYTES - len(_SUFFIX)].decode(errors="ignore") + _SUFFIX


def _told(name: str, language: Language, proof: Proof, done: Split, *, has_debug: bool) -> Iterator[Finding]:
    if done.reason:
        yield Finding(
            id="build.not-stripped",
            severity="info",
            message=f"{name} is shipped as it was linked: {done.reason}",
            hint="build.ldflags: [-w] makes the linker leave DWARF out" if language == "go" else "",
        )
    if done.unmatched:
        yield Finding(
            id="build.symbol-missing",
            message=f"{name} has no symbol {', '.join(done.unmatched)}",
            hint="`proa build --strip none`, then `go tool nm` or `nm`, lists what there is",
        )
    if has_debug and not proof.build_id:
        yield Finding(
            id="build.no-build-id",
            severity="info",
            message=f"{name} has no GNU build-id: its debug file is found by its name only",
            hint="build.ldflags: [-B gobuildid] makes the linker write one" if language == "go" else "-Wl,--build-id",
        )
