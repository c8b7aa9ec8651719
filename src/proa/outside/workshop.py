"""A folder to build in: everything else read-only and, where it can be, no network, by bubblewrap.

The folder is called the same in every build (``/media``, which every distribution has and no tool chain lives in),
so that no path of this machine gets into a program. Without bubblewrap it is called what it is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from proa.errors import ToolFailed, ToolMissing, ToolTimedOut
from proa.outside.command import Ran, Run, run

PLACE = Path("/media")
"""What a confined folder is called inside."""


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """One folder to build in, and how programs are run there."""

    folder: Path
    """Where it is."""
    place: Path
    """What it is called for what runs in it."""
    environment: Mapping[str, str]
    """The whole environment of every call, as it is seen inside."""
    writable: tuple[Path, ...] = ()
    """Folders outside that may be written as well, under their own names: a compiler's cache."""
    confined_by: str = ""
    """The path of bubblewrap; empty where nothing confines the build."""
    run: Run = run

    def call(
        self,
        argv: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str] | None = None,
        has_network: bool = False,
    ) -> Ran:
        """Run a program in a folder (as it is called inside) and return how it ended, whatever its status.

        Raises ToolMissing.
        """
        env = {**self.environment, **(environment or {})}
        if not self.confined_by:
            return self.run(argv, cwd=directory, env=env, accept=None)
        words = [self.confined_by, *self._options(has_network=has_network), "--chdir", str(directory), "--", *argv]
        return self.run(words, cwd=Path("/"), env=env, accept=None)

    def _options(self, *, has_network: bool) -> list[str]:
        # Only the folders in it may be written: what goes one level up is outside of the sources as well.
        options = [*_basic(), "--ro-bind", str(self.folder), str(self.place)]
        for folder in sorted(path for path in self.folder.iterdir() if path.is_dir()):
            options += ["--bind", str(folder), str(self.place / folder.name)]
        for path in self.writable:
            options += ["--bind", str(path), str(path)]
        return options if has_network else [*options, "--unshare-net"]


def _basic() -> list[str]:
    options = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--unshare-ipc"]
    options += ["--die-with-parent", "--cap-drop", "ALL"]
    if os.geteuid() != 0:
        # `install -o root` is then no change.
        return [*options, "--unshare-user", "--uid", "0", "--gid", "0"]
    # What root may read, a build by root may; without more it cannot make anything writable again.
    return [*options, *(word for name in ("DAC_OVERRIDE", "FOWNER", "CHOWN") for word in ("--cap-add", f"CAP_{name}"))]


def open_workshop(
    folder: Path, environment: Mapping[str, str], *, writable: Sequence[Path] = (), run: Run = run
) -> Workshop:
    """Return a workshop in a folder that exists, confined where bubblewrap can do it."""
    program = shutil.which("bwrap", path=os.pathsep.join([environment.get("PATH", os.defpath), "/usr/bin", "/bin"]))
    is_confined = program is not None and PLACE.is_dir() and _works(program, run)
    for path in writable:
        path.mkdir(parents=True, exist_ok=True)
    return Workshop(
        folder=folder,
        place=PLACE if is_confined else folder,
        environment=environment,
        # bubblewrap binds over no symbolic link.
        writable=tuple(path.resolve() for path in writable),
        confined_by=program if is_confined and program is not None else "",
        run=run,
    )


def _works(program: str, run: Run) -> bool:
    """Say whether bubblewrap may make namespaces here; inside some containers it may not."""
    try:
        words = [program, *_basic(), "--unshare-net", "--", "/bin/sh", "-c", ":"]
        return run(words, cwd=Path("/"), env={"PATH": os.defpath}, accept=None, timeout_s=20).status == 0
    except (ToolMissing, ToolFailed, ToolTimedOut):
        return False
