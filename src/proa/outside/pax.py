"""Extended headers of tar archives. Source: POSIX.1-2017, pax, "pax Extended Header"."""

from __future__ import annotations

from collections.abc import Iterator

from proa.errors import HostileArchive


def pax_records(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    r"""Yield the keys and values of an extended header, not yet text. Raises HostileArchive.

    >>> dict(pax_records(b"11 path=ab\n"))
    {b'path': b'ab'}
    """
    position = 0
    while position < len(content):
        length, space, _ = content[position : position + 20].partition(b" ")
        end = position + int(length) if length.isdigit() and len(length) < 9 else 0
        record = content[position + len(length) + 1 : end]
        if not space or end > len(content) or not record.endswith(b"\n") or b"=" not in record:
            raise HostileArchive("an extended tar header is malformed")
        key, _, value = record[:-1].partition(b"=")
        yield key, value
        position = end
