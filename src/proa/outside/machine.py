"""This machine: its platform, its cores, where caches belong, and how a file is written whole."""

from __future__ import annotations

import os
import platform as _platform
import secrets
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

from proa.errors import NotWritable
from proa.outside.store import disk_errors
from proa.records.platform import Platform

#: What the kernel calls an architecture, and what Go and OCI call it.
#: Source: internal/goarch in the Go tree, uname(2) of each port.
_ARCHITECTURES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "arm",
    "armv6l": "arm",
    "i686": "386",
    "i386": "386",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
}


def this_platform() -> Platform:
    """Return the platform whose Linux images run here natively."""
    machine = _platform.machine()
    return Platform("linux", _ARCHITECTURES.get(machine, machine))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0))


def store_root(environ: Mapping[str, str]) -> Path:
    """Return the local store's folder: ``PROA_CACHE``, else below ``XDG_CACHE_HOME`` or ``~/.cache``.

    Raises NotWritable where none of them is set and there is no home.

    >>> str(store_root({"XDG_CACHE_HOME": "/c"}))
    '/c/proa'
    """
    if environ.get("PROA_CACHE"):
        return Path(environ["PROA_CACHE"]).absolute()
    if environ.get("XDG_CACHE_HOME", "").startswith("/"):
        return Path(environ["XDG_CACHE_HOME"]) / "proa"
    home = environ.get("HOME", "")
    if not home.startswith("/"):
        raise NotWritable("there is no place for the local store", hint="set HOME or PROA_CACHE to a folder")
    return Path(home) / ".cache" / "proa"


def is_stream(path: Path) -> bool:
    """Say whether a path is a device, a pipe or an open descriptor: written into, never renamed over."""
    if str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")):
        return path.exists()
    return path.exists() and not path.is_file() and not path.is_dir()


def code_identity() -> str:
    """Return a name of proa's own code as it is installed, so that no result of other code is taken for its own.

    Sizes and times of its files (2 ms, where reading them takes 14): another time only means that work is done again.
    """
    import hashlib

    whole = hashlib.sha256()
    root = str(Path(__file__).resolve().parents[1])
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name != "__pycache__")
        for name in sorted(files):
            status = os.stat(f"{folder}/{name}")  # noqa: PTH116 - hundreds of files at every start
            whole.update(f"{folder.removeprefix(root)}/{name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return whole.hexdigest()


def write_file(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write a file so that it appears whole or not at all. Raises NoSpace, NotWritable."""
    scratch = path.parent / f".{path.name}.{secrets.token_hex(4)}"
    try:
        with disk_errors(path):
            if is_stream(path):
                path.write_bytes(content)
                return
            scratch.write_bytes(content)
            if mode is not None:
                scratch.chmod(mode)
            scratch.replace(path)
    except FileNotFoundError as error:
        raise NotWritable(f"{path.parent} does not exist", hint="make the folder first") from error
    except OSError as error:
        raise NotWritable(f"{path} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def append_file(path: Path, content: bytes) -> None:
    """Add to the end of a file. Raises NoSpace, NotWritable."""
    try:
        with disk_errors(path), path.open("ab") as file:
            file.write(content)
    except OSError as error:
        raise NotWritable(f"{path} cannot be written: {error.strerror}") from error


def copy_file(source: Path, target: Path, *, mode: int) -> None:
    """Copy a file so that the copy appears whole or not at all. Raises NoSpace, NotWritable."""
    import shutil

    scratch = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with disk_errors(target):
            if is_stream(target):
                with source.open("rb") as content, target.open("wb") as out:
                    shutil.copyfileobj(content, out)
                return
            shutil.copyfile(source, scratch)
            scratch.chmod(mode)
            scratch.replace(target)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotWritable(f"{target} cannot be written: {error.strerror}") from error
    finally:
        with suppress(OSError):
            scratch.unlink()


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are missing. Raises NotWritable, NoSpace."""
    try:
        with disk_errors(path):
            path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise NotWritable(f"{path} is a file, not a folder") from error
    except OSError as error:
        raise NotWritable(f"{path} cannot be made: {error.strerror}") from error


def file_sizes(paths: Iterable[str], *, root: str = "") -> dict[str, int]:
    """Return the sizes of those paths that are regular files, below a root folder where one is given."""
    found = {}
    for path in paths:
        with suppress(OSError, ValueError):
            status = os.stat(f"{root}{path}")  # noqa: PTH116 - thousands of them
            if stat.S_ISREG(status.st_mode):
                found[path] = status.st_size
    return found
