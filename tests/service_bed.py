"""Start the services programs talk to, for real, on loopback: PostgreSQL, Redis, NATS, RabbitMQ, MariaDB.

Each is the real thing with TLS and a password; data is scratch, no process outlives its block, and none runs as root.
The faulty ones (silent, closing, full, …) are sockets of this process: no real service can be asked to misbehave so.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from real_neighbours import free_port, need
from service_certificates import Certificates, make_certificates

NOBODY = 65534
# They hold what must be percent-encoded in a URL, and none is part of another or of a word a program would print.
POSTGRES_PASSWORD = "pg@Zebra/7%k:q"
REDIS_PASSWORD = "rd@Otter/5%m:w"
NATS_PASSWORD = "nt@Heron/3%x:v"
MYSQL_PASSWORD = "my@Lemur/9%j:z"
RABBITMQ_PASSWORD = "rq@Civet/8%h:u"


@dataclass(frozen=True)
class Postgres:
    """Ports of clusters with the same users and databases: ``app`` owns ``orders`` and may not connect to ``vault``."""

    tls: int
    """Only TLS is let in."""
    expired: int
    self_signed: int
    plain: int
    """Speaks no TLS."""


@dataclass(frozen=True)
class Redis:
    """Ports; users ``app`` (everything), ``off`` (switched off), ``blind`` (may do nothing at all)."""

    tls: int
    plain: int
    expired: int
    self_signed: int


@dataclass(frozen=True)
class Nats:
    """Ports; the user is ``app``."""

    tls: int
    plain: int
    expired: int
    self_signed: int


@dataclass(frozen=True)
class Mysql:
    """Ports of MariaDB; ``app`` may use the database ``orders`` and not ``vault``."""

    tls: int
    plain: int


@dataclass(frozen=True)
class Rabbitmq:
    """Ports of one server; ``app`` may use the virtual host ``/`` and none besides."""

    tls: int
    plain: int


@contextmanager
def scratch() -> Iterator[Path]:
    """Give a folder that a service without rights can use, at a short path: names of sockets have 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="proa-bed-"))
    try:
        folder.chmod(0o755)
        give_away(folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give_away(*files: Path) -> None:
    """Hand files to the user the services run as; without root that is the user of the tests already."""
    if os.geteuid() == 0:
        for file in files:
            os.chown(file, NOBODY, NOBODY)


def as_nobody() -> dict[str, object]:
    """Return the arguments with which subprocess gives up root; PostgreSQL refuses to run as root."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def daemon(
    argv: Sequence[str | Path],
    *,
    folder: Path,
    port: int,
    stop: signal.Signals = signal.SIGTERM,
    env: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run a service until the block ends; it is there once its port is. What does not start skips the test."""
    log = folder / f"{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(word) for word in argv],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C", **(env or {})},
            **as_nobody(),  # type: ignore[call-overload]
        )
    try:
        _wait_for_port(port, process, log)
        yield
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    limit = time.monotonic() + 90
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.02)
    pytest.skip(f"real: {process.args[0]} did not start: {log.read_text(errors='replace')[-500:]}")  # type: ignore[index]


def quietly(argv: Sequence[str | Path], *, folder: Path, text: str = "", env: dict[str, str] | None = None) -> None:
    """Run a command of a service's own to its end, as the user the service runs as."""
    ran = subprocess.run(
        [str(word) for word in argv],
        cwd=folder,
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C", **(env or {})},
        **as_nobody(),  # type: ignore[call-overload]
    )
    if ran.returncode != 0:
        pytest.skip(f"real: {argv[0]} failed: {ran.stderr[-500:]}")


# PostgreSQL


