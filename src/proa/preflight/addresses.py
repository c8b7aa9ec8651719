"""Addresses as they are written in variables: URLs, JDBC, Go's MySQL form, libpq's words, host and port."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from proa.outside.contact.target import Secret, Target, TlsMode
from proa.records.preflight import Service, ServiceKind

_SCHEMES: dict[str, tuple[ServiceKind, int, bool]] = {
    "postgres": ("postgres", 5432, False),
    "postgresql": ("postgres", 5432, False),
    "mysql": ("mysql", 3306, False),
    "mariadb": ("mysql", 3306, False),
    "redis": ("redis", 6379, False),
    "rediss": ("redis", 6379, True),
    "valkey": ("redis", 6379, False),
    "valkeys": ("redis", 6379, True),
    "mongodb": ("mongodb", 27017, False),
    "mongodb+srv": ("mongodb", 27017, True),
    "amqp": ("rabbitmq", 5672, False),
    "amqps": ("rabbitmq", 5671, True),
    "nats": ("nats", 4222, False),
    "tls": ("nats", 4222, True),
    "kafka": ("kafka", 9092, False),
    "smtp": ("smtp", 25, False),
    "smtps": ("smtp", 465, True),
    "http": ("http", 80, False),
    "https": ("http", 443, True),
    "tcp": ("tcp", 0, False),
}
PORTS: dict[ServiceKind, int] = {
    "postgres": 5432,
    "mysql": 3306,
    "redis": 6379,
    "mongodb": 27017,
    "rabbitmq": 5672,
    "kafka": 9092,
    "nats": 4222,
    "smtp": 25,
    "http": 80,
    "oauth2": 443,
    "otlp": 4318,
    "s3": 9000,
}
_URL = re.compile(r"(?:jdbc:)?([a-zA-Z][a-zA-Z0-9+.-]{1,30})://(\S+)", re.DOTALL)
_GO_DSN = re.compile(r"(?:([^:@/]*)(?::(.*))?@)?tcp\(([^)]*)\)/([^?]*)(?:\?(.*))?", re.DOTALL)
_LIBPQ = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")
_TLS: dict[str, TlsMode] = {
    "disable": "off",
    "disabled": "off",
    "false": "off",
    "allow": "prefer",
    "prefer": "prefer",
    "preferred": "prefer",
    "true": "verify-full",
    "require": "require",
    "required": "require",
    "skip-verify": "require",
    "verify-ca": "verify-ca",
    "verify-full": "verify-full",
    "verify-identity": "verify-full",
}


def target_of(name: str, value: str, *, kind: ServiceKind | None = None, is_required: bool = True) -> Target | None:
    """Return what an address written in a variable means; None where it is no address of a service.

    >>> found = target_of("DATABASE_URL", "postgres://app:pw@db/orders?sslmode=require")
    >>> found.service.address, found.user, found.password, found.tls
    ('db:5432', 'app', ***, 'require')
    >>> target_of("GREETING", "hello")
    """
    value = value.strip()
    if (match := _URL.fullmatch(value)) is not None and match[1].lower() in _SCHEMES:
        return _from_url(name, match[1].lower(), value.removeprefix("jdbc:"), kind, is_required=is_required)
    if (match := _GO_DSN.fullmatch(value)) is not None:
        return _from_go(name, match, is_required=is_required)
    words = {key: _unquoted(text) for key, text in _LIBPQ.findall(value)}
    if "host" in words and ("dbname" in words or "user" in words):
        return _from_libpq(name, words, is_required=is_required)
    return None


def addressed(name: str, kind: ServiceKind, host: str, port: str = "", *, is_required: bool = True) -> Target:
    """Return a target from a host and a port as they are written; the host may carry the port.

    >>> addressed("REDIS_ADDR", "redis", "cache:6380").service.address
    'cache:6380'
    """
    host = host.split(",", maxsplit=1)[0].strip()
    if not port and host.count(":") == 1:
        host, _, port = host.partition(":")
    elif not port and (match := re.fullmatch(r"\[(.+)\]:(\d+)", host)) is not None:
        host, port = match[1], match[2]
    return checked(
        Target(
            service=Service(name=name, kind=kind, is_required=is_required),
            host=host.strip("[]"),
            port=_number(port) if port else PORTS.get(kind, 0),
            tls="prefer" if kind in ("postgres", "mysql") else "off",
        )
    )


def checked(target: Target) -> Target:
    """Return the target with its address and its way in told in its service, and a fault where there is none."""
    fault = ""
    if not target.host or len(target.host) > 253 or re.search(r"[\s/@\\]", target.host):
        fault = "the value is no address: the host is missing or wrong"
    elif not 0 < target.port < 65536:
        fault = "the value is no address: the port is missing or wrong"
    host = f"[{target.host}]" if ":" in target.host else target.host
    address = "" if fault else f"{host}:{target.port}"
    if target.service.kind in ("http", "oauth2") and not fault:
        address = f"{'https' if target.tls != 'off' else 'http'}://{address}"
    service = msgspec.structs.replace(
        target.service, address=address, uses_tls=target.tls != "off", authentication=target.authentication()
    )
    return msgspec.structs.replace(target, service=service, fault=fault)


def tls_of(words: Mapping[str, str], default: TlsMode) -> TlsMode:
    """Return the mode that parameters name, by their usual names; libpq: ``require`` with authorities checks them."""
    for key in ("sslmode", "ssl-mode", "ssl_mode", "tls", "ssl", "usessl"):
        if key in words:
            mode = _TLS.get(words[key].lower().replace("_", "-"), default)
            return "verify-ca" if mode == "require" and words.get("sslrootcert") else mode
    return default


def _from_url(name: str, scheme: str, value: str, kind: ServiceKind | None, *, is_required: bool) -> Target:
    known, port, is_tls = _SCHEMES[scheme]
    service = Service(name=name, kind=kind or known, is_required=is_required)
    # Cluster addresses name several hosts; the first stands for all.
    head, slashes, rest = value.partition("://")
    authority, sign, tail = _split_authority(rest)
    user_part, _, hosts = authority.rpartition("@")
    try:
        parts = urlsplit(f"{head}{slashes}{hosts.split(',')[0]}{sign}{tail}")
        host, port = parts.hostname or "", parts.port or port
    except ValueError:
        return checked(Target(service=service, password=Secret(unquote(user_part.partition(":")[2]))))
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    query = {key.lower(): text for key, text in pairs}
    user, colon, password = user_part.partition(":")
    user, password = unquote(user), unquote(password)
    if not colon and known in ("redis", "http"):
        # A lone word before the @ is a token or a password there, more often than a name.
        user, password = "", user
    user, password = query.get("user", user), query.get("password", password)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    is_name = known in ("postgres", "mysql", "redis", "mongodb", "rabbitmq", "kafka")
    if known == "mongodb":
        query = _of_mongodb(query)
    default: TlsMode = "verify-full" if is_tls else "prefer" if known in ("postgres", "mysql") else "off"
    return checked(
        Target(
            service=service,
            host=host,
            port=port,
            tls=tls_of(query, default) if not is_tls or scheme == "mongodb+srv" else "verify-full",
            is_srv=scheme == "mongodb+srv",
            auth_source=query.get("authsource", "") if known == "mongodb" else "",
            mechanism=query.get("authmechanism", "").upper() if known == "mongodb" else "",
            starts_tls=scheme == "smtp" and "starttls" in query,
            ca=query.get("sslrootcert", query.get("ssl-ca", "")).replace("system", ""),
            client_certificate=query.get("sslcert", ""),
            client_key=query.get("sslkey", ""),
            user=user,
            password=Secret(password),
            database=unquote(parts.path[1:]) if is_name else "",
            path=Secret(_path(path)),
            others=tuple(Secret(text) for key, text in pairs if _is_secret(key) and text),
        )
    )


def _of_mongodb(query: Mapping[str, str]) -> dict[str, str]:
    """Return MongoDB's parameters with those of TLS under the names the others have."""
    words = dict(query)
    is_careless = "true" in (query.get(key) for key in ("tlsinsecure", "tlsallowinvalidcertificates"))
    names = query.get("tlsallowinvalidhostnames") == "true"
    tls = query.get("tls", query.get("ssl", ""))
    if tls != "false" and (is_careless or names):
        words["tls"] = "require" if is_careless else "verify-ca"
    words["sslrootcert"] = query.get("tlscafile", "")
    words["sslcert"] = query.get("tlscertificatekeyfile", "")
    return words


