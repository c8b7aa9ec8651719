"""Write a tar archive that is the same on every machine.

USTAR (POSIX.1-1988) headers, and a PAX extended header (POSIX.1-2001) only for what USTAR cannot say. Every
field comes from the entry or is fixed: no clock, umask, user names, locale, device numbers.
Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from proa.errors import UnsafePath, WrongInput
from proa.outside.store import Store
from proa.pack.entries import Entry, open_content

BLOCK_BYTES = 512
_RECORD_BYTES = 20 * BLOCK_BYTES
_READ_BYTES = 1 << 20
_TYPES = {
    "file": b"0",
    "hardlink": b"1",
    "symlink": b"2",
    "character": b"3",
    "block": b"4",
    "folder": b"5",
    "pipe": b"6",
}
_MOST_OCTAL_SIZE = 0o77777777777
_MOST_OCTAL_ID = 0o7777777


def tar(entries: Iterable[Entry], *, store: Store, mtime_s: int) -> Iterator[bytes]:
    """Yield the archive in pieces of at most a MiB, entries in the order given.

    Raises WrongInput where a file's size is no longer what its entry says.
    """
    total = 0
    for entry in entries:
        head = header(entry, mtime_s=mtime_s)
        yield head
        total += len(head)
        if entry.kind == "file":
            yield from _content(entry, store)
            padding = -entry.size_bytes % BLOCK_BYTES
            yield bytes(padding)
            total += entry.size_bytes + padding
    yield bytes(_end_bytes(total))


def tar_bytes(entries: Iterable[Entry]) -> int:
    """Return how long the archive of these entries is, without reading their content."""
    total = 0
    for entry in entries:
        total += len(header(entry, mtime_s=0))
        if entry.kind == "file":
            total += entry.size_bytes + -entry.size_bytes % BLOCK_BYTES
    return total + _end_bytes(total)


def header(entry: Entry, *, mtime_s: int) -> bytes:
    r"""Return an entry's header blocks.

    >>> header(Entry(path="a", data=b""), mtime_s=0)[257:265]
    b'ustar\x0000'
    """
    path = _clean(entry.path) + ("/" if entry.kind == "folder" else "")
    extended: dict[str, str] = dict(entry.attributes)
    name, prefix = _split(path)
    if not name:
        extended["path"] = path
        name, prefix = _fallback(path), b""
    link = entry.target.encode("utf-8", "surrogateescape")
    if len(link) > 100 or not link.isascii():
        extended["linkpath"] = entry.target
        link = _fallback(entry.target)
    size = entry.size_bytes if entry.kind == "file" else 0
    if size > _MOST_OCTAL_SIZE:
        extended["size"] = str(size)
        size = 0
    for key, value in (("uid", entry.uid), ("gid", entry.gid)):
        if value > _MOST_OCTAL_ID:
            extended[key] = str(value)
    if entry.mtime:
        mtime_s = int(entry.mtime.partition(".")[0])
    if mtime_s > _MOST_OCTAL_SIZE or mtime_s < 0 or "." in entry.mtime:
        extended["mtime"] = entry.mtime or str(mtime_s)
        mtime_s = min(max(mtime_s, 0), _MOST_OCTAL_SIZE)
    plain = _ustar(
        name,
        prefix,
        mode=entry.mode & 0o7777,
        uid=min(entry.uid, _MOST_OCTAL_ID),
        gid=min(entry.gid, _MOST_OCTAL_ID),
        size=size,
        mtime_s=mtime_s,
        kind=_TYPES[entry.kind],
        link=link,
        device=entry.device,
    )
    return _pax(extended) + plain


def _content(entry: Entry, store: Store) -> Iterator[bytes]:
    left = entry.size_bytes
    with open_content(entry, store) as stream:
        while left and (data := stream.read(min(left, _READ_BYTES))):
            left -= len(data)
            yield data
        if left or (entry.offset is None and stream.read(1)):
            raise WrongInput(
                f"{entry.source or entry.path} changed while it was read", hint="run the same command again"
            )


def _clean(path: str) -> str:
    if not path or path.startswith("/") or "\0" in path or any(part in ("", ".", "..") for part in path.split("/")):
        raise UnsafePath(f"{path!r} is no path inside an image")
    return path


def _split(path: str) -> tuple[bytes, bytes]:
    """Return name and prefix as USTAR divides them, or two empty strings where it cannot."""
    raw = path.encode("utf-8", "surrogateescape")
    if not raw.isascii():
        return b"", b""
    if len(raw) <= 100:
        return raw, b""
    cut = raw.rfind(b"/", 0, 156)
    while cut > 0:
        if 0 < len(raw) - cut - 1 <= 100:
            return raw[cut + 1 :], raw[:cut]
        return b"", b""
    return b"", b""


def _fallback(text: str) -> bytes:
    """Return what an unpacker without PAX would see."""
    return text.encode("ascii", "replace")[:100].rstrip(b"/") or b"_"


def _pax(extended: dict[str, str]) -> bytes:
    if not extended:
        return b""
    body = b"".join(_pax_record(key, extended[key]) for key in sorted(extended))
    head = _ustar(b"PaxHeader", b"", mode=0o644, uid=0, gid=0, size=len(body), mtime_s=0, kind=b"x", link=b"")
    return head + body + bytes(-len(body) % BLOCK_BYTES)


def _pax_record(key: str, value: str) -> bytes:
    r"""Return ``LENGTH KEY=VALUE`` where LENGTH counts its own digits.

    >>> _pax_record("path", "ab")
    b'11 path=ab\n'
    """
    rest = b" " + key.encode() + b"=" + value.encode("utf-8", "surrogateescape") + b"\n"
    length = len(rest)
    while len(rest) + len(str(length)) != length:
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def _ustar(
    name: bytes,
    prefix: bytes,
    *,
    mode: int,
    uid: int,
    gid: int,
    size: int,
    mtime_s: int,
    kind: bytes,
    link: bytes,
    device: tuple[int, int] = (0, 0),
) -> bytes:
    block = b"".join(
        (
            name.ljust(100, b"\0"),
            b"%07o\0" % mode,
            b"%07o\0" % uid,
            b"%07o\0" % gid,
            b"%011o\0" % size,
            b"%011o\0" % mtime_s,
            b" " * 8,
            kind,
            link.ljust(100, b"\0"),
            b"ustar\x0000",
            bytes(64),  # no user or group names: numbers only
            b"%07o\0%07o\0" % device,
            prefix.ljust(155, b"\0"),
            bytes(12),
        )
    )
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _end_bytes(total: int) -> int:
    # Two empty blocks end an archive; whole records of 10 kB as tar itself writes them.
    return 2 * BLOCK_BYTES + -(total + 2 * BLOCK_BYTES) % _RECORD_BYTES
