"""Claim: proa itself needs at most 200 MiB while it ships caddy.

Read as VmHWM, the kernel's own high-water mark, by the proa process at its end; the go command, the linker and
the tried program are other processes and not proa's memory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import Figures, environment, finish, header, run, verdict
from peers import programs

ROUNDS = 3
_INSIDE = """
import sys
from proa.cli.main import main
try:
    status = main(sys.argv[2:])
finally:
    with open("/proc/self/status") as lines, open(sys.argv[1], "w") as out:
        out.write(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))
sys.exit(status)
"""

header("peak memory of the proa process while shipping caddy, empty store <= 200 MiB (VmHWM)")
(caddy,) = programs(["caddy"])
peaks = []
with tempfile.TemporaryDirectory() as scratch:
    for number in range(ROUNDS):
        out = Path(scratch, "peak")
        argv = [sys.executable, "-c", _INSIDE, str(out), "ship", caddy.source]
        run(argv, cwd=Path(scratch), env=environment(PROA_CACHE=str(Path(scratch, f"store-{number}")), CI="true"))
        peaks.append(int(out.read_text(encoding="utf-8")) / 1024)
print(f"proa ship  {Figures(values=tuple(peaks))} MiB")
finish([verdict("peak memory", max(peaks), 200, unit=" MiB")])
