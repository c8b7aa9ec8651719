"""Which packages need C, and how main comes to import them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from proa.errors import NeedsC
from proa.outside.golist import Listed
from proa.records.project import Main


def explain_excluded(wrong: Sequence[Listed], mains: Sequence[Main], *, relist: Callable[[], Sequence[Listed]]) -> None:
    """Raise NeedsC where a package is left without files only because cgo is off; return for any other fault."""
    excluded = {one.import_path for one in wrong if one.error and "build constraints exclude all" in one.error.err}
    if not excluded:
        return
    with_c = {one.import_path: one for one in relist()}
    culprits = [path for path in excluded if path in with_c and with_c[path].cgo_files]
    if culprits:
        starts = [main.import_path for main in mains] or [one.import_path for one in wrong]
        chain = import_chain(starts, culprits[0], {path: one.imports for path, one in with_c.items()})
        raise NeedsC(f"{culprits[0]} is written in C and has no files without it", output="\n  imports ".join(chain))


def import_chain(starts: Sequence[str], target: str, imports: dict[str, list[str]]) -> tuple[str, ...]:
    """Return the shortest chain of import paths from a start to the target; only the target where there is none.

    >>> import_chain(["a"], "c", {"a": ["b", "d"], "b": ["c"], "d": []})
    ('a', 'b', 'c')
    """
    came_from: dict[str, str] = dict.fromkeys(starts, "")
    queue = list(starts)
    for path in queue:
        if path == target:
            break
        for following in imports.get(path, ()):
            if following not in came_from:
                came_from[following] = path
                queue.append(following)
    chain = [target]
    while came_from.get(chain[-1]):
        chain.append(came_from[chain[-1]])
    return tuple(reversed(chain))
