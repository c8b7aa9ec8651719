"""Start MongoDB's protocol (FerretDB), Kafka, S3 (versitygw) and an OTLP collector's gRPC, for real, on loopback.

``tests/service_tools.py`` makes the servers. The collector is grpcio's server with one method: a real gRPC
implementation that is not ours, and not a whole collector.
"""

from __future__ import annotations

import base64
import os
import signal
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import service_tools
from real_neighbours import free_port, need
from service_bed import daemon, give_away, quietly
from service_certificates import Certificates

MONGODB_PASSWORD = "mg@Tapir/4%n:s"
KAFKA_PASSWORD = "kf@Quokka/3%d:r"
S3_SECRET = "s3+Marmot/2kelp"
S3_KEY = "AKIDPROABED0001"
OTLP_KEY = "ot-Pika.17~lichen"
TOPIC = "orders"


@dataclass(frozen=True)
class Mongodb:
    """Ports of servers that keep ``app`` in the database ``orders``."""

    tls: int
    plain: int
    expired: int
    self_signed: int


@dataclass(frozen=True)
class Kafka:
    """Ports of one broker: ``app`` by SCRAM-SHA-256, ``big`` by SCRAM-SHA-512, ``plain`` by PLAIN."""

    tls: int
    plain: int
    """Credentials without TLS."""
    open: int
    """Asks for nothing."""
    away: int
    """Sends its clients to a name nobody knows."""


@dataclass(frozen=True)
class S3:
    """Ports of gateways with the bucket ``orders``."""

    tls: int
    plain: int
    expired: int
    self_signed: int


@dataclass(frozen=True)
class Otlp:
    """Ports of a gRPC server that takes exports with the right key; ``other`` takes something else."""

    tls: int
    plain: int
    expired: int
    other: int


# MongoDB


@contextmanager
def mongodb(folder: Path, certificates: Certificates) -> Iterator[Mongodb]:
    """Run three servers; each is a process of its own with SQLite files."""
    program = service_tools.program("ferretdb")
    ports = Mongodb(tls=free_port(), plain=free_port(), expired=free_port(), self_signed=free_port())
    wanted = {
        ports.tls: (certificates.localhost, ports.plain),
        ports.expired: (certificates.expired, 0),
        ports.self_signed: (certificates.self_signed, 0),
    }
    with ExitStack() as stack:
        for port, (certificate, plain) in wanted.items():
            place = folder / f"mongodb-{port}"
            (place / "data").mkdir(parents=True)
            give_away(place, place / "data")
            argv = [
                program, "--handler=sqlite", f"--sqlite-url=file:{place}/data/", f"--state-dir={place}",
                f"--listen-addr={f'127.0.0.1:{plain}' if plain else ''}", f"--listen-tls=127.0.0.1:{port}",
                f"--listen-tls-cert-file={certificate[0]}", f"--listen-tls-key-file={certificate[1]}",
                "--telemetry=disable", "--debug-addr=-", "--log-level=error", "--test-enable-new-auth",
                "--setup-username=app", f"--setup-password={MONGODB_PASSWORD}", "--setup-database=orders",
            ]  # fmt: skip
            stack.enter_context(daemon(argv, folder=folder, port=port, stop=signal.SIGKILL))
        yield ports


# Kafka


@contextmanager
def kafka(folder: Path, certificates: Certificates) -> Iterator[Kafka]:
    """Run one broker that is its own controller; Java's start takes some seconds."""
    need("java")
    classes = service_tools.kafka_classes()
    ports, controller = Kafka(tls=free_port(), plain=free_port(), open=free_port(), away=free_port()), free_port()
    store = folder / "kafka.pem"
    store.write_text(certificates.localhost[1].read_text() + certificates.localhost[0].read_text())
    settings = folder / "kafka.properties"
    settings.write_text(_kafka_settings(ports, controller, store, folder / "kafka-data"))
    give_away(store, settings)
    java = ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-cp", classes]
    users = {"SCRAM-SHA-256": "app", "SCRAM-SHA-512": "big"}
    scram = [
        word
        for name, user in users.items()
        for word in ("--add-scram", f"{name}=[name={user},password={KAFKA_PASSWORD}]")
    ]
    cluster = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
    quietly(
        [*java, "kafka.tools.StorageTool", "format", "-t", f"x{cluster[1:]}", "-c", settings, *scram], folder=folder
    )
    with daemon([*java, "kafka.Kafka", settings], folder=folder, port=ports.open, stop=signal.SIGKILL):
        _make_topic(ports.open)
        yield ports


