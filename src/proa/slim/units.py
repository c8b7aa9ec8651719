"""What of a system package belongs to a program or library of it that is kept.

A package is a good unit: whoever made it knew what its program reads. Its data and settings are kept, its other
programs and what is for people or compilers are not. From there on to packages it depends on, where these are
libraries or data only: that is where what is opened by name at run time is found.
"""

from __future__ import annotations

import posixpath
import re

from proa.slim.growth import Growth
from proa.slim.leftovers import is_left_out
from proa.slim.packages import Package

_PROGRAMS = re.compile(r"^(?:/usr)?(?:/local)?/(?:s?bin|games)/[^/]+$")
_LIBRARY = re.compile(r"\.so(?:\.[0-9.]+)?$")
_NEVER = re.compile(
    r"^(?:debian|apk):(?:dpkg|apt|apk-tools|debconf|adduser|init-system-helpers|lsb-base|sysvinit-utils|systemd.*|udev"
    r"|man-db|perl.*|libperl.*|python.*|libpython.*|temurin.*|zulu.*|.*-j(?:dk|re)(?:-.*)?|.*-doc|.*-dev|gcc.*|g\+\+.*|cpp.*|binutils.*|libgcc-\d+-dev"
    r"|libc-bin|libc6|libc-l10n|locales.*|musl|glibc|alpine-baselayout.*|alpine-keys|base-files|base-passwd|tzdata"
    r"|ca-certificates.*|openjdk.*|ruby.*|libruby.*|nodejs|npm|node-.*|dictionaries-common|xkb-data|coreutils"
    r"|util-linux.*|login|passwd|procps|bsdutils|mount|libpam.*|libsemanage.*|bash|dash|gzip|tar|sed|grep|findutils"
    r"|debianutils|diffutils|hostname|ncurses-.*|e2fsprogs|gpgv|mawk|busybox.*|iproute2|netbase|shared-mime-info|iso-codes|hicolor-icon-theme|adwaita-icon-theme|fonts-.*|linux-libc-dev|x11-.*)$"
)
"""Packages that have rules of their own, or of which everything depends on something and nobody on all."""
_SECTIONS = frozenset({"doc", "devel", "libdevel", "debug", "localization", "kernel", "introspection", "fonts"})
_OWN_FOLDERS = ("/etc", "/usr/lib", "/usr/share", "/usr/libexec", "/var/lib", "/var/log", "/var/cache", "/var/spool",
                "/var", "/run", "/opt", "/srv", "/usr/local/etc", "/usr/local/lib", "/usr/local/share",
                "/usr/local/libexec")  # fmt: skip
_COMMON = re.compile(
    r"^(?:python|perl|ruby|node|nodejs|java|php|pypy|lua|tclsh|gcc|g\+\+|cpp|clang)[-.\d]*$"
    r"|^(?:ba|da|a|k|z)?sh$|^(?:env|cat|ls|doc|man|info|locale|lib|share|ssl|fonts|init|test|time|kill|apt|dpkg|systemd"
    r"|debconf|vim|X11|terminfo|icons|mime|local|log|www|run|lock|cache|lib64|games|src|misc|go|npm|git|pip3?|jvm|xml"
    r"|sgml|security|pam|backups|opt|spool|mail|tmp|dbus|udev|modules|firmware|kernel)$"
)
"""Programs whose libraries have rules of their own, and names that a folder has for another reason."""


def follow_package(growth: Growth, path: str) -> None:
    """Keep what of its package belongs to a kept program or library."""
    package = growth.packages.owner(path)
    is_program = _PROGRAMS.match(path) is not None
    if is_program:
        _keep_named_folders(growth, path)
    if package is not None and (is_program or _LIBRARY.search(path)) and not _NEVER.match(package.name):
        keep_unit(growth, package, path)


def keep_unit(growth: Growth, package: Package, by: str, how: str = "is of the package") -> None:
    """Keep a package's data and settings, and those of what it depends on; its other programs are not kept."""
    if not growth.once("unit", package.name):
        return
    because = f"{by} {how} {package.name}"
    for path in (*package.files, *package.folders):
        if not _PROGRAMS.match(path) and not is_left_out(path):
            rule = "configuration" if path.startswith("/etc/") else "unsure"
            if path in package.files or _is_own(growth, path):
                growth.keep(path, rule, because)  # type: ignore[arg-type]
    for other in growth.packages.depends(package):
        if _is_data_or_library(other):
            keep_unit(growth, other, package.name, "is what it depends on:")
    _keep_same_source(growth, package)


def _is_own(growth: Growth, folder: str) -> bool:
    """Say whether a folder is a package's place to write: empty, or below /var or /etc."""
    return folder.startswith(("/var/", "/etc/", "/run/", "/srv/")) or not growth.tree.children.get(folder)


def _is_data_or_library(package: Package) -> bool:
    if _NEVER.match(package.name) or package.section in _SECTIONS:
        return False
    return not any(_PROGRAMS.match(path) for path in package.files)


def _keep_same_source(growth: Growth, package: Package) -> None:
    """Keep the settings of packages made from the same source: ``nginx-common`` of ``nginx``."""
    for other in growth.packages.depends(package):
        if other.source == package.source and not _NEVER.match(other.name):
            keep_unit(growth, other, package.name, "is what it depends on:")


def _keep_named_folders(growth: Growth, path: str) -> None:
    """Keep folders that bear a program's name: its modules, settings and state, whoever put them there."""
    name = posixpath.basename(path)
    names = {name, name.rstrip("0123456789.-") or name, name.removesuffix("d") if len(name) > 4 else name}
    tree = growth.tree
    machine = [place for place in tree.names("/usr/lib").values() if "-linux-" in posixpath.basename(place)]
    for one in sorted(one for one in names if not _COMMON.match(one)):
        for parent in (*_OWN_FOLDERS, *machine):
            place = f"{parent}/{one}"
            if tree.is_folder(place):
                growth.keep_below(place, "configuration", f"the folder of {path}")
