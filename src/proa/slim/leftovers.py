"""What a running program does not read: documentation, headers, static libraries, what builds leave behind.

Judged by the path alone. It holds for what is kept by the folder or the package; a file that is itself needed stays.
"""

from __future__ import annotations

import re

_FOLDERS = (
    "/usr/share/doc", "/usr/share/man", "/usr/share/info", "/usr/share/lintian", "/usr/share/bug", "/usr/share/groff",
    "/usr/share/locale", "/usr/share/i18n", "/usr/share/bash-completion", "/usr/share/zsh", "/usr/share/fish",
    "/usr/share/gdb", "/usr/share/vim", "/usr/share/emacs", "/usr/share/menu", "/usr/share/applications",
    "/usr/share/pixmaps", "/usr/share/doc-base", "/usr/share/apport", "/usr/share/pkgconfig", "/usr/share/aclocal",
    "/usr/share/initramfs-tools", "/usr/share/metainfo", "/usr/share/systemtap", "/usr/share/polkit-1",
    "/usr/include", "/usr/local/include", "/usr/local/share/man", "/usr/local/share/doc", "/usr/local/man",
    "/usr/lib/debug", "/usr/lib/ssl/misc", "/usr/lib/systemd", "/usr/lib/udev", "/usr/lib/tmpfiles.d",
    "/usr/lib/sysusers.d",
    "/usr/lib/init", "/usr/lib/lsb", "/usr/lib/modprobe.d", "/usr/lib/dpkg", "/usr/lib/apt", "/usr/share/bug",
    "/etc/apt", "/etc/dpkg", "/etc/init.d", "/etc/init", "/etc/cron.d", "/etc/cron.daily", "/etc/cron.hourly",
    "/etc/cron.weekly", "/etc/cron.monthly", "/etc/logrotate.d", "/etc/bash_completion.d", "/etc/systemd",
    "/etc/rc0.d", "/etc/rc1.d", "/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d", "/etc/rc6.d", "/etc/rcS.d",
    "/etc/kernel", "/etc/ufw", "/etc/apparmor.d", "/etc/alternatives", "/etc/update-motd.d", "/etc/skel",
    "/etc/X11/Xsession.d", "/etc/emacs", "/etc/vim", "/etc/xdg/systemd",
    "/var/lib/dpkg", "/var/lib/apt", "/var/lib/apk", "/var/lib/ucf", "/var/lib/pam", "/var/lib/systemd",
    "/var/lib/python", "/var/lib/misc", "/var/cache/apt", "/var/cache/debconf", "/var/cache/man", "/var/cache/ldconfig",
    "/var/cache/apk", "/var/cache/dnf", "/var/cache/yum", "/var/cache/fontconfig", "/lib/apk", "/usr/lib/apk",
    "/var/log/apt", "/var/backups", "/var/lib/rpm", "/var/lib/dnf", "/var/lib/yum", "/usr/lib/sysimage", "/etc/apk",
    "/proc", "/sys", "/dev",
)  # fmt: skip
_IN_FOLDERS = frozenset(_FOLDERS)
_NAMES = re.compile(
    r"""
    /\.(?:git|hg|svn|bzr)(?:/|$)
    | /\.cache/(?:go-build|pip|uv|yarn|pnpm|node-gyp|composer|deno|typescript|electron|bazel|ccache|sccache
      |golangci-lint)(?:/|$)
    | ^(?:/root|/home/[^/]+)/\.(?:npm|node-gyp|m2/repository|gradle/caches|ivy2|cargo/registry|cargo/git|rustup|conan2?
      |bundle/cache|gem/specs|nuget/packages|dotnet/toolResolverCache|wget-hsts|bash_history|python_history)(?:/|$)
    | /node_modules/\.cache(?:/|$)
    | /node_modules/(?:npm|corepack)(?:/|$)
    | ^(?:/root/go|/go|/home/[^/]+/go)/(?:pkg/(?:mod|sumdb)|src)(?:/|$)
    | /__pycache__/[^/]+\.opt-[12]\.pyc$
    | /\.(?:pytest_cache|mypy_cache|ruff_cache|tox|nox|hypothesis|eggs)(?:/|$)
    | ^(?:/usr)?(?:/local)?/lib(?:64)?(?:/[^/]+-linux-[^/]+)?/(?:pkgconfig|cmake|gcc|gprofng|bfd-plugins)(?:/|$)
    | ^/usr(?:/local)?/libexec/gcc(?:/|$)
    | ^(?:/usr)?(?:/local)?/lib(?:64)?/.*\.(?:a|la|o)$
    | ^/etc/(?:passwd|group|shadow|gshadow|subuid|subgid)-$
    | ^/(?:etc/\.pwd\.lock|etc/machine-id|\.dockerenv|etc/mtab|etc/debconf\.conf|etc/adduser\.conf|etc/deluser\.conf)$
    | ^/var/log/(?:dpkg\.log|bootstrap\.log|alternatives\.log|faillog|lastlog|wtmp|btmp|fontconfig\.log|tallylog)$
    """,
    re.VERBOSE,
)


def is_left_out(path: str) -> bool:
    """Say whether a path is of a kind that no running program reads by itself.

    >>> is_left_out("/usr/share/man/man1/ls.1.gz"), is_left_out("/app/.git/HEAD"), is_left_out("/etc/nginx/nginx.conf")
    (True, True, False)
    """
    at = path.find("/", 1)
    for _ in range(5):
        if path[: at if at >= 0 else None] in _IN_FOLDERS:
            return True
        if at < 0:
            break
        at = path.find("/", at + 1)
    return _NAMES.search(path) is not None


def is_documentation(path: str) -> bool:
    """Say whether a path is below a folder for people who read.

    >>> is_documentation("/usr/share/doc/nginx/copyright")
    True
    """
    return path.startswith(("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/lintian/"))