def _path(path: str) -> str:
    """Return the path as it may stand in a request's first line."""
    from urllib.parse import quote

    return quote(path or "/", safe="/%?&=+,;:@!$'()*~#[]-._").split("#")[0] or "/"


def _split_authority(rest: str) -> tuple[str, str, str]:
    """Split before the path; passwords in the wild hold bare slashes and question marks, up to the last @."""
    match = re.search(r"[/?#]", rest)
    if match is None:
        return rest, "", ""
    if "@" not in rest[: match.start()] and (later := rest.find("@", match.start())) > 0 and ":" in rest[:later]:
        end = re.compile(r"[/?#]").search(rest, later)
        at = end.start() if end else len(rest)
        if re.fullmatch(r"[^:/?#]+:(?!\d+[/?#]).*", rest[:later], re.DOTALL):
            return rest[:at], rest[at : at + 1], rest[at + 1 :]
    return rest[: match.start()], match[0], rest[match.end() :]


def _is_secret(key: str) -> bool:
    return (
        re.search(r"pass|secret|token|key(?!file)|sig|auth(?!source|mechanism)|credential|code", key, re.IGNORECASE)
        is not None
    )


def _from_go(name: str, match: re.Match[str], *, is_required: bool) -> Target:
    query = {key.lower(): text for key, text in parse_qsl(match[5] or "")}
    found = addressed(name, "mysql", match[3], is_required=is_required)
    return checked(
        msgspec.structs.replace(
            found,
            user=match[1] or "",
            password=Secret(match[2] or ""),
            database=match[4],
            tls=tls_of(query, "off"),
        )
    )


def _from_libpq(name: str, words: Mapping[str, str], *, is_required: bool) -> Target:
    found = addressed(name, "postgres", words["host"], words.get("port", ""), is_required=is_required)
    return checked(
        msgspec.structs.replace(
            found,
            user=words.get("user", ""),
            password=Secret(words.get("password", "")),
            database=words.get("dbname", ""),
            tls=tls_of(words, "prefer"),
            ca=words.get("sslrootcert", "").replace("system", ""),
            client_certificate=words.get("sslcert", ""),
            client_key=words.get("sslkey", ""),
        )
    )


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith("'") else text


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 6 else -1
