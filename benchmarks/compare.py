"""Claims: `proa compare` shows nothing where nothing differs, and a start-up delay of 20 ms as it is.

(1) 20 comparisons of go-httpbin with itself: no difference of anything in 19 at least; (2) in the first 10 of the same
runs a copy that sleeps 20 ms before it starts is shown as slower, by 15 to 25 ms; (3) exec to the first 200 as
proa tells it for a command is at most 3 ms (median) above a loop written by hand; (4) the default variants of
go-httpbin, everything cached, take 180 s at most on 2 cores.

    python benchmarks/compare.py [RUNS]
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import measure

MODULE = "github.com/mccutchen/go-httpbin/v2@v2.26.0"
PORT = 8080
READY = f"http://:{PORT}/get"
DELAY_S = 0.020
HAND_RUNS = 21


def main() -> None:
    """Build, measure, print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    measure.header("nothing is shown where nothing differs; 20 ms are shown as 20 ms")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        store = Path(os.environ.get("PROA_BENCH_STORE") or place / "store")
        source = _copied(place / "plain")
        slow = _copied(place / "slow")
        (slow / "cmd" / "go-httpbin" / "delay.go").write_text(
            'package main\n\nimport "time"\n\nfunc init() { time.Sleep(20 * time.Millisecond) }\n'
        )
        images = [_packed(source, store, place / "a"), _packed(slow, store, place / "b")]
        results = [*_shown(images, store, runs), _overhead(source, store, place), _whole(source, store)]
    measure.finish(results)


def _copied(target: Path) -> Path:
    ran = measure.run([measure.go(), "mod", "download", "-json", MODULE], cwd=Path(tempfile.gettempdir()))
    shutil.copytree(json.loads(ran.stdout)["Dir"], target)
    for path in target.rglob("*"):
        path.chmod(path.stat().st_mode | 0o200)
    return target


def _packed(source: Path, store: Path, target: Path) -> str:
    measure.run(
        [measure.proa(), "ship", "./cmd/go-httpbin", "--no-trial", "--to", f"oci:{target}"],
        cwd=source,
        env=measure.environment(PROA_CACHE=str(store), CI="true"),
    )
    return f"oci:{target}"


def _compared(words: list[str], store: Path, cwd: Path | None = None) -> tuple[dict[str, Any], float]:
    env = measure.environment(PROA_CACHE=str(store), CI="true")
    spent = measure.run([measure.proa(), "compare", *words, "--format", "json"], cwd=cwd, env=env)
    return json.loads(spent.stdout), spent.wall_s


def _shown(images: list[str], store: Path, runs: int) -> list[bool]:
    """Compare the image with itself and with the slow one, again and again, looks and all."""
    plain, slow = images
    told, delays, slower = [], [], 0
    for number in range(runs):
        words = [plain, plain, slow, "--ready", READY, "--load", "0", "--budget", "10s", "--seed", str(number)]
        record, _ = _compared(words, store)
        names = [one["name"] for one in record["variants"]]
        told.append([one["figure"] for one in record["comparisons"]
                     if one["name"] == names[1] and one["difference"] != "none_shown"])  # fmt: skip
        medians = [one["ready_s"]["median"] for one in record["variants"]]
        if number < 10:
            delays.append(medians[2] - medians[0])
            slower += any(one["name"] == names[2] and one["figure"] == "ready_s" and one["difference"] == "slower"
                          for one in record["comparisons"])  # fmt: skip
        print(f"     {number + 1:2}: {record['rounds']} rounds, start-up {medians[0] * 1000:.1f}, "
              f"{medians[1] * 1000:.1f}, {medians[2] * 1000:.1f} ms; A/A {told[-1] or 'none shown'}",
              flush=True)  # fmt: skip
    off = [abs(delay - DELAY_S) / DELAY_S for delay in delays]
    print(f"     delay told: {measure.Figures(values=tuple(1000 * delay for delay in delays))} ms")
    return [
        measure.verdict("A/A comparisons in which anything is shown", sum(map(bool, told)), runs / 20),
        measure.verdict("delays not shown as slower", len(delays) - slower, 0),
        measure.verdict("delays told wrong by more than a quarter", sum(one > 0.25 for one in off), 0),
    ]


def _overhead(source: Path, store: Path, place: Path) -> bool:
    """Time exec to the first 200 by hand, in turn with proa."""
    program = place / "go-httpbin"
    measure.run([measure.go(), "build", "-trimpath", "-o", str(program), "./cmd/go-httpbin"], cwd=source)
    hand, told = [], []
    for number in range(3):
        hand += [_by_hand(program) for _ in range(HAND_RUNS // 3)]
        words = ["--command", f"bare={shlex.quote(str(program))}", "--ready", READY, "--load", "0", "--runs", "7"]
        record, _ = _compared([*words, "--seed", str(number)], store)
        told += record["variants"][0]["ready_s"]["samples"]
    figures = [measure.Figures(values=tuple(1000 * one for one in each)) for each in (hand, told)]
    print(f"     by hand {figures[0]} ms; proa {figures[1]} ms")
    return measure.verdict("median above timing by hand", figures[1].median - figures[0].median, 3.0, unit=" ms")


def _by_hand(program: Path) -> float:
    question = f"GET /get HTTP/1.1\r\nHost: localhost:{PORT}\r\nConnection: close\r\n\r\n".encode()
    began_s = time.perf_counter()
    process = subprocess.Popen([program], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.perf_counter() - began_s < 20:
            try:
                with socket.create_connection(("127.0.0.1", PORT), timeout=5) as link:
                    link.sendall(question)
                    if link.recv(64).startswith(b"HTTP/1.1 200"):
                        return time.perf_counter() - began_s
            except OSError:
                time.sleep(0.0002)
        sys.exit("go-httpbin did not answer within 20 s")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _whole(source: Path, store: Path) -> bool:
    """Time the default variants a second time, when all of them are built."""
    _compared(["./cmd/go-httpbin", "--runs", "5", "--load", "0"], store, cwd=source)
    record, wall_s = _compared(["./cmd/go-httpbin"], store, cwd=source)
    measured = [one["name"] for one in record["variants"] if one["verdict"] == "measured"]
    samples = [one["ready_s"]["samples"] for one in record["variants"] if one["verdict"] == "measured"]
    middle = statistics.median(value for each in samples for value in each)
    print(f"     {', '.join(measured)}: {record['rounds']} rounds, start-up {1000 * middle:.1f} ms")
    return measure.verdict("default variants, everything cached", wall_s, 180.0, unit=" s")


if __name__ == "__main__":
    main()
