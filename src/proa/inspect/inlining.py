"""Code of some packages that is part of other packages' functions, because the compiler inlined it there."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from proa.inspect.references import References

CALL_BYTES = 16
"""Of a call that takes the place of what was inlined: the instruction, and two or three moves for it (arbitrary)."""
_MOST_FUNCTIONS = 50_000


def inlined_bytes(references: References, removed: Collection[int], is_kept: Any) -> tuple[Any, Any]:
    """Return functions, and what each would lose if nothing of some packages were inlined in it.

    ``is_kept`` says of functions whether they are asked about. Raises BinaryDamaged.
    """
    import numpy as np

    graph, elf = references, references.binary.elf
    rows = np.isin(graph.inlined_packages, list(removed))
    numbers = np.unique(graph.inlined_in[rows])
    numbers = numbers[is_kept[numbers]][:_MOST_FUNCTIONS]
    if not graph.function_data or not len(numbers):
        return numbers[:0], numbers[:0]
    names = set(np.unique(graph.inlined_names[rows]).tolist())
    data = elf.data[elf.offset_of(graph.function_data) :]
    code = np.array([_bytes_of(graph.binary.inlined_code(number, data), names) for number in numbers.tolist()], "i8")
    own = np.maximum(graph.own_bytes[numbers], 1)
    # Lines, stack sizes and pointer maps are about as dense in all of a function.
    return numbers, code + (code / own * _tables(graph)[numbers]).astype("i8")


def _bytes_of(calls: list[tuple[int, int, int]], names: Collection[int]) -> int:
    """Return the bytes of calls of some names and of what was inlined in those, less what a call takes.

    >>> _bytes_of([(7, -1, 100), (8, 0, 50), (9, -1, 30)], {7})
    134
    """
    inside: list[bool] = []
    found = 0
    for name, outer, size in calls:
        is_first = name in names and not (outer >= 0 and inside[outer])
        inside.append(is_first or (outer >= 0 and inside[outer]))
        found += (size if inside[-1] else 0) - (CALL_BYTES if is_first else 0)
    return max(found, 0)


def _tables(graph: References) -> Any:
    """Return by function the bytes of the function table that nobody else refers to."""
    import numpy as np

    low, high = graph.functions + len(graph.starts), graph.count - len(graph.type_nodes)
    sources = np.repeat(np.arange(graph.functions), np.diff(graph.first_edge[: graph.functions + 1]))
    targets = graph.targets[: len(sources)]
    used = np.bincount(targets, minlength=graph.count)
    own = (targets >= low) & (targets < high)
    own[own] = used[targets[own]] == 1
    return np.bincount(sources[own], graph.sizes[targets[own]], minlength=graph.functions)
