"""Claim: the times of `proa analyze`'s start-up are those of `strace -ttt` by hand, within 5 %; article ≤ 5 s.

By hand: a program of ours is started under plain `strace -f -ttt -o FILE` by this file's own code, asked over HTTP as
soon as it listens, and the moments are read from the trace with str.split: execve, listen, the first HTTP answer.
Both sides trace, in turn, so that what else the machine does hits both alike; compared are the medians. Initialisation
is compared the same way: by hand it is the time between two files that the package opens around its work.
The article's Node project is analyzed and preflighted with its real services. Needs `make develop` and the Debian
packages of .ci/run.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from measure import ROOT, Figures, environment, finish, go, header, proa, verdict

sys.path.insert(0, str(ROOT / "tests"))
try:
    from article import article
except ImportError as missing:
    sys.exit(f"{missing}: `make develop` installs what the test bed needs")

ROUNDS = 7
PORT = 18_431
PROGRAM = """package main

import (
	"net/http"
	"os"
	"time"
)

var table = fill()

func fill() map[int]int {
	os.Open("/init-begins")
	made := map[int]int{}
	for begun := time.Now(); time.Since(begun) < 150*time.Millisecond; {
		made[len(made)%1000] = len(made)
	}
	os.Open("/init-ends")
	return made
}

func main() {
	time.Sleep(200 * time.Millisecond)
	os.Open("/config.yaml")
	time.Sleep(150 * time.Millisecond)
	http.HandleFunc("/healthz", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("ok")) })
	http.ListenAndServe("127.0.0.1:18431", nil)
}
"""


def build(folder: Path) -> Path:
    """Build the program as anybody would."""
    (folder / "go.mod").write_text("module example.com/slow\n\ngo 1.24\n")
    (folder / "main.go").write_text(PROGRAM)
    env = environment(CGO_ENABLED="0", GOFLAGS="-buildvcs=false", GOWORK="off")
    subprocess.run([go(), "build", "-o", "slow", "."], cwd=folder, env=env, check=True)
    return folder / "slow"


def by_hand(program: Path, folder: Path) -> dict[str, float]:
    """Start the program under plain strace, ask it, and return the moments after its execve."""
    trace = folder / "trace"
    tracer = subprocess.Popen(
        ["strace", "-f", "-ttt", "-o", str(trace), str(program)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        latest = time.monotonic() + 20
        while time.monotonic() < latest:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(0.002)
    finally:
        # With -f each line begins with the process it is about, the program's own first.
        os.kill(int(trace.read_text(errors="replace").split(None, 1)[0]), signal.SIGKILL)
        tracer.wait(10)
    lines = trace.read_text(errors="replace").splitlines()
    moments = {
        what: next(float(line.split()[1]) for line in lines if mark in line)
        for what, mark in (
            ("start", "execve("),
            ("begins", "/init-begins"),
            ("ends", "/init-ends"),
            ("config", "/config.yaml"),
            ("listen", " listen("),
            ("ready", '"HTTP/1.1 200'),
        )
    }
    found = {name: moment - moments["start"] for name, moment in moments.items()}
    return {**found, "init": moments["ends"] - moments["begins"]}


def by_proa(folder: Path) -> dict[str, float]:
    """Let proa see the start, in a store of its own each time for the start alone."""
    store = folder / ".store"
    shutil.rmtree(store / "stages" / "startup", ignore_errors=True)
    record = analyzed(folder, store)
    steps = {one["step"]: one for one in record["startup"]}

    def at(words: str) -> float:
        return next(one["at_s"] for step, one in steps.items() if step.startswith(words))

    return {
        "config": at("look for /config.yaml"),
        "listen": at("listen on"),
        "ready": at("GET /healthz answered 200"),
        "init": steps["initialise main"]["duration_s"],
    }


def analyzed(folder: Path, store: Path, *words: str) -> dict[str, Any]:
    env = environment(PROA_CACHE=str(store), CI="true", GOWORK="off")
    ran = subprocess.run(
        [proa(), "analyze", "--format", "json", *words],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        sys.exit(f"proa analyze exited with {ran.returncode}\n{ran.stderr[-4000:]}")
    record: dict[str, Any] = json.loads(ran.stdout)
    return record


def compare() -> list[bool]:
    """Print each moment by hand and by proa, and judge the medians' difference."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = build(folder)
        by_proa(folder)
        pairs = [(by_hand(program, folder), by_proa(folder)) for _ in range(ROUNDS)]
    results = []
    print(f"{'moment':8} {'by hand, s':34} {'proa, s':34} difference")
    for what in ("init", "config", "listen", "ready"):
        hand, seen = (Figures(values=tuple(one[side][what] for one in pairs)) for side in (0, 1))
        difference = abs(seen.median - hand.median) / hand.median
        print(f"{what:8} {hand!s:34} {seen!s:34} {difference:.1%}")
        results.append(verdict(f"{what}: share that proa differs from strace -ttt by hand", difference, 0.05))
    return results


def children_s() -> float:
    """Return the processor seconds of every process that was waited for, however deep."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def example() -> list[bool]:
    """Time analyze and preflight of the article's Node project together, its services being there."""
    with article() as shop:
        walls, spent = [], []
        for _ in range(5):
            started, before = time.perf_counter(), children_s()
            for words in (["analyze", "--connect"], ["preflight"]):
                ran = subprocess.run(
                    [proa(), *words],
                    cwd=shop.folder,
                    env=dict(shop.environ),
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if ran.returncode not in (0, 1):
                    sys.exit(f"proa {words[0]} exited with {ran.returncode}\n{ran.stderr[-4000:]}")
            walls.append(time.perf_counter() - started)
            spent.append(children_s() - before)
    print(f"the article's example, analyze --connect and preflight: {Figures(values=tuple(walls))} s")
    print(f"of these processor seconds, Node's own two starts included: {Figures(values=tuple(spent))}")
    print(f"load     {os.getloadavg()[0]:.1f} after, on {len(os.sched_getaffinity(0))} cores")
    return [verdict("the article's example", statistics.median(walls), 5, unit=" s")]


header("the start-up flow against strace -ttt by hand; the article's Node example")
for needed in ("strace", "bwrap"):
    if shutil.which(needed) is None:
        sys.exit(f"{needed} is not installed")
print(f"load     {os.getloadavg()[0]:.1f} before")
finish([*compare(), *example()])
