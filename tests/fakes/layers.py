"""Layers of any content, made by Python's own tarfile, and docker archives of them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any


def item(name: str, content: bytes | None = None, *, mode: int | None = None, link: str = "", hard: str = "") -> Any:
    """Return one member: a file with this content, a folder without, or a link."""
    info = tarfile.TarInfo(name)
    if link or hard:
        info.type, info.linkname = (tarfile.SYMTYPE, link) if link else (tarfile.LNKTYPE, hard)
        info.mode = 0o777
    elif content is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
    else:
        info.size, info.mode = len(content), 0o644
    if mode is not None:
        info.mode = mode
    return info, content or b""


def archive(items: Iterable[Any]) -> bytes:
    """Return a tar archive of members in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for info, content in items:
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def docker_archive(
    path: Path,
    layers: Sequence[bytes],
    *,
    execution: Mapping[str, Any] | None = None,
    history: Sequence[Mapping[str, Any]] | None = None,
    compress: bool = False,
    architecture: str = "amd64",
) -> Path:
    """Write what `docker save` would, layers plain or gzip."""
    config = {
        "architecture": architecture,
        "os": "linux",
        "config": dict(execution or {"User": "65532", "Entrypoint": ["/app"]}),
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(one).hexdigest()}" for one in layers]},
        "history": list(history)
        if history is not None
        else [{"created_by": f"COPY {n} /"} for n in range(len(layers))],
    }
    names = [f"layer{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "config.json", "RepoTags": ["test:latest"], "Layers": names}]
    stored = [gzip.compress(one, mtime=0) if compress else one for one in layers]
    members = [item("config.json", json.dumps(config).encode()), item("manifest.json", json.dumps(manifest).encode())]
    path.write_bytes(archive([*members, *(item(name, one) for name, one in zip(names, stored, strict=True))]))
    return path
