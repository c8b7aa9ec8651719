"""What the linker reached and from where: the lines of ``-dumpdep``, run through ``go build`` and read as a stream.

    main.main -> example.com/shop/page.Show
    text/template.(*state).evalFieldChain -> text/template.(*state).evalField <ReflectMethod>
    type:*main.T <UsedInIface> -> main.(*T).Close

The linker prints a line the moment it reaches a symbol for the first time (once more where a type turns out to be
converted to an interface), so the lines make a tree: one certain reference for each symbol, not all there are.
It works in turns: it follows every reference from what was reached; then it adds, in one go, the methods of types in
interfaces that can be called by now; and so on until nothing is added. ``Reached`` counts those turns. As soon as a
function marked ``ReflectMethod`` is reached, the next turn adds *every* exported method, whether called or not.

The output of a large program is 100 MB: it goes to a file, and only a hash, an offset and a parent are kept of each
symbol; names are read again from the file where they are asked for.

Source: src/cmd/link/internal/ld/deadcode.go of Go 1.21 to 1.26 (flood, mark, dumpDepAddFlags).
"""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

from proa.errors import ToolFailed
from proa.outside.command import Ran, Run, end, last_lines, run, start
from proa.outside.store import disk_errors

_ARROW = b" -> "
_CONVERTED, _MARKED = b"<UsedInIface>", b"<ReflectMethod>"
_LONGEST_LINE = 1 << 20
"""Longer lines are left out: no symbol's name is that long (arbitrary; the longest seen has 4 kB)."""
_MOST_SYMBOLS = 6_000_000
"""Six times those of the largest program tried (arbitrary)."""
_MOST_CHAIN = 10_000
_LEAVES = (b"go:string.", b"gclocals", b"type:.namedata.", b"go:info.", b"go:constinfo.", b"runtime.gcbits.")
"""Names that refer to nothing: a quarter of all lines, and never part of a chain."""
_NO_METHOD = (b"type:", b"go:", b"runtime.gcbits.")


class Reached:
    """The symbols of one link: who reached each first, in which turn, and which are marked."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._numbers: dict[int, int] = {}
        self._parents = array("i")
        self._turns = array("B")
        self._offsets = array("q")
        self._lengths = array("i")
        self._marked: dict[int, None] = {}
        self.turns = 0

    def read(self) -> Reached:
        """Read the whole file. Raises ToolFailed where it holds more symbols than any honest program."""
        with self._file.open("rb") as file:
            self._read(file)
        return self

    def _read(self, file: BinaryIO) -> None:
        was_elsewhere = False
        for offset, line in _lines(file):
            split = self._split(line)
            if split is None:
                continue
            source, arrow, target = split
            name, flags = _name(source)
            if _is_method(name, flags, target):
                self.turns += was_elsewhere
                was_elsewhere = False
            elif not name.startswith(b"type:"):
                was_elsewhere = True
            if target.startswith(_LEAVES):
                continue
            parent = self._number(name, offset)
            self._reach(target, offset + arrow + len(_ARROW), parent)

    def _split(self, line: bytes) -> tuple[bytes, int, bytes] | None:
        """Cut a line at its arrow; a struct tag in a type's name may hold the same signs."""
        at = line.find(_ARROW)
        if at < 0:
            return None
        while (later := line.find(_ARROW, at + 1)) >= 0:
            if hash(_name(line[:at])[0]) in self._numbers:
                break
            at = later
        return line[:at], at, line[at + len(_ARROW) :]

    def _number(self, name: bytes, offset: int) -> int:
        if name == b"_":
            return -1
        known = self._numbers.get(hash(name))
        return self._add(name, offset, -1) if known is None else known

    def _reach(self, target: bytes, offset: int, parent: int) -> None:
        name, flags = _name(target)
        number = self._numbers.get(hash(name))
        if number is None:
            number = self._add(name, offset, parent)
        if _MARKED in flags:
            self._marked.setdefault(number)

    def _add(self, name: bytes, offset: int, parent: int) -> int:
        number = len(self._parents)
        if number >= _MOST_SYMBOLS:
            raise ToolFailed(f"the linker's -dumpdep names more than {_MOST_SYMBOLS} symbols")
        self._numbers[hash(name)] = number
        self._parents.append(parent)
        self._turns.append(min(self.turns, 255))
        self._offsets.append(offset)
        self._lengths.append(len(name))
        return number

    def __len__(self) -> int:
        return len(self._parents)

    def __contains__(self, name: str) -> bool:
        return hash(name.encode()) in self._numbers

    def turn(self, name: bytes) -> int:
        """Return in which turn a symbol was reached, the first being 0; -1 where it was not."""
        number = self._numbers.get(hash(name))
        return -1 if number is None else self._turns[number]

    def marked(self) -> tuple[str, ...]:
        """Return the marked functions the linker reached before it gave up on methods: each is a certain cause.

        What was reached in a later turn may be there only because of these.
        """
        first = min((self._turns[number] for number in self._marked), default=0)
        return self._texts(number for number in self._marked if self._turns[number] == first)

    def chain(self, name: str) -> tuple[str, ...]:
        """Return the symbols from a root of the program to this one, each of which refers to the next."""
        number = self._numbers.get(hash(name.encode()), -1)
        found: list[int] = []
        while number >= 0 and len(found) < _MOST_CHAIN:
            found.append(number)
            number = self._parents[number]
        return self._texts(reversed(found))

    def _texts(self, numbers: Iterable[int]) -> tuple[str, ...]:
        texts = []
        with self._file.open("rb") as file:
            for number in numbers:
                file.seek(self._offsets[number])
                texts.append(file.read(self._lengths[number]).decode(errors="replace"))
        return tuple(texts)


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line with its offset; none longer than is sensible."""
    offset = 0
    while line := file.readline(_LONGEST_LINE):
        start_of_line, is_whole = offset, line.endswith(b"\n")
        offset += len(line)
        if is_whole or len(line) < _LONGEST_LINE:
            yield start_of_line, line.rstrip(b"\r\n")
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(_LONGEST_LINE)
            offset += len(line)


def _name(words: bytes) -> tuple[bytes, bytes]:
    """Return a symbol's name and its flags.

    >>> _name(b"main.f <UsedInIface><ReflectMethod>")
    (b'main.f', b'<UsedInIface><ReflectMethod>')
    """
    name, flags = words, b""
    for flag in (_MARKED, _CONVERTED):
        if name.endswith(flag):
            name, flags = name.removesuffix(flag), flag + flags
    return (name[:-1], flags) if flags and name.endswith(b" ") else (words, b"")


def _is_method(source: bytes, flags: bytes, target: bytes) -> bool:
    """Say whether a line is a type's method being added: nothing else leads from a type to code."""
    return (
        bool(flags)
        and source.startswith(b"type:")
        and not target.startswith(_NO_METHOD)
        and b"\xc2\xb7f" not in target
        and b"..stmp_" not in target
    )


