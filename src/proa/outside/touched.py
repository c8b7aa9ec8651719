"""Which paths a traced program used, from strace's own words. Pure parsing, line by line, in bounded memory.

A path counts as used where the answer shows that it is there: the call succeeded, or failed as it only can on
something that exists (EEXIST, EISDIR, readlink's EINVAL, …). Failed look-ups along PATH do not count. What a relative
path is relative to is followed for each process: ``chdir``, ``fchdir``, ``chroot``, inherited through ``clone``.

A path is given as it was asked for, with its ``..`` and links: only the image can say where those lead. Strings
(arguments, environment, what is read and written) are never in the trace: see ``OPTIONS``.

Source: strace(1), 6.1; the layout of a line is PID CALL(ARGUMENTS) = RESULT.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal, get_args

import msgspec

OPTIONS = (
    "-f", "-qq",
    # Descriptors with their paths; strings not at all (paths are no strings to strace, and never cut).
    "-y", "-s", "0",
    # A child's number as the lines begin with it, not only as the sandbox numbers it.
    "--pidns-translation",
    "-e", "signal=none",
    "-e", "trace=%file,fchdir,getdents,getdents64,bind,clone,clone3,fork,vfork",
)  # fmt: skip
"""How strace is started for a trace that is read here; strace 5.9 or later."""

Use = Literal["looked at", "changed", "opened", "listed", "executed"]
"""The strongest counts, which is the last. ``changed``: created, removed or renamed; ``listed``: a folder's names."""

_RANK: dict[Use, int] = {use: rank for rank, use in enumerate(get_args(Use))}
_MOST_PATHS = 400_000
"""Paths of one trace; a tenth is much for Java with node_modules beside it."""
_MOST_MISSED = 20_000
_MOST_LINE_BYTES = 64 << 10
_MOST_PROCESSES = 100_000

_PATH = rb'"((?:[^"\\]|\\.)*)"'
_BASE = rb"(AT_FDCWD|-?\d+)(?:<((?:[^\\>]|\\.)*)>)?(?:\(deleted\))?"
_CALL = re.compile(rb"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()")
_PLAIN = re.compile(_PATH)
_AT = re.compile(_BASE + rb", (?:" + _PATH + rb"|NULL)")
_FOLDER = re.compile(rb"-?\d+<((?:[^\\>]|\\.)*)>")
_SOCKET = re.compile(rb"sun_path=" + _PATH)
_ERROR = re.compile(rb" = -1 (E[A-Z0-9]+)[^\"]*$")
_DONE = re.compile(rb"\) += (?:\d|0x)")
_CHILD = re.compile(rb"\) += (\d+)(?: /\* (\d+) in strace's PID NS \*/)?$")
_SUPERSEDED = re.compile(rb"(\d+) +\+\+\+ superseded by execve in pid (\d+)")
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)")
_LETTERS = {b"n": b"\n", b"t": b"\t", b"v": b"\v", b"f": b"\f", b"r": b"\r"}

_PROVES_IT_IS_THERE = frozenset(
    {b"EEXIST", b"EISDIR", b"EACCES", b"EPERM", b"EROFS", b"EBUSY", b"ETXTBSY", b"ENOTEMPTY", b"EINVAL", b"ENXIO",
     b"ENODATA", b"EOPNOTSUPP", b"ERANGE", b"ENOEXEC", b"EAGAIN", b"EINPROGRESS", b"EXDEV"}
)  # fmt: skip
_CLONES = frozenset({b"clone", b"clone3", b"fork", b"vfork"})
_RELATIVE = frozenset(
    {b"openat", b"openat2", b"newfstatat", b"fstatat64", b"statx", b"faccessat", b"faccessat2", b"readlinkat",
     b"execveat", b"mkdirat", b"mknodat", b"unlinkat", b"renameat", b"renameat2", b"linkat", b"fchmodat",
     b"fchmodat2", b"fchownat", b"utimensat", b"utimensat_time64", b"futimesat", b"name_to_handle_at", b"open_tree"}
)  # fmt: skip
"""Calls whose first argument is the folder the path is relative to."""
_BOTH = frozenset({b"rename", b"link", b"renameat", b"renameat2", b"linkat"})
_CHANGING = frozenset(
    {b"mkdir", b"mkdirat", b"rmdir", b"unlink", b"unlinkat", b"rename", b"renameat", b"renameat2", b"link", b"linkat",
     b"symlink", b"symlinkat", b"mknod", b"mknodat", b"chmod", b"fchmodat", b"chown", b"lchown", b"fchownat",
     b"truncate", b"utimensat", b"bind"}
)  # fmt: skip
_NOT_OF_THE_IMAGE = re.compile(r"^/(?:proc|sys|dev)(?:/|$)")


