"""The line of ``proa preflight``: find the services, contact all at once, again until all required are there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from proa.errors import ServiceMissing, WrongUsage
from proa.outside.configuration import load_configuration
from proa.outside.contact.target import Target
from proa.outside.contact.visit import contact
from proa.outside.kubectl import Cluster, place_of, variables_of
from proa.outside.variables import folder_variables, read_env, with_files
from proa.preflight.settings import laid_over
from proa.preflight.variables import services_in
from proa.records.evidence import Finding
from proa.records.preflight import Contact, Preflight

_MOST_AT_ONCE = 32
_MOST_SERVICES = 200


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the user asked for."""

    folder: Path
    environment: str = ""
    env_files: tuple[Path, ...] = ()
    secrets: tuple[str, ...] = ()
    """NAMESPACE/NAME of secrets of the cluster; what they hold wins over everything else."""
    config_maps: tuple[str, ...] = ()
    ca: str = ""
    timeout_s: float = 5.0
    wait_s: float = 0.0
    only: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()


def targets(
    asked: Asked, *, environ: Mapping[str, str], cluster: Cluster | None = None
) -> tuple[tuple[Target, ...], dict[str, str]]:
    """Return the services to contact, and the values they were found in.

    Raises WrongUsage, WrongConfiguration, and what a cluster raises where secrets are named.
    """
    if not asked.folder.is_dir():
        raise WrongUsage(f"{asked.folder} is no folder")
    values = folder_variables(asked.folder, asked.environment)
    for file in asked.env_files:
        values |= read_env(file)
    values = with_files(values | dict(environ) | _held(asked, cluster or Cluster(environ=environ)), asked.folder)
    settings = load_configuration(asked.folder, environ=environ).configuration.services
    found = laid_over(services_in(values, optional=frozenset(asked.optional)), settings, values)
    if unknown := sorted({*asked.only, *asked.optional} - {one.service.name for one in found}):
        raise WrongUsage(f"no service is named {unknown[0]}", hint=f"found: {', '.join(_names(found)) or 'none'}")
    if asked.only:
        found = tuple(one for one in found if one.service.name in asked.only)
    if len(found) > _MOST_SERVICES:
        raise WrongUsage(f"{len(found)} services are named, and at most {_MOST_SERVICES} are contacted; use --only")
    return tuple(_trusting(one, asked.ca) for one in found), values


def _held(asked: Asked, cluster: Cluster) -> dict[str, str]:
    """Return what the named secrets and config maps hold; a secret wins over a config map."""
    found: dict[str, str] = {}
    for one in asked.config_maps:
        found |= variables_of(cluster, "configmaps", *place_of(one, flag="--config-map"))
    for one in asked.secrets:
        found |= variables_of(cluster, "secrets", *place_of(one, flag="--secret"))
    return found


def _names(found: tuple[Target, ...]) -> list[str]:
    return [one.service.name for one in found]


def _trusting(target: Target, ca: str) -> Target:
    endpoint = _trusting(target.token_target, ca) if target.token_target else None
    return msgspec.structs.replace(target, ca=target.ca or ca, token_target=endpoint)


def preflight(
    asked: Asked,
    *,
    environ: Mapping[str, str],
    progress: Callable[[str], None],
    cluster: Cluster | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Preflight:
    """Contact every service, those that failed again until ``wait_s`` is over.

    Raises WrongUsage, WrongConfiguration, and what kubectl raises where secrets of a cluster are named.
    """
    found, values = targets(asked, environ=environ, cluster=cluster)
    began, pause_s = clock(), 0.25
    progress(f"contacting {len(found)} services")
    contacts = _all(found, asked, values, attempts=1)
    while _missing(contacts) and (left := began + asked.wait_s - clock()) > 0:
        progress(f"waiting for {', '.join(_missing(contacts)[:5])}")
        sleep(min(pause_s, left))
        pause_s = min(pause_s * 2, 5.0)
        again = tuple(one for one in found if not contacts[one.service.name].is_reachable)
        attempts = 1 + max(one.attempts for one in contacts.values())
        contacts |= _all(again, asked, values, attempts=attempts)
    findings = () if found else (_NOTHING,)
    services = tuple(contacts[one.service.name] for one in found)
    return Preflight(environment=asked.environment, services=services, findings=findings)


def _all(found: tuple[Target, ...], asked: Asked, values: Mapping[str, str], *, attempts: int) -> dict[str, Contact]:
    with ThreadPoolExecutor(max_workers=max(1, min(_MOST_AT_ONCE, len(found)))) as workers:
        contacts = workers.map(
            lambda one: contact(one, timeout_s=asked.timeout_s, environ=values, attempts=attempts), found
        )
        return {one.name: one for one in contacts}


def _missing(contacts: Mapping[str, Contact]) -> list[str]:
    return [name for name, one in contacts.items() if one.is_required and not one.is_reachable]


def require(record: Preflight) -> None:
    """Raise ServiceMissing where a required service is not there."""
    missing = [one for one in record.services if one.is_required and not one.is_reachable]
    if missing:
        first = missing[0]
        names = ", ".join(one.name for one in missing)
        verb = "is" if len(missing) == 1 else "are"
        hint = first.hint if len(missing) == 1 else "what to do about each is said above"
        raise ServiceMissing(f"{len(missing)} of {len(record.services)} services {verb} not there: {names}", hint=hint)


_NOTHING = Finding(
    id="preflight.no-services",
    severity="warning",
    message="no service was found in variables, .env files or proa.yaml: nothing was contacted",
    hint="name one under services: in proa.yaml, or give --env-file",
)
