"""UPX as a neighbour: asked with fixed settings, and believed only where there is a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.errors import ToolFailed
from proa.outside import upx
from proa.outside.command import Ran


def test_what_it_writes_is_executable_and_its_own_variable_is_not_passed_on(tmp_path):
    calls = []

    def run(argv, **how):
        calls.append((argv, how["env"]))
        Path(argv[3]).write_bytes(b"small")
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"", seconds=0.1)

    target = tmp_path / "small"
    upx.compress("/bin/upx", tmp_path / "app", target, environ={"PATH": "/bin", "UPX": "--ultra-brute"}, run=run)
    assert calls == [(["/bin/upx", "-q", "-o", str(target), "--", str(tmp_path / "app")], {"PATH": "/bin"})]
    assert target.stat().st_mode & 0o111


def test_an_upx_that_writes_nothing_has_failed(tmp_path):
    def run(argv, **_how):
        return Ran(argv=tuple(argv), status=0, stdout=b"", stderr=b"", seconds=0.1)

    with pytest.raises(ToolFailed):
        upx.compress("/bin/upx", tmp_path / "app", tmp_path / "small", environ={}, run=run)


def test_it_is_looked_for_on_the_given_path(tmp_path):
    assert upx.find_upx({"PATH": str(tmp_path)}) == ""
    (tmp_path / "upx").write_text("#!/bin/sh\n")
    (tmp_path / "upx").chmod(0o755)
    assert upx.find_upx({"PATH": str(tmp_path)}) == str(tmp_path / "upx")
