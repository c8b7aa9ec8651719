"""Build Kubernetes' own programs from its module: API server, controllers, scheduler and kubelet.

``python tests/cluster_tools.py`` builds what is not there yet, which takes minutes. Where: PROA_TEST_TOOLS, or
proa-test-tools below the folder for temporary files. Pinned by hand: 1.34 is the last whose kubelet takes containerd
1.6, which Debian 12 has.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from service_tools import folder

VERSION = "v1.34.2"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
_STAGED = re.compile(r"^\s*(k8s\.io/[\w-]+) v0\.0\.0$", re.MULTILINE)
"""Parts that are developed in its repository, where their published versions are not named."""
_TOOLS = "//go:build tools\n\npackage tools\n\nimport (\n{}\n)\n"


def programs() -> Path:
    """Return the folder with the programs, built where they are not there yet. Raises CalledProcessError."""
    place = folder(os.environ) / f"kubernetes-{VERSION}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_suffix(".lock").open("wb") as lock:
        # Whoever comes second waits for the first one's.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            _build(place)
    return place


def _build(place: Path) -> None:
    environ = {**os.environ, "GOFLAGS": "-mod=mod -trimpath", "CGO_ENABLED": "0"}
    with tempfile.TemporaryDirectory() as scratch:
        told = subprocess.run(
            ["go", "mod", "download", "-json", f"k8s.io/kubernetes@{VERSION}"],
            cwd="/", env={**environ, "GOFLAGS": ""}, check=True, capture_output=True, text=True,
        )  # fmt: skip
        staged = sorted(set(_STAGED.findall(Path(json.loads(told.stdout)["GoMod"]).read_text())))
        lines = [f"replace {name} => {name} {VERSION.replace('v1', 'v0', 1)}" for name in staged]
        wrapper = ["module example.com/cluster", "go 1.24.0", f"require k8s.io/kubernetes {VERSION}", *lines]
        Path(scratch, "go.mod").write_text("\n".join(wrapper) + "\n")
        imports = "\n".join(f'\t_ "k8s.io/kubernetes/cmd/{name}"' for name in PROGRAMS)
        Path(scratch, "tools.go").write_text(_TOOLS.format(imports))
        subprocess.run(["go", "mod", "tidy"], cwd=scratch, env=environ, check=True, capture_output=True)
        part = place.with_suffix(".part")
        part.mkdir(exist_ok=True)
        version = f"-s -w -X k8s.io/component-base/version.gitVersion={VERSION}"
        for name in PROGRAMS:
            argv = ["go", "build", f"-ldflags={version}", "-o", str(part / name), f"k8s.io/kubernetes/cmd/{name}"]
            subprocess.run(argv, cwd=scratch, env=environ, check=True, capture_output=True)
        part.rename(place)


if __name__ == "__main__":
    sys.stdout.write(f"{programs()}\n")
