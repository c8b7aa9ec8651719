"""Services as proa.yaml names them, laid over those that variables show."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proa.errors import WrongConfiguration
from proa.outside.contact.target import Secret, Target
from proa.preflight.addresses import addressed, checked, target_of
from proa.preflight.variables import completed
from proa.records.configuration import ServiceSettings


def laid_over(
    found: tuple[Target, ...], settings: Mapping[str, ServiceSettings], values: Mapping[str, str]
) -> tuple[Target, ...]:
    """Return the services, with what is set for each; one that is only set is added. Raises WrongConfiguration."""
    named = {one.service.name: one for one in found}
    for name, setting in settings.items():
        named[name] = _set(name, setting, named.get(name), values)
    return tuple(named[name] for name in sorted(named))


def _set(name: str, setting: ServiceSettings, known: Target | None, values: Mapping[str, str]) -> Target:
    address = setting.address or values.get(setting.variable, "")
    target = _addressed(name, setting, address, values) if address else known
    if target is None:
        kind = setting.kind or "tcp"
        target = msgspec.structs.replace(addressed(name, kind, ""), fault=_unset(setting, name))
    service = msgspec.structs.replace(
        target.service, is_required=setting.required, kind=setting.kind or target.service.kind
    )
    target = msgspec.structs.replace(
        target,
        service=service,
        user=setting.user or target.user,
        password=_secret(setting.password_from, values) or target.password,
        token=_secret(setting.token_from, values) or target.token,
        api_key=_secret(setting.api_key_from, values) or target.api_key,
    )
    return target if target.fault else checked(target)


def _addressed(name: str, setting: ServiceSettings, address: str, values: Mapping[str, str]) -> Target:
    target = target_of(name, address, kind=setting.kind)
    if target is not None:
        return completed(target, values)
    if setting.kind is None:
        raise WrongConfiguration(f"services.{name}: the address is no URL, so its kind has to be set")
    return completed(addressed(name, setting.kind, address), values)


def _unset(setting: ServiceSettings, name: str) -> str:
    return f"{setting.variable or name} is not set, and no address is written in proa.yaml"


def _secret(variable: str, values: Mapping[str, str]) -> Secret:
    return Secret(values.get(variable, "")) if variable else Secret()