class Touched(msgspec.Struct, frozen=True, kw_only=True):
    """What one trace shows."""

    has_started: bool = False
    uses: dict[str, Use] = {}
    """By absolute path; bytes that are no UTF-8 as ``os.fsdecode`` gives them. What was created is among them."""
    missed: tuple[str, ...] = ()
    """What was asked for and not there, in that order."""
    is_cut: bool = False
    """It used more paths than are kept."""


class _Place:
    """What relative and absolute paths begin at; threads of a process share one."""

    __slots__ = ("directory", "root")

    def __init__(self, directory: bytes, root: bytes = b"") -> None:
        self.directory = directory
        self.root = root


def read_touched(trace: Iterable[bytes], *, program: str, directory: str = "/") -> Touched:
    """Return every path ``program`` and all it started used; what came before its execve is the sandbox's own.

    ``trace`` are the lines, as ``lines_of`` reads them; ``program`` is the path it was executed by, ``directory`` its
    working directory.
    """
    reader = _Reader(os.fsencode(program), os.fsencode(directory))
    for line in trace:
        reader.read(line.rstrip(b"\n"))
    uses = {os.fsdecode(path): use for path, use in reader.uses.items()}
    return Touched(
        has_started=reader.has_started,
        uses={path: use for path, use in uses.items() if not _NOT_OF_THE_IMAGE.match(path)},
        missed=tuple(path for path in map(os.fsdecode, reader.missed) if not _NOT_OF_THE_IMAGE.match(path)),
        is_cut=len(reader.uses) >= _MOST_PATHS,
    )


