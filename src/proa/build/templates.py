"""Template fields in flags and environment: ``{{.Git.Tag}}`` and the others that .ko.yaml knows.

Fields only, and ``index .Env "NAME"``: no conditions, loops or pipelines, so that what a flag becomes can be read
off it. Nothing here looks at the clock: the same commit gives the same flags.
Source: https://ko.build/configuration/#setting-ldflags.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from proa.errors import WrongConfiguration
from proa.records.project import Git

Fields = Mapping[str, "str | Fields"]

_PARTS = re.compile(r"(\s*\{\{-\s|\{\{)(.*?)(\s-\}\}\s*|\}\})", re.DOTALL)
_FIELD = re.compile(r"\.[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_INDEX = re.compile(r"index\s+(\.[A-Za-z_][A-Za-z0-9_.]*)\s+(?:\"([^\"\\]*)\"|`([^`]*)`)")


def fields(git: Git, environ: Mapping[str, str]) -> Fields:
    """Return every field a template may name.

    ``Date`` and ``Timestamp`` are SOURCE_DATE_EPOCH where it is set, else the commit's time, else 1970.
    Raises WrongConfiguration for a SOURCE_DATE_EPOCH that is no number.
    """
    epoch_s = _epoch_s(environ.get("SOURCE_DATE_EPOCH", ""), git.committed_epoch_s)
    committed = _rfc3339(git.committed_epoch_s) if git.committed_epoch_s else ""
    return {
        "Env": environ,
        "Date": _rfc3339(epoch_s),
        "Timestamp": str(epoch_s),
        "Git": {
            "Branch": git.branch,
            "Tag": git.tag,
            "ShortCommit": git.short_revision,
            "FullCommit": git.revision,
            "CommitDate": committed,
            "CommitTimestamp": str(git.committed_epoch_s) if git.committed_epoch_s else "",
            "IsDirty": _bool(git.is_dirty),
            "IsClean": _bool(not git.is_dirty),
            "TreeState": "dirty" if git.is_dirty else "clean",
        },
    }


def render(text: str, known: Fields, *, where: str) -> str:
    """Return the text with its template fields filled in; ``where`` names it in errors.

    Raises WrongConfiguration.

    >>> render("-X main.v={{ .Git.Tag }}", {"Git": {"Tag": "v1.4.0"}}, where="build.ldflags")
    '-X main.v=v1.4.0'
    """
    if "{{" not in text:
        return text
    filled = _PARTS.sub(lambda match: _value(match.group(2).strip(), known, where), text)
    if "{{" in _PARTS.sub("", text):
        raise WrongConfiguration(f"{where}: a {{{{ in {text!r} is not closed by }}}}")
    return filled


def named(text: str) -> list[str]:
    """Return the template actions in a text, as they are written between the braces.

    >>> named("{{.Git.Tag}}-{{ .Date }}")
    ['.Git.Tag', '.Date']
    """
    return [match.group(2).strip() for match in _PARTS.finditer(text)]


def _value(action: str, known: Fields, where: str) -> str:
    if match := _INDEX.fullmatch(action):
        path = [*match.group(1).strip(".").split("."), match.group(2) or match.group(3) or ""]
    elif _FIELD.fullmatch(action):
        path = action.strip(".").split(".")
    else:
        raise WrongConfiguration(
            f"{where}: {{{{{action}}}}} is not understood",
            hint='fields like {{.Git.Tag}} and {{.Env.NAME}} and {{index .Env "NAME"}} are',
        )
    return _look_up(path, known, where)


def _look_up(path: list[str], known: Fields, where: str) -> str:
    here: str | Fields = known
    for depth, name in enumerate(path):
        if isinstance(here, str) or name not in here:
            raise _unknown(path, depth, here, where)
        here = here[name]
    if isinstance(here, str):
        return here
    written = "." + ".".join(path)
    raise WrongConfiguration(f"{where}: {{{{{written}}}}} is a group of fields", hint=f"name one: {_some(here)}")


def _unknown(path: list[str], depth: int, here: str | Fields, where: str) -> WrongConfiguration:
    import difflib

    written = "." + ".".join(path)
    if isinstance(here, str):
        return WrongConfiguration(f"{where}: {{{{{written}}}}}: {path[depth - 1]} has no fields")
    if path[:depth] == ["Env"]:
        what = f"{where}: the environment variable {path[depth]} is not set, and {{{{{written}}}}} needs it"
    else:
        what = f"{where}: there is no template field {{{{{written}}}}}"
    near = difflib.get_close_matches(path[depth], list(here), n=1)
    prefix = "".join(f".{part}" for part in path[:depth])
    # The names of a whole environment are no help, and not everybody's to see.
    hint = f"did you mean {{{{{prefix}.{near[0]}}}}}?" if near else "" if path[:depth] == ["Env"] else _some(here)
    return WrongConfiguration(what, hint=hint)


def _some(here: Fields) -> str:
    return "the fields are " + ", ".join(sorted(here)) if len(here) < 20 else ""


def _epoch_s(chosen: str, committed_s: int) -> int:
    if not chosen:
        return committed_s
    # The upper end is the year 9999, the last that RFC 3339 can write.
    if not (chosen.isascii() and chosen.isdigit()) or len(chosen) > 12 or int(chosen) > 253_402_300_799:
        raise WrongConfiguration(f"SOURCE_DATE_EPOCH is {chosen[:40]!r}, not a number of seconds since 1970")
    return int(chosen)


def _rfc3339(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _bool(value: bool) -> str:
    return "true" if value else "false"
