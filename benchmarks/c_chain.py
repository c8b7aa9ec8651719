"""Claim: the image of the C fixture after the whole chain is >= 90 % smaller than plain ``-O2 -g`` on Debian slim.

The peer is what a Dockerfile would make: the same sources by ``make`` with the machine's own compiler, on Debian slim.
That base is made here by debootstrap (minbase of this machine's release) without documentation, locales, lists and
caches, as debian:*-slim is, and compressed as one gzip layer. Needs root, debootstrap, gcc and make; the network once.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

from measure import Figures, environment, finish, header, proa, run, verdict
from peers import cache

FIXTURE = Path(__file__).resolve().parent.parent / "tests" / "projects" / "tune-c"
KEPT = cache()
ROUNDS = 5
_SLIMMED = (
    "usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale", "usr/share/lintian", "usr/share/linda",
    "var/cache/apt", "var/lib/apt/lists", "var/log",
)  # fmt: skip
"""What debian:*-slim leaves out. Source: debuerreotype, scripts/.slimify-excludes; apt's lists and caches."""


def layer_bytes(folder: Path) -> tuple[int, int]:
    """Return the bytes of a folder as a tar archive, compressed by gzip at level 9 and plain."""
    seen = io.BytesIO()
    with gzip.GzipFile(fileobj=seen, mode="wb", compresslevel=9, mtime=0) as packed:
        counted = _Counted(packed)
        with tarfile.open(fileobj=counted, mode="w|") as archive:
            archive.add(folder, arcname=".")
    return len(seen.getvalue()), counted.bytes


class _Counted(io.RawIOBase):
    """Pass bytes on and count them."""

    def __init__(self, target: gzip.GzipFile) -> None:
        self.target = target
        self.bytes = 0

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self.bytes += len(data)
        return self.target.write(data)


def debian_slim() -> tuple[int, int]:
    """Return the compressed and plain bytes of a Debian slim base, made once and kept."""
    record = KEPT / "debian-slim.json"
    if record.is_file():
        compressed, plain = json.loads(record.read_text())
        return compressed, plain
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        sys.exit("debian slim is made by debootstrap as root: apt-get install debootstrap")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        run(["debootstrap", "--variant=minbase", _release(), str(root)])
        for name in _SLIMMED:
            shutil.rmtree(root / name, ignore_errors=True)
        # Each package's copyright stays in the real one; it is a few hundred kB of the 28 MB.
        figures = layer_bytes(root)
    record.write_text(json.dumps(figures))
    return figures


def _release() -> str:
    for line in Path("/etc/os-release").read_text(encoding="utf-8").splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    return "bookworm"


header(f"the C fixture's image after the whole chain: >= 90 % smaller than -O2 -g on Debian slim ({_release()})")
with tempfile.TemporaryDirectory() as scratch:
    plain = Path(scratch, "plain")
    shutil.copytree(FIXTURE, plain)
    run(["make", "-s", "-C", str(plain), "CFLAGS=-O2 -g", "CC=gcc"])
    alone = Path(scratch, "alone")
    alone.mkdir()
    shutil.copy2(plain / "tally", alone / "tally")
    program_compressed, program_plain = layer_bytes(alone)
    base_compressed, base_plain = debian_slim()

    project = Path(scratch, "tally")
    shutil.copytree(FIXTURE, project)
    env = environment(PROA_CACHE=str(KEPT / "store-c-chain"), CI="true")
    bench = '"$PROA_PROGRAM" --bench 2000000'
    words = ["tune", "size", "--runs", str(ROUNDS), "--bench", bench, "--format", "json"]
    tuning = json.loads(run([proa(), *words], cwd=project, env=env).stdout)

print(f"\n{'step':38} {'program':>10} {'saved':>10} {'compressed':>10} {'saved':>9}  start-up s, benchmark s")
for step in tuning["steps"]:
    times = [str(Figures(values=tuple(step[name]))) for name in ("ready_runs_s", "benchmark_s") if step[name]]
    sizes = [step[name] for name in ("bytes", "saved_bytes", "compressed_bytes", "saved_compressed_bytes")]
    mark = "*" if step["name"] == tuning["winner"] else "+" if step["is_kept"] else " "
    shown = f"{sizes[0]:>10,} {sizes[1]:>10,} {sizes[2]:>10,} {sizes[3]:>9,}" if step["bytes"] else step["reason"]
    print(f"{mark} {step['name']:36} {shown}  {', '.join(times)}")
best = next(step for step in tuning["steps"] if step["name"] == tuning["winner"])
peer = base_compressed + program_compressed
print(f"\nDebian slim, minbase without docs, locales, caches: {base_plain:,} bytes, {base_compressed:,} compressed")
print(f"tally -O2 -g, dynamic, on it: {program_plain:,} bytes, {program_compressed:,} compressed")
print(f"proa's image of the winner ({best['name']}): {best['bytes']:,} bytes, {best['compressed_bytes']:,} compressed")
finish(
    [
        verdict("image, compressed: proa / Debian slim", best["compressed_bytes"] / peer, 0.10),
        verdict("image, unpacked: proa / Debian slim", best["bytes"] / (base_plain + program_plain), 0.10),
    ]
)
