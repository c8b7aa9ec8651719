"""Flags that say nothing about a finished program are refused rather than ignored."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.debugging import debug_file
from proa.cli import options
from proa.errors import WrongUsage
from proa.pipeline.plan import open_bench
from proa.pipeline.prebuilt import lay_binary_plan


@pytest.mark.parametrize("flags", [{"build_tags": "netgo"}, {"ldflags": ("-s",)}])
def test_a_finished_program_is_not_built_again(tmp_path: Path, flags: dict[str, object]) -> None:
    (tmp_path / "hello").write_bytes(debug_file())
    request = options.request(binary=str(tmp_path / "hello"), **flags)
    bench = open_bench(request, {"PROA_CACHE": str(tmp_path / "store")}, lambda _: None)
    with pytest.raises(WrongUsage, match="exclude each other"):
        lay_binary_plan(bench, request)


def test_a_root_folder_is_for_a_finished_program() -> None:
    with pytest.raises(WrongUsage, match="--sysroot"):
        options.request(sysroot="/srv/arm64")
