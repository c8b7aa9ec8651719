"""The layers below every protocol: name resolution, TCP, TLS; each bounded by one deadline."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from proa.outside.contact import srv
from proa.outside.contact.target import Fault, Target
from proa.records.preflight import FailedLayer

_MOST_BYTES = 1 << 20
"""What a service may say before it is told to be garbage."""

Clock = Callable[[], float]
Now = Callable[[], datetime]


def utc_now() -> datetime:
    """Return what this machine takes for the time."""
    return datetime.now(UTC)


class Journey:
    """One contact under way: which layer it is in, since when, and the socket as it stands."""

    def __init__(
        self, target: Target, *, timeout_s: float, environ: Mapping[str, str], clock: Clock, now: Now = utc_now
    ) -> None:
        self.target = target
        self.now = now
        self.environ = environ
        self.timeout_s = timeout_s
        self.clock = clock
        self.deadline = clock() + timeout_s
        self.layer: FailedLayer = "dns"
        self.since = clock()
        self.layers_s: dict[FailedLayer, float] = {}
        self.certificate_expires = ""
        self.is_proved = False
        """The service showed that it knows the secret too, or asked for none."""
        self.asked_for_nothing = False
        self.socket: socket.socket | None = None
        self.buffer = b""
        self.read_bytes = 0
        self.own_s = 0.0
        """Seconds that were not the service's."""

    def enter(self, layer: FailedLayer) -> None:
        """End the layer it is in, and begin the next one."""
        self.finish()
        self.layer = layer

    def finish(self) -> None:
        """Count the time of the layer it is in."""
        now = self.clock()
        self.layers_s[self.layer] = self.layers_s.get(self.layer, 0.0) + now - self.since
        self.since = now

    def fault(self, message: str, hint: str = "") -> Fault:
        """Return the failure of the layer it is in."""
        return Fault(self.layer, message, hint)

    def left_s(self) -> float:
        """Return the seconds left. Raises Fault."""
        left = self.deadline - self.clock()
        if left <= 0:
            raise self.fault(self._silence())
        return left

    def _silence(self) -> str:
        said = "no complete answer" if self.buffer else "no answer"
        if self.layer == "tls":
            said = "no answer to the first words of TLS"
        return f"{said} within {self.timeout_s:g} s"

    def send(self, data: bytes) -> None:
        """Send all of it. Raises Fault."""
        with self._mapped() as link:
            link.sendall(data)

    def more(self) -> bytes:
        """Return what comes next, at least one byte. Raises Fault."""
        if self.buffer:
            data, self.buffer = self.buffer, b""
            return data
        with self._mapped() as link:
            data = link.recv(65536)
        if not data:
            raise self.fault("the service closed the connection")
        self.read_bytes += len(data)
        if self.read_bytes > _MOST_BYTES:
            raise self.fault("the service does not stop talking")
        return data

    def exactly(self, size: int) -> bytes:
        """Return the next ``size`` bytes. Raises Fault."""
        if size > _MOST_BYTES:
            raise self.fault("the answer is not of this protocol")
        data, self.buffer = self.buffer, b""
        while len(data) < size:
            data += self.more()
        data, self.buffer = data[:size], data[size:]
        return data

    def line(self, most: int = 65536) -> bytes:
        """Return the next line without its end. Raises Fault."""
        data = b""
        while b"\n" not in data:
            if len(data) > most:
                raise self.fault("the answer is not of this protocol")
            data += self.more()
        line, self.buffer = data.split(b"\n", 1)
        return line.rstrip(b"\r")

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[socket.socket]:
        if self.socket is None:
            raise self.fault("there is no connection")
        self.socket.settimeout(self.left_s())
        try:
            yield self.socket
        except TimeoutError as error:
            raise self.fault(self._silence()) from error
        except ssl.SSLCertVerificationError as error:
            raise Fault("tls", f"the certificate is refused: {error.verify_message}", _tls_remedy(error)) from error
        except ssl.SSLEOFError as error:
            raise self.fault("the service closed the connection") from error
        except ssl.SSLError as error:
            raise Fault("tls", _tls_words(error)) from error
        except OSError as error:
            raise self.fault(f"the connection broke: {error.strerror or error}") from error

    def close(self) -> None:
        """Let go of the socket."""
        if self.socket is not None:
            with contextlib.suppress(OSError):
                self.socket.close()

    def beside(self, target: Target) -> Journey:
        """Return another contact with the same end of time, not yet connected."""
        another = Journey(target, timeout_s=self.timeout_s, environ=self.environ, clock=self.clock, now=self.now)
        another.deadline = self.deadline
        return another

    def onward(self, target: Target) -> Journey:
        """Return another contact with the same end of time, in the layer this one is in. Raises Fault."""
        another = self.beside(target)
        another.connect()
        if target.tls != "off":
            another.encrypt()
        another.enter(self.layer)
        return another

    def again(self) -> None:
        """Connect once more, up to the layer it is in. Raises Fault."""
        layer, self.buffer = self.layer, b""
        self.close()
        self.enter("dns")
        self.connect()
        if self.target.tls != "off":
            self.encrypt()
        self.enter(layer)

    def connect(self) -> None:
        """Resolve the name and connect to one of its addresses. Raises Fault."""
        if self.target.is_srv:
            self.target = _located(self)
        addresses = _resolve(self)
        self.enter("tcp")
        errors: list[str] = []
        for at, (family, address) in enumerate(addresses):
            share_s = self.left_s() / (len(addresses) - at)
            link = socket.socket(family, socket.SOCK_STREAM)
            link.settimeout(share_s)
            try:
                link.connect(address)
            except TimeoutError:
                link.close()
                errors.append(f"{address[0]}: no answer within {share_s:.2g} s")
            except ConnectionResetError:
                # It was accepted and reset before we looked: the next layer will find it broken.
                self.socket = link
                return
            except OSError as error:
                link.close()
                errors.append(f"{address[0]}: {error.strerror or error}")
            else:
                with contextlib.suppress(OSError):
                    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.socket = link
                return
        raise self.fault("; ".join(dict.fromkeys(errors)))

    def encrypt(self, protocols: Sequence[str] = ()) -> None:
        """Turn the connection to TLS, and check what the target's mode says. Raises Fault."""
        if self.layer != "tls":
            self.enter("tls")
        context = _context(self.target, self.environ)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        # Reading the authorities is our own time, not the service's.
        self.own_s += self.clock() - self.since
        self.since = self.clock()
        with self._mapped() as link:
            self.buffer = b""
            link.getpeername()  # a connection that is gone by now would leak in wrap_socket
            self.socket = context.wrap_socket(link, server_hostname=self.target.host)
        if self.socket.version() is None:
            raise self.fault("the service closed the connection")
        self.certificate_expires = _expires(self.socket)

    def peer_certificate(self) -> bytes:
        """Return the peer's certificate as DER; empty without TLS."""
        return (self.socket.getpeercert(binary_form=True) or b"") if isinstance(self.socket, ssl.SSLSocket) else b""


