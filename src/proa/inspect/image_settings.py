"""An image's configuration as named values that can be compared; secrets are compared, never shown."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from proa.inspect.history import is_secret_name, redacted
from proa.records.difference import Setting
from proa.records.oci import Config

_MOST_CHARACTERS = 500
_HIDDEN = "…"


def settings_of(config: Config) -> dict[str, str]:
    """Return what is set, by dotted name: ``user``, ``env.PATH``, ``labels.a``. What is not set is left out.

    >>> from proa.records.oci import Execution
    >>> settings_of(Config(architecture="amd64", os="linux", config=Execution(user="1", env=("A=",))))
    {'platform': 'linux/amd64', 'user': '1', 'env.A': '""'}
    """
    found = {"platform": "/".join(part for part in (config.os, config.architecture, config.variant) if part)}
    execution = config.config
    if execution is None:
        return found
    found |= {
        "user": execution.user or "",
        "entrypoint": shlex.join(execution.entrypoint or ()),
        "cmd": shlex.join(execution.cmd or ()),
        "workdir": execution.working_dir or "",
        "ports": " ".join(sorted(execution.exposed_ports or ())),
        "volumes": " ".join(sorted(execution.volumes or ())),
        "stop_signal": execution.stop_signal or "",
    }
    found = {name: value for name, value in found.items() if value}
    for line in execution.env or ():
        name, _, value = line.partition("=")
        found[f"env.{name}"] = value or '""'
    for name, value in (execution.labels or {}).items():
        found[f"labels.{name}"] = value or '""'
    return found


def changed_settings(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Setting, ...]:
    """Return what differs, by name; the values of secrets as ``…``."""
    return tuple(
        Setting(name=name, before=_shown(name, before.get(name, "")), after=_shown(name, after.get(name, "")))
        for name in sorted({**before, **after})
        if before.get(name) != after.get(name)
    )


def _shown(name: str, value: str) -> str:
    group, _, own = name.partition(".")
    if value and group in ("env", "labels") and is_secret_name(own):
        return _HIDDEN
    text = redacted(value)
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}{_HIDDEN}"
