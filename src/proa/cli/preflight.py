"""``proa preflight``."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click


class _Seconds(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """``500ms``, ``60s``, ``2m``, or a number of seconds."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)(ms|s|m|)", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no time; write 500ms, 60s or 2m", param, ctx)
        return float(match[1]) * {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0}[match[2]]


@click.command()
@click.argument("environment", metavar="[ENV]", required=False, default="")
@click.option("--dir", "folder", metavar="DIR", default=".", help="The project's folder, default here.")
@click.option("--env-file", "env_files", multiple=True, metavar="FILE", help="Further variables; may be repeated.")
@click.option("--only", multiple=True, metavar="NAME", help="Contact this service alone; may be repeated.")
@click.option("--optional", multiple=True, metavar="NAME", help="A service that need not be there; may be repeated.")
@click.option(
    "--ca", metavar="FILE", default="", help="PEM of authorities to trust; default SSL_CERT_FILE, the system's."
)
@click.option("--timeout", "timeout_s", type=_Seconds(), default="5s", show_default=True, help="For each contact.")
@click.option("--wait", "wait_s", type=_Seconds(), default="0s", help="Try again until all required are there: 60s.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "markdown"]),
    default="table",
    help="What standard output carries.",
)
def preflight(environment: str, form: str, **flags: Any) -> None:
    """Contact every service the program is configured for: whether it is there, and lets us in.

    Services are found in proa.yaml, in this process's environment, in .env and .env.ENV. Each is asked for its name,
    TCP, TLS, protocol, authentication and one harmless read; the first layer that fails is named with a remedy.
    Secrets are shown nowhere. Where a password was accepted without proof, a wrong one is tried once.
    """
    from proa.cli import preflight_table, screen
    from proa.errors import WrongUsage
    from proa.pipeline.preflight import Asked, require
    from proa.pipeline.preflight import preflight as contact_all

    if flags["timeout_s"] <= 0:
        raise WrongUsage("--timeout must be longer than nothing")
    flags["folder"] = Path(flags["folder"])
    flags["env_files"] = tuple(Path(file) for file in flags["env_files"])
    with screen.progress() as progress:
        record = contact_all(Asked(environment=environment, **flags), environ=os.environ, progress=progress)
    match form:
        case "json":
            click.echo(preflight_table.encoded(record), nl=False)
        case "markdown":
            click.echo(preflight_table.markdown(record), nl=False)
        case _:
            for line in preflight_table.lines(record):
                click.echo(line)
    require(record)
