"""The image that a Dockerfile of one stage leaves: tool chain, sources, modules and program, for what it costs.

It is what `FROM golang`, `COPY . .`, `RUN go build` make, without the Debian below: nothing is pulled for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from proa.outside.sourcetree import list_files
from proa.outside.store import disk_errors
from proa.pack.compress import choose_method
from proa.pack.entries import Entry, with_parents
from proa.pack.layers import make_layer
from proa.pipeline.steps import Work
from proa.records.image import Image, Layer
from proa.records.oci import Descriptor

_LEFT_OUT = frozenset({"test", "doc", "api", ".git"})
"""Folders of the tool chain that its own image lacks as well."""


def pack_single_stage(work: Work, image: Image) -> Descriptor:
    """Return the manifest of a program's image with everything it was built with below it. Raises NoSpace."""
    store = work.bench.store
    layers = []
    for holds, entries in (
        ("tool chain", _tree(_goroot(work), "usr/local/go", leaves_out=_LEFT_OUT)),
        ("modules", _modules(work)),
        ("sources", _sources(work)),
    ):
        whole = with_parents(list(entries), present=frozenset())
        if not whole:
            continue
        work.bench.say(f"packing {holds}")
        method = choose_method("gzip", 6, size_bytes=sum(entry.size_bytes for entry in whole))
        layers.append(make_layer(whole, holds=holds, method=method, mtime_s=0, store=store, jobs=work.bench.jobs))
    return _below(image.manifest, layers, work)


def _goroot(work: Work) -> Path:
    ran = work.plan.go.call(["env", "GOROOT"], directory=Path(work.plan.main.directory))
    return Path(ran.text.strip())


def _modules(work: Work) -> Iterator[Entry]:
    """Yield the files of every module the program uses, where a build has them."""
    for module in work.plan.graphs[0].modules:
        folder = Path(module.directory) if module.directory else None
        if folder is None or module.path == work.plan.main.module or not folder.is_dir():
            continue
        yield from _tree(folder, f"go/pkg/mod/{module.path}@{module.version or 'local'}")


def _sources(work: Work) -> Iterator[Entry]:
    main = work.plan.main
    home = Path(main.module_directory or main.directory)
    if main.module_version:
        yield from _tree(home, "src")
        return
    for name in list_files(home, environ=work.bench.environ):
        path = home / name
        if path.is_file() and not path.is_symlink():
            yield _file(path, f"src/{name}")


def _tree(folder: Path, target: str, *, leaves_out: frozenset[str] = frozenset()) -> Iterator[Entry]:
    for place, folders, names in os.walk(folder):
        if Path(place) == folder:
            folders[:] = [name for name in folders if name not in leaves_out]
        folders.sort()
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield _file(path, f"{target}/{path.relative_to(folder)}")


def _file(path: Path, target: str) -> Entry:
    status = path.stat()
    mode = 0o555 if status.st_mode & 0o111 else 0o444
    return Entry(path=target, mode=mode, size_bytes=status.st_size, source=path, reason="left from the build")


def _below(image: Descriptor, layers: list[Layer], work: Work) -> Descriptor:
    """Write manifest and configuration anew, with these layers below the image's own."""
    store = work.bench.store
    document: dict[str, Any] = msgspec.json.decode(store.read_blob(image.digest))
    config: dict[str, Any] = msgspec.json.decode(store.read_blob(document["config"]["digest"]))
    config["rootfs"]["diff_ids"] = [*(layer.diff_id for layer in layers), *config["rootfs"]["diff_ids"]]
    if config.get("history"):
        made = [{"created_by": f"proa compare: {layer.holds}"} for layer in layers]
        config["history"] = [*made, *config["history"]]
    with disk_errors(store.root):
        content = msgspec.json.encode(config)
        document["config"] |= {"digest": store.put_blob(content), "size": len(content)}
        named = [{"mediaType": layer.media_type, "digest": layer.digest, "size": layer.bytes} for layer in layers]
        document["layers"] = [*named, *document["layers"]]
        written = msgspec.json.encode(document)
        return Descriptor(media_type=image.media_type, digest=store.put_blob(written), size=len(written))
