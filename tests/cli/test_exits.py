"""How a run ends, seen from outside."""

from __future__ import annotations

import subprocess
import sys

LATE = """
import atexit, os, signal, sys, time
for number in (signal.SIGTERM, signal.SIGINT):
    atexit.register(os.kill, os.getpid(), number)
sys.argv = ["proa", "ship", "./nowhere"]
from proa.cli.main import main
sys.exit(main())
"""


def test_a_signal_after_the_result_does_not_change_it() -> None:
    ended = subprocess.run([sys.executable, "-c", LATE], capture_output=True, timeout=30, check=False)
    assert ended.returncode == 2
    assert b"KeyboardInterrupt" not in ended.stderr
