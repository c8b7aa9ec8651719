"""Lengths of time as people write them."""

from __future__ import annotations

import re
from typing import Any

import click


class Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``500ms``, ``60s``, ``2m``, or a number of seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds."""
        match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(ms|s|m|)", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no time; write 500ms, 60s or 2m", param, ctx)
        return float(match[1]) * {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}[match[2]]
