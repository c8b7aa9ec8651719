"""What `proa preflight` must say of each real service, good and broken: one table for the tests and the benchmark.

A case is a few environment variables, named as programs name them, and the layer to be blamed. All cases of one service
go into one run: their variables get the case's name in front (``WRONG_PASSWORD_DATABASE_URL``).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from urllib.parse import quote

import service_bed
import service_oauth
import service_stores
from service_certificates import Certificates

SECRETS = (
    service_bed.POSTGRES_PASSWORD, service_bed.REDIS_PASSWORD, service_bed.NATS_PASSWORD, service_bed.MYSQL_PASSWORD,
    service_bed.RABBITMQ_PASSWORD, service_oauth.CLIENT_SECRET, service_oauth.API_KEY, service_stores.MONGODB_PASSWORD,
    service_stores.KAFKA_PASSWORD, service_stores.S3_SECRET, service_stores.OTLP_KEY, "Wr0ng-Walrus",
)  # fmt: skip
WRONG = SECRETS[-1]


@dataclass(frozen=True)
class Bed:
    """Everything that runs."""

    certificates: Certificates
    postgres: service_bed.Postgres
    redis: service_bed.Redis
    nats: service_bed.Nats
    rabbitmq: service_bed.Rabbitmq
    mysql: service_bed.Mysql
    oauth: service_oauth.Oauth
    mongodb: service_stores.Mongodb
    kafka: service_stores.Kafka
    s3: service_stores.S3
    otlp: service_stores.Otlp
    faults: service_bed.Faults


Variables = Callable[[Bed], Mapping[str, str]]


@dataclass(frozen=True)
class Case:
    """One way to meet a service."""

    service: str
    name: str
    layer: str | None
    """To be blamed; None where all is well."""
    variables: Variables
    asks: str
    """The variable the service is named by."""
    authentication: str
    uses_tls: bool

    @property
    def prefix(self) -> str:
        """Return what is put in front of the case's variables."""
        return "".join(letter if letter.isalnum() else "_" for letter in self.name.upper()) + "_"

    @property
    def key(self) -> str:
        """Return the name of the service in the answer."""
        return self.prefix + self.asks

    def environment(self, bed: Bed) -> dict[str, str]:
        """Return its variables."""
        return {self.prefix + name: value for name, value in self.variables(bed).items()}


@contextmanager
def whole_bed() -> Iterator[Bed]:
    """Start everything; the slow ones beside each other."""
    with ExitStack() as stack, ThreadPoolExecutor() as workers:
        folder = stack.enter_context(service_bed.scratch())
        certificates = service_bed.made_certificates(folder)

        def start(service: Callable[..., object]) -> object:
            return stack.enter_context(service(folder, certificates))  # type: ignore[arg-type]

        kinds = (service_bed.rabbitmq, service_bed.postgres, service_bed.mysql, service_stores.kafka)
        slow = [workers.submit(start, each) for each in kinds]
        rest = {
            "redis": start(service_bed.redis),
            "nats": start(service_bed.nats),
            "mongodb": start(service_stores.mongodb),
            "s3": start(service_stores.s3),
            "otlp": start(service_stores.otlp),
            "oauth": stack.enter_context(service_oauth.oauth(certificates)),
            "faults": stack.enter_context(service_bed.faults()),
        }
        found = {
            name: each.result() for name, each in zip(("rabbitmq", "postgres", "mysql", "kafka"), slow, strict=True)
        }
        yield Bed(certificates=certificates, **found, **rest)  # type: ignore[arg-type]


def common_environment(bed: Bed) -> dict[str, str]:
    """Return what every run needs: whom to trust."""
    return {"SSL_CERT_FILE": str(bed.certificates.ca)}


def _url(variable: str, scheme: str, user: str, secret: str, tail: str) -> Callable[..., Variables]:
    """Return a writer of URLs of one kind of service; each part of them can be replaced."""

    def write(port: str, *, host: str = "localhost", scheme: str = scheme, user: str = user, secret: str = secret,
              tail: str = tail) -> Variables:  # fmt: skip
        def variables(bed: Bed) -> dict[str, str]:
            login = f"{user}:{quote(secret, safe='')}@" if user else ""
            ending = tail.format(ca=bed.certificates.ca, other_ca=bed.certificates.other_ca)
            return {variable: f"{scheme}://{login}{host}:{attrgetter(port)(bed)}{ending}"}

        return variables

    return write


