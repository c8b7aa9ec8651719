"""Proxies and certificates: what lies between this machine and a host."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
import urllib.request
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from proa.errors import RegistryUnreachable
from proa.outside.access import Access, is_loopback


def proxy_for(url: str, environ: Mapping[str, str]) -> str:
    """Return the proxy a request goes through, or an empty string; loopback never has one.

    >>> proxy_for("https://r.example/v2/", {"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "other.example"})
    'http://p:3128'
    """
    parts = urlsplit(url)
    if is_loopback(parts.netloc):
        return ""
    table = {name.lower(): value for name, value in environ.items() if name.lower().endswith("_proxy")}
    # The lower-case spelling wins, as for curl and Go.
    table |= {name: value for name, value in environ.items() if name.endswith("_proxy")}
    proxy = table.get(f"{parts.scheme}_proxy") or table.get("all_proxy") or ""
    skips = urllib.request.proxy_bypass_environment(parts.netloc, {"no": table.get("no_proxy", "")})  # type: ignore[attr-defined]
    if not proxy or skips:
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def certificate_context(host: str, *, access: Access) -> ssl.SSLContext:
    """Return what is trusted when talking to a host: the user's CA, the system's and certifi's, docker's per host.

    Source: https://docs.docker.com/engine/security/certificates/ (certs.d). Raises RegistryUnreachable.
    """
    if access.allows_insecure(host):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    file, folder = access.environ.get("SSL_CERT_FILE"), access.environ.get("SSL_CERT_DIR")
    try:
        if file or folder:
            context = ssl.create_default_context(cafile=file or None, capath=folder or None)
        else:
            import certifi

            context = ssl.create_default_context()
            context.load_verify_locations(certifi.where())
        for place in access.certificate_folders:
            _load_folder(context, Path(place) / host)
    except (OSError, ssl.SSLError) as error:
        raise RegistryUnreachable(
            f"the certificates for {host} cannot be read: {error.strerror or error}",
            hint="see SSL_CERT_FILE and certs.d",
        ) from error
    return context


def _load_folder(context: ssl.SSLContext, folder: Path) -> None:
    if not folder.is_dir():
        return
    for authority in sorted(folder.glob("*.crt")):
        context.load_verify_locations(authority)
    for certificate in sorted(folder.glob("*.cert")):
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))


def hosts_by_address(hosts: Iterable[str], *, timeout_s: float = 1.0) -> dict[str, str]:
    """Return host names by every address this machine's resolver gives them within the time; all are asked at once."""
    answers: queue.Queue[tuple[str, str]] = queue.Queue()

    def ask(host: str) -> None:
        with suppress(OSError, UnicodeError, ValueError):
            for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
                answers.put((str(entry[4][0]), host))

    # The resolver has no time limit of its own: a thread that waits for it is given up.
    asking = [threading.Thread(target=ask, args=(host,), daemon=True, name="proa-resolver") for host in set(hosts)]
    latest_s = time.monotonic() + timeout_s
    for one in asking:
        one.start()
    for one in asking:
        one.join(max(0.0, latest_s - time.monotonic()))
    return dict(answers.get() for _ in range(answers.qsize()))
