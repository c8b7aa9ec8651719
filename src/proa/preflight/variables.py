"""Services found in variables: addresses by their values, hosts and ports by their names, each with what lets it in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import msgspec

from proa.outside.contact.target import Secret, Target
from proa.preflight.addresses import addressed, checked, target_of, tls_of
from proa.preflight.ways_in import into_kafka, into_mongodb, into_otlp, into_s3
from proa.records.preflight import ServiceKind

_WORDS: dict[str, ServiceKind] = {
    "POSTGRES": "postgres",
    "POSTGRESQL": "postgres",
    "PG": "postgres",
    "MYSQL": "mysql",
    "MARIADB": "mysql",
    "REDIS": "redis",
    "VALKEY": "redis",
    "MONGO": "mongodb",
    "MONGODB": "mongodb",
    "RABBITMQ": "rabbitmq",
    "AMQP": "rabbitmq",
    "NATS": "nats",
    "KAFKA": "kafka",
    "SMTP": "smtp",
    "MAIL": "smtp",
    "EMAIL": "smtp",
    "S3": "s3",
    "MINIO": "s3",
    "OTLP": "otlp",
}
_PORT_KINDS: dict[str, ServiceKind] = {
    "5432": "postgres",
    "3306": "mysql",
    "6379": "redis",
    "27017": "mongodb",
    "5672": "rabbitmq",
    "4222": "nats",
    "9092": "kafka",
}
_OWN = re.compile(
    r"(.*_)?(PROXY|GOPROXY|CALLBACK_URL|REDIRECT_UR[IL]|RETURN_URL|SUCCESS_URL|CANCEL_URL|ORIGINS?|PUBLIC_URL|SITE_URL"
    r"|APP_URL|SELF_URL|FRONTEND_URL|HOMEPAGE|HOME_URL|DOCS_URL|HELP_URL|SUPPORT_URL|BUG_REPORT_URL|INDEX_URL|ISSUER|AUDIENCE"
    r"|REPOSITORY|MIRROR|DIST_SERVER|UPDATE_ROOT|PORT)"
)
"""Addresses of the program itself, of people's browsers and of build tools: no service it talks to."""
_TOOLS = re.compile(
    r"(PIP|NPM|UV|CARGO|RUSTUP|CONDA|GIT|GITHUB|CI|BUILDKITE|HOMEBREW|KUBERNETES|LC|XDG|DBUS|DOCKER)_.*"
)
_OTLP = re.compile(r"(.+_)?OTEL_.*_ENDPOINT")
_S3 = re.compile(r"(.+_)?(AWS_ENDPOINT_URL(_S3)?|(S3|MINIO)_(ENDPOINT|URL|ENDPOINT_URL))")
_BOUND = frozenset({"", "0.0.0.0", "::", "[::]", "*"})  # noqa: S104 (told from, not bound to)


def services_in(values: Mapping[str, str], *, optional: frozenset[str] = frozenset()) -> tuple[Target, ...]:
    """Return the services that variables name, by the variables' names.

    >>> [one.service.name for one in services_in({"REDIS_URL": "redis://:x@c", "PGHOST": "db", "LANG": "C"})]
    ['PGHOST', 'REDIS_URL']
    """
    found = {one.service.name: one for one in _found(values)}
    return tuple(_as_required(found[name], name not in optional) for name in sorted(found))


def _found(values: Mapping[str, str]) -> Iterator[Target]:
    covered: set[str] = set()
    for name, value in sorted(values.items()):
        if len(value) > 8192 or _OWN.fullmatch(name) or _TOOLS.fullmatch(name):
            continue
        kind: ServiceKind | None = None
        if name.endswith(("TOKEN_URL", "TOKEN_ENDPOINT")):
            kind = "oauth2"
        elif _OTLP.fullmatch(name):
            kind = "otlp"
        elif _S3.fullmatch(name):
            kind = "s3"
        target = target_of(name, value, kind=kind)
        if target is not None:
            covered.add(_stem(name))
            yield completed(target, values)
    yield from _grouped(values, covered)


def _grouped(values: Mapping[str, str], covered: set[str]) -> Iterator[Target]:
    """Yield what is named by a host or a list of brokers."""
    for name, value in sorted(values.items()):
        match = re.fullmatch(
            r"(PG|(?:.+_))(HOST|HOSTNAME|ADDR|ADDRESS|ENDPOINT|SERVER|BROKERS|BOOTSTRAP_SERVERS|SERVERS)", name
        )
        if match is None or value.strip() in _BOUND or "://" in value or _TOOLS.fullmatch(name):
            continue
        stem = match[1].rstrip("_")
        port = values.get(f"{match[1]}PORT", "")
        kind = _kind(stem, port, values)
        if kind is not None and stem not in covered and not value.startswith(("/", ":")):
            covered.add(stem)
            yield completed(addressed(name, kind, value, port), values)


