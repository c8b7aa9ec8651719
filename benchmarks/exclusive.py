"""Claim: what `proa why` predicts a package to cost is what a rebuild without it really saves: median 5 %, worst 15 %.

The rebuild is proa's own `--verify`: the program linked with stubs in place of the package. Both figures are of one
call, so nothing else differs. Ten imports each of podinfo and caddy; without words both are measured,
`benchmarks/exclusive.py podinfo` one of them.
"""

from __future__ import annotations

import json
import statistics
import sys

from measure import environment, finish, header, proa, run, verdict
from peers import Program, cache, programs

IMPORTS = {
    # Chosen on 2026-11-24, when the real savings were known and no prediction was: of each program what its own code
    # imports from ten modules, no two of them one family, from 60 kB to the largest; marked: what only others import.
    "podinfo": (
        "github.com/gomodule/redigo/redis",  # a small client
        "github.com/spf13/viper",  # brings four formats of configuration
        "google.golang.org/grpc",  # the largest that stays needed by others
        "github.com/swaggo/http-swagger",  # without it the linker can leave out unused methods
        "github.com/golang-jwt/jwt/v4",  # one of the smallest
        "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc",  # shares grpc
        "github.com/prometheus/client_golang/prometheus/promhttp",  # shares the metrics themselves
        "go.uber.org/zap",  # its types are everywhere
        "github.com/gorilla/websocket",  # one file uses it
        "go.yaml.in/yaml/v3",  # others' import
    ),
    "caddy": (
        "github.com/quic-go/quic-go",  # a protocol, with init functions
        "cel.dev/cel-go/cel",  # a language; its types are in interfaces
        "github.com/smallstep/certificates/authority",  # half of the modules hang on it, by several ways
        "github.com/yuin/goldmark",  # a parser
        "github.com/Masterminds/sprig/v3",  # a map of functions
        "github.com/alecthomas/chroma/v2",  # brings a regular expression engine of its own
        "github.com/caddyserver/certmagic",  # at the heart of the program
        "github.com/klauspost/compress/zstd",  # tables and assembly
        "github.com/dgraph-io/badger/v2",  # others' import
        "github.com/jackc/pgx/v5",  # others' import
    ),
}


def built(program: Program) -> str:
    """Return the program as proa ships it: static, stripped of DWARF."""
    target = cache() / "exclusive" / f"{program.name}-{program.version}"
    if not target.exists():
        target.parent.mkdir(exist_ok=True)
        run([proa(), "build", program.source, "-o", str(target)], env=environment(CI="true", GOFLAGS=""))
    return str(target)


def measured(program: Program, package: str) -> tuple[int, int]:
    """Return the bytes predicted and the bytes a rebuild saved."""
    words = [proa(), "why", built(program), package, "--source", program.source, "--verify", "--format", "json"]
    found = json.loads(run(words, env=environment(CI="true", GOFLAGS="")).stdout)
    if found["verified_bytes"] is None:
        sys.exit(f"{package} could not be left out: {found['findings']}")
    return found["exclusive_bytes"], found["verified_bytes"]


def main(names: list[str]) -> None:
    header("proa why: bytes predicted for an import against a rebuild without it: median <= 5 %, worst <= 15 %")
    errors = []
    for program in programs(names or list(IMPORTS)):
        print(f"\n{program.name} {program.version}\n{'predicted':>12} {'real':>12} {'error':>8}  import")
        for package in IMPORTS[program.name]:
            predicted, real = measured(program, package)
            error = (predicted - real) / real
            errors.append(abs(error))
            print(f"{predicted:>12,} {real:>12,} {100 * error:>+7.1f} %  {package}", flush=True)
    print()
    finish(
        [
            verdict(f"median error of {len(errors)} imports", statistics.median(errors), 0.05),
            verdict(f"worst error of {len(errors)} imports", max(errors), 0.15),
        ]
    )


if __name__ == "__main__":
    main(sys.argv[1:])
