"""Each project of tests/projects/needs run in an empty root: with what it needs it works, without any of it it breaks."""

from __future__ import annotations

import datetime as dt
import http.server
import importlib.resources
import ipaddress
import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import needs_projects
from proa.outside.command import run

pytestmark = pytest.mark.real
MANIFEST = needs_projects.manifest()
NEEDY = [name for name, wanted in MANIFEST.items() if wanted.needs]


class Peer:
    """A TLS server on loopback and the certificates that vouch for it."""

    def __init__(self, address: str, roots: Path) -> None:
        self.address = address
        self.roots = roots


class Quiet(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Say nothing of peers that break off: half of them do not trust this server, as they should."""


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, *args):
        pass


@pytest.fixture(scope="session")
def peer(tmp_path_factory) -> Iterator[Peer]:
    folder = tmp_path_factory.mktemp("peer")
    roots, pair = _certificates(folder)
    server = Quiet(("127.0.0.1", 0), Answer)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield Peer(f"https://127.0.0.1:{server.server_port}", roots)
    server.shutdown()
    thread.join()
    server.server_close()


def _certificates(folder: Path) -> tuple[Path, Path]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proa test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    roots, pair = folder / "roots.pem", folder / "pair.pem"
    roots.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pair.write_bytes(roots.read_bytes() + private)
    return roots, pair


def _given(need: tuple[str, str], project: Path, peer: Peer, built, folder: Path) -> list[str]:
    """Return bubblewrap's words that meet one need as an image would."""
    kind, what = need
    zones = importlib.resources.files("tzdata") / "zoneinfo"
    if kind == "certificates":
        return ["--ro-bind", str(peer.roots), "/etc/ssl/certs/ca-certificates.crt"]
    if kind == "zones":
        return ["--ro-bind", str(zones / what), f"/usr/share/zoneinfo/{what}"]
    if kind == "users":
        (folder / "passwd").write_text("nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")
        return ["--ro-bind", str(folder / "passwd"), "/etc/passwd"]
    if kind == "tmp":
        return ["--tmpfs", "/tmp"]
    if kind == "mime":
        (folder / "mime.types").write_text("application/epub+zip epub\n")
        return ["--ro-bind", str(folder / "mime.types"), "/etc/mime.types"]
    if kind == "program":
        # Any program does that ends well whatever it is asked.
        return ["--ro-bind", str(built["users-types"].binary), f"/bin/{what}"]
    return ["--ro-bind", str(project / what), f"/work/{what}"]


def _status(name: str, given: list[str], built, peer: Peer) -> tuple[int, bytes]:
    wanted = MANIFEST[name]
    words = {"server": peer.address, "roots": peer.roots.read_text()}
    environment = {key: text.format(**words) for key, text in wanted.environment.items()}
    ran = run(
        [
            "bwrap", "--unshare-all", "--share-net", "--uid", "65532", "--gid", "65532", "--cap-drop", "ALL",
            "--proc", "/proc", "--dev", "/dev", "--dir", "/work", "--ro-bind", str(built[name].binary), "/app",
            *given, *(word for folder in wanted.folders for word in ("--tmpfs", folder)),
            "--chdir", "/work", "--remount-ro", "/", "--die-with-parent", "--clearenv", "--setenv", "PATH", "/bin",
            *(word for key, text in environment.items() for word in ("--setenv", key, text)),
            "/app", *(text.format(**words) for text in wanted.arguments),
        ],
        accept=None,
        timeout_s=30,
    )  # fmt: skip
    return ran.status, ran.stderr


@pytest.fixture(autouse=True)
def _bubblewrap():
    if shutil.which("bwrap") is None:
        pytest.skip("real: bubblewrap is not installed")


@pytest.mark.parametrize("name", MANIFEST)
def test_project_works_with_what_was_found(name, built, peer, tmp_path):
    project = needs_projects.FOLDER / name
    found = [(need.kind, need.what) for need in built[name].needs().needs]
    given = [word for need in found for word in _given(need, project, peer, built, tmp_path)]
    assert _status(name, given, built, peer) == (0, b"")


@pytest.mark.parametrize(("name", "without"), [(name, need) for name in NEEDY for need in MANIFEST[name].needs])
def test_project_breaks_without_what_was_found(name, without, built, peer, tmp_path):
    project = needs_projects.FOLDER / name
    others = [need for need in MANIFEST[name].needs if need != without]
    given = [word for need in others for word in _given(need, project, peer, built, tmp_path)]
    status, said = _status(name, given, built, peer)
    assert status == 1, said
    assert said