def _kind(stem: str, port: str, values: Mapping[str, str]) -> ServiceKind | None:
    for word in reversed(stem.split("_")):
        if word in _WORDS:
            return _WORDS[word]
    if stem.rsplit("_", maxsplit=1)[-1] in ("DB", "DATABASE"):
        said = (
            values.get(f"{stem}_{end}", "").upper() for end in ("TYPE", "DRIVER", "CONNECTION", "ENGINE", "DIALECT")
        )
        named = next((_WORDS[word] for text in said for word in re.split(r"\W+", text) if word in _WORDS), None)
        return named or _PORT_KINDS.get(port) or ("tcp" if port else None)
    return _PORT_KINDS.get(port)


def completed(target: Target, values: Mapping[str, str]) -> Target:
    """Return the target with what variables of the same prefix add: user, password, key, token, client, TLS."""
    stem = _stem(target.service.name)
    stems = [stem, *([stem.removesuffix("_API")] if stem.endswith("_API") else [])]

    def get(*ends: str) -> str:
        glue = [f"{one}{'' if one == 'PG' else '_'}{end}" for one in stems for end in ends]
        return next((values[name] for name in glue if values.get(name)), "")

    kind = target.service.kind
    if kind == "oauth2":
        return _client(target, get)
    if kind == "otlp":
        return checked(into_otlp(target, values))
    if kind == "s3":
        return checked(into_s3(target, values))
    if kind == "http":
        return _with_token_endpoint(_keyed(target, get), values, stems)
    user = target.user or get("USER", "USERNAME", "LOGIN")
    password = target.password or Secret(get("PASSWORD", "PASS", "PASSWD", "PWD"))
    words = {"sslmode": text} if (text := get("SSLMODE", "SSL_MODE", "TLS", "SSL")) else {}
    ca = target.ca or get("SSLROOTCERT", "SSL_ROOT_CERT", "CA_FILE")
    mode = tls_of(words | {"sslrootcert": ca}, "prefer" if kind in ("postgres", "mysql") else "off")
    found = msgspec.structs.replace(
        target,
        user=user,
        password=password,
        token=target.token or Secret(get("TOKEN")) if kind == "nats" else target.token,
        database=target.database or (get("DATABASE", "NAME", "DBNAME", "DB") if kind in ("postgres", "mysql") else ""),
        tls=mode if words else target.tls,
        ca=ca,
        starts_tls=target.starts_tls or (kind == "smtp" and target.port == 587),
    )
    if kind == "kafka":
        found = into_kafka(found, get)
    elif kind == "mongodb":
        found = into_mongodb(found, get)
    return checked(found)


def _keyed(target: Target, get: Callable[..., str]) -> Target:
    return msgspec.structs.replace(
        target,
        api_key=Secret(get("API_KEY", "APIKEY", "KEY")),
        token=Secret(get("API_TOKEN", "ACCESS_TOKEN", "BEARER_TOKEN", "TOKEN")),
        user=target.user or get("USERNAME", "USER"),
        password=target.password or Secret(get("PASSWORD")),
    )


def _client(target: Target, get: Callable[..., str]) -> Target:
    return checked(
        msgspec.structs.replace(
            target,
            client_id=get("CLIENT_ID"),
            client_secret=Secret(get("CLIENT_SECRET")),
            scope=get("SCOPE", "SCOPES"),
        )
    )


def _with_token_endpoint(target: Target, values: Mapping[str, str], stems: list[str]) -> Target:
    """Return the target with the token endpoint of its own prefix, where it has no key of its own."""
    names = [f"{one}{middle}_{end}" for one in stems for middle in _MIDDLES for end in ("TOKEN_URL", "TOKEN_ENDPOINT")]
    name = next((one for one in names if values.get(one)), "")
    if not name or target.api_key or target.token:
        return checked(target)
    endpoint = target_of(name, values[name], kind="oauth2")
    if endpoint is None:
        return checked(target)
    return checked(msgspec.structs.replace(target, token_target=completed(endpoint, values)))


_MIDDLES = ("", "_OAUTH", "_OAUTH2", "_AUTH")
_ENDS = (
    "TOKEN_URL", "TOKEN_ENDPOINT", "BASE_URL", "ENDPOINT_URL", "ENDPOINT", "URL", "URI", "DSN", "HOSTNAME", "HOST",
    "ADDRESS", "ADDR", "BOOTSTRAP_SERVERS", "BROKERS", "SERVERS", "SERVER",
)  # fmt: skip


def _stem(name: str) -> str:
    """Return a variable's name without the word that says it is an address.

    >>> _stem("ORDERS_API_URL"), _stem("PGHOST"), _stem("OAUTH2_TOKEN_URL")
    ('ORDERS_API', 'PG', 'OAUTH2')
    """
    if name == "PGHOST":
        return "PG"
    return next((name.removesuffix(f"_{end}") for end in _ENDS if name.endswith(f"_{end}")), name)


def _as_required(target: Target, is_required: bool) -> Target:
    service = msgspec.structs.replace(target.service, is_required=is_required)
    return msgspec.structs.replace(target, service=service)
