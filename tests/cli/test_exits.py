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


def test_a_folder_that_was_removed_under_the_user_is_told_as_that(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    ran = subprocess.run([sys.executable, "-m", "proa", "analyze"], capture_output=True, text=True, check=False)
    monkeypatch.chdir(tmp_path)
    assert (ran.returncode, ran.stderr) == (2, "proa: the current folder is gone; change to another one [PROA201]\n")
