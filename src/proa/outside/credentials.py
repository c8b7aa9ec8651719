"""The user's credentials for registries, from docker's and podman's own files and helpers.

Looked up in this order, the first that knows the registry wins: ``$DOCKER_CONFIG/config.json`` (or
``~/.docker/config.json``): its ``credHelpers`` for this registry, then ``credsStore``, then ``auths``; then
``${XDG_RUNTIME_DIR}/containers/auth.json``. A secret leaves this module in a Credential only, whose text
shows nothing of it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import ProaError, WrongConfiguration
from proa.outside.access import Access

_HUB = "registry-1.docker.io"
_HUB_KEYS = ("https://index.docker.io/v1/", "index.docker.io", "docker.io", _HUB)
_MOST_BYTES = 4 << 20
_HELPER_S = 60.0


class Credential(msgspec.Struct, frozen=True, kw_only=True):
    """What to show a registry, or why there is nothing to show."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    """An OAuth2 refresh token, where a helper answered with the user ``<token>``."""
    trouble: str = ""
    """Why a helper could not be asked; told to the user only where the registry then refuses."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Return every text that may never be shown."""
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return tuple(text for text in (self.password, self.identity_token, pair if self.password else "") if text)

    @property
    def basic(self) -> str:
        """Return the value of an ``Authorization: Basic`` header, or an empty string."""
        if not self.username and not self.password:
            return ""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()

    def __repr__(self) -> str:
        return f"Credential(username={self.username!r})"


ANONYMOUS = Credential()


def find_credential(registry: str, path: str, *, access: Access) -> Credential:
    """Return the credential for a registry (host and port) and a repository in it; ANONYMOUS where there is none.

    Raises WrongConfiguration for a file that is not JSON.
    """
    trouble = ""
    for file in _files(access.environ):
        settings = _load(file)
        found = _from_settings(settings, registry, path, access=access, file=file)
        if found is not None and not found.trouble:
            return found
        trouble = trouble or (found.trouble if found else "")
    return Credential(trouble=trouble) if trouble else ANONYMOUS


def _files(environ: Mapping[str, str]) -> list[Path]:
    files = []
    if environ.get("DOCKER_CONFIG"):
        files.append(Path(environ["DOCKER_CONFIG"]) / "config.json")
    elif environ.get("HOME"):
        files.append(Path(environ["HOME"]) / ".docker" / "config.json")
    if environ.get("REGISTRY_AUTH_FILE"):
        files.append(Path(environ["REGISTRY_AUTH_FILE"]))
    elif environ.get("XDG_RUNTIME_DIR"):
        files.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    return files


def _load(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES)
    except OSError:
        return {}
    try:
        return msgspec.json.decode(content or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Without its cause: the decoder's own message could quote the file, which holds secrets.
        raise WrongConfiguration(f"{file} is not a JSON object", hint="docker and podman write it by `login`") from None


def _from_settings(
    settings: Mapping[str, Any], registry: str, path: str, *, access: Access, file: Path
) -> Credential | None:
    keys = _keys(registry, path)
    helpers = settings.get("credHelpers")
    helper = _first(helpers, keys) if isinstance(helpers, dict) else None
    if isinstance(helper, str) and helper:
        return _ask(helper, registry, access)
    store = settings.get("credsStore")
    asked = _ask(store, registry, access) if isinstance(store, str) and store else None
    if asked is not None and not asked.trouble:
        return asked
    entries = settings.get("auths")
    entry = _first(entries, keys) if isinstance(entries, dict) else None
    found = read_entry(entry, file=file) if isinstance(entry, dict) else None
    return found or asked


def _keys(registry: str, path: str) -> list[str]:
    """Return the keys a registry may stand under, the most exact (podman's namespaces) first."""
    hosts = _HUB_KEYS if registry == _HUB else (registry,)
    parts = path.split("/") if path else []
    spaces = ["/".join((host, *parts[:count])) for count in range(len(parts), 0, -1) for host in hosts]
    return spaces + [form for host in hosts for form in _forms(host)]


def _forms(host: str) -> tuple[str, ...]:
    if "://" in host:
        return (host,)
    return tuple(
        scheme + host + end for scheme in ("", "https://", "http://") for end in ("", "/", "/v1/", "/v2/", "/v1", "/v2")
    )


def _first(table: Mapping[str, Any], keys: Sequence[str]) -> object:
    return next((table[key] for key in keys if key in table), None)


def read_entry(entry: Mapping[str, Any], *, file: Path = Path("config.json")) -> Credential | None:
    """Return the credential of one ``auths`` entry, None where it has none (a helper's marker).

    Raises WrongConfiguration.

    >>> read_entry({"auth": "YWxhZGRpbjpvcGVuIHNlc2FtZQ=="})
    Credential(username='aladdin')
    """
    token = entry.get("identitytoken")
    username, password = entry.get("username"), entry.get("password")
    packed = entry.get("auth")
    if isinstance(packed, str) and packed:
        try:
            username, _, password = base64.b64decode(packed, validate=True).decode().rstrip("\0").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            # Without its cause: the decoder's message carries the text.
            raise WrongConfiguration(f"{file} has an `auth` that is not base64 of user:password") from None
    token = token if isinstance(token, str) else ""
    username = username if isinstance(username, str) else ""
    password = password if isinstance(password, str) else ""
    if not (token or username or password):
        return None
    return _credential(username, password, token)


def _credential(username: str, password: str, token: str = "") -> Credential:
    if username == "<token>":
        return Credential(identity_token=token or password)
    return Credential(username=username, password=password, identity_token=token)


def _ask(helper: str, registry: str, access: Access) -> Credential | None:
    """Ask ``docker-credential-HELPER get``; the server's name goes in by standard input, never by argv."""
    program = f"docker-credential-{helper}"
    if "/" in helper:
        return Credential(trouble=f"{helper!r} is no name of a credential helper")
    server = _HUB_KEYS[0] if registry == _HUB else registry
    try:
        ran = access.run([program, "get"], env=access.environ, stdin=server.encode(), timeout_s=_HELPER_S, accept=None)
    except ProaError as error:
        return Credential(trouble=error.what)
    if ran.status != 0:
        # Helpers say "credentials not found in native keychain" on standard output, with status 1.
        return (
            None
            if b"not found" in ran.stdout + ran.stderr
            else Credential(trouble=f"{program} exited with {ran.status}")
        )
    return read_helper_answer(ran.stdout) or Credential(trouble=f"{program} gave an answer that cannot be read")


def read_helper_answer(content: bytes) -> Credential | None:
    """Return the credential in a helper's answer, None where it is not one.

    Source: https://github.com/docker/docker-credential-helpers (README, "Development").
    """

    class Answer(msgspec.Struct, rename="pascal"):
        username: str
        secret: str

    try:
        answer = msgspec.json.decode(content, type=Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return _credential(answer.username, answer.secret)
