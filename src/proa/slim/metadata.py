"""What scanners read of an image, in a compact form: which system it is, and the packages of which something is kept.

A package counts as kept where a file of it is kept that is no documentation. Its entry stays, what is left out goes
from its lists of files. Names are relative to the root, as the image's final view has them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

import msgspec

from proa.records.evidence import Finding
from proa.records.slimming import KeepRule

SYSTEM = (
    "etc/os-release", "usr/lib/os-release", "etc/debian_version", "etc/lsb-release", "etc/alpine-release",
    "etc/apk/repositories", "etc/apk/arch", "etc/redhat-release", "etc/system-release", "etc/fedora-release",
    "etc/centos-release", "etc/rocky-release", "etc/almalinux-release", "etc/oracle-release", "etc/SuSE-release",
    "etc/photon-release", "etc/mariner-release", "etc/azurelinux-release", "etc/wolfi-release", "etc/arch-release",
)  # fmt: skip
"""Where programs and scanners read which system this is. Source: os-release(5); trivy, pkg/fanal/analyzer/os."""
_DPKG = "var/lib/dpkg"
_APK = ("lib/apk/db/installed", "usr/lib/apk/db/installed")
_RPM = (
    "var/lib/rpm/rpmdb.sqlite", "var/lib/rpm/Packages", "var/lib/rpm/Packages.db",
    "usr/lib/sysimage/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages", "usr/lib/sysimage/rpm/Packages.db",
    "usr/share/rpm/rpmdb.sqlite", "var/lib/rpmmanifest/container-manifest-1",
    "var/lib/rpmmanifest/container-manifest-2",
)  # fmt: skip
_SYSTEM_FOLDERS = ("usr/lib/", "usr/lib64/", "usr/libexec/", "usr/bin/", "usr/sbin/", "lib/", "lib64/", "bin/", "sbin/")
_DOCUMENTATION = ("usr/share/doc/", "usr/share/man/", "usr/share/info/", "usr/share/lintian/", "usr/share/bug/")
_DPKG_FIELDS = frozenset(
    {"package", "status", "source", "version", "architecture", "multi-arch", "maintainer", "provides", "depends",
     "pre-depends", "homepage", "installed-size", "description"}
)  # fmt: skip
"""Source: syft, pkg/cataloger/debian/parse_dpkg_db.go; trivy, pkg/fanal/analyzer/pkg/dpkg/dpkg.go."""
_MOST_BYTES = 64 << 20
"""Of one database; the status of a desktop is 5 MB."""


class View(Protocol):
    """The final view of an image."""

    def paths(self) -> Collection[str]:
        """Return every file, link and device; quick to ask for one."""

    def locate(self, path: str) -> str | None:
        """Return a path with the links among its folders followed, None where nothing is there."""

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a regular file's content, links followed; None where there is none, or it is larger."""