_FULL = "?sslmode=verify-full&sslrootcert={ca}"
_postgres = _url("DATABASE_URL", "postgresql", "app", service_bed.POSTGRES_PASSWORD, "/orders" + _FULL)
_redis = _url("REDIS_URL", "rediss", "app", service_bed.REDIS_PASSWORD, "/0")
_nats = _url("NATS_URL", "tls", "app", service_bed.NATS_PASSWORD, "")
_rabbitmq = _url("AMQP_URL", "amqps", "app", service_bed.RABBITMQ_PASSWORD, "/%2f")
_mysql = _url("MYSQL_URL", "mysql", "app", service_bed.MYSQL_PASSWORD, "/orders?ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}")

_mongodb = _url("MONGODB_URL", "mongodb", "app", service_stores.MONGODB_PASSWORD, "/orders?tls=true")


def _kafka(
    port: str, *, host: str = "localhost", user: str = "app", secret: str = service_stores.KAFKA_PASSWORD,
    mechanism: str = "SCRAM-SHA-256", protocol: str = "SASL_SSL", topic: str = service_stores.TOPIC,
) -> Variables:  # fmt: skip
    login = {"KAFKA_SASL_USERNAME": user, "KAFKA_SASL_PASSWORD": secret, "KAFKA_SASL_MECHANISM": mechanism}
    return lambda bed: {
        "KAFKA_BROKERS": f"{host}:{attrgetter(port)(bed)}",
        "KAFKA_SECURITY_PROTOCOL": protocol,
        "KAFKA_TOPIC": topic,
        **(login if user else {}),
    }


def _s3(
    port: str, *, host: str = "localhost", scheme: str = "https", key: str = service_stores.S3_KEY,
    secret: str = service_stores.S3_SECRET, bucket: str = "orders", region: str = "us-east-1",
) -> Variables:  # fmt: skip
    keys = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": region}
    return lambda bed: {
        "S3_ENDPOINT": f"{scheme}://{host}:{attrgetter(port)(bed)}",
        "S3_BUCKET": bucket,
        **(keys if key else {}),
    }


def _otlp(
    port: str, *, host: str = "localhost", scheme: str = "https", key: str = service_stores.OTLP_KEY,
) -> Variables:  # fmt: skip
    return lambda bed: {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{host}:{attrgetter(port)(bed)}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={quote(key)}" if key else "",
    }


def _orders(
    port: str, *, host: str = "localhost", scheme: str = "https", path: str = "/orders", client: str = "shop",
    secret: str = service_oauth.CLIENT_SECRET, token_port: str = "oauth.tls",
) -> Variables:  # fmt: skip
    """Write an API that a client's token opens; ``port`` is the API's."""
    return lambda bed: {
        "ORDERS_API_URL": f"{scheme}://{host}:{attrgetter(port)(bed)}{path}",
        "ORDERS_API_TOKEN_URL": f"https://localhost:{attrgetter(token_port)(bed)}/token",
        "ORDERS_API_CLIENT_ID": client,
        "ORDERS_API_CLIENT_SECRET": secret,
    }


def _bearer(token: str) -> Variables:
    return lambda bed: {
        "ORDERS_API_URL": f"https://localhost:{bed.oauth.tls}/orders",
        "ORDERS_API_TOKEN": attrgetter(token)(bed.oauth) if token else WRONG,
    }


def _keyed(key: str, *, port: str = "oauth.tls", scheme: str = "https", path: str = "/payments") -> Variables:
    return lambda bed: {
        "PAYMENTS_API_URL": f"{scheme}://localhost:{attrgetter(port)(bed)}{path}",
        "PAYMENTS_API_KEY": key,
    }


Row = tuple[str, str | None, Variables]

