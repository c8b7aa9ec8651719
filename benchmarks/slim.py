"""Claim: `proa slim` makes a Go image >= 95 %, nginx >= 80 %, Node, Python and Java >= 50 % smaller; 200 answers stay.

Beside it, of the same images: what the closure of the files alone gives (``--no-run``), and how many of the requests
fail where only the files are kept that the traced run touched. Arguments choose images: ``slim.py go nginx``. Needs
root.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from measure import ROOT, finish, header

sys.path.insert(0, str(ROOT / "tests"))
import fat_images
import fat_requests
import fat_running
from fat_slimming import LESS, Compared, compare, proa


def traced_alone(one: Compared, scratch: Path) -> int:
    """Return how many requests fail where nothing is kept but what the traced run touched."""
    from proa.outside.image_stream import opened_image
    from proa.outside.images import located
    from proa.pipeline.plan import open_bench
    from proa.pipeline.slim_runs import observe
    from proa.pipeline.slim_source import open_source
    from proa.records.configuration import Configuration
    from proa.records.request import Request

    settings = Configuration()
    environ = {**os.environ, "PROA_CACHE": str(scratch / "store")}
    bench = open_bench(Request(directory=str(scratch)), environ, lambda _: None)
    reference = located(f"oci:{one.layout}:latest")
    folder = scratch / f"{one.name}-traced"
    with opened_image(reference, None, store=bench.store, access=bench.access) as opened, bench.store.folder() as place:
        source = open_source(bench, opened, reference, place / "root", settings)
        seen = observe(bench, source.root, source.config, opened.platform, trial=settings.trial, slim=settings.slim)
        for seed in seen.seeds:
            copy_into(source.root, folder / "rootfs", seed.path)
        for path in ("/etc/passwd", "/etc/group"):  # The runtime itself reads them, before any trace.
            copy_into(source.root, folder / "rootfs", path)
        for name in ("tmp", "var/tmp", "run"):
            (folder / "rootfs" / name).mkdir(parents=True, exist_ok=True)
        copy_folder(source.root, folder / "rootfs", (source.config.config and source.config.config.working_dir) or "/")
    try:
        said = fat_running.ask_unpacked(folder, one.layout, one.asks, port=fat_requests.PORTS[one.name])
    except RuntimeError:
        return len(one.asks)
    return sum(old != new for old, new in zip(one.before, said, strict=True))


def copy_into(root: Path, target: Path, path: str) -> None:
    """Copy a file or link with its folders and the links above it."""
    at = Path()
    for part in Path(path.lstrip("/")).parts:
        at /= part
        there, here = root / at, target / at
        if there.is_symlink():
            if not here.is_symlink():
                here.parent.mkdir(parents=True, exist_ok=True)
                here.symlink_to(there.readlink())
            follow = there.readlink()
            copy_into(root, target, str(follow if follow.is_absolute() else Path(os.path.normpath(at.parent / follow))))
            rest = Path(path.lstrip("/")).parts[len(at.parts) :]
            if rest:
                copy_into(root, target, os.path.normpath(str((at.parent / follow).joinpath(*rest))))
            return
        if there.is_dir():
            copy_folder(root, target, str(at))
        elif there.is_file() and not here.exists():
            shutil.copy2(there, here)
            os.chown(here, there.stat().st_uid, there.stat().st_gid)


def copy_folder(root: Path, target: Path, path: str) -> None:
    """Make an empty folder as the original has it."""
    there, here = root / path.lstrip("/"), target / path.lstrip("/")
    if there.is_dir() and not here.exists():
        here.mkdir(parents=True)
        here.chmod(there.stat().st_mode & 0o7777)
        os.chown(here, there.stat().st_uid, there.stat().st_gid)


def static_alone(one: Compared, scratch: Path) -> tuple[int, int]:
    """Return the compressed bytes of the closure alone, and how many requests it fails."""
    layout = scratch / f"{one.name}-static"
    environ = {"PROA_CACHE": str(scratch / "store")}
    proa("slim", f"oci:{one.layout}:latest", "--no-run", "--to", f"oci:{layout}:latest", environ=environ)
    said = fat_running.answers(layout, one.asks, port=fat_requests.PORTS[one.name], scratch=scratch)
    return fat_running.stored_bytes(layout), sum(old != new for old, new in zip(one.before, said, strict=True))


header(
    "proa slim: go >= 95 %, nginx >= 80 %, node, python, java >= 50 % smaller (compressed layers); 200 answers the same"
)
TITLES = (
    "image",
    "before MB",
    "after MB",
    "smaller",
    "of files",
    "slim s",
    "build s",
    "answers",
    "--no-run MB, failed",
    "traced",
)
print(" | ".join(TITLES))
results = []
for name in sys.argv[1:] or fat_images.NAMES:
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        cache = fat_images.cache_folder(os.environ)
        fat_images.build(name, cache=cache, into=cache / "layouts")
        built = time.monotonic() - started
        one = compare(name, Path(folder))
        failed = one.differences()
        static_bytes, static_failed = static_alone(one, Path(folder))
        traced_failed = traced_alone(one, Path(folder))
        figures = (
            name,
            f"{fat_running.stored_bytes(one.layout) / 1e6:.1f}",
            f"{fat_running.stored_bytes(one.slimmed) / 1e6:.1f}",
            f"{one.less:.1%}",
            f"{one.less_unpacked:.1%}",
            f"{one.seconds:.0f}",
            f"{built:.0f}",
            f"{len(one.asks) - len(failed)} of {len(one.asks)} the same",
            f"{static_bytes / 1e6:.1f}, {static_failed}",
            f"{traced_failed} of {len(one.asks)} fail",
        )
        print(" | ".join(figures), flush=True)
        for line in failed[:5]:
            print(f"  {line[:300]}")
        results += [one.less >= LESS[name], not failed]
finish(results)