class Compact(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be kept of the metadata."""

    whole: dict[str, tuple[KeepRule, str]] = {}
    """Paths that stay as they are, with the rule and the reason."""
    replaced: dict[str, bytes] = {}
    """Paths that stay with another content."""
    findings: tuple[Finding, ...] = ()


class _Found:
    """What is gathered while the databases are read."""

    def __init__(self, view: View, kept: Collection[str]) -> None:
        self.view = view
        self.kept = kept
        self.there = view.paths()
        self.whole: dict[str, tuple[KeepRule, str]] = {}
        self.replaced: dict[str, bytes] = {}
        self.findings: list[Finding] = []

    def keep(self, path: str, because: str, rule: KeepRule = "metadata") -> None:
        if self.view.locate(path) is not None:
            self.whole.setdefault(path, (rule, because))

    def replace(self, path: str, text: str) -> None:
        self.replaced[self.view.locate(path) or path] = text.encode("utf-8", "surrogateescape")

    def is_kept(self, path: str) -> bool:
        path = path.strip("/")
        return path in self.kept or self.view.locate(path) in self.kept

    def counts(self, path: str) -> bool:
        """Say whether a path is kept and no documentation."""
        return not path.lstrip("/").startswith(_DOCUMENTATION) and self.is_kept(path)


def compact(view: View, kept: Collection[str]) -> Compact:
    """Return the metadata of what is kept: ``kept`` are the paths of files, links and devices, no folders."""
    found = _Found(view, kept)
    for path in SYSTEM:
        found.keep(path, "which system this is")
    for read in (_dpkg, _distroless, _apk, _rpm, _python, _node, _ruby):
        read(found)
    return Compact(whole=found.whole, replaced=found.replaced, findings=tuple(found.findings))


# dpkg


def _dpkg(found: _Found) -> None:
    status = _text(found, f"{_DPKG}/status")
    if status is None:
        return
    stanzas = []
    for stanza in status.split("\n\n"):
        fields = dict(_fields(stanza))
        name, architecture = fields.get("package", ""), fields.get("architecture", "")
        if not name or "installed" not in fields.get("status", "installed").split() or "/" in name:
            continue
        base = next(
            (base for base in (name, f"{name}:{architecture}") if f"{_DPKG}/info/{base}.list" in found.there), ""
        )
        if base and not _dpkg_files(found, base):
            continue
        stanzas.append(_compact_stanza(stanza))
        found.keep(f"usr/share/doc/{name}/copyright", f"the licence of {name}", "license")
    found.replaced[f"{_DPKG}/status"] = "\n".join(f"{stanza}\n" for stanza in stanzas).encode(
        "utf-8", "surrogateescape"
    )


def _dpkg_files(found: _Found, base: str) -> bool:
    """Shorten a package's lists to what is kept; say whether anything is, but documentation."""
    listing = _text(found, f"{_DPKG}/info/{base}.list")
    if listing is None:
        return True  # larger than any honest list: nothing shows that it is not needed
    files = listing.splitlines()
    if not any(found.counts(path) for path in files):
        return False
    _shorten(found, f"{_DPKG}/info/{base}.list", files, lambda line: line)
    sums = _text(found, f"{_DPKG}/info/{base}.md5sums")
    if sums is not None:
        _shorten(found, f"{_DPKG}/info/{base}.md5sums", sums.splitlines(), lambda line: line.partition("  ")[2])
    return True


def _shorten(found: _Found, path: str, lines: list[str], name: Callable[[str], str]) -> None:
    left = [line for line in lines if name(line) and found.is_kept(name(line))]
    found.replace(path, "".join(f"{line}\n" for line in left))


def _fields(stanza: str) -> Iterator[tuple[str, str]]:
    """Yield the fields' names in small letters and their first lines."""
    for line in stanza.splitlines():
        if line[:1] not in (" ", "\t") and ":" in line:
            name, _, value = line.partition(":")
            yield name.strip().lower(), value.strip()


def _compact_stanza(stanza: str) -> str:
    r"""Return a stanza with the fields that scanners read; of the description its first line.

    >>> _compact_stanza("Package: a\nConffiles:\n /etc/a 0\nDescription: one\n more\n")
    'Package: a\nDescription: one'
    """
    lines, takes = [], False
    for line in stanza.splitlines():
        if line[:1] in (" ", "\t"):
            if takes:
                lines.append(line)
            continue
        name = line.partition(":")[0].strip().lower()
        takes = name in _DPKG_FIELDS and name != "description"
        if name in _DPKG_FIELDS:
            lines.append(line)
    return "\n".join(lines)


def _distroless(found: _Found) -> None:
    """Keep one file per package, as distroless images have them."""
    folder = f"{_DPKG}/status.d/"
    for path in sorted(path for path in found.there if path.startswith(folder) and not path.endswith(".md5sums")):
        sums = _text(found, f"{path}.md5sums")
        if sums is not None and not any(found.counts(line.partition("  ")[2]) for line in sums.splitlines()):
            continue
        found.keep(path, "a package of which something is kept")
        found.keep(f"{path}.md5sums", "a package of which something is kept")
        name = dict(_fields(_text(found, path) or "")).get("package", "")
        if name and "/" not in name:
            found.keep(f"usr/share/doc/{name}/copyright", f"the licence of {name}", "license")


# apk


def _apk(found: _Found) -> None:
    for path in _APK:
        text = _text(found, path)
        if text is not None:
            kept = [short for stanza in text.split("\n\n") if (short := _apk_stanza(found, stanza.strip("\n")))]
            found.replace(path, "".join(f"{stanza}\n\n" for stanza in kept))


def _apk_stanza(found: _Found, stanza: str) -> str:
    """Return a package's entry with the files that are kept; empty where none is.

    Source: Alpine wiki, "Apk spec", "Installed Database V2".
    """
    head, files, folder = [], [], ""
    is_head, takes, has_any = True, False, False
    waiting = ""
    for line in stanza.splitlines():
        key, _, value = line.partition(":")
        if key == "F":
            is_head, folder, takes, waiting = False, value, False, line
        elif key == "R":
            path = f"{folder}/{value}"
            takes = found.is_kept(path)
            if takes:
                has_any = has_any or found.counts(path)
                files += [waiting, line] if waiting else [line]
                waiting = ""
        elif is_head:
            head.append(line)
        elif takes:
            files.append(line)
    has_files = "\nR:" in stanza
    # A package without files (alpine-baselayout-data's parents, virtual ones) stays: it costs a line or two.
    return "\n".join([*head, *files]) if head and (has_any or not has_files) else ""


def _rpm(found: _Found) -> None:
    there = [path for path in _RPM if found.view.locate(path) in found.there]
    if there and any(path.startswith(_SYSTEM_FOLDERS) for path in found.kept):
        for path in there:
            found.keep(path, "rpm's database cannot be kept in part")
        found.findings.append(
            Finding(
                id="slim.rpm-whole",
                severity="info",
                message="rpm's database is kept whole: it also names packages of which nothing is kept",
                hint="scanners may report packages that are no longer in the image",
            )
        )


# Languages


def _python(found: _Found) -> None:
    """Keep what says which distribution a module is of."""
    for folder, files in sorted(_python_metadata(found.there).items()):
        if _python_is_kept(found, folder):
            name = posixpath.basename(folder)
            for path in files:
                found.keep(path, f"says what {name.rpartition('.')[0]} is")


def _python_metadata(paths: Collection[str]) -> dict[str, list[str]]:
    folders: dict[str, list[str]] = {}
    for path in paths:
        if ".dist-info" in path or ".egg-info" in path:
            match = re.match(r"(.*?\.(?:dist|egg)-info)(?:/.+)?$", path, re.DOTALL)
            if match:
                folders.setdefault(match[1], []).append(path)
    return folders


def _python_is_kept(found: _Found, folder: str) -> bool:
    site, _, own = folder.rpartition("/")
    record = _text(found, f"{folder}/RECORD")
    if record is None:
        record = _text(found, f"{folder}/installed-files.txt")
        base = folder
    else:
        base = site
    if record:
        # Path, hash, size; only a path with a comma in it is in quotes.
        names = [line.rsplit(",", 2)[0].strip('"') for line in record.splitlines() if line]
        inside = [posixpath.normpath(posixpath.join(base, name)) for name in names]
        return any(path in found.kept for path in inside if not path.startswith(f"{folder}/"))
    names = (_text(found, f"{folder}/top_level.txt") or "").split()
    names += [re.split(r"-[0-9]", own, maxsplit=1)[0].replace("-", "_").removesuffix(".dist_info")]
    starts = tuple(f"{site}/{name}{end}" for name in names for end in ("/", ".", "-"))
    is_known = any(path.startswith(starts) and not path.startswith(folder) for path in found.there)
    if is_known:
        return any(path.startswith(starts) and not path.startswith(folder) for path in found.kept)
    return any(path.startswith(f"{site}/") for path in found.kept)


def _node(found: _Found) -> None:
    for path in found.kept:
        parts = path.split("/")
        for at, part in enumerate(parts[:-1]):
            if part == "node_modules":
                depth = 2 if parts[at + 1].startswith("@") else 1
                described = "/".join((*parts[: at + 1 + depth], "package.json"))
                if described in found.there:
                    found.keep(described, "says which package this is")


def _ruby(found: _Found) -> None:
    for path in found.there:
        match = re.fullmatch(r"(.*/)specifications/(?:default/)?([^/]+)\.gemspec", path)
        if match and any(kept.startswith(f"{match[1]}gems/{match[2]}/") for kept in found.kept):
            found.keep(path, f"says what {match[2]} is")


def _text(found: _Found, path: str) -> str | None:
    data = found.view.read(path, _MOST_BYTES)
    return None if data is None else data.decode("utf-8", "surrogateescape")


def reasons(whole: Mapping[str, tuple[KeepRule, str]], replaced: Collection[str]) -> dict[str, tuple[KeepRule, str]]:
    """Return the rule and reason of every path of the metadata, absolute."""
    said: dict[str, tuple[KeepRule, str]] = {f"/{path}": why for path, why in whole.items()}
    for path in replaced:
        said[f"/{path}"] = ("metadata", "what scanners read of the packages, shortened to what is kept")
    return said
