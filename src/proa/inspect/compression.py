"""What each owner's bytes take once compressed: an estimate that adds up to the whole.

The file is compressed in blocks, in its order, and each block's size is shared out by the bits its bytes have in that
block's own statistics: what is rare there costs more. How far this is from taking a package out and compressing
again: docs/decisions/0019-bytes-attributed-once.md.
"""

from __future__ import annotations

import mmap
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

from proa.inspect.attribution import Ranges

BLOCK_BYTES = 1 << 18
"""Larger than deflate's window of 32 KiB, so that little is lost at the borders."""
LEVEL = 6
"""gzip's own default."""
_BATCH = 16
"""Blocks measured before their bits are summed up: 4 MiB of file."""


@contextmanager
def block_sizes(data: memoryview, *, jobs: int) -> Iterator[Callable[[], Sequence[int]]]:
    """Compress the blocks on another core while other work goes on; give what waits for their compressed sizes.

    With one job they are compressed when they are asked for.
    """
    stopped = threading.Event()
    if jobs < 2:
        yield lambda: _sizes(data, stopped)
        return
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool.submit(_sizes, data, stopped).result
        finally:
            stopped.set()


def _sizes(data: memoryview, stopped: threading.Event) -> list[int]:
    import deflate

    found = []
    for offset in range(0, len(data), BLOCK_BYTES):
        if stopped.is_set():
            break
        # libdeflate, as the layers have it, lets go of the interpreter while it works.
        found.append(len(deflate.deflate_compress(data[offset : offset + BLOCK_BYTES], LEVEL)))
    return found


def compressed_shares(
    data: memoryview, ranges: Ranges, count: int, index: Any, *, sizes: Sequence[int], jobs: int
) -> Any:
    """Return the compressed bytes of each owner, whole numbers that add up to those of all blocks.

    ``index`` gives for each range the owner's place among ``count``; ``sizes`` are those of ``block_sizes``.
    """
    import numpy as np

    shares = np.zeros(count)
    with ThreadPoolExecutor(jobs) as pool:
        for low, high, weights in _shared_out(data, ranges, sizes, pool):
            shares += np.bincount(index[low:high], weights, minlength=count)
    return whole(shares, sum(sizes))


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


def _shared_out(
    data: memoryview, ranges: Ranges, sizes: Sequence[int], pool: ThreadPoolExecutor
) -> Iterator[tuple[int, int, Any]]:
    """Yield for each block the first and last of the ranges in it, and the compressed bytes of each of these."""
    for first in range(0, len(data), BLOCK_BYTES * _BATCH):
        offsets = range(first, min(len(data), first + BLOCK_BYTES * _BATCH), BLOCK_BYTES)
        yield from pool.map(lambda at: _block(data, ranges, at, sizes[at // BLOCK_BYTES]), offsets)
        forget(data, first, len(offsets) * BLOCK_BYTES)


def _block(data: memoryview, ranges: Ranges, start: int, size: int) -> tuple[int, int, Any]:
    import numpy as np

    octets = np.frombuffer(data[start : start + BLOCK_BYTES], "u1")
    counts = np.bincount(octets, minlength=256)
    cost = np.log2(len(octets) / np.maximum(counts, 1)) + 0.05
    end = start + len(octets)
    low = int(ranges.starts.searchsorted(start, side="right")) - 1
    high = int(ranges.starts.searchsorted(end, side="left"))
    # Ascending, each once: the first may begin before the block, no other does.
    bits = np.add.reduceat(cost[octets], np.maximum(ranges.starts[low:high], start) - start)
    return low, high, bits * (size / max(float(bits.sum()), 1e-9))


def forget(data: memoryview, offset: int, size: int) -> None:
    """Give back the pages of the file just read, so that a large program does not fill memory."""
    whole_file = data.obj
    if isinstance(whole_file, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        start = offset - offset % mmap.PAGESIZE
        with suppress(OSError, ValueError):
            whole_file.madvise(mmap.MADV_DONTNEED, start, min(size, len(whole_file) - start))
