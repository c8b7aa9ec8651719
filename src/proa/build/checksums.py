"""The two checksums of a whole file, read a block at a time."""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

_BLOCK_BYTES = 1 << 20


def sha256(file: Path) -> str:
    """Return the sha256 of a file in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def crc32(file: Path) -> int:
    """Return the checksum that ``.gnu_debuglink`` has: the usual CRC-32 of all bytes.

    Source: GDB manual, "Debugging Information in Separate Files".
    """
    value = 0
    with file.open("rb", buffering=0) as stream:
        while block := stream.read(_BLOCK_BYTES):
            value = zlib.crc32(block, value)
    return value
