"""Confinement of a bare process where namespaces are forbidden: by Landlock, the kernel's unprivileged access rules.

Standard library only. Source: Documentation/userspace-api/landlock.rst, linux/landlock.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
from collections.abc import Sequence

# The same numbers on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ABI_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_READING = _EXECUTE | _READ_FILE | _READ_DIR
_RIGHTS_OF_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1}
_ALL_RIGHTS = (1 << 15) - 1
_CONNECT_TCP = 2
_FIRST_ABI_WITH_NETWORK = 4
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def version() -> int:
    """Return the version of Landlock this kernel enforces, 0 for none."""
    with contextlib.suppress(OSError):
        return _call(_CREATE_RULESET, None, ctypes.c_size_t(0), _ABI_VERSION)
    return 0


def confine(*, readable: Sequence[str], writable: Sequence[str]) -> None:
    """Leave this process, for good, only these folders; no TCP connection either where the kernel can forbid it.

    Needs no-new-privileges to be set before. Raises OSError where the kernel has no Landlock.
    """
    abi = version()
    rights = _RIGHTS_OF_ABI.get(abi, _ALL_RIGHTS)
    attributes = struct.pack("=QQ", rights, _CONNECT_TCP)
    size = len(attributes) if abi >= _FIRST_ABI_WITH_NETWORK else 8
    ruleset = _call(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    for path in readable:
        _allow(ruleset, path, _READING & rights)
    for path in writable:
        _allow(ruleset, path, rights & ~_EXECUTE)
    for path in _DEVICES:
        _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
    _call(_RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, opened), 0)
        finally:
            os.close(opened)
