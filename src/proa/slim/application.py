"""What the image's author put there: files that no system package owns, and installing packages did not make."""

from __future__ import annotations

import posixpath
import re

from proa.slim.environments import is_dependency
from proa.slim.growth import Growth
from proa.slim.leftovers import is_left_out
from proa.slim.python import is_of_distribution

_GENERATED = re.compile(
    r"""
    ^/(?:proc|sys|dev|run|tmp|boot)/
    | ^/var/(?:lib/(?:dpkg|apt|apk|rpm|pam|systemd|ucf|dbus|python|shells\.state|misc|ghostscript|xml-core|sgml-base
      |aspell|ispell|polkit-1|man-db|alternatives|ca-certificates-java|emacsen-common|doc-base|snmp|dictionaries-common|initscripts
      |logrotate|urandom|usbutils|vim|update-rc\.d|binfmts)
      |cache/(?:apt|debconf|man|ldconfig|fontconfig|apk|dnf|yum)|backups|log/apt|tmp|run|lock)(?:/|$)
    | ^/etc/(?:alternatives|rc[0-6S]\.d|apt|dpkg|ssl|ca-certificates|systemd|pam\.d|init\.d|security
      |selinux|terminfo|update-motd\.d|X11|fonts|xml|sgml|python3[^/]*|perl|java-[^/]*|emacs|vim|apparmor\.d|dbus-1
      |ld\.so\.conf\.d|profile\.d|gtk-[^/]*|ImageMagick-[^/]*|opt|skel|kernel|logrotate\.d|init|depmod\.d|modprobe\.d)/
    | ^/etc/(?:\.pwd\.lock|shells|ucf\.conf|environment|papersize|inputrc|mailcap\.order|mailcap|subuid|subgid)$
    | ^/(?:usr/)?lib(?:/[^/]+)?/(?:gconv/gconv-modules\.cache|gio/modules/giomodule\.cache|locale/locale-archive
      |gdk-pixbuf-[^/]*/.*\.cache|graphviz/config.*|ghc/.*\.cache|udev/hwdb\.bin|python3[^/]*/.*|jvm/.*)$
    | ^/usr/share/(?:mime|icons|fonts|info|applications|perl|perl5|glib-2\.0|doc|man|python3|vim|emacs|texmf|GConf
      |binfmts|pyshared|java|maven-repo)/
    | ^/usr/(?:s?bin)/(?:c89|c99|which|awk|pager|editor|vi|ex|view|[^/]*-linux-[^/]*)$
    | /__pycache__/[^/]+\.pyc$
    | /__pycache__$
    | ^/usr/lib/[^/]+-linux-[^/]+/perl
    | \.dpkg-(?:new|old|dist|tmp)$
    | \.wh\.
    """,
    re.VERBOSE,
)
_SYSTEM = re.compile(r"^/(?:usr/(?!local/)|bin/|sbin/|lib[^/]*/|etc/|var/(?!www/)|boot/|proc/|sys/|dev/)")


def keep_application(growth: Growth) -> None:
    """Keep every file of the author, but what languages' package managers put there and tool chains."""
    tree, owners = growth.tree, growth.packages.owners
    chains = growth.toolchains
    inside = tuple(f"{folder}/" for folder in chains)
    are_known = growth.packages.are_known
    for path in tree.paths:
        entry = tree.entries[path]
        if (
            path in owners
            or (not are_known and _SYSTEM.match(path))
            or (entry.kind == "folder" and path.count("/") < 2)
        ):
            continue
        if (inside and path.startswith(inside)) or path in chains:
            continue
        if entry.kind == "link" and entry.target.startswith("/etc/alternatives/"):
            continue
        if is_of_distribution(growth, path):
            continue
        if is_dependency(path) or _GENERATED.search(path):
            continue
        if is_left_out(path) and not path.startswith("/etc/cron"):
            continue
        if entry.kind == "folder" and not _is_own(growth, path):
            continue
        growth.keep(path, "application", _because(path))


def _is_own(growth: Growth, folder: str) -> bool:
    """Say whether an empty folder was made by the author: packages list their own."""
    return not growth.tree.children.get(folder) and growth.packages.are_known


def _because(path: str) -> str:
    top = "/".join(path.split("/")[:3])
    return (
        f"no system package owns it: the image's author put it below {posixpath.dirname(top) if top == path else top}"
    )
