"""HTTP to one registry: schemes, certificates, proxies, logging in, retries, redirects.

Nothing here knows what a manifest is. Invariants: (1) the Authorization header goes to the registry's own origin
only, never along a redirect or an upload's address elsewhere; (2) no secret is in an error; (3) every answer is read
to a stated limit; (4) nothing is tried more often than ``Access.tries``.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, Self, TypeVar
from urllib.parse import urlencode, urljoin, urlsplit

from proa.errors import RegistryRefused, RegistryUnreachable
from proa.outside.access import Access, is_loopback
from proa.outside.credentials import ANONYMOUS, Credential, find_credential
from proa.outside.network import certificate_context, proxy_for
from proa.outside.registry_answers import (
    MOST_DELAY_S,
    Challenge,
    parse_challenges,
    read_errors,
    read_token,
    retry_after_s,
)

if TYPE_CHECKING:
    import httpx

_Result = TypeVar("_Result")
_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_ERROR_BYTES = 2048
_TOKEN_BYTES = 1 << 20
_CONNECT_S = 10.0
_AGENT = "proa"


class TryAgain(Exception):
    """One try failed in a way that may pass."""

    def __init__(
        self, what: str, *, delay_s: float | None = None, refused: bool = False, output: str = "", most_tries: int = 99
    ) -> None:
        super().__init__(what)
        self.most_tries = most_tries
        self.what = what
        self.delay_s = delay_s
        self.refused = refused
        self.output = output


class Session:
    """A conversation with one registry about one repository; safe to use from several threads."""

    def __init__(self, registry: str, path: str, *, access: Access, scopes: tuple[str, ...]) -> None:
        self.registry = registry
        self.path = path
        self.access = access
        self._scopes = scopes
        self._clients: dict[tuple[str, bool], httpx.Client] = {}
        self._lock = threading.RLock()
        self._origin = ""
        self._authorization = ""
        self._credential: Credential | None = None
        self._secrets: set[str] = set()
        self._is_closed = False

    def close(self) -> None:
        """Close every connection, those in use by other threads too."""
        self._is_closed = True
        for client in self._clients.values():
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def retrying(self, what: str, operation: Callable[[], _Result]) -> _Result:
        """Return what an operation returns, tried again where its failure may pass.

        ``what`` finishes the sentence "the registry … did not": ``send blob sha256:…``.
        Raises RegistryUnreachable, RegistryRefused.
        """
        import httpx

        delay_s = self.access.first_delay_s
        trouble, number = TryAgain("it was not tried"), 0
        for number in range(1, self.access.tries + 1):
            try:
                return operation()
            except TryAgain as error:
                trouble = error
            except httpx.TransportError as error:
                trouble = self._explain(error)
            if self._is_closed or number >= min(self.access.tries, trouble.most_tries):
                break
            self.access.sleep(delay_s if trouble.delay_s is None else trouble.delay_s)
            delay_s = min(delay_s * 2, MOST_DELAY_S)
        kind = RegistryRefused if trouble.refused else RegistryUnreachable
        raise kind(
            self.hide(f"could not {what}: {trouble.what} ({number} tries)"),
            output=self.hide(trouble.output),
            hint="wait a while and run the same command again" if trouble.refused else self._reach_hint(),
        )

    @contextmanager
    def open(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], bytes | Iterable[bytes]] | None = None,
        accept: frozenset[int] = frozenset({200}),
        what: str = "",
    ) -> Iterator[httpx.Response]:
        """Send one request and yield its answer, body unread; log in and follow redirects as asked to.

        ``target`` is a path on the registry or a whole address that it gave. Statuses not in ``accept`` raise
        TryAgain where they may pass, else RegistryRefused.
        """
        url = urljoin(self.origin() + "/", target)
        authorization = self._authorization
        response = self._send(method, url, headers or {}, body)
        try:
            if response.status_code == 401 and self._is_own(url):
                with self._lock:
                    # Another thread may have logged in since.
                    if self._authorization == authorization:
                        self._log_in(response, what)
                response.close()
                response = self._send(method, url, headers or {}, body)
            hops = 0
            while response.status_code in _REDIRECTS and method in ("GET", "HEAD"):
                hops += 1
                response.close()
                url = self._next(url, response, hops, what)
                response = self._send(method, url, headers or {}, None)
            if response.status_code not in accept:
                self._refuse(response, what)
            yield response
        finally:
            response.close()

    def read(self, response: httpx.Response, most_bytes: int) -> bytes:
        """Return an answer's body. Raises RegistryRefused where it is longer than ``most_bytes``."""
        content = bytearray()
        for chunk in response.iter_raw(65536):
            content += chunk
            if len(content) > most_bytes:
                raise RegistryRefused(f"{self.registry} sent more than the {most_bytes} bytes that were expected")
        return bytes(content)

    def hide(self, text: str) -> str:
        """Return text with every secret taken out."""
        for secret in sorted(self._secrets.copy(), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    # Where the registry is

    def origin(self) -> str:
        """Return ``scheme://host`` of the registry, found by asking ``/v2/`` where there is a choice.

        Source: distribution-spec, "Determining Support"; loopback and insecure hosts as docker does.
        """
        with self._lock:
            if not self._origin:
                self._origin = self._find_origin()
            return self._origin

    def _find_origin(self) -> str:
        if is_loopback(self.registry):
            schemes = ("http", "https")
        elif self.access.allows_insecure(self.registry):
            schemes = ("https", "http")
        else:
            return f"https://{self.registry}"
        return self.retrying(f"reach {self.registry}", lambda: self._first_that_answers(schemes))

    def _first_that_answers(self, schemes: tuple[str, ...]) -> str:
        import httpx

        first: httpx.TransportError | None = None
        for scheme in schemes:
            try:
                response = self._send("GET", f"{scheme}://{self.registry}/v2/", {}, None)
                response.close()
            except httpx.TransportError as error:
                # A certificate that is not trusted says more than a port that breaks off plain http.
                first = error if first is None or _distrust(error) else first
                continue
            # What Go's and nginx's servers answer to plain http on a port for TLS.
            if not (scheme == "http" and response.status_code == 400):
                return f"{scheme}://{self.registry}"
        raise first or TryAgain(f"{self.registry} answers neither http nor https")

    def _client(self, url: str) -> httpx.Client:
        import httpx

        parts = urlsplit(url)
        key = (f"{parts.scheme}://{parts.netloc}", True)
        with self._lock:
            if key not in self._clients:
                proxy = proxy_for(url, self.access.environ)
                self._note_proxy(proxy)
                try:
                    transport = httpx.HTTPTransport(
                        verify=self._context(parts.netloc) if parts.scheme == "https" else False,
                        proxy=proxy or None,
                        limits=httpx.Limits(max_connections=16),
                    )
                except (ValueError, ImportError) as error:
                    raise RegistryUnreachable("the proxy's address cannot be used", hint="see HTTPS_PROXY") from error
                timeout = httpx.Timeout(self.access.timeout_s, connect=min(_CONNECT_S, self.access.timeout_s))
                self._clients[key] = httpx.Client(transport=transport, timeout=timeout, trust_env=False)
            return self._clients[key]

    def _note_proxy(self, proxy: str) -> None:
        if urlsplit(proxy).password:
            self._secrets |= {urlsplit(proxy).password or "", urlsplit(proxy).netloc}

    def _context(self, host: str) -> ssl.SSLContext:
        return certificate_context(host, access=self.access)

    # One request

    def _is_own(self, url: str) -> bool:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc}" == self._origin

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Callable[[], bytes | Iterable[bytes]] | None
    ) -> httpx.Response:
        import httpx

        # Bodies are blobs by digest: a compressed transfer would only be in the way of checking them.
        sent = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers}
        if self._authorization and self._is_own(url):
            sent["Authorization"] = self._authorization
        client = self._client(url)
        try:
            request = client.build_request(method, url, headers=sent, content=body() if body else None)
            response = client.send(request, stream=True)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise RegistryRefused(f"{self.registry} gave an address that cannot be used") from error
        if self._is_closed:
            # The connection was still being made when the pool was closed, which therefore left it open.
            response.extensions["network_stream"].close()
            raise httpx.ReadError("the session was closed")
        return response

    def _next(self, url: str, response: httpx.Response, hops: int, what: str) -> str:
        if hops > _MOST_REDIRECTS:
            raise RegistryRefused(f"could not {what}: {self.registry} redirects more than {_MOST_REDIRECTS} times")
        return self.address(response.headers.get("Location", ""), what, base=url)

    def address(self, location: str, what: str, *, base: str = "") -> str:
        """Return an address that a registry gave, made whole.

        Raises RegistryRefused for what is no http address, or leaves https behind.
        """
        try:
            target = urljoin(base or self.origin() + "/", location)
            scheme = urlsplit(target).scheme if location else ""
        except ValueError:
            scheme = target = ""
        is_downgrade = self._origin.startswith("https:") and scheme == "http"
        if scheme not in ("http", "https") or (is_downgrade and not self.access.allows_insecure(self.registry)):
            raise RegistryRefused(f"could not {what}: {self.registry} sends us to an address that is not https")
        return target

    def _refuse(self, response: httpx.Response, what: str) -> NoReturn:
        import time

        status = response.status_code
        output = self.hide(read_errors(self._bounded(response)))
        said = f"{self.registry} answered {status}"
        if status in _TRY_AGAIN:
            wait = retry_after_s(response.headers.get("Retry-After", ""), now_s=time.time())
            raise TryAgain(said, delay_s=wait, refused=status == 429, output=output)
        hint = ""
        if status in (401, 403) and self._credential and self._credential.trouble:
            hint = f"the credential helper did not help: {self._credential.trouble}"
        elif status in (401, 403):
            hint = f"log in with `docker login {self.registry}`, and check the name and your rights"
        elif status == 404:
            hint = "check the name; some registries want the repository to be made first"
        raise RegistryRefused(f"could not {what}: {said}", output=output, hint=hint)

    def _bounded(self, response: httpx.Response) -> bytes:
        import httpx

        content = b""
        try:
            for chunk in response.iter_raw(_ERROR_BYTES):
                content += chunk
                if len(content) >= _ERROR_BYTES:
                    break
        except httpx.TransportError:
            pass
        return content[:_ERROR_BYTES]

    def _explain(self, error: httpx.TransportError) -> TryAgain:
        import httpx

        distrust = _distrust(error)
        if distrust:
            raise RegistryUnreachable(
                f"{self.registry} has a certificate that is not trusted: {distrust}",
                hint="name your CA in SSL_CERT_FILE, or accept any certificate with --insecure-registry",
            ) from None
        if "WRONG_VERSION_NUMBER" in str(error):
            raise RegistryUnreachable(
                f"{self.registry} does not speak https", hint="--insecure-registry accepts plain http"
            ) from None
        kind = "timed out" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
        # Nobody there, or no such name: a moment may help, patience does not. Silence has cost its time already.
        most_tries = (
            3 if isinstance(error, httpx.ConnectError) else 2 if isinstance(error, httpx.TimeoutException) else 99
        )
        return TryAgain(f"{self.registry}: {kind}", most_tries=most_tries)

    def _reach_hint(self) -> str:
        if is_loopback(self.registry):
            return "is the registry running, on this port?"
        return "check the name and the network; HTTPS_PROXY, SSL_CERT_FILE and --insecure-registry are understood"

    # Logging in

    def _log_in(self, response: httpx.Response, what: str) -> None:
        challenges = {
            each.scheme: each
            for line in response.headers.get_list("WWW-Authenticate")
            for each in parse_challenges(line)
        }
        if self._credential is None:
            self._credential = find_credential(self.registry, self.path, access=self.access)
            self._secrets |= set(self._credential.secrets)
        if "bearer" in challenges:
            token = self.retrying(what, lambda: self._token(challenges["bearer"], self._credential or ANONYMOUS, what))
            self._secrets.add(token)
            self._authorization = f"Bearer {token}"
        elif "basic" in challenges and self._credential.basic:
            self._authorization = self._credential.basic
        else:
            self._refuse(response, what)

    def _token(self, challenge: Challenge, credential: Credential, what: str) -> str:
        """Return a bearer token. Source: distribution's "Token Authentication Specification" and "OAuth2"."""
        realm = challenge.parameters.get("realm", "")
        self.address(realm, what)
        service = challenge.parameters.get("service", "")
        scopes = self._scopes or tuple(challenge.parameters.get("scope", "").split())
        if credential.identity_token:
            form = {"grant_type": "refresh_token", "refresh_token": credential.identity_token, "client_id": _AGENT}
            content = urlencode({**form, "service": service, "scope": " ".join(scopes)}).encode()
            response = self._send("POST", realm, {"Content-Type": "application/x-www-form-urlencoded"}, lambda: content)
        else:
            pairs = [("service", service)] if service else []
            query = urlencode(pairs + [("scope", scope) for scope in scopes])
            headers = {"Authorization": credential.basic} if credential.basic else {}
            response = self._send("GET", f"{realm}{'&' if '?' in realm else '?'}{query}", headers, None)
        try:
            if response.status_code != 200:
                self._refuse(response, what)
            token = read_token(self.read(response, _TOKEN_BYTES))
        finally:
            response.close()
        if not token:
            raise RegistryRefused(f"could not {what}: {urlsplit(realm).netloc} gave no token")
        return token


def _distrust(error: BaseException) -> str:
    """Return why a certificate was not trusted, or an empty string where that was not the trouble."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message or "it could not be verified"
        cause = cause.__cause__ or cause.__context__
    return ""
