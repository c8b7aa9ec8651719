"""What programs expect of any system: users, names, certificates, zones, the places where they write."""

from __future__ import annotations

import re

from proa.slim.growth import Growth

_FILES = {
    "users": ("/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/login.defs",
              "/etc/subuid", "/etc/subgid"),
    "configuration": (
        "/etc/nsswitch.conf", "/etc/hosts", "/etc/resolv.conf", "/etc/hostname", "/etc/services", "/etc/protocols",
        "/etc/host.conf", "/etc/gai.conf", "/etc/networks", "/etc/rpc", "/etc/ethers", "/etc/mime.types",
        "/etc/localtime", "/etc/timezone", "/etc/environment", "/etc/profile", "/etc/shells", "/etc/locale.conf",
        "/etc/default/locale", "/etc/locale.alias", "/usr/share/locale/locale.alias", "/etc/inputrc", "/etc/machine-id",
        "/etc/ld.so.conf", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/issue", "/etc/mailcap",
    ),
    "metadata": ("/etc/os-release", "/usr/lib/os-release", "/etc/debian_version", "/etc/alpine-release",
                 "/etc/redhat-release", "/etc/system-release", "/etc/lsb-release"),
}  # fmt: skip
_BECAUSE = {
    "users": "names of users and groups",
    "configuration": "every program may read it",
    "metadata": "which system this is",
}
_SKELETON = (
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/boot", "/dev", "/etc", "/home", "/media", "/mnt", "/opt",
    "/proc", "/root", "/run", "/srv", "/sys", "/tmp", "/usr", "/var",  # noqa: S108 - paths in the image
    "/usr/bin", "/usr/sbin", "/usr/lib", "/usr/local",
    "/usr/local/bin", "/usr/share",
    "/var/tmp",  # noqa: S108
    "/var/run", "/var/lock", "/var/log", "/var/cache", "/var/lib",
    "/var/spool", "/var/mail", "/run/lock", "/dev/shm",  # noqa: S108
    "/var/local", "/var/opt", "/dev/pts",
)  # fmt: skip
_CERTIFICATES = (
    "/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
    "/usr/local/share/certs", "/etc/openssl",
)  # fmt: skip
_ZONES = "/usr/share/zoneinfo"
_LOCALES = "/usr/lib/locale"


def keep_system(growth: Growth) -> None:
    """Keep the files of the system that no program names and many need."""
    for path in _SKELETON:
        growth.keep(path, "configuration", "a folder that every system has")
    for path, entry in growth.tree.entries.items():
        if path.count("/") == 1 and entry.kind in ("folder", "link"):
            growth.keep(path, "configuration", "a folder that every system has")
    for rule in ("users", "configuration", "metadata"):
        for path in _FILES[rule]:
            growth.keep(path, rule, _BECAUSE[rule])
    for path in _CERTIFICATES:
        growth.keep_below(path, "certificates", "certificates that programs trust, and keys beside them")
    _keep_zones(growth)
    _keep_locales(growth)
    _keep_folders(growth)


def _keep_zones(growth: Growth) -> None:
    """Keep the zones once: ``posix/`` says the same, ``right/`` counts leap seconds and is asked for by nobody."""
    tree = growth.tree
    zone = growth.environment.get("TZ", "").lstrip(":")
    if zone:
        growth.keep(zone if zone.startswith("/") else f"{_ZONES}/{zone}", "zones", "TZ names it")
    if not tree.is_folder(_ZONES):
        return
    for path in tree.below(_ZONES):
        if not path.startswith((f"{_ZONES}/posix/", f"{_ZONES}/right/")) and path not in (
            f"{_ZONES}/posix",
            f"{_ZONES}/right",
        ):
            growth.keep(path, "zones", "time zones")


def _keep_locales(growth: Growth) -> None:
    wanted = {"c.utf8", "posix"}
    for name, value in growth.environment.items():
        if name in ("LANG", "LANGUAGE") or name.startswith("LC_"):
            wanted |= {re.sub(r"[^a-z0-9_.@]", "", one.lower()) for one in value.split(":")}
    has_named = any(one.split(".")[0] not in ("c", "posix", "") for one in wanted)
    for name, path in growth.tree.names(_LOCALES).items():
        if re.sub(r"[^a-z0-9_.@]", "", name.lower()) in wanted:
            growth.keep_below(path, "configuration", "the locale that programs use", all_of_it=True)
        elif name == "locale-archive" and has_named:
            growth.keep(path, "configuration", "LANG or LC_* names a locale that is in it")
    languages = {one.split(".")[0] for one in wanted} | {one.split("_")[0] for one in wanted}
    for name, path in growth.tree.names("/usr/share/locale").items():
        if name.lower() in languages - {"c", "posix", ""}:
            growth.keep_below(path, "configuration", "messages in the language that LANG names", all_of_it=True)


def _keep_folders(growth: Growth) -> None:
    """Keep folders that belong to a user of their own: a program writes there."""
    for path, entry in growth.tree.entries.items():
        if (
            entry.kind == "folder"
            and entry.uid
            and not path.startswith(("/proc/", "/sys/", "/var/lib/apt/", "/var/cache/"))
        ):
            growth.keep(path, "users", "it belongs to a user of its own")
