"""What each owner's bytes take once compressed: an estimate that adds up to the whole.

The file is compressed in blocks, in its order, and each block's size is shared out by the bits its bytes have in that
block's own statistics: what is rare there costs more. How far this is from taking a package out and compressing
again: docs/decisions/0019-bytes-attributed-once.md.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from proa.inspect.attribution import Ranges

BLOCK_BYTES = 1 << 18
"""Larger than deflate's window of 32 KiB, so that little is lost at the borders."""
LEVEL = 6
"""gzip's own default."""
_BATCH = 16
"""Blocks measured before their bits are summed up: 4 MiB of file."""


def compressed_shares(data: memoryview, ranges: Ranges, count: int, index: Any, *, jobs: int) -> Any:
    """Return the compressed bytes of each owner, whole numbers that add up to those of all blocks.

    ``index`` gives for each range the owner's place among ``count``.
    """
    import numpy as np

    shares = np.zeros(count)
    total = 0
    with ThreadPoolExecutor(jobs) as pool:
        for start, size, bits in _blocks(data, pool):
            total += size
            end = start + len(bits)
            low = ranges.starts.searchsorted(start, side="right") - 1
            high = ranges.starts.searchsorted(end, side="left")
            edges = np.clip(ranges.starts[low : high + 1], start, end) - start
            sums = np.concatenate([[0.0], np.cumsum(bits, dtype="f8")])
            weights = np.diff(sums[edges])
            shares += np.bincount(index[low:high], weights * (size / max(float(sums[-1]), 1e-9)), minlength=count)
    return whole(shares, total)


def whole(shares: Any, total: int) -> Any:
    """Return whole numbers near ``shares`` that add up to ``total``: the largest remainders are rounded up.

    >>> import numpy
    >>> whole(numpy.array([1.5, 2.4, 0.1]), 4).tolist()
    [2, 2, 0]
    """
    import numpy as np

    floors = np.floor(shares).astype("i8")
    missing = int(total - floors.sum())
    order = (floors - shares).argsort(kind="stable")
    floors[order[: max(missing, 0)]] += 1
    return floors


def _blocks(data: memoryview, pool: ThreadPoolExecutor) -> Iterator[tuple[int, int, Any]]:
    """Yield each block's offset, compressed size, and the bits of each of its bytes."""
    for first in range(0, len(data), BLOCK_BYTES * _BATCH):
        offsets = range(first, min(len(data), first + BLOCK_BYTES * _BATCH), BLOCK_BYTES)
        for offset, (size, bits) in zip(offsets, pool.map(lambda at: _measured(data, at), offsets), strict=True):
            yield offset, size, bits
        forget(data, first, len(offsets) * BLOCK_BYTES)


def forget(data: memoryview, offset: int, size: int) -> None:
    """Give back the pages of the file just read, so that a large program does not fill memory."""
    whole_file = data.obj
    if isinstance(whole_file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        start = offset - offset % mmap.PAGESIZE
        with suppress(OSError, ValueError):
            whole_file.madvise(mmap.MADV_DONTNEED, start, min(size, len(whole_file) - start))


def _measured(data: memoryview, offset: int) -> tuple[int, Any]:
    import deflate
    import numpy as np

    block = data[offset : offset + BLOCK_BYTES]
    # libdeflate, as the layers have it, lets go of the interpreter while it works.
    size = len(deflate.deflate_compress(block, LEVEL))
    octets = np.frombuffer(block, "u1")
    counts = np.bincount(octets, minlength=256)
    cost = np.log2(len(octets) / np.maximum(counts, 1)).astype("f4") + 0.05
    return size, cost[octets]
