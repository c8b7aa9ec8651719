"""Which services variables name, and what lets it in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.cli import preflight_table
from proa.outside.contact.target import Fault, Secret, Target, masked
from proa.outside.contact.visit import contact
from proa.outside.variables import parse_env, with_files
from proa.preflight.addresses import target_of
from proa.preflight.settings import laid_over
from proa.preflight.variables import services_in
from proa.records.configuration import ServiceSettings
from proa.records.preflight import Preflight


@pytest.mark.parametrize(
    ("values", "name", "kind", "address", "tls"),
    [
        pytest.param({"DATABASE_URL": "postgresql://a:b@db/x?sslmode=verify-full"}, "DATABASE_URL", "postgres", "db:5432", "verify-full", id="url"),
        pytest.param({"DB": "mysql://a:b@db:3307/x?ssl-mode=VERIFY_CA"}, "DB", "mysql", "db:3307", "verify-ca", id="mysql url"),
        pytest.param({"DB": "a:b@tcp(db:3307)/x?tls=true"}, "DB", "mysql", "db:3307", "verify-full", id="go dsn"),
        pytest.param({"DB": "host=db port=6000 user=a password='b c' dbname=x sslmode=disable"}, "DB", "postgres", "db:6000", "off", id="libpq"),
        pytest.param({"SPRING_DATASOURCE_URL": "jdbc:postgresql://db:1/x?user=a&password=b"}, "SPRING_DATASOURCE_URL", "postgres", "db:1", "prefer", id="jdbc"),
        pytest.param({"PGHOST": "db", "PGPORT": "99", "PGSSLMODE": "require"}, "PGHOST", "postgres", "db:99", "require", id="libpq's variables"),
        pytest.param({"DB_HOST": "db", "DB_PORT": "3306"}, "DB_HOST", "mysql", "db:3306", "prefer", id="kind by port"),
        pytest.param({"DB_HOST": "db", "DB_TYPE": "postgres"}, "DB_HOST", "postgres", "db:5432", "prefer", id="kind by type"),
        pytest.param({"REDIS_ADDR": "cache:6380"}, "REDIS_ADDR", "redis", "cache:6380", "off", id="host and port in one"),
        pytest.param({"KAFKA_BROKERS": "k1:9092,k2:9092"}, "KAFKA_BROKERS", "kafka", "k1:9092", "off", id="brokers"),
        pytest.param({"Q": "amqps://a:b@q/%2Fv"}, "Q", "rabbitmq", "q:5671", "verify-full", id="amqps"),
        pytest.param({"NATS_URL": "tls://n:1"}, "NATS_URL", "nats", "n:1", "verify-full", id="nats over tls"),
        pytest.param({"X_API_URL": "https://x.example/v1"}, "X_API_URL", "http", "https://x.example:443", "verify-full", id="https"),
        pytest.param({"OAUTH_TOKEN_URL": "https://x.example/t"}, "OAUTH_TOKEN_URL", "oauth2", "https://x.example:443", "verify-full", id="token endpoint"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://o:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp", "o:4317", "off", id="otlp"),
        pytest.param({"SMTP_HOST": "m", "SMTP_PORT": "587"}, "SMTP_HOST", "smtp", "m:587", "off", id="smtp"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": "o:4317"}, "OTEL_EXPORTER_OTLP_ENDPOINT", "otlp", "o:4317", "off", id="otlp without a scheme"),
        pytest.param({"M": "mongodb://a:b@m1,m2:7/x"}, "M", "mongodb", "m1:27017", "off", id="mongodb"),
        pytest.param({"M": "mongodb+srv://a:b@m.example.com/x"}, "M", "mongodb", "m.example.com:27017", "verify-full", id="mongodb by srv"),
        pytest.param({"M": "mongodb://m/?tls=true&tlsInsecure=true"}, "M", "mongodb", "m:27017", "require", id="mongodb, careless"),
        pytest.param({"M": "mongodb+srv://m.example.com/?tls=false"}, "M", "mongodb", "m.example.com:27017", "off", id="mongodb by srv without tls"),
        pytest.param({"KAFKA_BROKERS": "k", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_BROKERS", "kafka", "k:9092", "verify-full", id="kafka over tls"),
        pytest.param({"AWS_ENDPOINT_URL_S3": "https://s3.example"}, "AWS_ENDPOINT_URL_S3", "s3", "s3.example:443", "verify-full", id="s3"),
        pytest.param({"MINIO_ENDPOINT": "minio:9000", "MINIO_USE_SSL": "true"}, "MINIO_ENDPOINT", "s3", "minio:9000", "verify-full", id="minio"),
        pytest.param({"C": "redis://[::1]:7"}, "C", "redis", "[::1]:7", "off", id="IPv6"),
    ],
)  # fmt: skip
def test_a_service_is_named_by_its_variable(
    values: dict[str, str], name: str, kind: str, address: str, tls: str
) -> None:
    (found,) = services_in(values)
    assert (found.service.name, found.service.kind, found.service.address, found.tls) == (name, kind, address, tls)
    assert not found.fault


@pytest.mark.parametrize(
    "values",
    [
        {"HTTP_PROXY": "http://proxy:3128"},
        {"GOPROXY": "https://proxy.golang.org"},
        {"PUBLIC_URL": "https://shop.example"},
        {"REDIS_PORT": "tcp://10.0.0.1:6379"},
        {"HOST": "0.0.0.0", "PORT": "8080"},
        {"LANG": "C", "PATH": "/bin", "GREETING": "hello: world"},
        {"DB_HOST": "/var/run/postgresql"},
    ],
)
def test_what_is_no_service_is_left_alone(values: dict[str, str]) -> None:
    assert services_in(values) == ()


def test_variables_of_the_same_prefix_let_it_in() -> None:
    values = {
        "ORDERS_API_URL": "https://o/",
        "ORDERS_TOKEN_URL": "https://t/",
        "ORDERS_CLIENT_ID": "me",
        "ORDERS_CLIENT_SECRET": "hidden",
        "PAY_API_URL": "https://p/",
        "PAY_API_KEY": "key",
    }
    orders, token, pay = services_in(values)
    assert orders.service.authentication == "oauth2"
    assert orders.token_target is not None
    assert orders.token_target.client_secret.reveal() == "hidden"
    assert token.service.name == "ORDERS_TOKEN_URL"
    assert (pay.service.authentication, pay.api_key.reveal()) == ("api-key", "key")


@pytest.mark.parametrize("value", ["postgres://a:b@db:99999/x", "redis://a:b@:1", "nats://h:x", "http://[::1"])
def test_a_wrong_address_is_a_fault_and_not_an_error(value: str) -> None:
    (found,) = services_in({"X_URL": value})
    told = contact(found, timeout_s=0.2, environ={})
    assert (told.is_reachable, told.failed_layer, told.address) == (False, "dns", "")
    assert told.hint


PASSWORDS = st.text(st.characters(codec="ascii", min_codepoint=33, max_codepoint=126), min_size=8, max_size=20).filter(
    lambda text: any(sign not in "abcdefghijklmnopqrstuvwxyz _-:/." for sign in text)
)


@settings(max_examples=40, deadline=None)
@given(PASSWORDS)
def test_no_secret_is_in_any_output(password: str) -> None:
    from urllib.parse import quote

    values = {
        "A_URL": f"postgres://user:{quote(password, safe='')}@127.0.0.1:1/db",
        "B_URL": f"redis://user:{quote(password, safe='')}@bad host:x/0",
        "C_API_URL": f"http://127.0.0.1:1/hook?token={quote(password, safe='')}",
        "C_API_KEY": password,
        "PGHOST": "127.0.0.1",
        "PGPORT": "1",
        "PGPASSWORD": password,
        "D_DSN": f"user:{password}@tcp(127.0.0.1:1)/db",
    }
    found = services_in(values)
    assert len(found) >= 4
    record = Preflight(services=tuple(contact(one, timeout_s=1, environ={}) for one in found))
    shown = [preflight_table.encoded(record).decode(), preflight_table.markdown(record)]
    shown += ["\n".join(preflight_table.lines(record, width=400)), repr(found), str(found)]
    for text in shown:
        assert password not in text
        assert quote(password, safe="") not in text
        assert json.dumps(password)[1:-1] not in text


@given(PASSWORDS)
def test_what_a_service_says_back_is_masked(password: str) -> None:
    assert password not in masked(f"no {password} here", (Secret(password),))


@given(st.text(max_size=60))
def test_no_value_is_too_odd(value: str) -> None:
    for text in (value, f"postgres://{value}", f"redis://a:{value}@h", f"host={value} user=x", f"a@tcp({value})/"):
        target_of("X", text)


def test_a_word_before_the_sign_is_a_secret() -> None:
    found = target_of("X", "https://ghp_tokentoken@x.example/")
    assert found is not None
    assert "tokentoken" not in repr(found)
    assert found.password.reveal() == "ghp_tokentoken"


def test_settings_say_more_of_a_service_or_name_another() -> None:
    values = {"CACHE": "redis://c", "SECRET_OF_DB": "hidden"}
    said = {
        "CACHE": ServiceSettings(required=False),
        "db": ServiceSettings(kind="postgres", address="db:5432", user="a", password_from="SECRET_OF_DB"),
        "gone": ServiceSettings(kind="nats", variable="NOT_SET"),
    }
    cache, db, gone = laid_over(services_in(values), said, values)
    assert not cache.service.is_required
    assert (db.service.address, db.password.reveal(), db.service.authentication) == ("db:5432", "hidden", "password")
    assert "NOT_SET is not set" in gone.fault


def test_secrets_come_from_files(tmp_path) -> None:
    (tmp_path / "pw").write_text("hidden\n")
    values = with_files({"DB_PASSWORD_FILE": str(tmp_path / "pw"), "LOG_FILE": str(tmp_path / "pw")}, tmp_path)
    assert values["DB_PASSWORD"] == "hidden"
    assert "LOG" not in values


@given(st.text(max_size=200))
def test_any_text_is_read_as_env_file(text: str) -> None:
    parse_env(text)


def test_a_fault_is_told_without_its_secret() -> None:
    fault = Fault("read", "x")
    assert (fault.layer, fault.hint) == ("read", "")


def one(**values: str) -> Target:
    (found,) = services_in(values)
    return found


def test_what_lets_into_kafka() -> None:
    found = one(
        KAFKA_BOOTSTRAP_SERVERS="k:9093", KAFKA_SASL_MECHANISM="scram-sha-512", KAFKA_SASL_USERNAME="app",
        KAFKA_SASL_PASSWORD="hidden", KAFKA_TOPICS="orders,payments",
    )  # fmt: skip
    assert (found.user, found.password.reveal(), found.mechanism, found.database) == (
        "app", "hidden", "SCRAM-SHA-512", "orders",
    )  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "UPLOADS_"])
def test_what_lets_into_s3(prefix: str) -> None:
    values = {
        "AWS_ENDPOINT_URL": "http://minio:9000", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_SESSION_TOKEN": "hidden too", "AWS_REGION": "eu-west-1", "S3_BUCKET": "b",
    }  # fmt: skip
    found = one(**{prefix + name: value for name, value in values.items()})
    assert (found.user, found.password.reveal(), found.token.reveal()) == ("id", "hidden", "hidden too")
    assert (found.region, found.database) == ("eu-west-1", "b")


def test_what_lets_into_a_collector_is_said_for_one_signal_or_for_all() -> None:
    found = one(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT="https://o.example/v1/traces", OTEL_EXPORTER_OTLP_HEADERS="api-key=hid%20den",
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf",
    )  # fmt: skip
    assert {name: secret.reveal() for name, secret in found.headers.items()} == {"api-key": "hid den"}
    assert (found.mechanism, found.authentication()) == ("http", "api-key")


def test_where_mongodb_keeps_its_user() -> None:
    found = one(MONGO_URL="mongodb://a:hidden@m/orders?authSource=admin&authMechanism=SCRAM-SHA-1")
    assert (found.auth_source, found.mechanism, found.database) == ("admin", "SCRAM-SHA-1", "orders")
    assert one(MONGO_HOST="m", MONGO_USER="a", MONGO_AUTH_SOURCE="users").auth_source == "users"


@pytest.mark.parametrize(
    "values",
    [
        {"M": "mongodb://a:hidden-one@m.invalid/x"},
        {"M": "mongodb+srv://a:hidden-one@m.invalid/x"},
        {"K": "kafka://a:hidden-one@k.invalid:9092"},
        {"S3_URL": "https://key:hidden-one@s3.invalid"},
        {"S3_ENDPOINT": "s3.invalid:9000", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "hidden-one"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://o.invalid", "OTEL_EXPORTER_OTLP_HEADERS": "k=hidden-one"},
    ],
    ids=lambda values: next(iter(values)),
)
def test_no_secret_of_the_new_kinds_is_in_a_record_or_a_repr(values: dict[str, str]) -> None:
    found = one(**values)
    told = contact(found, timeout_s=2, environ=values)
    assert told.failed_layer == "dns"
    assert "hidden-one" not in f"{told!r} {found!r} {found.service!r}"
