"""Sizes and times as people read them."""

from __future__ import annotations


def bytes_text(amount: int) -> str:
    """Return a number of bytes with three significant digits, in decimal units as registries show them.

    >>> bytes_text(999), bytes_text(4_396_000), bytes_text(82_343_966)
    ('999 B', '4.40 MB', '82.3 MB')
    """
    if amount < 1000:
        return f"{amount} B"
    value = float(amount)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {unit}"


def seconds_text(seconds: float) -> str:
    """Return a time as milliseconds below one second, else as seconds.

    >>> seconds_text(0.0154), seconds_text(2.345)
    ('15 ms', '2.3 s')
    """
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
