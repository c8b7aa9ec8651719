"""Read an image's layers in several processes: listing entries is Python's work, and threads share one interpreter.

A worker gets its layers as open files and writes what it found into a file, so neither side ever waits for the other
half-way. Where a worker cannot do it, its share is read here.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import msgspec

from proa.errors import HostileArchive, ImageMissing, ProaError
from proa.outside.command import end, start
from proa.outside.layer_stream import Source, StreamedLayer, StreamLimits, check_sums, read_layers
from proa.outside.layer_tar import Look
from proa.records.layer_entry import LayerEntries

if TYPE_CHECKING:
    import subprocess

_WORTH_BYTES = 24 << 20
"""From which size on a second process is quicker: it takes 0.1 s to start, and 24 MiB 0.1 s to read."""
_MOST_PROCESSES = 4
"""More read no faster: memory and disk are the limit then (arbitrary)."""
_KINDS: dict[str, type[ProaError]] = {kind.code: kind for kind in (HostileArchive, ImageMissing)}


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One layer of a worker's share."""

    descriptor: int
    left: int | None
    """How much of the open file is the layer; None: all of it."""
    digest: str
    diff_id: str
    media_type: str
    size: int


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is told."""

    parts: tuple[_Part, ...]
    look: tuple[str, str]
    """Module and name of the function that looks at contents."""
    place: str
    limits: StreamLimits


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker found: its layers, or why there are none."""

    layers: tuple[LayerEntries, ...] = ()
    code: str = ""
    what: str = ""


def read_apart(
    layers: Sequence[StreamedLayer], look: Look, *, place: str, processes: int, limits: StreamLimits | None = None
) -> tuple[LayerEntries, ...]:
    """Read all layers, each in one pass, in up to four processes; the results are in the order of the layers.

    ``look`` is a function that can be imported by its name. Raises what ``read_layers`` raises.
    """
    limits = limits or StreamLimits()
    shares = _shares(layers, min(processes, _MOST_PROCESSES))
    if len(shares) < 2:
        return read_layers(layers, look, place=place, limits=limits)
    found: dict[int, LayerEntries] = {}
    with ExitStack() as stack:
        waiting = [
            (share, stack.enter_context(_worker([layers[n] for n in share], look, place, limits)))
            for share in shares[1:]
        ]
        found.update(_read_here(layers, shares[0], look, place, limits))
        for share, worker in waiting:
            answer = worker.wait()
            if answer is None:
                found.update(_read_here(layers, share, look, place, limits))
            elif answer.code:
                raise _KINDS.get(answer.code, HostileArchive)(answer.what)
            else:
                found.update(zip(share, answer.layers, strict=True))
    read = tuple(found[number] for number in range(len(layers)))
    check_sums(read, limits)
    return read


def _read_here(
    layers: Sequence[StreamedLayer], share: Sequence[int], look: Look, place: str, limits: StreamLimits
) -> Iterator[tuple[int, LayerEntries]]:
    read = read_layers([layers[number] for number in share], look, place=place, limits=limits, threads=0)
    return zip(share, read, strict=True)


def _shares(layers: Sequence[StreamedLayer], most: int) -> list[list[int]]:
    """Deal the layers out, the largest first, always to whom has least; one share where more are not worth it.

    >>> layers = [StreamedLayer(digest="", diff_id="", media_type="", size=s << 20, open=open) for s in (50, 20, 25)]
    >>> _shares(layers, 2), _shares(layers[1:2], 2)
    ([[0], [1, 2]], [[0]])
    """
    whole = sum(layer.size for layer in layers)
    count = max(1, min(most, len(layers), whole // _WORTH_BYTES))
    loads, shares = [0] * count, [list[int]() for _ in range(count)]
    for number in sorted(range(len(layers)), key=lambda number: (-layers[number].size, number)):
        least = loads.index(min(loads))
        loads[least] += layers[number].size
        shares[least].append(number)
    return [sorted(share) for share in shares]


class _Worker:
    """A running worker and the file its answer will be in."""

    def __init__(self, process: subprocess.Popen[bytes] | None, answer: BinaryIO) -> None:
        self._process = process
        self._answer = answer

    def wait(self) -> _Answer | None:
        """Return its answer; None where it has none."""
        if self._process is None or self._process.wait() != 0:
            return None
        self._answer.seek(0)
        with suppress(msgspec.MsgspecError):
            return msgspec.msgpack.decode(self._answer.read(), type=_Answer)
        return None


@contextmanager
def _worker(layers: Sequence[StreamedLayer], look: Look, place: str, limits: StreamLimits) -> Iterator[_Worker]:
    """Lend a worker for some layers; it is ended where nobody waits for it any more."""
    with ExitStack() as files:
        asked, answer = (files.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        parts = [_part(layer, files.enter_context(layer.open())) for layer in layers]
        if None in parts:
            yield _Worker(None, answer)
            return
        job = _Job(
            parts=tuple(part for part in parts if part),
            look=(look.__module__, look.__qualname__),
            place=place,
            limits=limits,
        )
        asked.write(msgspec.msgpack.encode(job))
        asked.seek(0)
        # The same modules as here, and nothing to search for them.
        code = f"import sys; sys.path[:] = {sys.path!r}; from proa.outside.layer_workers import serve; serve()"
        process = start(
            [sys.executable, "-I", "-S", "-c", code],
            stdin=asked.fileno(),
            stdout=answer.fileno(),
            stderr=_nowhere(files),
            pass_fds=[part.descriptor for part in job.parts],
        )
        try:
            yield _Worker(process, answer)
        finally:
            if process.poll() is None:
                end(process)


def _nowhere(files: ExitStack) -> int:
    return files.enter_context(Path(os.devnull).open("wb")).fileno()


def _part(layer: StreamedLayer, source: Source) -> _Part | None:
    """Return what a worker has to know of an open layer; None where it is no file."""
    own: Any = getattr(source, "fileno", None)
    try:
        descriptor = own() if own else -1
    except OSError:  # what is in memory has the method, too
        descriptor = -1
    if descriptor < 0:
        return None
    return _Part(
        descriptor=descriptor,
        left=getattr(source, "left", None),
        digest=layer.digest,
        diff_id=layer.diff_id,
        media_type=layer.media_type,
        size=layer.size,
    )


class _Inherited:
    """Lend a file that was opened by another process, up to the end of the layer."""

    def __init__(self, part: _Part) -> None:
        self._part = part

    def __enter__(self) -> Self:
        self._file = os.fdopen(self._part.descriptor, "rb")
        self._left = self._part.left
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int, /) -> bytes:
        """Return the next bytes."""
        data = self._file.read(size if self._left is None else min(size, self._left))
        if self._left is not None:
            self._left -= len(data)
        return data


def serve() -> None:
    """Do one job: read it from standard input, write the answer to standard output."""
    import gc

    gc.disable()  # entries refer to nothing that refers to them
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=_Job)
    look: Look = getattr(importlib.import_module(job.look[0]), job.look[1])
    layers = [
        StreamedLayer(
            digest=part.digest,
            diff_id=part.diff_id,
            media_type=part.media_type,
            size=part.size,
            open=lambda part=part: _Inherited(part),  # type: ignore[misc]
        )
        for part in job.parts
    ]
    try:
        answer = _Answer(layers=read_layers(layers, look, place=job.place, limits=job.limits, threads=0))
    except ProaError as error:
        answer = _Answer(code=error.code, what=error.what)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer))
    sys.stdout.buffer.flush()
