"""Table: the same small service in Go, Spring Boot, Quarkus and Micronaut, measured in one run of `proa compare`.

Builds examples/frameworks (Maven fetches some 150 MB the first time), packs each service with proa where the machine
has jlink, and prints size, start-up and memory with their intervals. The claim is that all of them answer.
Three minutes or more once all is built; `commands` as argument leaves the images out.
Not part of `make bench`. Needs go, Maven and a JDK of 17 or newer.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from measure import ROOT, environment, finish, header, proa, run, verdict

EXAMPLE = ROOT / "examples" / "frameworks"


def told(interval: dict[str, Any] | None, unit: float, digits: int) -> str:
    """Return ``median (low to high)``."""
    if interval is None:
        return "-"
    median, low, high = (interval[name] / unit for name in ("median", "low", "high"))
    return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def size(variant: dict[str, Any], name: str) -> str:
    """Return megabytes; a command has no image."""
    return f"{variant[name] / 1e6:.1f}" if variant.get(name) else "-"


header("one service in four frameworks")
missing = [name for name in ("make", "mvn", "java") if not shutil.which(name)]
if missing:
    sys.exit(f"not on PATH: {', '.join(missing)}")
way = sys.argv[1] if len(sys.argv) > 1 else "all"
make = ["make", "--silent", f"--directory={EXAMPLE}", way, f"PROA={proa()}", "COMPARE=--format json"]
record = json.loads(run(make, env=environment()).stdout)
print(f"machine  {record['machine']['system']}; {' '.join(record['machine'].get('notes', []))}")
print(f"{record['rounds']} rounds in {record['took_s']:.0f} s; median (95 % interval)\n")
print("| | image, MB | compressed, MB | start-up, s | peak memory, MiB | at rest, MiB |\n|---|---|---|---|---|---|")
for variant in record["variants"]:
    cells = [
        Path(variant["name"]).name,
        size(variant, "unpacked_bytes"),
        size(variant, "compressed_bytes"),
        told(variant.get("ready_s"), 1, 3),
        told(variant.get("rss_bytes"), 2**20, 1),
        told(variant.get("steady_bytes"), 2**20, 1),
    ]
    print(f"| {' | '.join(cells)} |{variant.get('reason', '')}")
silent = [variant["name"] for variant in record["variants"] if not variant.get("ready_s")]
finish([verdict("services without an answer", len(silent), 0)])
