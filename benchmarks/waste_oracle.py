"""Claim: the bytes an image stores and does not show are exact on 15 synthetic images; dive's answers beside them.

The images are those of the tests, with what is wasted in each known by construction. dive counts equal contents at two
paths in none of its figures, and neither does this table: proa tells them apart, as ``duplicate_bytes``.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from measure import environment, finish, header, proa, run, verdict
from peers import dive

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from fakes.layers import archive, docker_archive
from fakes.waste_images import CASES

header("proa inspect: wasted bytes exact on every image of the oracle; dive's beside them")
peer = dive()
right = {"proa": 0, "dive": 0}
print(f"{'wasted bytes':68} {'truth':>7} {'proa':>7} {'dive':>7}")
with tempfile.TemporaryDirectory() as scratch:
    env = environment(PROA_CACHE=str(Path(scratch, "store")), CI="true")
    for number, (name, truth) in enumerate(CASES.items()):
        image = docker_archive(Path(scratch, f"{number}.tar"), [archive(layer) for layer in truth.layers])
        said = json.loads(run([proa(), "inspect", str(image), "--format", "json"], env=env).stdout)["wasted_bytes"]
        answer = Path(scratch, "dive.json")
        answer.unlink(missing_ok=True)
        run([str(peer), f"docker-archive://{image}", "--json", str(answer)], env=env)
        dived = json.loads(answer.read_text(encoding="utf-8"))["image"]["inefficientBytes"] if answer.exists() else None
        wanted = sum(truth.wasted)
        right["proa"] += said == wanted
        right["dive"] += dived == wanted
        print(f"{name[:68]:68} {wanted:7} {said:7} {'none' if dived is None else dived:>7}")
print(f"right: proa {right['proa']} of {len(CASES)}, dive {right['dive']} of {len(CASES)}")
finish([verdict("images proa is wrong on", len(CASES) - right["proa"], 0)])