def postgres_program(name: str) -> Path:
    """Return one of PostgreSQL's own programs, of its newest version; Debian keeps them off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda file: int(file.parts[4]))
    if not found:
        pytest.skip(f"real: {name} of PostgreSQL is not installed")
    return found[-1]


def make_cluster(folder: Path) -> Path:
    """Make the files of a cluster with its users and databases, without starting a server."""
    data = folder / "postgres"
    password = folder / "postgres.password"
    password.write_text(POSTGRES_PASSWORD)
    give_away(password)
    quietly(
        [postgres_program("initdb"), "--auth=scram-sha-256", "--username=admin", f"--pwfile={password}", "--no-sync",
         "--no-instructions", "--wal-segsize=1", "--encoding=UTF8", "--locale=C", f"--pgdata={data}"],
        folder=folder,
    )  # fmt: skip
    quoted = POSTGRES_PASSWORD.replace("'", "''")
    quietly(
        [postgres_program("postgres"), "--single", "-F", "-O", "-D", data, "postgres"],
        folder=folder,
        text=f"CREATE ROLE app LOGIN PASSWORD '{quoted}'\n"
        f"CREATE ROLE retired NOLOGIN PASSWORD '{quoted}'\n"
        "CREATE DATABASE orders OWNER app\nCREATE DATABASE vault\nREVOKE CONNECT ON DATABASE vault FROM PUBLIC\n",
    )
    return data


@contextmanager
def postgres_server(
    folder: Path, data: Path, *, port: int, certificate: tuple[Path, Path] | None, only_tls: bool = True
) -> Iterator[int]:
    """Run a server on a cluster; without a certificate it speaks plain text only."""
    kind = "hostssl" if certificate and only_tls else "host"
    rules = data / "pg_hba.conf"
    rules.write_text(f"{kind} all all all scram-sha-256\n")
    give_away(rules)
    settings = {
        "listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", "fsync": "off",
        "shared_buffers": "4MB", "autovacuum": "off", "max_connections": "60", "dynamic_shared_memory_type": "mmap",
        "ssl": "on" if certificate else "off",
    }  # fmt: skip
    if certificate:
        settings |= {"ssl_cert_file": str(certificate[0]), "ssl_key_file": str(certificate[1])}
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    # SIGQUIT is the immediate shutdown: nobody will read this data again.
    with daemon([postgres_program("postgres"), "-D", data, *options], folder=folder, port=port, stop=signal.SIGQUIT):
        _wait_for_postgres(port)
        yield port


def _wait_for_postgres(port: int) -> None:
    """Wait until it takes connections: the port is open while it is still starting up."""
    ready = postgres_program("pg_isready")
    for _ in range(200):
        asked = subprocess.run([ready, "-q", "-h", "127.0.0.1", "-p", str(port)], check=False)
        if asked.returncode == 0:
            return
        time.sleep(0.05)


@contextmanager
def postgres(folder: Path, certificates: Certificates) -> Iterator[Postgres]:
    """Run a whole cluster, and three without databases: nobody comes further than their TLS."""
    wanted = {
        "tls": certificates.localhost, "expired": certificates.expired, "self_signed": certificates.self_signed,
        "plain": None,
    }  # fmt: skip
    ports = {name: free_port() for name in wanted}
    whole = make_cluster(folder)
    clusters = {name: _without_databases(whole, folder / f"postgres-{name}") for name in wanted if name != "tls"}
    clusters["tls"] = whole
    with ExitStack() as stack:
        for name, certificate in wanted.items():
            stack.enter_context(postgres_server(folder, clusters[name], port=ports[name], certificate=certificate))
        yield Postgres(**ports)


def _without_databases(whole: Path, copy: Path) -> Path:
    """Copy what a server needs to start: a thousand files less, and the server itself does not miss them."""
    shutil.copytree(whole, copy, ignore=lambda folder, names: names if folder == f"{whole}/base" else [])
    give_away(copy, *copy.rglob("*"))
    return copy


# Redis


@contextmanager
def redis_server(folder: Path, *, plain: int, tls: int, certificate: tuple[Path, Path], ca: Path) -> Iterator[None]:
    """Run a server with a port for TLS and, unless ``plain`` is 0, one for plain text."""
    need("redis-server")
    rules = folder / f"redis-{tls}.acl"
    rules.write_text(
        f"user default off\nuser app on >{REDIS_PASSWORD} ~* &* +@all\n"
        f"user off off >{REDIS_PASSWORD} ~* &* +@all\nuser blind on >{REDIS_PASSWORD} ~* &* -@all\n"
    )
    settings = folder / f"redis-{tls}.conf"
    settings.write_text(
        f'bind 127.0.0.1\nport {plain}\ntls-port {tls}\ndir "{folder}"\naclfile "{rules}"\nsave ""\nappendonly no\n'
        f'tls-cert-file "{certificate[0]}"\ntls-key-file "{certificate[1]}"\ntls-ca-cert-file "{ca}"\n'
        "tls-auth-clients no\n"
    )
    give_away(rules, settings)
    with daemon(["redis-server", settings], folder=folder, port=tls, stop=signal.SIGKILL):
        yield


@contextmanager
def redis(folder: Path, certificates: Certificates) -> Iterator[Redis]:
    """Run three servers."""
    ports = Redis(tls=free_port(), plain=free_port(), expired=free_port(), self_signed=free_port())
    with (
        redis_server(folder, plain=ports.plain, tls=ports.tls, certificate=certificates.localhost, ca=certificates.ca),
        redis_server(folder, plain=0, tls=ports.expired, certificate=certificates.expired, ca=certificates.ca),
        redis_server(folder, plain=0, tls=ports.self_signed, certificate=certificates.self_signed, ca=certificates.ca),
    ):
        yield ports


# NATS


@contextmanager
def nats_server(folder: Path, *, port: int, certificate: tuple[Path, Path] | None) -> Iterator[None]:
    """Run a server that wants a user and, with a certificate, TLS."""
    need("nats-server")
    settings = folder / f"nats-{port}.conf"
    tls = f'tls {{ cert_file: "{certificate[0]}", key_file: "{certificate[1]}" }}\n' if certificate else ""
    settings.write_text(
        f'host: "127.0.0.1"\nport: {port}\n{tls}'
        f'authorization {{ users: [{{user: "app", password: "{NATS_PASSWORD}"}}] }}\n'
    )
    give_away(settings)
    with daemon(["nats-server", "--config", settings], folder=folder, port=port):
        yield


@contextmanager
def nats(folder: Path, certificates: Certificates) -> Iterator[Nats]:
    """Run four servers."""
    ports = Nats(tls=free_port(), plain=free_port(), expired=free_port(), self_signed=free_port())
    with (
        nats_server(folder, port=ports.tls, certificate=certificates.localhost),
        nats_server(folder, port=ports.plain, certificate=None),
        nats_server(folder, port=ports.expired, certificate=certificates.expired),
        nats_server(folder, port=ports.self_signed, certificate=certificates.self_signed),
    ):
        yield ports


# MariaDB


def make_mysql_files(folder: Path) -> Path:
    """Make the files of a server with its user and databases, without starting it."""
    need("mariadbd")
    data = folder / "mysql"
    data.mkdir()
    give_away(data)
    tables = _mysql_tables()
    # Debian's mariadb-install-db does this too, and needs the client's package for it. One statement a line.
    statements = [
        "CREATE DATABASE mysql;", "USE mysql;",
        *(Path(f"{tables}{part}.sql").read_text() for part in ("", "_data")),
        "FLUSH PRIVILEGES;", f"CREATE USER app@'%' IDENTIFIED BY '{MYSQL_PASSWORD}';",
        "CREATE DATABASE orders;", "CREATE DATABASE vault;",
        "GRANT ALL ON orders.* TO app@'%';", "GRANT ALL ON absent.* TO app@'%';",
    ]  # fmt: skip
    quietly(["mariadbd", *_mysql_options(data), "--bootstrap"], folder=folder, text="\n".join(statements) + "\n")
    return data


def _mysql_tables() -> str:
    """Return the start of the paths of the statements that make the system's tables; newer Debians renamed them."""
    for start in ("/usr/share/mysql/mysql_system_tables", "/usr/share/mariadb/mariadb_system_tables"):
        if Path(f"{start}.sql").exists():
            return start
    pytest.skip("real: mariadbd is there without the statements that make its system tables")


