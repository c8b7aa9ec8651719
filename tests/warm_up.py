"""Build beside the tests what the last of them would wait minutes for: libraries for C, fat images, Kubernetes.

``python tests/warm_up.py`` fills the caches that `real_neighbours.zig_cache`, `fat_images.cache_folder` and
`cluster_tools.programs` name; a test that comes before it is done builds what it needs itself, or waits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cluster_tools
import fat_images
from real_neighbours import sharing_zig

PROJECTS = Path(__file__).parent / "projects" / "cgo"


def compile_libraries(scratch: Path) -> None:
    """Ship a program in C and one in C++ for both platforms: zig builds musl and libc++ for them once."""
    for name in ("sqlite", "words"):
        project = shutil.copytree(PROJECTS / name, scratch / name)
        environ = {key: value for key, value in os.environ.items() if key not in ("GOFLAGS", "CC", "CXX")}
        ran = subprocess.run(
            [sys.executable, "-m", "proa", "ship", "--no-trial", "--platform", "linux/amd64,linux/arm64"],
            cwd=project, env={**environ, "PROA_CACHE": str(sharing_zig(scratch / f"{name}-store"))},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        sys.stdout.write(f"{name}: {ran.stderr[-2000:] if ran.returncode else 'compiled'}\n")


def main() -> None:
    """Do all; what fails is the tests' to tell, with its reason."""
    with tempfile.TemporaryDirectory() as scratch:
        compile_libraries(Path(scratch))
        fat_images.main(Path(scratch), [])
    sys.stdout.write(f"{cluster_tools.programs()}\n")


if __name__ == "__main__":
    main()