def lines_of(trace: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long only the beginning, which has the path."""
    is_rest = False
    while line := trace.readline(_MOST_LINE_BYTES):
        if not is_rest:
            yield line
        is_rest = not line.endswith(b"\n")


class _Reader:
    """Follows the processes of one trace."""

    def __init__(self, program: bytes, directory: bytes) -> None:
        self.uses: dict[bytes, Use] = {}
        self.missed: dict[bytes, None] = {}
        self.has_started = False
        self._program = program
        self._directory = directory
        self._places: dict[bytes, _Place] = {}
        self._before: set[bytes] = set()
        """Processes of the sandbox itself."""
        self._halves: dict[bytes, bytes] = {}
        self._cloning: dict[bytes, None] = {}
        """Processes within a clone, the latest last: a child may speak before its parent's call returns."""
        self._guessed: dict[bytes, bytes] = {}

    def read(self, line: bytes) -> None:
        """Take in one line, whatever it holds."""
        found = _CALL.match(line)
        if not found:
            self._read_remark(line)
            return
        pid, resumed, name = found[1], found[2], found[3]
        if line.endswith(b"<unfinished ...>"):
            if len(self._halves) < _MOST_PROCESSES and name:
                self._halves[pid] = line[: -len(b"<unfinished ...>")].rstrip()
                if name in _CLONES:
                    self._cloning[pid] = None
            return
        if resumed:
            half = self._halves.pop(pid, b"")
            self._cloning.pop(pid, None)
            line = half + line[found.end() :].lstrip()
            found = _CALL.match(line)
            if not found or found[3] != resumed:
                return
            name = found[3]
        self._finish(pid, name, line[found.end() :])

    def _read_remark(self, line: bytes) -> None:
        if b"+++" not in line:
            return
        if found := _SUPERSEDED.match(line):
            # From here on the thread that executed goes by its leader's number.
            self._halves[found[1]] = self._halves.pop(found[2], b"")
            self._places.pop(found[2], None)
        elif b"+++ exited" in line or b"+++ killed" in line:
            pid = line.split(None, 1)[0]
            for known in (self._places, self._halves, self._guessed, self._cloning):
                known.pop(pid, None)

    def _finish(self, pid: bytes, name: bytes, rest: bytes) -> None:
        """Take in a finished call: its name, and what follows the opening bracket."""
        failed = _ERROR.search(rest)
        error = failed[1] if failed else b""
        if not self.has_started:
            self._wait_for_program(pid, name, rest, is_done=not failed)
            return
        if pid in self._before:
            return
        place = self._place_of(pid)
        if name in _CLONES:
            if child := _CHILD.search(rest):
                self._inherit(pid, child[2] or child[1], rest)
        elif name == b"fchdir":
            if not failed and (folder := _FOLDER.match(rest)):
                place.directory = _unescape(folder[1])
        elif name in (b"getdents", b"getdents64"):
            if folder := _FOLDER.match(rest):
                self._note(_unescape(folder[1]), "listed")
        elif error == b"ENOENT":
            if len(self.missed) < _MOST_MISSED:
                self.missed.update(dict.fromkeys(_paths(name, rest, place)))
        elif error in _PROVES_IT_IS_THERE or (not failed and _DONE.search(rest)):
            self._touch(name, rest, place, is_done=not failed)

    def _wait_for_program(self, pid: bytes, name: bytes, rest: bytes, *, is_done: bool) -> None:
        self._before.add(pid)
        path = _PLAIN.match(rest)
        if name == b"execve" and is_done and path and _unescape(path[1]) == self._program:
            self.has_started = True
            self._before.discard(pid)
            self._places[pid] = _Place(self._directory)
            self._note(self._program, "executed")

    def _place_of(self, pid: bytes) -> _Place:
        place = self._places.get(pid)
        if place is None:
            parent = next(reversed(self._cloning), b"")
            above = self._places.get(parent) or _Place(self._directory)
            place = _Place(above.directory, above.root)
            if len(self._places) < _MOST_PROCESSES:
                self._places[pid] = place
                self._guessed[pid] = parent
        return place

    def _inherit(self, pid: bytes, child: bytes, rest: bytes) -> None:
        parent = self._place_of(pid)
        if b"CLONE_FS" in rest:
            self._places[child] = parent
        elif child not in self._places or self._guessed.get(child, pid) != pid:
            self._places[child] = _Place(parent.directory, parent.root)
        self._guessed.pop(child, None)

    def _touch(self, name: bytes, rest: bytes, place: _Place, *, is_done: bool) -> None:
        paths = list(_paths(name, rest, place))
        if not paths:
            return
        if is_done and name == b"chdir":
            place.directory = paths[0]
        elif is_done and name == b"chroot":
            place.root = paths[0]
        use: Use = "looked at"
        if name.startswith(b"open"):
            use = "opened"
        elif name.startswith(b"exec") and is_done:
            use = "executed"
        elif name in _CHANGING:
            use = "changed"
        for path in paths:
            self._note(path, use)

    def _note(self, path: bytes, use: Use) -> None:
        known = self.uses.get(path)
        if known is None and (len(self.uses) >= _MOST_PATHS or not path.startswith(b"/")):
            return
        if known is None or _RANK[use] > _RANK[known]:
            self.uses[path] = use


def _paths(name: bytes, rest: bytes, place: _Place) -> Iterator[bytes]:
    """Yield the paths one call is about, absolute in the image."""
    if name in _RELATIVE:
        for found in _AT.finditer(rest) if name in _BOTH else _first(_AT, rest):
            asked = _unescape(found[3] or b"")
            if asked:
                yield _absolute(asked, place, base=found[2])
        return
    if name == b"symlinkat":
        places = list(_AT.finditer(rest))
        yield from (_absolute(_unescape(one[3]), place, base=one[2]) for one in places[-1:] if one[3])
        return
    if name == b"bind":
        if socket := _SOCKET.search(rest):
            yield _absolute(_unescape(socket[1]), place)
        return
    found_all = [_unescape(one[1]) for one in _PLAIN.finditer(rest)]
    wanted = found_all[:2] if name in _BOTH else found_all[1:2] if name == b"symlink" else found_all[:1]
    yield from (_absolute(path, place) for path in wanted if path)


def _first(pattern: re.Pattern[bytes], rest: bytes) -> Iterator[re.Match[bytes]]:
    if found := pattern.match(rest):
        yield found


def _absolute(path: bytes, place: _Place, *, base: bytes | None = None) -> bytes:
    """Join a path to what it is relative to, without ``//`` and ``/./``; ``..`` stays, since it may follow a link."""
    # A descriptor's own path is that of the image, whatever the process takes for its root.
    start = place.root if path.startswith(b"/") else _unescape(base) if base else place.directory
    whole = start + b"/" + path
    return b"/" + b"/".join(part for part in whole.split(b"/") if part not in (b"", b"."))


def _unescape(text: bytes) -> bytes:
    r"""Return a path as it was before strace quoted it.

    >>> _unescape(rb"a\303\251\"b\\n\n")
    b'a\xc3\xa9"b\\n\n'
    """
    if b"\\" not in text:
        return text
    return _ESCAPE.sub(_unescaped, text)


def _unescaped(found: re.Match[bytes]) -> bytes:
    what = found[1]
    if what[:1].isdigit():
        return bytes([int(what, 8) & 255])
    if len(what) == 3:
        return bytes([int(what[1:], 16)])
    return _LETTERS.get(what, what)
