"""Contact one service through all its layers, and write down how far it went."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping

import msgspec

from proa.outside.contact import (
    amqp,
    http,
    kafka,
    mongodb,
    mysql,
    nats,
    otlp,
    postgres,
    redis,
    remedies,
    s3,
    smtp,
)
from proa.outside.contact.link import Clock, Journey, Now, utc_now
from proa.outside.contact.target import Fault, Secret, Target, masked
from proa.records.preflight import Contact, ServiceKind

_VISITS: dict[ServiceKind, Callable[[Journey], None]] = {
    "postgres": postgres.visit,
    "mysql": mysql.visit,
    "redis": redis.visit,
    "rabbitmq": amqp.visit,
    "nats": nats.visit,
    "http": http.visit,
    "oauth2": http.visit_token,
    "otlp": otlp.visit,
    "smtp": smtp.visit,
    "mongodb": mongodb.visit,
    "kafka": kafka.visit,
    "s3": s3.visit,
}
_JUDGES_ITSELF = frozenset({"http"})


def contact(
    target: Target,
    *,
    timeout_s: float,
    environ: Mapping[str, str],
    clock: Clock = time.monotonic,
    now: Now = utc_now,
    attempts: int = 1,
) -> Contact:
    """Return how far it went; takes no longer than twice ``timeout_s``, and raises for no fault of the service."""
    journey = Journey(target, timeout_s=timeout_s, environ=environ, clock=clock, now=now)
    began = clock()
    try:
        fault = _went(journey)
    finally:
        journey.close()
    latency_s = clock() - began - journey.own_s
    record = Contact(
        name=target.service.name,
        kind=target.service.kind,
        address=target.service.address,
        is_required=target.service.is_required,
        is_reachable=fault is None,
        authentication=target.authentication(),
        certificate_expires=journey.certificate_expires,
        layers_s={layer: round(s, 6) for layer, s in journey.layers_s.items() if fault is None or layer != fault.layer},
        attempts=attempts,
    )
    if fault is not None:
        return msgspec.structs.replace(
            record,
            failed_layer=fault.layer,
            message=masked(fault.message, target.secrets()),
            hint=masked(fault.hint or remedies.remedy(target, fault), target.secrets()),
            is_authenticated={"authentication": False, "read": _is_in(journey)}.get(fault.layer),
        )
    return _let_in(msgspec.structs.replace(record, latency_s=round(latency_s, 6)), journey)


def _went(journey: Journey) -> Fault | None:
    if journey.target.fault:
        return Fault("dns", journey.target.fault, "mend the address")
    try:
        journey.connect()
        visit = _VISITS.get(journey.target.service.kind)
        if visit is not None:
            visit(journey)
        elif journey.target.tls != "off":
            journey.encrypt()
        journey.finish()
    except Fault as fault:
        return fault
    return None


def _is_in(journey: Journey) -> bool | None:
    """Whether it was let in before the read failed; None where that was not asked for or not shown."""
    return True if journey.is_proved else None


def _let_in(record: Contact, journey: Journey) -> Contact:
    """Return the record with what was shown of authentication: an answer that pleases anybody shows nothing."""
    target = journey.target
    if target.service.kind not in _VISITS:
        words = "it listens; whether it lets us in was not asked"
        return msgspec.structs.replace(record, message=words, authentication="unknown")
    if journey.asked_for_nothing:
        asked = record.authentication != "none"
        words = "it asks for no credentials, though some are set" if asked else ""
        if target.service.kind == "oauth2":
            words = "no client id and secret are set: it was only seen to be a token endpoint"
        return msgspec.structs.replace(record, authentication="none", message=words)
    if journey.is_proved or (target.service.kind not in _JUDGES_ITSELF and _is_refused(journey)):
        return msgspec.structs.replace(record, is_authenticated=True)
    return msgspec.structs.replace(record, message="it lets in wrong credentials too: this proves nothing")


def _is_refused(journey: Journey) -> bool:
    """Whether the service turns away a secret that nobody gave out: one wrong login in its log."""
    target, wrong = journey.target, Secret(secrets.token_urlsafe(24))
    impostor = msgspec.structs.replace(
        target,
        password=wrong if target.password or target.user else Secret(),
        token=wrong if target.token else Secret(),
        client_secret=wrong if target.client_secret else Secret(),
        headers=dict.fromkeys(target.headers, wrong),
        user="" if target.token and target.service.kind == "nats" else target.user,
    )
    another = Journey(
        impostor, timeout_s=journey.timeout_s, environ=journey.environ, clock=journey.clock, now=journey.now
    )
    try:
        fault = _went(another)
    finally:
        another.close()
    return fault is not None and fault.layer == "authentication"
