"""A static shell for debug images: the user's own file, a busybox at hand, or one built by the go command.

docs/decisions/0014-a-shell-for-debug-images.md says why in this order.
"""

from __future__ import annotations

import importlib.resources
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from proa.build.proof import prove
from proa.errors import BuildFailed, NotStatic, ProaError, ToolFailed, ToolMissing, WrongUsage
from proa.outside import elf
from proa.outside.command import Run, run
from proa.outside.go import Go
from proa.outside.store import Store
from proa.records.platform import Platform

_DATA = ("go.mod", "go.sum", "main.go", "tools.go")
_TIMEOUT_S = 600.0
# What shell/main.go answers to.
_OWN = (
    "base64", "cat", "chmod", "cp", "env", "find", "grep", "head", "id", "ls", "mkdir", "mktemp", "mv", "netstat",
    "nslookup", "ps", "rm", "sh", "shasum", "sleep", "tail", "tar", "touch", "wc", "wget", "xargs",
)  # fmt: skip
_MOST_NAMES = 1_000


class Shell(msgspec.Struct, frozen=True, kw_only=True):
    """A static program that is a shell and, called by their names, the usual small tools."""

    digest: str
    """Its bytes are in the store under this digest."""
    bytes: int
    names: tuple[str, ...]
    """What it answers to; at least ``sh``."""
    origin: str


def find_shell(
    platform: Platform,
    *,
    chosen: str,
    find_go: Callable[[], Go],
    environ: Mapping[str, str],
    store: Store,
    run: Run = run,
) -> Shell:
    """Return a shell for a platform: ``chosen`` where the user named a file, else busybox on PATH, else built here.

    Whatever it is, it is proved static and for that platform from its ELF headers. Raises NotStatic, BuildFailed,
    BinaryDamaged, ToolMissing where there is neither busybox nor go, ToolFailed.
    """
    if chosen:
        return _given(Path(chosen), platform, store=store, run=run)
    busybox = shutil.which("busybox", path=environ.get("PATH"))
    if busybox is not None and _fits(Path(busybox), platform):
        return _given(Path(busybox), platform, store=store, run=run)
    try:
        go = find_go()
    except ToolMissing as error:
        raise ToolMissing(
            f"there is no shell for {platform}: neither a static busybox nor go is on PATH",
            hint="install one of them, or name a static shell: --shell FILE",
        ) from error
    return _built(platform, go=go, store=store)


def _fits(file: Path, platform: Platform) -> bool:
    try:
        return prove(file, platform).is_static
    except (ProaError, OSError):
        return False


def _given(file: Path, platform: Platform, *, store: Store, run: Run) -> Shell:
    """Return a file as it is. What it answers to is asked of busybox alone, and where it runs here."""
    if not file.is_file() or not elf.is_elf(file):
        raise WrongUsage(f"--shell {file} is no program", hint="name a static ELF file, e.g. busybox")
    if not prove(file, platform).is_static:
        raise NotStatic(f"{file} is not static, and the image has no loader for it", hint="Debian: busybox-static")
    with store.write_blob() as writer, file.open("rb") as content:
        shutil.copyfileobj(content, writer)
    names: tuple[str, ...] = ("sh",)
    try:
        listed = run([str(file), "--list"], timeout_s=10.0).text.split()
        if "sh" in listed:
            names = tuple(sorted({name for name in listed if name.isascii() and "/" not in name})[:_MOST_NAMES])
    except ProaError:
        # Another platform's, or another shell: by its own name only.
        pass
    return Shell(digest=writer.digest, bytes=writer.bytes, names=names, origin=str(file))


def _built(platform: Platform, *, go: Go, store: Store) -> Shell:
    """Build proa's own shell. Raises BuildFailed, ToolFailed."""
    with store.folder() as folder:
        source = importlib.resources.files("proa.build").joinpath("data", "shell")
        for name in _DATA:
            (folder / name).write_bytes(source.joinpath(name).read_bytes())
        target = folder / "shell"
        words = ["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", str(target), "."]
        # The user's own flags and workspace are for their program.
        settings = {**platform.go_environment, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
        try:
            go.call(words, directory=folder, environment=settings, timeout_s=_TIMEOUT_S)
        except ToolFailed as error:
            raise BuildFailed(
                f"the shell for {platform} could not be built", output=error.output,
                hint="it needs the Go module proxy once; or install busybox-static, or name a shell: --shell FILE",
            ) from error  # fmt: skip
        if not prove(target, platform).is_static:
            raise NotStatic(f"the shell that was built for {platform} is not static")
        size = target.stat().st_size
        return Shell(digest=store.adopt_file(target), bytes=size, names=_OWN, origin="built by go")
