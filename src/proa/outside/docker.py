"""The docker engine's API over its socket: load an image, save one. No docker command is needed.

Source: https://docs.docker.com/reference/api/engine/version/v1.40/ (docker 19.03 and later).
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from proa.errors import BaseUnfit, DaemonUnreachable, ImageMissing, NoSpace
from proa.outside.access import Access
from proa.outside.archive import docker_parts, read_docker_archive, tar_stream
from proa.outside.manifests import one_image
from proa.outside.store import Store, disk_errors
from proa.records.oci import Descriptor
from proa.records.platform import Platform
from proa.records.reference import Name

API = "/v1.40"
_CHUNK_BYTES = 1 << 20
_ANSWER_BYTES = 4 << 20
_DEFAULT = "unix:///var/run/docker.sock"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Engine:
    """A docker engine at an address."""

    def __init__(self, address: str, connect: Callable[[], http.client.HTTPConnection]) -> None:
        self.address = address
        self._connect = connect

    @contextmanager
    def ask(
        self, method: str, path: str, *, body: Iterable[bytes] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one request and yield its answer, body unread. Raises DaemonUnreachable."""
        connection = self._connect()
        try:
            try:
                connection.request(
                    method, API + path, body=body, headers=dict(headers or {}), encode_chunked=body is not None
                )
            except (BrokenPipeError, ConnectionResetError):
                # The engine may answer, and close, before it has read all: its answer says why.
                if connection.sock is None:
                    raise
            yield connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise DaemonUnreachable(f"the docker daemon at {self.address} does not answer: {_why(error)}") from error
        finally:
            connection.close()

    def identify(self, name: str) -> str:
        """Return the ID of the image with a name, or an empty string. Raises DaemonUnreachable."""
        with self.ask("GET", f"/images/{quote(name, safe='/:@')}/json") as answer:
            content = answer.read(_ANSWER_BYTES)
            if answer.status == 404:
                return ""
            if answer.status != 200:
                raise DaemonUnreachable(f"the docker daemon could not look up {name}", output=message(content))
        try:
            found = msgspec.json.decode(content, type=dict[str, Any]).get("Id", "")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise DaemonUnreachable(f"{self.address} does not speak docker's API") from error
        return found if isinstance(found, str) else ""


