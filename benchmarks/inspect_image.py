"""Claim: `proa inspect` of 1 GB in 20 layers and 60,000 files takes at most dive's wall time, and at most 300 MiB.

Both read the same archive of `docker save`, plain layers, and write JSON. Contents are random, sizes the same; of each
layer a tenth overwrites files of the layer below, so what is wasted is known, and proa's answer is checked.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import sys
import tarfile
import tempfile
from pathlib import Path

from measure import Figures, Spent, alternate, environment, finish, header, proa, run, verdict, walls
from peers import dive

LAYERS, FILES, BYTES = 20, 3000, 16_667
ROUNDS = 5
_INSIDE = """
import resource, sys
from proa.cli.main import main
try:
    status = main(sys.argv[2:])
finally:
    with open("/proc/self/status") as lines, open(sys.argv[1], "w") as out:
        own = next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
        out.write(str(own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def layer(number: int, seeded: random.Random) -> bytes:
    """Return a layer's tar; every tenth file is one of the layer below."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for file in range(FILES):
            owner = max(0, number - 1) if file % 10 == 0 else number
            member = tarfile.TarInfo(f"usr/lib/l{owner}/d{file // 50}/file{file}.bin")
            member.size = BYTES
            archive.addfile(member, io.BytesIO(seeded.randbytes(BYTES)))
    return out.getvalue()


def write_image(target: Path) -> int:
    """Write the archive layer by layer; return the bytes it wastes."""
    seeded, diff_ids, names = random.Random(1), [], []
    with tarfile.open(target, "w") as archive:

        def add(name: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))

        for number in range(LAYERS):
            content = layer(number, seeded)
            diff_ids.append(f"sha256:{hashlib.sha256(content).hexdigest()}")
            names.append(f"{hashlib.sha256(bytes([number])).hexdigest()}/layer.tar")
            add(names[-1], content)
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Entrypoint": ["/app"]},
                "rootfs": {"type": "layers", "diff_ids": diff_ids},
                "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"RUN {n}"} for n in range(LAYERS)],
            }
        ).encode()
        name = f"{hashlib.sha256(config).hexdigest()}.json"
        add(name, config)
        add("manifest.json", json.dumps([{"Config": name, "RepoTags": ["big:1"], "Layers": names}]).encode())
    # Layer 1 writes over layer 0's own; the tenth of layer n that it owns itself is nowhere but in layer 0.
    return FILES // 10 * BYTES


header("proa inspect of 1 GB, 20 layers, 60,000 files <= 1.0 of dive's wall time; peak <= 300 MiB, worker included")
peer = dive()
with tempfile.TemporaryDirectory() as scratch:
    image, peak = Path(scratch, "big.tar"), Path(scratch, "peak")
    wasted = write_image(image)
    env = environment(PROA_CACHE=str(Path(scratch, "store")), CI="true")

    def ours() -> Spent:
        """Inspect with proa."""
        return run([proa(), "inspect", str(image), "--format", "json"], env=env)

    def theirs() -> Spent:
        """Inspect with dive."""
        return run([str(peer), f"docker-archive://{image}", "--json", str(Path(scratch, "dive.json"))], env=env)

    proas, dives = alternate(ours, theirs, rounds=ROUNDS)
    said = json.loads(proas[0].stdout)["wasted_bytes"]
    dived = json.loads(Path(scratch, "dive.json").read_text(encoding="utf-8"))["image"]["inefficientBytes"]
    run([sys.executable, "-c", _INSIDE, str(peak), "inspect", str(image), "--format", "json"], env=env)
    peak_mib = int(peak.read_text(encoding="utf-8")) / 1024
print(f"wasted    truth {wasted}, proa {said}, dive {dived}")
print(f"proa      {walls(proas)} s")
print(f"dive      {walls(dives)} s")
ratios = Figures(values=tuple(a.wall_s / b.wall_s for a, b in zip(proas, dives, strict=True)))
finish(
    [
        verdict("wall time of proa / dive", ratios.median, 1.0),
        verdict("peak memory", peak_mib, 300, unit=" MiB"),
        verdict("wasted bytes off the truth", abs(said - wasted), 0),
    ]
)
