"""Debug files by the debuginfod protocol, from the store and from places that are asked when the store has them not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from proa.errors import DebugMissing, ImageMissing, WrongUsage
from proa.outside.debuginfod import Kind, Served, Server, address_of, serving
from proa.outside.images import located
from proa.outside.places import open_place
from proa.pipeline.debug import Ask, debug_bench, fetch_program
from proa.pipeline.debug_search import Search
from proa.pipeline.plan import Bench
from proa.records.debugging import Symbols

_FORGET_S = 60.0
"""How long a build-id that was found nowhere is not looked for again: gdb asks for every library of the system."""
_MOST_REMEMBERED = 10_000


class Shelf:
    """What is served: found once, then known; what was found nowhere is left alone for a minute."""

    def __init__(self, ask: Ask, bench: Bench, *, now_s: Callable[[], float]) -> None:
        self._ask = ask
        self._bench = bench
        self._now_s = now_s
        self._sources = [located(text) for text in ask.sources]
        self._missing: dict[tuple[Kind, str], float] = {}
        # One search at a time: several at once would fetch the same file several times.
        self._lock = threading.Lock()

    def find(self, kind: Kind, build_id: str) -> Served | None:
        """Return the file for a build-id, fetched where that is needed; None where there is none."""
        with self._lock:
            if self._missing.get((kind, build_id), 0.0) > self._now_s():
                return None
            try:
                found = self._found(kind, build_id)
            except (DebugMissing, ImageMissing, WrongUsage) as error:
                self._bench.say(str(error))
                found = None
            if found is None:
                if len(self._missing) >= _MOST_REMEMBERED:
                    self._missing.clear()
                self._missing[kind, build_id] = self._now_s() + _FORGET_S
            return found

    def _found(self, kind: Kind, build_id: str) -> Served | None:
        search = Search(self._bench, self._sources)
        symbols = search.by_build_id(build_id)
        if symbols is None or symbols.build_id != build_id:
            return None
        digest = symbols.digest if kind == "debuginfo" else self._program(symbols, search)
        name = symbols.file_name if kind == "debuginfo" else symbols.program
        return Served(file=self._bench.store.blob_path(digest), name=name, image=symbols.image)

    def _program(self, symbols: Symbols, search: Search) -> str:
        return fetch_program(symbols, search, None)


@contextmanager
def open_server(ask: Ask, *, listen: str, environ: Mapping[str, str], log: Callable[[str], None]) -> Iterator[Server]:
    """Listen for debuggers for as long as the block lasts. Raises WrongUsage, NotWritable, and what a place raises."""
    host, port = address_of(listen)
    bench = debug_bench(ask, environ=environ, progress=log)
    for text in ask.sources:
        # A wrong path is told now, not to a debugger that does not show it; a registry may come back.
        if (reference := located(text)).transport in ("oci", "oci-archive"):
            with open_place(reference, is_whole=True, store=bench.store, access=bench.access):
                pass
    shelf = Shelf(ask, bench, now_s=time.monotonic)
    with bench.store.using(), serving(host, port, find=shelf.find, log=log) as server:
        yield server
