"""Claim: the program's layer is at most 0.53 of ko's, compressed, with the default settings of both.

Sizes do not vary from run to run (see digests.py), so each is taken once. Files that proa makes itself
(certificates, zones, users) are in a layer of their own, printed apart; ko takes them from its base image.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from measure import finish, header, ship, verdict
from peers import ko_with_base, program_layer_bytes, programs, wrapper

# GOFLAGS is split at spaces unless quoted. Source: `go help environment`.
_STRIPPED = {"GOFLAGS": "-buildvcs=false '-ldflags=-s -w'"}
_VARIANTS = {
    "default": ("--strip", "dwarf"),
    "strip all": ("--strip", "all"),
    "zstd": ("--strip", "dwarf", "--compression", "zstd"),
    "strip all, zstd": ("--strip", "all", "--compression", "zstd"),
}

header("compressed program layer <= 0.53 of ko's default (strip all 0.50, zstd 0.47); strip all <= 0.92 of ko -s -w")
results = []
with ko_with_base() as ko, tempfile.TemporaryDirectory() as scratch:
    for program in programs():
        peers = {}
        for label, env in (("default", {}), ("-s -w", _STRIPPED)):
            layout = Path(scratch, f"{program.name}-{len(peers)}")
            ko.build(program.package, directory=wrapper(program), layout=layout, env=env)
            peers[label] = program_layer_bytes(layout)
        own = {
            label: ship([program.source, "--no-trial", *flags], cwd=Path(scratch), store=Path(scratch, "store"))
            for label, flags in _VARIANTS.items()
        }
        print(f"\n{program.name} {program.version}: bytes of the program's layer")
        for label, size in peers.items():
            print(f"  ko {label:16} {size:>12,}")
        for label, shipped in own.items():
            system = shipped.layer_bytes("system files")
            print(f"  proa {label:14} {shipped.layer_bytes('program'):>12,}   and system files {system:,}")
        for label, peer, limit in (
            ("default", "default", 0.53),
            ("strip all", "default", 0.50),
            ("zstd", "default", 0.47),
            ("strip all", "-s -w", 0.92),
        ):
            ratio = own[label].layer_bytes("program") / peers[peer]
            results.append(verdict(f"{program.name}: proa {label} / ko {peer}", ratio, limit))
finish(results)
