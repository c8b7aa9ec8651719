"""What a program is configured by: the variables, flags and files it reads, and what deployments set of them."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Evidence

InputKind = Literal["environment", "flag", "file"]
InputType = Literal["text", "integer", "number", "boolean", "duration", "url", "address", "list", "path", "unknown"]
SettingState = Literal["set", "missing", "unused", "misspelt"]


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the program reads of how it is configured."""

    name: str
    """``DATABASE_URL``; of a flag with its dashes, ``--listen``; of a file its path, ``config/app.yaml``."""
    kind: InputKind = "environment"
    type: InputType = "unknown"
    default: str = ""
    """As written in the source; never the value of a secret."""
    is_required: bool = False
    """The program says it ends, or refuses to work, without it."""
    is_secret: bool = False
    """By its name, or by what it is used for."""
    help: str = ""
    """The program's own words about it."""
    by: str = ""
    """What reads it: ``os.Getenv``, ``envconfig``, ``viper``, ``pflag``, ``pydantic-settings``."""
    aliases: tuple[str, ...] = ()
    """Other names of the same: ``-l``; the variable of a flag."""
    where: tuple[Evidence, ...] = ()


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One variable as the deployment files have it, against what the program reads."""

    name: str
    state: SettingState
    """``missing``: required, and not set there · ``unused``: set, and never read · ``misspelt``: like ``meant``."""
    meant: str = ""
    where: tuple[Evidence, ...] = ()
    """Where it is set; for ``missing`` the deployment file that lacks it."""