def read_dumpdep(file: Path) -> Reached:
    """Return what the linker said it reached. Raises ToolFailed."""
    return Reached(file).read()


def dumping(
    output: Path,
    *,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    program: str = "",
) -> Run:
    """Return a runner of programs that makes the linker of a ``go build`` write ``-dumpdep`` to a file.

    ``flags`` and ``environment`` are laid over the build's own; ``program`` stands for its go command. Everything the
    build says goes to the file, because a pipe would have to be read into memory; a failure is answered with the last
    lines that are not the linker's.
    """

    def runner(
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        timeout_s: float | None = None,
        accept: Sequence[int] | None = (0,),
    ) -> Ran:
        if list(argv[1:2]) != ["build"] or "-o" not in argv:
            return run(argv, cwd=cwd, env=env, stdin=stdin, timeout_s=timeout_s, accept=accept)
        at = list(argv).index("-o")
        words = [program or argv[0], "build", *dumping_flags(argv[2:at]), *flags, *argv[at:]]
        started = time.monotonic()
        laid = {**(os.environ if env is None else env), **environment}
        status = _run_into(output, words, cwd, laid)
        seconds = time.monotonic() - started
        said = b"" if status == 0 else complaint(output)
        if accept is not None and status not in accept:
            raise ToolFailed(f"{' '.join(words[:2])} exited with {status}", output=last_lines(said))
        return Ran(argv=tuple(words), status=status, stdout=b"", stderr=said, seconds=seconds)

    return runner


def _run_into(output: Path, argv: Sequence[str], cwd: Path | None, environment: Mapping[str, str]) -> int:
    with disk_errors(output), output.open("wb") as file:
        process = start(argv, cwd=cwd, env=environment, stdout=file.fileno(), stderr=file.fileno())
        try:
            return process.wait()
        except BaseException:
            end(process)
            raise


def complaint(output: Path, most_bytes: int = 1 << 16) -> bytes:
    """Return the last lines of what a build said that are not the linker's dump."""
    with disk_errors(output), output.open("rb") as file:
        skipped = max(0, output.stat().st_size - most_bytes)
        file.seek(skipped)
        # The first line is half of one.
        lines = file.read(most_bytes).splitlines()[1 if skipped else 0 :]
    return b"\n".join(line for line in lines if _ARROW not in line)


def dumping_flags(flags: Sequence[str]) -> list[str]:
    """Return the flags of a build with ``-dumpdep`` given to the linker, which takes one ``-ldflags`` only.

    >>> dumping_flags(["-trimpath", "-ldflags=-w"]), dumping_flags(["-trimpath"])
    (['-trimpath', '-ldflags=-w -dumpdep'], ['-trimpath', '-ldflags=-dumpdep'])
    """
    found = list(flags)
    for at, word in reversed(list(enumerate(found))):
        if word.lstrip("-").startswith("ldflags=") and word.startswith("-"):
            found[at] = f"{word} -dumpdep"
            return found
        if word in ("-ldflags", "--ldflags") and at + 1 < len(found):
            found[at + 1] = f"{found[at + 1]} -dumpdep"
            return found
    return [*found, "-ldflags=-dumpdep"]
