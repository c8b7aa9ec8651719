"""A file made of pieces is never much longer than what it is made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from proa.build.pieces import Piece, Pieces, write
from proa.errors import BinaryDamaged


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(Pieces(pieces=(), written=(), total_bytes=1 << 62), id="its end"),
        pytest.param(Pieces(pieces=(Piece(1 << 40, 0, 3),), written=(), total_bytes=3), id="a piece"),
        pytest.param(Pieces(pieces=(), written=((1 << 63, b"abc"),), total_bytes=3), id="new bytes"),
    ],
)
def test_what_asks_for_an_endless_file_writes_none(tmp_path: Path, made: Pieces) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"abc")
    with pytest.raises(BinaryDamaged, match="where there are"):
        write(made, [source], target)
    assert not target.exists()
