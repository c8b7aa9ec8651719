"""Which packages of its distribution an image has, from the files that apt and apk keep.

Source: deb-control(5), dpkg(1) ``status``; Alpine's apk-package(5) and apk-tools' ``installed`` database.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

DPKG_STATUS = "var/lib/dpkg/status"
DPKG_FOLDER = "var/lib/dpkg/status.d/"
"""One file for each package, without a status: distroless images have these."""
APK_INSTALLED = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
UNREAD = ("var/lib/rpm/", "usr/lib/sysimage/rpm/")
"""The databases of rpm, which are not text."""
_MOST_PACKAGES = 50_000
_MOST_CHARACTERS = 200


def is_database(path: str) -> bool:
    """Say whether a path, relative to the root, names packages that can be read.

    >>> is_database("var/lib/dpkg/status.d/base"), is_database("var/lib/dpkg/status.d/base.md5sums")
    (True, False)
    """
    is_single = path.startswith(DPKG_FOLDER) and not path.endswith(".md5sums")
    return path == DPKG_STATUS or path in APK_INSTALLED or is_single


def packages_in(path: str, content: bytes) -> dict[str, str]:
    r"""Return the versions of the packages that a database names as installed.

    >>> packages_in("var/lib/dpkg/status", b"Package: a\nStatus: install ok installed\nVersion: 1\n\nPackage: b\n")
    {'a': '1'}
    >>> packages_in("lib/apk/db/installed", b"P:musl\nV:1.2-r0\n\n")
    {'musl': '1.2-r0'}
    """
    text = content.decode("utf-8", "replace")
    if path in APK_INSTALLED:
        found = _named(_stanzas(text), "P", "V")
    else:
        needs_status = path == DPKG_STATUS
        stanzas = (one for one in _stanzas(text) if not needs_status or one.get("Status", "").endswith(" installed"))
        found = _named(stanzas, "Package", "Version")
    return dict(found)


def _named(stanzas: Iterable[dict[str, str]], name: str, version: str) -> Iterator[tuple[str, str]]:
    for number, stanza in enumerate(stanzas):
        if number >= _MOST_PACKAGES:
            return
        if stanza.get(name):
            yield stanza[name][:_MOST_CHARACTERS], stanza.get(version, "")[:_MOST_CHARACTERS] or "(no version)"


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    for part in re.split(r"\n[ \t]*\n", text):
        fields: dict[str, str] = {}
        for line in part.splitlines():
            key, colon, value = line.partition(":")
            if colon and key and not key[0].isspace():
                fields.setdefault(key, value.strip())
        if fields:
            yield fields
