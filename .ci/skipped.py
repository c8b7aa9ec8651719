# ruff: noqa: INP001 - a script, not a package
"""Fail where a test that runs a real neighbour was skipped: ``python .ci/skipped.py JUNIT.XML``.

Such a test says why it was skipped with a reason that starts with ``real: ``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET


def skipped(report: str) -> Iterator[tuple[str, str]]:
    """Yield the name and reason of every skipped test of a JUnit report.

    >>> list(skipped('<s><testcase classname="a" name="b"><skipped message="real: no go"/></testcase></s>'))
    [('a::b', 'real: no go')]
    """
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest's own report
        for skip in case.iter("skipped"):
            yield f"{case.get('classname')}::{case.get('name')}", skip.get("message", "")


def main(path: str) -> int:
    """Print what was skipped and return 1 where a neighbour was missing."""
    found = list(skipped(Path(path).read_text(encoding="utf-8")))
    real = [(name, reason) for name, reason in found if reason.startswith("real: ")]
    for name, reason in real:
        sys.stdout.write(f"skipped without its neighbour: {name}: {reason}\n")
    sys.stdout.write(f"{len(found)} skipped, {len(real)} of them for want of a real neighbour\n")
    return 1 if real else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
