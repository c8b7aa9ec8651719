"""Claim: `proa preflight` blames the right layer of every service, good or broken; the article's example takes ≤ 5 s.

The services are those of the tests: PostgreSQL, Redis, NATS, RabbitMQ, MariaDB, FerretDB (MongoDB's protocol), Kafka,
versitygw (S3), grpcio (OTLP) and OAuth2 over HTTPS, started here. What each case is, and which layer is to be blamed,
stands in tests/service_cases.py. Needs `make develop`, the Debian packages of .ci/run and tests/service_tools.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import groupby
from pathlib import Path
from typing import Any

from measure import ROOT, Figures, finish, header, proa, verdict

sys.path.insert(0, str(ROOT / "tests"))
try:
    from service_cases import CASES, Bed, Case, common_environment, node_values, whole_bed
except ImportError as missing:
    sys.exit(f"{missing}: `make develop` installs what the test bed needs")


def preflight(folder: Path, variables: dict[str, str]) -> tuple[dict[str, Any], float]:
    """Return the contacts by name, and the wall time of the command."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "CI": "true", "PROA_CACHE": str(folder / ".store")}
    started = time.perf_counter()
    ran = subprocess.run(
        [proa(), "preflight", "--timeout", "4s", "--format", "json"],
        cwd=folder, env={**environ, **variables}, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    wall_s = time.perf_counter() - started
    if not ran.stdout:
        sys.exit(f"proa preflight exited with {ran.returncode}\n{ran.stderr[-4000:]}")
    return {contact["name"]: contact for contact in json.loads(ran.stdout)["services"]}, wall_s


def judge(case: Case, contact: dict[str, Any]) -> bool:
    """Print one row of the matrix and say whether it is right."""
    right = contact["failed_layer"] == case.layer and contact["is_reachable"] is (case.layer is None)
    taken = f"{contact['latency_s'] * 1000:8.1f}" if contact["latency_s"] is not None else f"{'-':>8}"
    said = contact["failed_layer"] or "good"
    print(
        f"{case.service:9} {case.name:24} {case.layer or 'good':15} {said:15} {'right' if right else 'WRONG':6} {taken}"
    )
    return right


def matrix(bed: Bed, folder: Path) -> int:
    """Run every service's cases and return how many were judged wrongly."""
    print(f"{'service':9} {'case':24} {'expected':15} {'blamed':15} {'':6} {'ms':>8}")
    wrong, spent = 0, []
    for service, group in groupby(CASES, key=lambda case: case.service):
        cases = list(group)
        variables = {name: value for case in cases for name, value in case.environment(bed).items()}
        contacts, wall_s = preflight(folder, {**common_environment(bed), **variables})
        wrong += sum(not judge(case, contacts[case.key]) for case in cases)
        spent.append(f"{service} {len(cases)} cases {wall_s:.2f} s")
    print("one run each, hanging ones with 4 s: " + ", ".join(spent))
    return wrong


def example(bed: Bed, folder: Path) -> Figures:
    """Return the wall times of the article's Node project, whose queue refuses its API key."""
    project = folder / "shop"
    shutil.copytree(ROOT / "tests" / "projects" / "preflight-node", project)
    values = {**node_values(bed), **common_environment(bed)}
    (project / ".env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    return Figures(values=tuple(preflight(project, {})[1] for _ in range(5)))


header("proa preflight: the right layer blamed, of real services")
with tempfile.TemporaryDirectory() as scratch, whole_bed() as bed:
    wrong = matrix(bed, Path(scratch))
    walls = example(bed, Path(scratch))
print(f"right: {len(CASES) - wrong} of {len(CASES)}; the article's example: {walls} s")
finish([verdict("cases blamed wrongly", wrong, 0), verdict("the article's example", walls.median, 5, unit=" s")])
