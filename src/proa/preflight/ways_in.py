"""What lets a program into the kinds of services that have words of their own for it: Kafka, S3, OTLP, MongoDB."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import unquote

import msgspec

from proa.outside.contact.target import Secret, Target, TlsMode

Get = Callable[..., str]
"""Returns the first variable that is set of those that end so."""
_TRUE = frozenset({"1", "true", "yes", "on"})
_PROTOCOLS: dict[str, TlsMode] = {
    "PLAINTEXT": "off",
    "SASL_PLAINTEXT": "off",
    "SSL": "verify-full",
    "SASL_SSL": "verify-full",
}
"""Kafka's words. Source: https://kafka.apache.org/documentation/#adminclientconfigs_security.protocol."""


def into_kafka(target: Target, get: Get) -> Target:
    """Return the target with Kafka's mechanism, protocol and topic."""
    protocol = get("SECURITY_PROTOCOL", "PROTOCOL").upper()
    topic = get("TOPIC", "TOPICS", "TOPIC_NAME").split(",")[0].strip()
    return msgspec.structs.replace(
        target,
        user=target.user or get("SASL_USERNAME", "SASL_USER", "SASL_PLAIN_USERNAME"),
        password=target.password or Secret(get("SASL_PASSWORD", "SASL_PLAIN_PASSWORD")),
        mechanism=get("SASL_MECHANISM", "SASL_MECHANISMS", "MECHANISM").upper(),
        tls=_PROTOCOLS.get(protocol, target.tls),
        ca=target.ca or get("SSL_CA_LOCATION", "SSL_CAFILE", "SSL_CA_FILE", "TLS_CA_FILE"),
        database=target.database or topic,
    )


def into_mongodb(target: Target, get: Get) -> Target:
    """Return the target with the database its user is kept in."""
    return msgspec.structs.replace(
        target,
        auth_source=target.auth_source or get("AUTH_SOURCE", "AUTHSOURCE", "AUTH_DB", "AUTH_DATABASE"),
        database=target.database or get("DATABASE", "DB", "DBNAME", "DB_NAME"),
        ca=target.ca or get("TLS_CA_FILE"),
    )


def into_s3(target: Target, values: Mapping[str, str]) -> Target:
    """Return the target with keys, region and bucket, by AWS's names and those of its kin."""
    match = re.fullmatch(r"(.*_|)(AWS_ENDPOINT_URL(_S3)?|(S3|MINIO)_.*)", target.service.name)
    prefix = match[1] if match else ""

    def get(*ends: str) -> str:
        names = [f"{prefix}{brand}{end}" for brand in ("AWS_", "S3_", "MINIO_", "") for end in ends]
        return next((values[name] for name in names if values.get(name)), "")

    is_tls = get("USE_SSL", "SECURE", "SSL").lower() in _TRUE
    return msgspec.structs.replace(
        target,
        user=target.user or get("ACCESS_KEY_ID", "ACCESS_KEY", "ROOT_USER"),
        password=target.password or Secret(get("SECRET_ACCESS_KEY", "SECRET_KEY", "ROOT_PASSWORD")),
        token=target.token or Secret(get("SESSION_TOKEN")),
        region=get("REGION", "DEFAULT_REGION"),
        database=target.database or get("BUCKET", "BUCKET_NAME", "S3_BUCKET", "S3_BUCKET_NAME"),
        tls="verify-full" if is_tls else target.tls,
    )


def into_otlp(target: Target, values: Mapping[str, str]) -> Target:
    """Return the target with OpenTelemetry's own settings of an exporter; what is set for all signals holds for each.

    Source: https://opentelemetry.io/docs/specs/otel/protocol/exporter/.
    """
    own = target.service.name.removesuffix("_ENDPOINT")
    common = re.sub(r"_(TRACES|METRICS|LOGS)$", "", own)

    def get(end: str) -> str:
        return values.get(f"{own}_{end}") or values.get(f"{common}_{end}") or ""

    protocol = get("PROTOCOL").lower()
    return msgspec.structs.replace(
        target,
        headers={name: Secret(text) for name, text in headers_in(get("HEADERS")).items()},
        mechanism="" if not protocol else "grpc" if protocol == "grpc" else "http",
        ca=target.ca or get("CERTIFICATE"),
        client_certificate=target.client_certificate or get("CLIENT_CERTIFICATE"),
        client_key=target.client_key or get("CLIENT_KEY"),
    )


def headers_in(text: str) -> dict[str, str]:
    """Return headers as OpenTelemetry writes them: pairs with commas between them, encoded as in a URL.

    >>> headers_in("api-key=a%20b, x-tenant = 7,broken")
    {'api-key': 'a b', 'x-tenant': '7'}
    """
    pairs = (part.partition("=") for part in text.split(",")[:50])
    return {
        name.strip().lower(): unquote(value.strip())
        for name, sign, value in pairs
        if sign and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.strip())
    }
