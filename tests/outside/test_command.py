"""Programs that are waited for, and how an interruption ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from proa.errors import ToolFailed, ToolTimedOut
from proa.outside import interruption
from proa.outside.command import run


@pytest.fixture
def interruptible():
    yield
    interruption.begin()


def asleep(*, told: str) -> list[str]:
    """Return a program that sleeps for a minute, with a child that does, once it has written its process id."""
    return ["sh", "-c", f"sleep 60 & echo $$ >{told}; wait"]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_programs_that_other_threads_wait_for_end_with_the_run(tmp_path, interruptible):
    told = [tmp_path / "one", tmp_path / "two"]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(run, asleep(told=str(file))) for file in told]
        while not all(file.exists() and file.read_text().endswith("\n") for file in told):
            time.sleep(0.01)
        with pytest.raises(KeyboardInterrupt):
            interruption.interrupt()
        started = time.monotonic()
        raised = [future.exception(timeout=20) for future in waiting]
    assert [type(error) for error in raised] == [KeyboardInterrupt, KeyboardInterrupt]
    assert time.monotonic() - started < 5
    assert not any(is_running(int(file.read_text())) for file in told)


def test_after_an_interruption_no_other_thread_starts_a_program(tmp_path, interruptible):
    with pytest.raises(KeyboardInterrupt):
        interruption.interrupt()
    with ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(run, ["touch", str(tmp_path / "late")]).exception(), KeyboardInterrupt)
    assert not (tmp_path / "late").exists()
    # The main one clears up.
    run(["touch", str(tmp_path / "cleared")])
    assert (tmp_path / "cleared").exists()


def test_a_program_that_an_interruption_meets_while_it_is_started_does_not_run_on(monkeypatch, interruptible):
    begun = []

    class Started(subprocess.Popen):
        def __init__(self, *args, **settings):
            super().__init__(*args, **settings)
            begun.append(self)
            # As the handler of a signal that comes before the caller has got the process.
            interruption.interrupt()

    monkeypatch.setattr(subprocess, "Popen", Started)
    with pytest.raises(KeyboardInterrupt):
        run(["sleep", "60"])
    assert [process.returncode for process in begun] == [-signal.SIGINT]
    # The one interruption is told once.
    monkeypatch.undo()
    run(["true"])


@pytest.mark.parametrize("is_main", [True, False])
def test_a_thread_gets_everything_a_program_wrote_however_long_it_took(is_main):
    code = "import sys, time\nfor _ in range(3): sys.stdout.write(sys.stdin.read(1) * 70_000); time.sleep(0.25)"

    def answer() -> bytes:
        return run([sys.executable, "-c", code], stdin=b"abc").stdout

    with ThreadPoolExecutor(1) as pool:
        got = answer() if is_main else pool.submit(answer).result()
    assert got == b"".join(letter * 70_000 for letter in (b"a", b"b", b"c"))


@pytest.mark.parametrize("is_main", [True, False])
def test_a_program_has_the_time_it_is_given_in_every_thread(is_main):
    def wait() -> float:
        started = time.monotonic()
        with pytest.raises(ToolTimedOut, match=r"within 0\.5 s"):
            run(["sleep", "30"], timeout_s=0.5)
        return time.monotonic() - started

    with ThreadPoolExecutor(1) as pool:
        took_s = wait() if is_main else pool.submit(wait).result()
    assert 0.5 <= took_s < 5


def test_a_status_that_is_a_failure_comes_with_the_last_lines():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ToolFailed) as caught:
        pool.submit(run, ["sh", "-c", "echo why >&2; exit 3"]).result()
    assert caught.value.output == "why"