def _mysql_options(data: Path) -> list[str]:
    fast = ["--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=0"]
    return ["--no-defaults", f"--datadir={data}", "--innodb-flush-method=nosync", *fast]


@contextmanager
def mysql(folder: Path, certificates: Certificates) -> Iterator[Mysql]:
    """Run two servers."""
    data = make_mysql_files(folder)
    tls = [f"--ssl-cert={certificates.localhost[0]}", f"--ssl-key={certificates.localhost[1]}"]
    wanted = {"tls": [*tls, "--require-secure-transport=ON"], "plain": ["--skip-ssl"]}
    ports = {name: free_port() for name in wanted}
    with ExitStack() as stack:
        for name, options in wanted.items():
            copy = folder / f"mysql-{name}"
            quietly(["cp", "-a", "--reflink=auto", data, copy], folder=folder)
            listening = [f"--port={ports[name]}", "--bind-address=127.0.0.1", f"--socket={copy}/socket"]
            argv = ["mariadbd", *_mysql_options(copy), *listening, *options]
            stack.enter_context(daemon(argv, folder=folder, port=ports[name], stop=signal.SIGKILL))
        yield Mysql(**ports)


# RabbitMQ


@contextmanager
def rabbitmq(folder: Path, certificates: Certificates) -> Iterator[Rabbitmq]:
    """Run a server; Erlang's start takes some 3 seconds of processor time."""
    program = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    need("epmd", program)
    ports, names, nodes = Rabbitmq(tls=free_port(), plain=free_port()), free_port(), free_port()
    settings = folder / "rabbitmq.conf"
    settings.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{ports.plain}\nlisteners.ssl.1 = 127.0.0.1:{ports.tls}\n"
        f"ssl_options.certfile = {certificates.localhost[0]}\nssl_options.keyfile = {certificates.localhost[1]}\n"
        f"ssl_options.verify = verify_none\ndefault_user = app\nloopback_users = none\n"
        # A slash and a per cent sign need no quotes there; the password has no # and no quotes.
        f"default_pass = {RABBITMQ_PASSWORD}\n"
    )
    give_away(settings)
    env = {
        "RABBITMQ_NODENAME": f"bed{ports.plain}@localhost", "RABBITMQ_CONFIG_FILE": str(settings),
        "RABBITMQ_MNESIA_BASE": f"{folder}/rabbitmq", "RABBITMQ_LOG_BASE": f"{folder}/rabbitmq-log",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/rabbitmq.plugins", "RABBITMQ_DIST_PORT": str(nodes),
        "ERL_EPMD_PORT": str(names),
    }  # fmt: skip
    # Erlang would start its register of names itself, as a daemon that outlives it.
    with (
        daemon(["epmd", "-port", str(names), "-address", "127.0.0.1"], folder=folder, port=names),
        daemon([program], folder=folder, port=ports.tls, env=env),
    ):
        yield ports


