"""A real systemd as the first process of namespaces of its own, over this machine's files: a unit can be started in it.

What is written is in memory and gone when the block ends; the network is one of its own, with nothing but loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from real_neighbours import need, own_groups, running

_SYSTEMD = Path("/lib/systemd/systemd")
_BOOT = """set -e
place=$1
shift
ip link set lo up
mount --make-rprivate /
mount -t tmpfs tmpfs "$place"
mkdir "$place/upper" "$place/work" "$place/root" "$place/files"
mount --bind / "$place/files"
mount -t overlay overlay -o "lowerdir=$place/files,upperdir=$place/upper,workdir=$place/work" "$place/root"
cd "$place/root"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mkdir hand-over
mount --bind "$place.hand-over" hand-over
for folder in "$@"; do
  [ -d "$folder" ] || continue
  mkdir -p ".$folder"
  mount --rbind "$folder" ".$folder"
done
rm -rf etc/systemd/system
mkdir -p etc/systemd/system
printf '[Unit]\\nDescription=bed\\n' >etc/systemd/system/bed.target
printf 'bed\\n' >etc/hostname
: >etc/fstab
mkdir .old
# Not chroot: whoever is in one may make no user namespaces, as PrivateUsers= does.
pivot_root . .old
umount --lazy /.old
exec env -i container=docker PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --unit=bed.target --log-target=console --show-status=no
"""
"""``container=docker``: as in a container, systemd takes the mounts that are there, and loads no modules."""


@dataclass(frozen=True)
class RealSystemd:
    """A machine that systemd runs."""

    pid: int
    """Of systemd, as this machine counts."""
    hand_over: Path
    """A folder of this machine that is /hand-over there."""

    def run(
        self, *words: str | Path, check: bool = True, environ: Mapping[str, str] = {}
    ) -> subprocess.CompletedProcess[str]:
        """Run a program there as root, with some variables more. Raises CalledProcessError."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--uts", "--ipc", "--net"]
        return subprocess.run(
            [*enter, "env", "--chdir=/", *words],
            env={**os.environ, **environ},
            capture_output=True,
            text=True,
            check=check,
            timeout=120,
        )

    def ask(self, url: str) -> str:
        """Return what an address there answers."""
        program = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=5).read().decode())"
        enter = ["nsenter", f"--target={self.pid}", "--net", sys.executable, "-c", program, url]
        return subprocess.run(enter, capture_output=True, text=True, check=True, timeout=60).stdout

    def shown(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit."""
        said = self.run("systemctl", "show", unit, *(f"--property={name}" for name in names)).stdout
        return dict(line.partition("=")[::2] for line in said.splitlines())


@contextmanager
def real_systemd(*folders: Path) -> Iterator[RealSystemd]:
    """Boot it; ``folders`` of this machine are there for sure, also those of other disks."""
    need("unshare", "nsenter", "ip")
    if os.geteuid() != 0:
        pytest.skip("real: namespaces for systemd need root")
    if not _SYSTEMD.exists():
        pytest.skip("real: systemd is not installed")
    folder = Path(tempfile.mkdtemp(prefix="proa-systemd-"))
    place, hand_over = folder / "machine", folder / "machine.hand-over"
    place.mkdir()
    hand_over.mkdir()
    argv = ["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--fork", "sh", "-c", _BOOT, "boot", str(place)]
    argv += map(str, folders)
    try:
        with own_groups(), running(argv, log=folder / "log") as process:
            pid = _first(process)
            try:
                systemd = RealSystemd(pid=pid, hand_over=hand_over)
                _wait(systemd, process, folder / "log")
                yield systemd
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _first(process: subprocess.Popen[bytes]) -> int:
    """Return the process that unshare made the first one."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(200):
        with suppress(OSError):
            if found := children.read_text().split():
                return int(found[0])
        time.sleep(0.02)
    raise RuntimeError("unshare started nothing")


def _wait(systemd: RealSystemd, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        said = systemd.run("systemctl", "is-system-running", check=False)
        if said.stdout.strip() in ("running", "degraded"):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError(f"systemd did not come up:\n{log.read_text(errors='replace')[-2000:]}")