def _resolve(journey: Journey) -> list[tuple[socket.AddressFamily, tuple[str, int]]]:
    """Return the addresses of the host. The resolver has no time limit of its own: its thread is given up."""
    answers: queue.Queue[object] = queue.Queue()
    host, port = journey.target.host, journey.target.port

    def ask() -> None:
        try:
            answers.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError, ValueError, OverflowError) as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True, name="proa-resolver").start()
    try:
        found = answers.get(timeout=journey.left_s())
    except queue.Empty:
        raise journey.fault(f"the resolver did not answer within {journey.timeout_s:g} s") from None
    if not isinstance(found, list):
        reason = found.strerror if isinstance(found, OSError) else "it is not a host name"
        raise journey.fault(f"{host} is not found: {reason}")
    return list(dict.fromkeys((entry[0], entry[4]) for entry in found))


def _located(journey: Journey) -> Target:
    """Return the target at the place that SRV records name, with the options beside them. Raises Fault."""
    target = journey.target
    try:
        found = srv.locate(target.host, timeout_s=journey.left_s())
    except LookupError as error:
        raise journey.fault(str(error), "ask whether this network's resolver knows the name") from None
    source = target.auth_source or found.options.get("authsource", "")
    return msgspec.structs.replace(target, host=found.host, port=found.port, auth_source=source, is_srv=False)


def _context(target: Target, environ: Mapping[str, str]) -> ssl.SSLContext:
    """Return what TLS must hold to. Raises Fault where a file cannot be read."""
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if target.tls not in ("prefer", "require"):
            _trust(context, target.ca or environ.get("SSL_CERT_FILE", ""))
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags(0))
        context.check_hostname = target.tls == "verify-full"
        if target.tls in ("prefer", "require"):
            context.verify_mode = ssl.CERT_NONE
        if target.client_certificate:
            context.load_cert_chain(target.client_certificate, target.client_key or None)
    except (OSError, ValueError) as error:
        raise Fault("tls", f"a certificate file of the settings cannot be read: {error}", "mend its path") from error
    return context


def _trust(context: ssl.SSLContext, ca: str) -> None:
    """Trust the authorities of a file alone, else the system's, else certifi's where the system has none."""
    if ca:
        context.load_verify_locations(cafile=ca)
        return
    context.load_default_certs()
    if not context.get_ca_certs() and not ssl.get_default_verify_paths().capath:
        import certifi

        context.load_verify_locations(cafile=certifi.where())


def _expires(link: socket.socket) -> str:
    from cryptography import x509

    der = link.getpeercert(binary_form=True) if isinstance(link, ssl.SSLSocket) else None
    if not der:
        return ""
    with contextlib.suppress(ValueError):
        when = x509.load_der_x509_certificate(der).not_valid_after_utc
        return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ""


_VERIFY_REMEDIES = {
    9: "the certificate is not valid yet: check the clocks of both machines",
    10: "renew the service's certificate",
    18: "the certificate signed itself: give it as the authority with --ca or SSL_CERT_FILE, or have one issued",
    19: "the authority is not known here: give its certificate with --ca or SSL_CERT_FILE",
    20: "the authority is not known here: give its certificate with --ca or SSL_CERT_FILE",
    21: "the service leaves out intermediate certificates, or its authority is not known: --ca or SSL_CERT_FILE",
    62: "use a host name that is in the certificate, or have one issued for this name",
    64: "use a host name that is in the certificate, or have one issued for this address",
}
"""By OpenSSL's number. Source: https://docs.openssl.org/master/man1/openssl-verification-options/."""


def _tls_remedy(error: ssl.SSLCertVerificationError) -> str:
    return _VERIFY_REMEDIES.get(error.verify_code, "")


def _tls_words(error: ssl.SSLError) -> str:
    reason = (error.reason or "").replace("_", " ").lower()
    if error.reason in ("WRONG_VERSION_NUMBER", "UNKNOWN_PROTOCOL", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return "the service does not speak TLS on this port"
    return f"TLS failed: {reason or 'no reason given'}"
