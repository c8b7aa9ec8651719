"""From a linked program to what is kept of it: proved, stripped, and all its files in the store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proa.build.proof import prove
from proa.build.strip import strip
from proa.outside.store import Store
from proa.records.binary import Binary, Language, Libc, RuntimeFile
from proa.records.configuration import BuildSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform


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
    """Prove a linked program, strip it, and move it and what was made of it into the store.

    ``linked`` is in a folder lent by ``store.folder()`` (the store's own disk), and no longer there afterwards.
    Raises BinaryDamaged, BuildFailed, NoSpace, NotWritable.
    """
    linked.chmod(0o755)
    proof = prove(linked, platform)
    linked_bytes = linked.stat().st_size
    digest, size = "", linked_bytes
    with store.folder() as folder:
        stripped = folder / "stripped"
        reason = strip(linked, stripped, settings.strip)
        if stripped.exists():
            stripped.chmod(0o755)
            size = stripped.stat().st_size
            digest = store.adopt_file(stripped)
    unstripped_digest = store.adopt_file(linked)
    return Binary(
        name=name,
        platform=platform,
        digest=digest or unstripped_digest,
        bytes=size,
        unstripped_digest=unstripped_digest,
        unstripped_bytes=linked_bytes,
        strip="none" if reason else settings.strip,
        is_static=proof.is_static,
        interpreter=proof.interpreter,
        libraries=proof.libraries,
        build_id=proof.build_id,
        go_version=proof.go_version,
        uses_cgo=uses_cgo,
        language=language,
        libc=libc,
        compiler=compiler,
        runtime_files=tuple(runtime_files),
        findings=(*findings, *([_unstripped(name, language, reason)] if reason else [])),
    )


def _unstripped(name: str, language: Language, reason: str) -> Finding:
    hint = "build.ldflags: [-w] makes the linker leave DWARF out" if language == "go" else ""
    return Finding(
        id="build.not-stripped",
        severity="info",
        message=f"{name} is shipped as it was linked: {reason}",
        hint=hint,
    )
