"""The words of shell text that may name a program or a file: more of them rather than fewer, nothing is run.

Source: POSIX.1-2017, Shell Command Language, 2.2 and 2.3, read loosely.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\s;&|()<>`\"'{}\[\]$\\,]+")
_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)(?::?[-=+?]([^}]*))?\}?")
_BEFORE_COMMAND = frozenset(
    {
        "exec",
        "env",
        "nohup",
        "nice",
        "command",
        "sudo",
        "gosu",
        "su-exec",
        "setpriv",
        "tini",
        "dumb-init",
        "xargs",
        "time",
    }
)
"""Programs that start another, whose name follows."""
_MOST_WORDS = 20_000
_MOST_TEXT = 1 << 20


def words(text: str, variables: dict[str, str] | None = None) -> tuple[str, ...]:
    """Return every word of shell text, each once, in order; what a variable holds in its place, where it is known.

    >>> words('exec "$APP/bin/run" --conf=/etc/a.conf # started here', {"APP": "/srv"})
    ('exec', '/srv/bin/run', '--conf=/etc/a.conf', '/etc/a.conf')
    """
    known = dict(variables or {})
    found: dict[str, None] = {}
    for raw in text[:_MOST_TEXT].splitlines():
        line = raw.strip()
        if line.startswith("#"):
            continue
        line = re.sub(r"\s#.*$", "", line)
        assigned = re.match(r"(?:export\s+|readonly\s+|local\s+)?([A-Za-z_]\w*)=[\"']?([^\s\"';]*)", line)
        if assigned and len(assigned[2]) < 4096:
            known.setdefault(assigned[1], _filled(assigned[2], known))
        for word in _WORD.findall(_filled(line, known)):
            found[word] = None
            if "=" in word:
                found[word.rpartition("=")[2]] = None
            if len(found) > _MOST_WORDS:
                return tuple(found)
    found.pop("", None)
    return tuple(found)


def _filled(text: str, variables: dict[str, str]) -> str:
    return _VARIABLE.sub(lambda match: variables.get(match[1]) or match[2] or " ", text)[: 1 << 16]


def commands(text: str) -> tuple[str, ...]:
    """Return the words of shell text that are in the place of a command, and absolute paths wherever they are.

    >>> commands("if test -x /usr/bin/gzip; then exec gzip -d | sort; fi  # free text")
    ('test', 'gzip', 'sort', 'fi', '/usr/bin/gzip')
    """
    found: dict[str, None] = {}
    for raw in text[:_MOST_TEXT].splitlines():
        line = re.sub(r"(?:^|\s)#.*$", "", raw)
        for piece in re.split(r"[;&|(){}`]|\$\(|\b(?:then|do|else|elif|if|while|until)\b|!\s", line):
            for word in piece.replace('"', " ").replace("'", " ").split():
                if "=" not in word and not word.startswith("-"):
                    found[word] = None
                if word not in _BEFORE_COMMAND and not word.startswith("-") and "=" not in word:
                    break
    paths = [word for word in words(text) if word.startswith("/")]
    found.pop("exec", None)
    return tuple(dict.fromkeys((*found, *paths)))[:_MOST_WORDS]


def split(text: str) -> list[str]:
    """Return a command's words as a shell splits them; loosely where quotes do not close.

    >>> split("nginx -g 'daemon off;'")
    ['nginx', '-g', 'daemon off;']
    """
    import shlex

    try:
        return shlex.split(text[:_MOST_TEXT])
    except ValueError:
        return text.split()
