"""Everything a packed image depends on that no record names: the user's files and the pinned data."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from proa.outside.store import Store
from proa.pack import assets
from proa.pack.entries import content_digest
from proa.pack.execution import workdir
from proa.records.configuration import ImageSettings
from proa.records.evidence import Needs
from proa.records.project import Main


def assets_digest(settings: ImageSettings, needs: Needs, *, main: Main, directory: Path, store: Store) -> str:
    """Return a name of all the user's files that would go into the image: paths, modes, owners, contents.

    Raises what reading them raises: UnsafePath, WrongConfiguration, NotWritable.
    """
    whole = hashlib.sha256()
    for entries in (
        assets.configured(settings.files, directory),
        assets.needed(needs.of("file"), workdir(settings, needs), main=main, directory=directory),
        assets.kodata(main, directory),
    ):
        for entry in entries:
            decides = (entry.path, entry.kind, entry.mode, entry.uid, entry.gid, entry.size_bytes)
            whole.update(msgspec.json.encode((*decides, content_digest(entry, store))))
    return whole.hexdigest()


def data_versions(needs: Needs) -> tuple[str, ...]:
    """Return the versions of the data packages that this image's system files are made from."""
    versions = []
    if needs.of("certificates"):
        import certifi

        versions.append(f"certifi {certifi.__version__}")
    if needs.of("zones"):
        import tzdata

        versions.append(f"tzdata {tzdata.__version__}")
    return tuple(versions)
