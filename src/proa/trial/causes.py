"""What a program's own words say of why it does not run: a table of phrases, nothing else.

Each rule knows whose fault it is: the image's (``failed``) or something outside (``not-ready``). Lines are read
from the last to the first, since what ended a program is what it said last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal[
    "certificates", "zone", "user", "program", "read-only", "port", "permission", "name", "refused", "unreachable",
    "setting", "file", "library", "taken", "panic",
]  # fmt: skip


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """One recognised reason."""

    kind: Kind
    what: str = ""
    """The zone, path, host or variable it is about."""
    line: str = ""

    @property
    def is_outside(self) -> bool:
        """Say whether it is nothing the image could mend."""
        return self.kind in ("name", "refused", "unreachable", "setting")


_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|[A-Z]{3,}[A-Z0-9]*"
_UNSET = (
    r"(?:required|not set|isn't set|unset|must be set|must be provided|missing|not defined|not provided"
    r"|(?:is|be|was) empty|cannot be (?:empty|blank)|needs? to be set|undefined)"
)

#: Tried in order on each line. Source of the wording: Go 1.26's net, os, time, crypto/x509, os/exec, os/user, syscall;
#: glibc's loader; kelseyhightower/envconfig, caarlos0/env, spf13/cobra, jackc/pgx, redis/go-redis; SQLite's
#: sqlite3ErrStr.
_TABLE: tuple[tuple[Kind, str], ...] = (
    ("zone", r"unknown time zone (?P<what>\S+)"),
    ("zone", r"(?P<what>\S*zoneinfo\S*?):? no such file"),
    ("certificates", r"x509: failed to load system roots|no such file or directory.*ca-certificates"),
    ("user", r"(?:user|group): unknown (?:user(?:id)?|group(?:id)?) (?P<what>\S+)"),
    ("program", r"exec: \"(?P<what>[^\"]+)\": (?:executable file not found|stat|no such file)"),
    ("program", r"fork/exec (?P<what>\S+?): no such file or directory"),
    ("library", r"error while loading shared libraries: (?P<what>\S+?):"),
    ("read-only", r"(?P<what>/\S*?)['\"]?: [Rr]ead-only file system"),
    ("read-only", r"[Rr]ead-only file system|EROFS"),
    ("read-only", r"unable to open database file|attempt to write a readonly database"),
    ("port", r"listen \w+ (?P<what>\S+): bind: (?:permission denied|operation not permitted)"),
    (
        "name",
        r"lookup (?P<what>[^\s:]+)(?: on \S+)?: (?:no such host|server misbehaving|.*(?:refused|timeout|unreachable))",
    ),
    ("name", r"could not translate host name \"(?P<what>[^\"]+)\""),
    ("name", r"hostname resolving error.*host[= ](?P<what>\S+)|Name or service not known"),
    ("taken", r"listen \w+ (?P<what>\S+): bind: address already in use"),
    ("refused", r"dial \w+ (?P<what>\S+?): connect: (?:connection refused|permission denied)"),
    ("refused", r"(?P<what>[\w.-]+:\d{2,5})\b.{0,80}[Cc]onnection refused"),
    ("refused", r"[Cc]onnection refused|ECONNREFUSED"),
    ("unreachable", r"dial \w+ (?P<what>\S+?): .*(?:unreachable|i/o timeout|deadline exceeded)"),
    ("unreachable", r"network is unreachable|no route to host"),
    ("permission", r"(?P<what>/\S*?)['\"]?: (?:permission denied|operation not permitted)"),
    (
        "permission",
        r"(?:open|mkdir|create|read|write|chown|chmod) (?P<what>\S+?): (?:permission denied|operation not permitted)",
    ),
    ("setting", rf"required key (?P<what>{_NAME}) missing value"),
    ("setting", rf"required environment variable \"?(?P<what>{_NAME})\"? is not set"),
    ("setting", rf"(?P<what>{_NAME})\b[^A-Za-z0-9]*(?:\S+ ){{0,4}}?{_UNSET}"),
    ("setting", rf"{_UNSET}\b.{{0,40}}?\b(?P<what>{_NAME})\b"),
    # A path that was read from a variable nobody set.
    ("setting", r"(?:open|stat|read) : no such file or directory"),
    ("setting", r"required flag\(s\) (?P<what>.+?) not set"),
    (
        "setting",
        r"(?:flag|option|argument) \"?(?P<what>-{1,2}[\w-]+)\"? (?:is|must be|was not) (?:required|set|given)",
    ),
    ("setting", r"(?P<what>-{1,2}[a-z][\w-]+) (?:flag )?(?:is required|must be set|must be specified)"),
    ("setting", r"(?i)missing (?:required )?(?:environment|env|config)"),
    ("file", r"(?:open|stat|lstat|read|chdir|opendir) (?P<what>[^\s:]+): no such file or directory"),
    ("file", r"(?P<what>/\S*?)['\"]?: No such file or directory"),
    ("panic", r"^(?:panic|fatal error): (?P<what>.+)|^(?P<signal>SIG[A-Z]+): "),
)
_RULES = tuple((kind, re.compile(pattern)) for kind, pattern in _TABLE)
_MOST_LINES = 400
_MOST_LINE = 1000


def find_causes(output: str) -> Iterator[Cause]:
    r"""Yield every recognised reason, the last said first.

    >>> [cause.what for cause in find_causes("starting\nlookup db on 127.0.0.1:53: no such host\n")]
    ['db']
    """
    for line in reversed(output.splitlines()[-_MOST_LINES:]):
        cause = read_line(line[:_MOST_LINE])
        if cause is not None:
            yield cause


def read_line(line: str) -> Cause | None:
    """Return the reason one line gives."""
    for kind, pattern in _RULES:
        if found := pattern.search(line):
            what = next((value for value in found.groupdict().values() if value), "")
            return Cause(kind=kind, what=what.strip("'\"`,"), line=line.strip())
    return None


_USAGE = re.compile(r"(?im)^\s*(?:usage\b|commands?:|available commands|options:|flags:)|--help\b|\bsubcommand\b")


def is_usage(output: str) -> bool:
    r"""Say whether a program explains how to call it.

    >>> is_usage("Usage:\n  tool [command]")
    True
    """
    return _USAGE.search(output) is not None
