"""The whole way from source to a published digest: the only place that knows more than one room.

    lay_plans ─▶ analyze ─▶ build ─▶ needs ─▶ pack ─▶ trial ─▶ publish

Each step is one function from records to a record, kept in the store under a key made of everything that
decides its result (``steps``). A step whose key is known is not done again, so when nothing changed nothing is
compiled, packed, compressed, run or uploaded; the key is content, never a time stamp.
"""

from __future__ import annotations

from proa.pipeline.care import check_store, list_store, prune_store
from proa.pipeline.ship import judge, ship, write_references
from proa.pipeline.stages import (
    analyze_all,
    build_all,
    dockerfiles,
    encode_analyses,
    encode_list,
    encode_records,
    try_reference,
)
from proa.pipeline.tools import examine

__all__ = [
    "analyze_all",
    "build_all",
    "check_store",
    "dockerfiles",
    "encode_analyses",
    "encode_list",
    "encode_records",
    "examine",
    "judge",
    "list_store",
    "prune_store",
    "ship",
    "try_reference",
    "write_references",
]