def _make_topic(port: int) -> None:
    """Ask the broker for the topic: Kafka's own tool would be one more start of Java. CreateTopics, version 2."""
    name = TOPIC.encode()
    topic = struct.pack("!h", len(name)) + name + struct.pack("!ihii", 1, 1, 0, 0)
    request = struct.pack("!hhihi", 19, 2, 1, -1, 1) + topic + struct.pack("!ib", 20_000, 0)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as link:
        link.sendall(struct.pack("!i", len(request)) + request)
        if not link.recv(65536):
            pytest.skip("real: Kafka hung up when it was asked for a topic")


def _kafka_settings(ports: Kafka, controller: int, store: Path, data: Path) -> str:
    listeners = {"TLS": ports.tls, "PLAIN": ports.plain, "OPEN": ports.open, "AWAY": ports.away, "CTL": controller}
    hosts = {"AWAY": "broker.invalid"}
    module = "org.apache.kafka.common.security"
    lines = [
        "process.roles=broker,controller", "node.id=1", f"controller.quorum.voters=1@127.0.0.1:{controller}",
        "controller.listener.names=CTL", "inter.broker.listener.name=OPEN",
        "listeners=" + ",".join(f"{name}://127.0.0.1:{port}" for name, port in listeners.items()),
        "advertised.listeners=" + ",".join(
            f"{name}://{hosts.get(name, 'localhost')}:{port}" for name, port in listeners.items() if name != "CTL"
        ),
        "listener.security.protocol.map=TLS:SASL_SSL,PLAIN:SASL_PLAINTEXT,OPEN:PLAINTEXT,AWAY:PLAINTEXT,CTL:PLAINTEXT",
        "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "ssl.keystore.type=PEM", f"ssl.keystore.location={store}", f"log.dirs={data}",
        "num.network.threads=1", "num.io.threads=2", "offsets.topic.replication.factor=1",
        "auto.create.topics.enable=false",
    ]  # fmt: skip
    for listener in ("tls", "plain"):
        name = f"listener.name.{listener}"
        lines.append(
            f'{name}.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_plain="{KAFKA_PASSWORD}";'
        )
        lines += [
            f"{name}.{mechanism}.sasl.jaas.config={module}.scram.ScramLoginModule required;"
            for mechanism in ("scram-sha-256", "scram-sha-512")
        ]
    return "\n".join(lines) + "\n"


# S3


@contextmanager
def s3(folder: Path, certificates: Certificates) -> Iterator[S3]:
    """Run four gateways over folders; a bucket is a folder."""
    program = service_tools.program("versitygw")
    ports = S3(tls=free_port(), plain=free_port(), expired=free_port(), self_signed=free_port())
    wanted = {
        ports.tls: certificates.localhost, ports.plain: None, ports.expired: certificates.expired,
        ports.self_signed: certificates.self_signed,
    }  # fmt: skip
    with ExitStack() as stack:
        for port, certificate in wanted.items():
            place = folder / f"s3-{port}"
            (place / "data" / "orders").mkdir(parents=True)
            (place / "users").mkdir()
            give_away(place, *place.rglob("*"))
            tls = ["--cert", certificate[0], "--key", certificate[1]] if certificate else []
            argv = [program, "--quiet", "--port", f"127.0.0.1:{port}", "--iam-dir", place / "users", *tls, "posix",
                    place / "data"]  # fmt: skip
            env = {"ROOT_ACCESS_KEY": S3_KEY, "ROOT_SECRET_KEY": S3_SECRET}
            stack.enter_context(daemon(argv, folder=folder, port=port, stop=signal.SIGKILL, env=env))
        yield ports


# OTLP


@contextmanager
def otlp(_folder: Path, certificates: Certificates) -> Iterator[Otlp]:
    """Run four gRPC servers in this process."""
    # It would write a line to standard error for each process that is started beside it.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    grpc = pytest.importorskip("grpc", reason="real: grpcio is not installed")
    ports = Otlp(tls=free_port(), plain=free_port(), expired=free_port(), other=free_port())
    wanted = {
        ports.tls: certificates.localhost, ports.plain: None, ports.expired: certificates.expired, ports.other: None,
    }  # fmt: skip
    with ExitStack() as stack:
        for port, pair in wanted.items():
            server = grpc.server(ThreadPoolExecutor(max_workers=2))
            method = "Other" if port == ports.other else "Export"
            server.add_generic_rpc_handlers((_exporting(grpc, method),))
            if pair is None:
                server.add_insecure_port(f"127.0.0.1:{port}")
            else:
                identity = [(pair[1].read_bytes(), pair[0].read_bytes())]
                server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials(identity))
            server.start()
            stack.callback(lambda each=server: each.stop(None).wait())
        yield ports


def _exporting(grpc: Any, method: str) -> Any:
    def export(request: bytes, context: Any) -> bytes:
        if ("api-key", OTLP_KEY) not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "this key is not known")
        return b""

    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    return grpc.method_handlers_generic_handler(service, {method: grpc.unary_unary_rpc_method_handler(export)})