# Ports that misbehave


@dataclass(frozen=True)
class Faults:
    """Ports on which something is wrong."""

    closed: int
    full: int
    """Its queue is full, so no connection is ever made."""
    silent: int
    closing: int
    resetting: int
    garbage: int
    """Sends random bytes for as long as anybody reads."""
    web: int
    """Answers 400 to anything, in plain HTTP."""


@contextmanager
def faults() -> Iterator[Faults]:
    """Open the faulty ports."""
    with ExitStack() as stack:
        yield Faults(
            closed=stack.enter_context(_closed()),
            full=stack.enter_context(_full()),
            silent=stack.enter_context(answering(_wait)),
            closing=stack.enter_context(answering(lambda _peer: None)),
            resetting=stack.enter_context(answering(_reset)),
            garbage=stack.enter_context(answering(_garbage)),
            web=stack.enter_context(answering(_web)),
        )


@contextmanager
def answering(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Accept on a port and let ``behave`` have every connection, which is closed afterwards."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    open_ones: list[socket.socket] = []

    def serve_one(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            behave(peer)

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                open_ones.append(peer)
                threading.Thread(target=serve_one, args=(peer,), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # close() alone would leave accept() waiting; shutdown() wakes it, and those who wait on a connection.
        for each in [listener, *open_ones]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        thread.join(timeout=5)


def _wait(peer: socket.socket) -> None:
    while peer.recv(4096):
        pass


def _reset(peer: socket.socket) -> None:
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _garbage(peer: socket.socket) -> None:
    noise = bytes((n * n * 31 + 7 * n + 3) % 251 + 1 for n in range(4096))
    while True:
        peer.sendall(noise)


def _web(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


@contextmanager
def _closed() -> Iterator[int]:
    """Hold a port without listening, so that nobody else takes it."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextmanager
def _full() -> Iterator[int]:
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=1))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def made_certificates(folder: Path) -> Certificates:
    """Make the certificates of the bed, readable by its services."""
    certificates = make_certificates(folder)
    give_away(*folder.glob("*.pem"), *folder.glob("*.key"))
    return certificates