def daemon_version(access: Access) -> str:
    """Return the version of the docker engine that answers, or an empty string where none does."""
    try:
        with find_engine(access).ask("GET", "/version") as answer:
            found = msgspec.json.decode(answer.read(_ANSWER_BYTES), type=dict[str, Any]).get("Version", "")
    except (DaemonUnreachable, msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return found if isinstance(found, str) else ""


def _why(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__


def find_engine(access: Access) -> Engine:
    """Return the engine that docker's own command would use: DOCKER_HOST, the current context, the default socket.

    Raises DaemonUnreachable for an address that needs a program (ssh) or is no address.
    """
    environ = access.environ
    address = environ.get("DOCKER_HOST") or _context_address(environ) or _DEFAULT
    parts = urlsplit(address)
    if parts.scheme == "unix":
        path = parts.path
        return Engine(address, lambda: _UnixConnection(path, access.timeout_s))
    if parts.scheme in ("tcp", "http", "https") and parts.hostname:
        host, port = parts.hostname, parts.port
        if environ.get("DOCKER_TLS_VERIFY") or environ.get("DOCKER_TLS") or parts.scheme == "https":
            context = _tls(environ)
            return Engine(
                address,
                lambda: http.client.HTTPSConnection(host, port or 2376, timeout=access.timeout_s, context=context),
            )
        return Engine(address, lambda: http.client.HTTPConnection(host, port or 2375, timeout=access.timeout_s))
    raise DaemonUnreachable(
        f"{address!r} is no docker address that proa can reach", hint="use unix:// or tcp:// in DOCKER_HOST"
    )


def _context_address(environ: Mapping[str, str]) -> str:
    """Return the address of docker's current context. Source: docker/cli, cli/context/store."""
    home = environ.get("DOCKER_CONFIG") or (f"{environ['HOME']}/.docker" if environ.get("HOME") else "")
    if not home:
        return ""
    name = environ.get("DOCKER_CONTEXT") or _load(Path(home) / "config.json").get("currentContext", "")
    if not isinstance(name, str) or name in ("", "default"):
        return ""
    folder = hashlib.sha256(name.encode()).hexdigest()
    meta = _load(Path(home) / "contexts" / "meta" / folder / "meta.json")
    try:
        address = meta["Endpoints"]["docker"]["Host"]
    except (KeyError, TypeError) as error:
        raise DaemonUnreachable(f"docker's context {name!r} has no address", hint="see `docker context ls`") from error
    return str(address)


def _load(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            return msgspec.json.decode(stream.read(_ANSWER_BYTES), type=dict[str, Any])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return {}


def _tls(environ: Mapping[str, str]) -> ssl.SSLContext:
    folder = Path(environ.get("DOCKER_CERT_PATH") or f"{environ.get('HOME', '')}/.docker")
    try:
        context = ssl.create_default_context(cafile=str(folder / "ca.pem") if (folder / "ca.pem").exists() else None)
        if (folder / "cert.pem").exists():
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        raise DaemonUnreachable(f"the certificates in {folder} cannot be read: {_why(error)}") from error
    return context


def local_name(name: Name) -> str:
    """Return the NAME:TAG an image has in a daemon.

    >>> local_name(Name(registry="", path="api"))
    'api:latest'
    """
    return f"{name.repository}:{name.tag or 'latest'}"


def load(descriptor: Descriptor, name: Name, platform: Platform, *, store: Store, access: Access) -> str:
    """Load one platform of a stored image into the engine and return NAME:TAG; done already, nothing is sent.

    Raises DaemonUnreachable, NoSpace, BaseUnfit.
    """
    engine = find_engine(access)
    tag = local_name(name)
    _, manifest = one_image(descriptor, platform, store=store)
    if engine.identify(tag) == manifest.config.digest:
        return tag
    with docker_parts(manifest, names=[tag], store=store) as parts:
        headers = {"Content-Type": "application/x-tar", "Transfer-Encoding": "chunked"}
        with engine.ask("POST", "/images/load?quiet=1", body=tar_stream(parts), headers=headers) as answer:
            trouble = load_trouble(answer.status, answer.read(_ANSWER_BYTES))
    if "no space left" in trouble:
        raise NoSpace(
            f"the docker daemon could not load {tag}", output=trouble, hint="`docker system prune` frees space"
        )
    if trouble or not engine.identify(tag):
        raise DaemonUnreachable(
            f"the docker daemon did not take {tag}",
            output=trouble,
            hint="the daemon's own words are above" if trouble else "it accepted the image, but does not list it",
        )
    return tag


def save(name: Name, platform: Platform, *, store: Store, access: Access) -> Descriptor:
    """Fetch an image from the engine into the store. Raises ImageMissing, DaemonUnreachable, BaseUnfit."""
    with store.folder() as folder:
        file = folder / "saved.tar"
        tag = save_archive(name, file, access=access)
        try:
            return read_docker_archive(file, name="", platform=platform, store=store)
        except BaseUnfit as error:
            raise BaseUnfit(
                error.what.replace(f"docker-archive:{file}", f"docker-daemon:{tag}"), hint=error.hint
            ) from error


def save_archive(name: Name, file: Path, *, access: Access) -> str:
    """Write the archive that ``docker save`` would and return the image's name in the engine.

    Raises ImageMissing, DaemonUnreachable, NoSpace.
    """
    engine = find_engine(access)
    tag = f"{name.repository}@{name.digest}" if name.digest else local_name(name)
    if not engine.identify(tag):
        raise ImageMissing(f"the docker daemon has no image {tag}", hint=f"`docker pull {tag}` fetches it")
    with engine.ask("GET", f"/images/{quote(tag, safe='/:@')}/get") as answer:
        if answer.status != 200:
            raise DaemonUnreachable(
                f"the docker daemon could not save {tag}", output=message(answer.read(_ANSWER_BYTES))
            )
        with disk_errors(file), file.open("xb") as out:
            while chunk := answer.read(_CHUNK_BYTES):
                out.write(chunk)
    return tag


def load_trouble(status: int, content: bytes) -> str:
    r"""Return why loading failed, or an empty string: the engine may say so after it answered 200.

    >>> load_trouble(200, b'{"stream":"Loaded image: a"}\n{"error":"no space left on device"}\n')
    'no space left on device'
    """
    if status != 200:
        return message(content) or f"HTTP {status}"
    for line in content.splitlines():
        try:
            said = msgspec.json.decode(line, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if said.get("error"):
            return str(said["error"])[:2048]
    return ""


def message(content: bytes) -> str:
    """Return the ``message`` of an engine's error, else its text."""
    try:
        return str(msgspec.json.decode(content, type=dict[str, Any]).get("message", ""))[:2048]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return content[:2048].decode(errors="replace")
