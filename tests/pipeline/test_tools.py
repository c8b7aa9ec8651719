"""What ``proa doctor`` finds."""

from __future__ import annotations

from pathlib import Path

from proa.outside.sandbox import find_program
from proa.pipeline.tools import examine


def test_what_confines_a_trial_is_found_where_the_trial_finds_it(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/none"}
    for tool in examine(environ=environ):
        if tool.name in ("bwrap", "runc", "crun", "unshare", "strace"):
            assert tool.path == find_program(tool.name, environ)
