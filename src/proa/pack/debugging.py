"""An image with one more layer: a shell and the debug file, for a person who has to look into it.

Everything below stays as it is, so a node that has the image fetches the new layer only.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.outside.store import Store, disk_errors
from proa.pack.bases import Files, list_files
from proa.pack.compress import choose_method
from proa.pack.documents import read_config, read_manifest
from proa.pack.entries import Entry, with_parents
from proa.pack.layers import make_layer
from proa.records.debugging import Symbols, build_id_path
from proa.records.image import Layer
from proa.records.oci import MANIFEST, Descriptor

_FOLDER = "usr/lib/debug"
_SHELL = "bin/sh"


def debug_image(
    image: Descriptor,
    symbols: Symbols,
    *,
    shell_digest: str,
    shell_bytes: int,
    shell_names: tuple[str, ...],
    store: Store,
    jobs: int,
) -> tuple[Descriptor, Layer]:
    """Return the manifest of an image with the debug layer on top, and that layer; all blobs are in the store.

    The debug file is where gdb looks by build-id and beside the program. Tools that the image has already stay its
    own; with ``shell_digest`` empty none is added. Raises BaseUnfit, HostileArchive, ImageMissing, NoSpace.
    """
    files = list_files(image.digest, store=store)
    entries = [*_symbols(symbols, files), *_shell(shell_digest, shell_bytes, shell_names, files)]
    method = choose_method("gzip", 0, size_bytes=sum(entry.size_bytes for entry in entries))
    wanted = with_parents(entries, present=files.paths())
    layer = make_layer(wanted, holds="debugging", method=method, mtime_s=0, store=store, jobs=jobs)
    return _put(image, layer, store), layer


def has_shell(image: Descriptor, store: Store) -> bool:
    """Say whether an image has a shell of its own."""
    return list_files(image.digest, store=store).has(_SHELL)


def _symbols(symbols: Symbols, files: Files) -> list[Entry]:
    program = symbols.program.lstrip("/")
    folder = program.rpartition("/")[0] if symbols.program.startswith("/") else ""
    places = [f"{_FOLDER}/{build_id_path(symbols.build_id, '.debug')}"] if symbols.build_id else []
    places.append(f"{folder}/{symbols.file_name}" if folder else symbols.file_name)
    paths = [path for path in (files.resolve(place) for place in places) if not files.has_name(path)]
    if not paths:
        return []
    first = Entry(
        path=paths[0],
        mode=0o444,
        size_bytes=symbols.bytes,
        blob=symbols.digest,
        reason="symbols and DWARF of the program",
    )
    # A hard link: the same bytes once.
    return [first, *(Entry(path=path, kind="hardlink", target=paths[0], reason=first.reason) for path in paths[1:])]


def _shell(digest: str, size: int, names: tuple[str, ...], files: Files) -> list[Entry]:
    if not digest:
        return []
    path = files.resolve(_SHELL)
    found = [Entry(path=path, mode=0o555, size_bytes=size, blob=digest, reason="a static shell")]
    for name in names:
        link = files.resolve(f"bin/{name}")
        if name != "sh" and not files.has_name(link):
            found.append(Entry(path=link, kind="symlink", target="sh", reason="tools of the shell", group="bin"))
    return found


def _put(image: Descriptor, layer: Layer, store: Store) -> Descriptor:
    """Write configuration and manifest anew, whatever fields they have, with one layer more."""
    manifest = read_manifest(image.digest, store)
    read_config(manifest, store)
    config: dict[str, Any] = msgspec.json.decode(store.read_blob(manifest.config.digest))
    config["rootfs"]["diff_ids"].append(layer.diff_id)
    if config.get("history"):
        config["history"].append({"created_by": "proa debug image", "comment": "a shell and the debug file"})
    document: dict[str, Any] = msgspec.json.decode(store.read_blob(image.digest))
    with disk_errors(store.root):
        content = msgspec.json.encode(config)
        document["config"] |= {"digest": store.put_blob(content), "size": len(content)}
        document["layers"].append(
            {"mediaType": _like(manifest.layers, layer), "digest": layer.digest, "size": layer.bytes}
        )
        written = msgspec.json.encode(document)
        return Descriptor(
            media_type=image.media_type or MANIFEST,
            digest=store.put_blob(written),
            size=len(written),
            platform=image.platform,
        )


def _like(layers: tuple[Descriptor, ...], layer: Layer) -> str:
    """Return the layer's media type in the words of the manifest it joins: docker's own differ from OCI's."""
    if any(each.media_type.startswith("application/vnd.docker.") for each in layers):
        return "application/vnd.docker.image.rootfs.diff.tar.gzip"
    return layer.media_type
