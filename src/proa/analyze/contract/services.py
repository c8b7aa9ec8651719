"""The services a project talks to, from its variables, deployment files, source and dependencies; nothing is contacted.

What a name and a value mean is ``preflight``'s to say, and comes in as a function: one piece of code judges both what
``proa analyze`` shows and what ``proa preflight`` contacts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from proa.analyze.contract.deployments import Unit
from proa.analyze.contract.reading import SourceFile, counts, is_secret_name, is_written
from proa.records.contract import Variable
from proa.records.evidence import Evidence
from proa.records.preflight import Service, ServiceKind

Recognise = Callable[[Mapping[str, str]], Iterable[Service]]
"""From values by name to the services they name."""
_NOWHERE = "unknown.invalid"
"""Stands for a host that no value is known of. Source: RFC 2606, .invalid."""
_DRIVERS: dict[ServiceKind, str] = {
    "postgres": "pg postgres pg-promise psycopg2? psycopg2?-binary asyncpg postgresql tokio-postgres pgx "
    "github\\.com/lib/pq github\\.com/jackc/pgx(?:/v\\d+)?",
    "mysql": "mysql2? pymysql mysqlclient aiomysql mysql-connector-[\\w-]+ mariadb(?:-java-client)? "
    "github\\.com/go-sql-driver/mysql",
    "redis": "redis ioredis aioredis jedis lettuce-core spring-boot-starter-data-redis "
    "github\\.com/(?:redis|go-redis)/[\\w/-]+",
    "mongodb": "mongodb mongoose pymongo motor spring-boot-starter-data-mongodb "
    "go\\.mongodb\\.org/mongo-driver(?:/v\\d+)?",
    "rabbitmq": "amqplib pika aio-pika spring-boot-starter-amqp lapin "
    "github\\.com/(?:rabbitmq/amqp091-go|streadway/amqp)",
    "kafka": "kafkajs kafka-python confluent-kafka aiokafka spring-kafka rdkafka "
    "github\\.com/(?:segmentio/kafka-go|(?:IBM|Shopify)/sarama)",
    "nats": "nats nats-py async-nats jnats github\\.com/nats-io/nats\\.go",
    "s3": "@aws-sdk/client-s3 boto3 aws-sdk-s3 minio github\\.com/aws/aws-sdk-go-v2/service/s3 "
    "github\\.com/minio/minio-go(?:/v\\d+)?",
    "smtp": "nodemailer aiosmtplib spring-boot-starter-mail lettre gopkg\\.in/gomail\\.v2",
}
"""Client libraries as their package managers write them: patterns, a blank between two."""
_MANIFEST = re.compile(
    r"(?:.*/)?(?:package\.json|requirements[\w-]*\.txt|pyproject\.toml|Pipfile|setup\.cfg|pom\.xml|build\.gradle(?:\.kts)?"
    r"|Cargo\.toml|go\.mod)"
)
_IMAGES: tuple[tuple[ServiceKind, str, int], ...] = (
    ("postgres", r"postgres|postgis|timescaledb?|pgvector", 5432), ("mysql", r"mysql|mariadb|percona", 3306),
    ("redis", r"redis|valkey|keydb|dragonfly", 6379), ("mongodb", r"mongo", 27017), ("rabbitmq", r"rabbitmq", 5672),
    ("kafka", r"kafka|redpanda", 9092), ("nats", r"nats", 4222), ("s3", r"minio|localstack", 9000),
    ("smtp", r"mailhog|mailpit|maildev", 1025), ("otlp", r"otel|opentelemetry-collector|jaeger", 4318),
)  # fmt: skip
_DSN = re.compile(
    rb"(?:jdbc:)?(?:postgres(?:ql)?|mysql|mariadb|rediss?|mongodb(?:\+srv)?|amqps?|nats|kafka|smtps?)://[^\s\"'`<>\\)]{3,300}"
)
_HTTP = re.compile(rb"https?://[A-Za-z0-9.-]+\.[a-z]{2,}(?::\d+)?(?:/[^\s\"'`<>\\)]{0,200})?")
_KEYED = re.compile(rb"x-api-key|authorization|bearer|api[_-]?key|access[_-]?token", re.IGNORECASE)
_NO_SERVICE = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|org|net)|w3\.org|json-schema\.org|github\.com|github\.io|schema\.org|apache\.org|spring\.io"
    r"|mozilla\.org"
    r"|stackoverflow\.com|npmjs\.com|pypi\.org|readthedocs\.io|python\.org|rust-lang\.org|docs\.rs|wikipedia\.org|localhost)|.*\.md|docs\..*"
)
_CODE = (".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx", ".py", ".java", ".rs", ".go")
_COMMENT = re.compile(rb"\s*(?://|#|\*|/\*|--|\"\"\")")
_NEAR_LINES = 8


def services_of(
    variables: Iterable[Variable], units: Iterable[Unit], files: Iterable[SourceFile], recognise: Recognise
) -> tuple[Service, ...]:
    """Return every service found, by name: variables first, then what only source, packages or Compose files show."""
    variables, units, files = tuple(variables), tuple(units), tuple(files)
    read = {one.name: one for one in variables if one.kind == "environment"}
    drivers = _drivers(files)
    found = {one.name: one for one in _by_variables(read, units, drivers, recognise)}
    for one in _by_literals(files, read, recognise):
        same = any(other.address == one.address and other.address for other in found.values())
        if not same:
            found.setdefault(one.name, one)
    for one in _by_images(units):
        host = one.address.rpartition(":")[0]
        if not any(other.kind == one.kind or other.address.rpartition(":")[0] == host for other in found.values()):
            found.setdefault(one.name, one)
    for kind, where in drivers.items():
        if kind not in {one.kind for one in found.values()}:
            found.setdefault(kind, Service(name=kind, kind=kind, is_required=False, where=(where,)))
    return tuple(found[name] for name in sorted(found))


def _by_variables(
    read: Mapping[str, Variable], units: Iterable[Unit], drivers: Mapping[ServiceKind, Evidence], recognise: Recognise
) -> Iterator[Service]:
    values, places = _values(read, units)
    for one in recognise(values):
        variable = read.get(one.name)
        where = (*(variable.where if variable is not None else ()), *places.get(one.name, ()))
        is_known = _NOWHERE not in one.address
        kind = _kind(one, drivers)
        yield msgspec.structs.replace(
            one,
            kind=kind,
            address=one.address if is_known else "",
            uses_tls=one.uses_tls if is_known else None,
            authentication=_authentication(one, is_known=is_known),
            is_required=variable.is_required or not variable.default if variable is not None else one.is_required,
            where=where,
        )
    taken = {re.sub(r"_(?:URL|URI|ENDPOINT|HOST|BASE_URL|DSN)$", "", one) for one in values if "://" in values[one]}
    for name, variable in sorted(read.items()):
        match = re.fullmatch(r"(\w+?)_(?:API_KEY|APIKEY|API_TOKEN)", name)
        if match and match[1] not in taken and f"{match[1]}_API" not in taken:
            yield Service(
                name=name, kind="http", authentication="api-key" if "KEY" in name else "token", where=variable.where,
                is_required=variable.is_required,
            )  # fmt: skip


def _kind(one: Service, drivers: Mapping[ServiceKind, Evidence]) -> ServiceKind:
    """Return what is spoken: of a database without a known address what the project has a driver for."""
    databases = [kind for kind in ("postgres", "mysql", "mongodb") if kind in drivers]
    return databases[0] if one.kind == "tcp" and len(databases) == 1 else one.kind  # type: ignore[return-value]


def _authentication(one: Service, *, is_known: bool) -> str:
    # Without a value nothing says that there is no password in it.
    return "unknown" if not is_known and one.authentication == "none" else one.authentication


def _values(
    read: Mapping[str, Variable], units: Iterable[Unit]
) -> tuple[dict[str, str], dict[str, tuple[Evidence, ...]]]:
    """Return a value for every variable: as a deployment file sets it, its default, else one that stands for it."""
    values: dict[str, str] = {}
    places: dict[str, tuple[Evidence, ...]] = {}
    for unit in units:
        for one in unit.sets:
            is_meant = one.name in read or unit.file.rpartition("/")[2].startswith(".env")
            if is_meant and one.value and "${" not in one.value and "{{" not in one.value:
                values.setdefault(one.name, one.value)
                places.setdefault(one.name, (one.place(),))
    for name, variable in read.items():
        if name not in values:
            values[name] = variable.default or _stand_in(name, variable)
    return {name: value for name, value in values.items() if value}, places


def _stand_in(name: str, variable: Variable) -> str:
    """Return what a name would hold, as far as it says so: an address nowhere, or any secret."""
    if re.fullmatch(r"(?:.*_)?(?:HOST|HOSTNAME|BROKERS|BOOTSTRAP_SERVERS|ADDR|SERVERS?)|PGHOST", name):
        return _NOWHERE
    schemes = {
        "POSTGRES|POSTGRESQL|PG": "postgres", "MYSQL|MARIADB": "mysql", "REDIS|VALKEY": "redis",
        "MONGO|MONGODB": "mongodb",
        "RABBITMQ|AMQP": "amqp", "NATS": "nats", "KAFKA": "kafka", "SMTP|MAIL|EMAIL": "smtp",
        "DATABASE|DB|SQLALCHEMY_DATABASE": "tcp",
    }  # fmt: skip
    if re.search(r"_(?:URL|URI|DSN|ENDPOINT)$", name):
        for words, scheme in schemes.items():
            if re.search(rf"(?:^|_)(?:{words})(?:_|$)", name):
                return f"{scheme}://{_NOWHERE}{':1' if scheme == 'tcp' else ''}"
        if re.search(r"(?:API|SERVICE|TOKEN|ENDPOINT|WEBHOOK|OTLP|S3|BACKEND|GATEWAY)", name):
            return f"https://{_NOWHERE}"
    return "x" if variable.is_secret or is_secret_name(name) else ""


def _by_literals(files: Iterable[SourceFile], read: Mapping[str, Variable], recognise: Recognise) -> Iterator[Service]:
    """Yield addresses written in source: those of databases, and web addresses beside something that lets in."""
    places = {(place.file, place.line) for one in read.values() if "://" in one.default for place in one.where}
    for file in files:
        if not file.path.endswith(_CODE) or not counts(file.path) or not is_written(file.data):
            continue
        if b"://" not in file.data:
            continue
        lines = file.data.split(b"\n")
        for at, line in enumerate(lines):
            if b"://" not in line or _COMMENT.match(line) or (file.path, at + 1) in places:
                continue
            yield from _literal(file, lines, at, recognise)


def _literal(file: SourceFile, lines: list[bytes], at: int, recognise: Recognise) -> Iterator[Service]:
    where = (Evidence(file=file.path, line=at + 1),)
    for match in _DSN.finditer(lines[at]):
        text = match[0].decode("utf-8", "replace")
        if not re.search(r"[{}%$*]", text):
            for one in recognise({"SOURCE_URL": text}):
                yield msgspec.structs.replace(one, name=one.address.rpartition(":")[0] or one.kind, where=where)
    near = b"\n".join(lines[max(0, at - _NEAR_LINES) : at + _NEAR_LINES])
    keyed = _KEYED.search(near)
    for match in _HTTP.finditer(lines[at]):
        text = match[0].decode("utf-8", "replace")
        host = re.sub(r"^https?://|[:/].*$", "", text)
        is_token = re.search(r"/(?:oauth2?/)?(?:v\d/)?token/?$", text) is not None
        if _NO_SERVICE.fullmatch(host) or not (keyed or is_token):
            continue
        name = "SOURCE_TOKEN_URL" if is_token else "SOURCE_URL"
        authentication = "oauth2" if is_token else "token" if keyed and b"ear" in keyed[0].lower() else "api-key"
        for one in recognise({name: text.split("?")[0]}):
            yield msgspec.structs.replace(one, name=host, authentication=authentication, where=where)


def _drivers(files: Iterable[SourceFile]) -> dict[ServiceKind, Evidence]:
    """Return the kinds that a project depends on a client library of, and the line of a manifest that says so."""
    found: dict[ServiceKind, Evidence] = {}
    for file in files:
        if not _MANIFEST.fullmatch(file.path) or not counts(file.path):
            continue
        text = file.data.decode("utf-8", "replace")
        for kind, names in _DRIVERS.items():
            match = re.search(rf"(?<![\w./@-])(?:{names.replace(' ', '|')})(?![\w./-])", text)
            if match and kind not in found:
                found[kind] = Evidence(symbol=match[0], file=file.path, line=text.count("\n", 0, match.start()) + 1)
    return found


def _by_images(units: Iterable[Unit]) -> Iterator[Service]:
    """Yield the services that Compose files and manifests start beside the program."""
    for unit in units:
        image = unit.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        for kind, names, port in _IMAGES:
            if image and unit.name and re.fullmatch(rf"(?:[\w-]*-)?(?:{names})(?:-[\w-]*)?", image):
                yield Service(
                    name=unit.name, kind=kind, address=f"{unit.name}:{port}",
                    where=(Evidence(symbol=unit.image, file=unit.file, line=unit.line),),
                )  # fmt: skip
                break
