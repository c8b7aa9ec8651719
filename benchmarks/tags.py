"""Claim: `proa tune tags` finds what caddy, prometheus and coredns can leave out, and its savings are right within 2 %.

The peer is `go build -tags` by hand, with proa's own `-trimpath`, without cgo and with `-ldflags='-s -w'`; proa strips
by `all`. Savings are compared, not sizes: proa's own stripping leaves out a little more than the linker's. Without
words caddy is measured; `benchmarks/tags.py caddy prometheus coredns` compiles all three, an hour on two cores.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measure import environment, finish, go, header, proa, run, verdict
from peers import PINS, Program, cache

_EXPECTED = {"caddy": ("nobadger", "nomysql", "nopgx"), "prometheus": ("remove_all_sd",), "coredns": ("grpcnotrace",)}
_LEAST_BYTES = 100_000
"""Below that, 2 % is less than the alignment of sections."""


def wrapper(program: Program) -> Path:
    """Return a module that requires the program as its own go.mod says, as ``go install path@version`` builds it."""
    folder = cache() / "tags" / f"{program.name}-{program.version}"
    if not (folder / "go.sum").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text("module example.com/wrapper\n\ngo 1.24\n", encoding="utf-8")
        run([go(), "get", "-tool", program.source], cwd=folder, env=environment())
    return folder


def by_hand(program: Program, tags: tuple[str, ...], target: Path) -> int:
    """Build with the go command alone and return the size."""
    flags = ["-trimpath", "-buildvcs=false", "-ldflags=-s -w", f"-tags={','.join(tags)}"]
    env = environment(CGO_ENABLED="0", GOFLAGS="-mod=mod")
    run([go(), "build", *flags, "-o", str(target), program.package], cwd=wrapper(program), env=env)
    return target.stat().st_size


header("proa tune tags: the expected tags are found, savings within 2 % of go build -tags by hand")
results = []
chosen = sys.argv[1:] or ["caddy"]
with tempfile.TemporaryDirectory() as scratch:
    for name in chosen:
        program = Program(name=name, **{**PINS["programs"], **PINS["tagged"]}[name])
        words = [proa(), "tune", "tags", "--strip", "all", "--format", "json", "--tag", ",".join(_EXPECTED[name])]
        store = environment(PROA_CACHE=str(cache() / "tags" / "store"), CI="true")
        tuning = json.loads(run([*words, program.source], env=store).stdout)
        found = {tag["name"]: tag for tag in tuning["tags"]}
        print(f"\n{name} {program.version}: {tuning['bytes']:,} bytes, {tuning['compressed_bytes']:,} compressed")
        plain = by_hand(program, (), Path(scratch, "plain"))
        for tag in _EXPECTED[name]:
            saved, hand = found[tag]["saving_bytes"], plain - by_hand(program, (tag,), Path(scratch, tag))
            compressed = found[tag]["saving_compressed_bytes"]
            print(f"  {tag:14} saves {saved:>12,} (by hand {hand:,}), compressed {compressed:,}")
            if hand >= _LEAST_BYTES:
                results.append(verdict(f"{name}: {tag} against by hand", abs(saved - hand) / hand, 0.02))
        together = tuple(tuning["together"])
        saved, hand = tuning["together_saving_bytes"], plain - by_hand(program, together, Path(scratch, "together"))
        print(f"  together {','.join(together)}: {saved:,} (by hand {hand:,})")
        if hand >= _LEAST_BYTES:
            results.append(verdict(f"{name}: together against by hand", abs(saved - hand) / hand, 0.02))
finish(results)
