"""Sizes and growth as reports show them."""

from __future__ import annotations

from proa.records.difference import Delta

_UNITS = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def size_text(amount: int) -> str:
    """Return a number of bytes with three significant digits, in decimal units as registries show them.

    >>> size_text(999), size_text(4_396_000), size_text(-82_343_966)
    ('999 B', '4.40 MB', '-82.3 MB')
    """
    sign, left = ("-", -amount) if amount < 0 else ("", amount)
    if left < 1000:
        return f"{sign}{left} B"
    value, unit = next((left / size, unit) for size, unit in _UNITS if left >= 0.9995 * size)
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{sign}{value:.{digits}f} {unit}"


def growth_text(delta: Delta) -> str:
    """Return how much something grew, with its sign and share.

    >>> growth_text(Delta(name="a", before_bytes=1000, after_bytes=1100))
    '+100 B (+10.0 %)'
    >>> growth_text(Delta(name="a", before_bytes=0, after_bytes=5, change="added"))
    '+5 B'
    """
    grown = delta.grown_bytes
    text = f"+{size_text(grown)}" if grown > 0 else size_text(grown) if grown else "±0 B"
    if not grown or not delta.before_bytes or not delta.after_bytes:
        return text
    share = 100 * grown / delta.before_bytes
    return f"{text} ({'+' if share > 0 else '-'}{abs(share):.1f} %)"