_POSTGRES: list[Row] = [
    ("good", None, _postgres("postgres.tls")),
    ("unknown host", "dns", _postgres("postgres.tls", host="db.invalid")),
    ("nothing listens", "tcp", _postgres("faults.closed")),
    ("never accepts", "tcp", _postgres("faults.full")),
    ("silent", "protocol", _postgres("faults.silent")),
    ("closes", "protocol", _postgres("faults.closing")),
    ("garbage", "protocol", _postgres("faults.garbage")),
    ("web server there", "protocol", _postgres("faults.web")),
    ("redis there", "protocol", _postgres("redis.plain", tail="/orders?sslmode=disable")),
    ("expired certificate", "tls", _postgres("postgres.expired")),
    ("self signed", "tls", _postgres("postgres.self_signed")),
    ("unknown authority", "tls", _postgres("postgres.tls", tail="/orders?sslmode=verify-full&sslrootcert={other_ca}")),
    ("wrong host name", "tls", _postgres("postgres.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _postgres("postgres.plain")),
    ("server wants tls", "tls", _postgres("postgres.tls", tail="/orders?sslmode=disable")),
    ("wrong password", "authentication", _postgres("postgres.tls", secret=WRONG)),
    ("unknown user", "authentication", _postgres("postgres.tls", user="nobody")),
    ("user without login", "authentication", _postgres("postgres.tls", user="retired")),
    ("no such database", "read", _postgres("postgres.tls", tail="/absent" + _FULL)),
    ("forbidden database", "read", _postgres("postgres.tls", tail="/vault" + _FULL)),
]
_REDIS: list[Row] = [
    ("good", None, _redis("redis.tls")),
    ("good in plain text", None, _redis("redis.plain", scheme="redis")),
    ("unknown host", "dns", _redis("redis.tls", host="cache.invalid")),
    ("nothing listens", "tcp", _redis("faults.closed")),
    ("never accepts", "tcp", _redis("faults.full")),
    ("silent", "protocol", _redis("faults.silent", scheme="redis")),
    ("silent before tls", "tls", _redis("faults.silent")),
    ("resets", "protocol", _redis("faults.resetting", scheme="redis")),
    ("garbage", "protocol", _redis("faults.garbage", scheme="redis")),
    ("web server there", "protocol", _redis("faults.web", scheme="redis")),
    ("expired certificate", "tls", _redis("redis.expired")),
    ("self signed", "tls", _redis("redis.self_signed")),
    ("wrong host name", "tls", _redis("redis.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _redis("redis.plain")),
    ("server wants tls", "protocol", _redis("redis.tls", scheme="redis")),
    ("wrong password", "authentication", _redis("redis.tls", secret=WRONG)),
    ("unknown user", "authentication", _redis("redis.tls", user="nobody")),
    ("user switched off", "authentication", _redis("redis.tls", user="off")),
    ("no password given", "authentication", _redis("redis.tls", user="")),
    ("may run nothing", "read", _redis("redis.tls", user="blind")),
    ("no such database", "read", _redis("redis.tls", tail="/99")),
]
_NATS: list[Row] = [
    ("good", None, _nats("nats.tls")),
    ("good in plain text", None, _nats("nats.plain", scheme="nats")),
    ("unknown host", "dns", _nats("nats.tls", host="queue.invalid")),
    ("nothing listens", "tcp", _nats("faults.closed")),
    ("never accepts", "tcp", _nats("faults.full")),
    ("silent", "protocol", _nats("faults.silent", scheme="nats")),
    ("garbage", "protocol", _nats("faults.garbage", scheme="nats")),
    ("database there", "protocol", _nats("postgres.plain", scheme="nats")),
    ("expired certificate", "tls", _nats("nats.expired")),
    ("self signed", "tls", _nats("nats.self_signed")),
    ("wrong host name", "tls", _nats("nats.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _nats("nats.plain")),
    ("wrong password", "authentication", _nats("nats.tls", secret=WRONG)),
    ("unknown user", "authentication", _nats("nats.tls", user="nobody")),
    ("no password given", "authentication", _nats("nats.tls", user="")),
]
_RABBITMQ: list[Row] = [
    ("good", None, _rabbitmq("rabbitmq.tls")),
    ("good in plain text", None, _rabbitmq("rabbitmq.plain", scheme="amqp")),
    ("unknown host", "dns", _rabbitmq("rabbitmq.tls", host="queue.invalid")),
    ("nothing listens", "tcp", _rabbitmq("faults.closed")),
    ("silent", "protocol", _rabbitmq("faults.silent", scheme="amqp")),
    ("web server there", "protocol", _rabbitmq("faults.web", scheme="amqp")),
    ("wrong host name", "tls", _rabbitmq("rabbitmq.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _rabbitmq("rabbitmq.plain")),
    ("server wants tls", "protocol", _rabbitmq("rabbitmq.tls", scheme="amqp")),
    ("wrong password", "authentication", _rabbitmq("rabbitmq.tls", secret=WRONG)),
    ("unknown user", "authentication", _rabbitmq("rabbitmq.tls", user="nobody")),
    ("no such virtual host", "read", _rabbitmq("rabbitmq.tls", tail="/absent")),
]
_MYSQL: list[Row] = [
    ("good", None, _mysql("mysql.tls")),
    ("unknown host", "dns", _mysql("mysql.tls", host="db.invalid")),
    ("nothing listens", "tcp", _mysql("faults.closed")),
    ("silent", "protocol", _mysql("faults.silent")),
    ("garbage", "protocol", _mysql("faults.garbage")),
    ("wrong host name", "tls", _mysql("mysql.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _mysql("mysql.plain")),
    ("wrong password", "authentication", _mysql("mysql.tls", secret=WRONG)),
    ("unknown user", "authentication", _mysql("mysql.tls", user="nobody")),
    ("no such database", "read", _mysql("mysql.tls", tail="/absent?ssl-mode=REQUIRED")),
    ("forbidden database", "read", _mysql("mysql.tls", tail="/vault?ssl-mode=REQUIRED")),
]
_OAUTH: list[Row] = [
    ("good", None, _orders("oauth.tls")),
    ("unknown host", "dns", _orders("oauth.tls", host="orders.invalid")),
    ("nothing listens", "tcp", _orders("faults.closed")),
    ("never accepts", "tcp", _orders("faults.full")),
    ("silent before tls", "tls", _orders("faults.silent")),
    ("closes", "tls", _orders("faults.closing")),
    ("server has no tls", "tls", _orders("oauth.plain")),
    ("server wants tls", "protocol", _orders("oauth.tls", scheme="http")),
    ("garbage", "protocol", _orders("faults.garbage", scheme="http")),
    ("database there", "protocol", _orders("redis.plain", scheme="http")),
    ("expired certificate", "tls", _orders("oauth.expired")),
    ("self signed", "tls", _orders("oauth.self_signed")),
    ("wrong host name", "tls", _orders("oauth.tls", host="127.0.0.1")),
    ("wrong client secret", "authentication", _orders("oauth.tls", secret=WRONG)),
    ("unknown client", "authentication", _orders("oauth.tls", client="nobody")),
    ("token for somebody else", "authentication", _orders("oauth.tls", client="stranger")),
    ("expired token", "authentication", _bearer("expired_token")),
    ("forged token", "authentication", _bearer("forged_token")),
    ("garbled token", "authentication", _bearer("")),
    ("scope missing", "read", _orders("oauth.tls", client="guest")),
    ("no such page", "read", _orders("oauth.tls", path="/absent")),
    ("broken inside", "read", _orders("oauth.tls", path="/orders/broken")),
]
_API_KEY: list[Row] = [
    ("good", None, _keyed(service_oauth.API_KEY)),
    ("wrong key", "authentication", _keyed(WRONG)),
    ("no such page", "read", _keyed(service_oauth.API_KEY, path="/payments/absent")),
    ("nothing listens", "tcp", _keyed(service_oauth.API_KEY, port="faults.closed")),
    ("expired certificate", "tls", _keyed(service_oauth.API_KEY, port="oauth.expired")),
    ("garbage", "protocol", _keyed(service_oauth.API_KEY, port="faults.garbage", scheme="http")),
]
_PLAIN_MONGO = "/orders?authMechanism=SCRAM-SHA-1"
_MONGODB: list[Row] = [
    ("good", None, _mongodb("mongodb.tls")),
    ("good in plain text", None, _mongodb("mongodb.plain", tail="/orders")),
    ("good plain by sha-1", None, _mongodb("mongodb.plain", tail=_PLAIN_MONGO)),
    ("unknown host", "dns", _mongodb("mongodb.tls", host="db.invalid")),
    ("nothing listens", "tcp", _mongodb("faults.closed")),
    ("never accepts", "tcp", _mongodb("faults.full")),
    ("silent", "protocol", _mongodb("faults.silent", tail="/orders")),
    ("silent before tls", "tls", _mongodb("faults.silent")),
    ("resets", "protocol", _mongodb("faults.resetting", tail="/orders")),
    ("garbage", "protocol", _mongodb("faults.garbage", tail="/orders")),
    ("web server there", "protocol", _mongodb("faults.web", tail="/orders")),
    ("database there", "protocol", _mongodb("postgres.plain", tail="/orders")),
    ("expired certificate", "tls", _mongodb("mongodb.expired")),
    ("self signed", "tls", _mongodb("mongodb.self_signed")),
    ("unknown authority", "tls", _mongodb("mongodb.tls", tail="/orders?tls=true&tlsCAFile={other_ca}")),
    ("wrong host name", "tls", _mongodb("mongodb.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _mongodb("mongodb.plain")),
    ("server wants tls", "protocol", _mongodb("mongodb.tls", tail="/orders")),
    ("wrong password", "authentication", _mongodb("mongodb.tls", secret=WRONG)),
    ("unknown user", "authentication", _mongodb("mongodb.tls", user="nobody")),
    ("no password given", "authentication", _mongodb("mongodb.tls", user="")),
    ("wrong authSource", "authentication", _mongodb("mongodb.tls", tail="/orders?tls=true&authSource=admin")),
    ("impossible name", "read", _mongodb("mongodb.tls", tail="/a%24b?tls=true&authSource=orders")),
]
_KAFKA: list[Row] = [
    ("good", None, _kafka("kafka.tls")),
    ("good by sha-512", None, _kafka("kafka.tls", user="big", mechanism="SCRAM-SHA-512")),
    ("good without a mechanism", None, _kafka("kafka.tls", user="big", mechanism="")),
    ("good by PLAIN over tls", None, _kafka("kafka.tls", user="plain", mechanism="PLAIN")),
    ("good in plain text", None, _kafka("kafka.plain", protocol="SASL_PLAINTEXT")),
    ("unknown host", "dns", _kafka("kafka.tls", host="broker.invalid")),
    ("nothing listens", "tcp", _kafka("faults.closed")),
    ("never accepts", "tcp", _kafka("faults.full")),
    ("silent", "protocol", _kafka("faults.silent", protocol="SASL_PLAINTEXT")),
    ("silent before tls", "tls", _kafka("faults.silent")),
    ("closes", "protocol", _kafka("faults.closing", protocol="SASL_PLAINTEXT")),
    ("resets", "protocol", _kafka("faults.resetting", protocol="SASL_PLAINTEXT")),
    ("garbage", "protocol", _kafka("faults.garbage", protocol="SASL_PLAINTEXT")),
    ("web server there", "protocol", _kafka("faults.web", protocol="SASL_PLAINTEXT")),
    ("wrong host name", "tls", _kafka("kafka.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _kafka("kafka.plain")),
    ("server wants tls", "protocol", _kafka("kafka.tls", protocol="SASL_PLAINTEXT")),
    ("wrong password", "authentication", _kafka("kafka.tls", secret=WRONG)),
    ("wrong password by PLAIN", "authentication", _kafka("kafka.tls", user="plain", mechanism="PLAIN", secret=WRONG)),
    ("unknown user", "authentication", _kafka("kafka.tls", user="nobody")),
    ("mechanism not offered", "authentication", _kafka("kafka.tls", mechanism="OAUTHBEARER")),
    ("no password given", "authentication", _kafka("kafka.tls", user="")),
    ("no such topic", "read", _kafka("kafka.tls", topic="absent")),
    ("no name of a topic", "read", _kafka("kafka.tls", topic="a b!")),
    ("sends its clients nowhere", "read", _kafka("kafka.away", protocol="PLAINTEXT", user="")),
]
_S3: list[Row] = [
    ("good", None, _s3("s3.tls")),
    ("good in plain text", None, _s3("s3.plain", scheme="http")),
    ("good without a bucket", None, _s3("s3.tls", bucket="")),
    ("unknown host", "dns", _s3("s3.tls", host="bucket.invalid")),
    ("nothing listens", "tcp", _s3("faults.closed")),
    ("never accepts", "tcp", _s3("faults.full")),
    ("silent", "protocol", _s3("faults.silent", scheme="http")),
    ("silent before tls", "tls", _s3("faults.silent")),
    ("resets", "protocol", _s3("faults.resetting", scheme="http")),
    ("garbage", "protocol", _s3("faults.garbage", scheme="http")),
    ("web server there", "protocol", _s3("faults.web", scheme="http")),
    ("expired certificate", "tls", _s3("s3.expired")),
    ("self signed", "tls", _s3("s3.self_signed")),
    ("wrong host name", "tls", _s3("s3.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _s3("s3.plain")),
    ("wrong secret key", "authentication", _s3("s3.tls", secret=WRONG)),
    ("unknown access key", "authentication", _s3("s3.tls", key="AKIDNOBODY")),
    ("wrong region", "authentication", _s3("s3.tls", region="eu-north-7")),
    ("no keys given", "authentication", _s3("s3.tls", key="")),
    ("no such bucket", "read", _s3("s3.tls", bucket="absent")),
]
_OTLP: list[Row] = [
    ("good", None, _otlp("otlp.tls")),
    ("good in plain text", None, _otlp("otlp.plain", scheme="http")),
    ("unknown host", "dns", _otlp("otlp.tls", host="collector.invalid")),
    ("nothing listens", "tcp", _otlp("faults.closed")),
    ("silent", "protocol", _otlp("faults.silent", scheme="http")),
    ("resets", "protocol", _otlp("faults.resetting", scheme="http")),
    ("garbage", "protocol", _otlp("faults.garbage", scheme="http")),
    ("web server there", "protocol", _otlp("faults.web", scheme="http")),
    ("expired certificate", "tls", _otlp("otlp.expired")),
    ("wrong host name", "tls", _otlp("otlp.tls", host="127.0.0.1")),
    ("server has no tls", "tls", _otlp("otlp.plain")),
    ("wrong key", "authentication", _otlp("otlp.tls", key=WRONG)),
    ("no key given", "authentication", _otlp("otlp.tls", key="")),
    ("takes no traces", "read", _otlp("otlp.other", scheme="http")),
]
_TABLES = {
    "postgres": ("DATABASE_URL", "password", _POSTGRES),
    "redis": ("REDIS_URL", "password", _REDIS),
    "nats": ("NATS_URL", "password", _NATS),
    "rabbitmq": ("AMQP_URL", "password", _RABBITMQ),
    "mysql": ("MYSQL_URL", "password", _MYSQL),
    "mongodb": ("MONGODB_URL", "password", _MONGODB),
    "kafka": ("KAFKA_BROKERS", "password", _KAFKA),
    "s3": ("S3_ENDPOINT", "password", _S3),
    "otlp": ("OTEL_EXPORTER_OTLP_ENDPOINT", "api-key", _OTLP),
    "oauth2": ("ORDERS_API_URL", "oauth2", _OAUTH),
    "api key": ("PAYMENTS_API_URL", "api-key", _API_KEY),
}
CASES = [
    Case(
        service=service, name=name, layer=layer, variables=variables, asks=asks, authentication=authentication,
        uses_tls="plain" not in name,
    )
    for service, (asks, authentication, rows) in _TABLES.items()
    for name, layer, variables in rows
]  # fmt: skip


def cases_of(service: str) -> list[Case]:
    """Return the cases of one service."""
    return [case for case in CASES if case.service == service]


def node_values(bed: Bed) -> dict[str, str]:
    """Return the variables of tests/projects/preflight-node: its queue refuses the API key, the others let it in."""
    web = f"https://localhost:{bed.oauth.tls}"
    return {
        "PORT": "3000",
        **_postgres("postgres.tls", tail="/orders?sslmode=verify-full")(bed),
        "QUEUE_API_URL": f"{web}/payments",
        "QUEUE_API_KEY": WRONG,
        "CACHE_API_URL": f"{web}/orders",
        "CACHE_API_TOKEN_URL": f"{web}/token",
        "CACHE_API_CLIENT_ID": "shop",
        "CACHE_API_CLIENT_SECRET": service_oauth.CLIENT_SECRET,
    }


def secrets_in(text: str) -> list[str]:
    """Return the bed's secrets that a text shows, as they are, as a URL has them or as HTTP Basic sends them."""
    return [
        secret for secret in SECRETS
        if any(form in text for form in (secret, quote(secret, safe=""), quote(secret), _basic(secret)))
    ]  # fmt: skip


def _basic(secret: str) -> str:
    return base64.b64encode(f"shop:{secret}".encode()).decode()
