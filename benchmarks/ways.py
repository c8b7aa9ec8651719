"""Claim: `proa ways` measures service and container of one build in turn; the unit's exposure is at most 2 of 10.

On examples/shop: both started, the archive the same in two runs, systemd's own score against that of a bare unit.
Needs go, systemd-analyze (250 or newer) and a sandbox.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import ROOT, Figures, finish, header, proa, verdict
from proa.outside.systemd import score


def ways(output: str, runs: int) -> dict[str, Any]:
    """Return the record of one call."""
    ran = subprocess.run(
        [proa(), "ways", "-o", output, "--runs", str(runs), "--format", "json"],
        cwd=ROOT / "examples" / "shop", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if ran.returncode:
        sys.exit(ran.stderr)
    record: dict[str, Any] = json.loads(ran.stdout)
    return record


header("proa ways: service and container of one build")
with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
    record, again = ways(first, 15), ways(second, 1)
    bare = Path(first) / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    peer = score(bare)
found = {way["name"]: way for way in record["ways"]}
for name in ("service", "container"):
    start = found[name]["ready_s"]
    figures = Figures(values=tuple(start["samples"]))
    print(
        f"{name} by {found[name]['engine']}: {figures} s; median between {start['low']:.4f} and {start['high']:.4f} s"
    )
ratio = found["container"]["ready_s"]["median"] / found["service"]["ready_s"]["median"]
print(f"container against service: {ratio:.2f}")
print(f"a unit without any hardening: exposure {peer.exposure if peer else 'not scored'}")
finish(
    [
        verdict("archives that differ", int(record["archive_digest"] != again["archive_digest"]), 0),
        verdict("exposure of the unit", record["hardening"]["exposure"] if record["hardening"] else 10, 2),
    ]
)
