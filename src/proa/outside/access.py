"""How images outside may be reached: the user's environment and what was allowed on the command line."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from proa.outside.command import Run, run


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides how a registry, daemon or cluster is reached."""

    environ: Mapping[str, str] = MappingProxyType({})
    """DOCKER_CONFIG, DOCKER_HOST, HTTPS_PROXY, SSL_CERT_FILE, … are read from here."""
    insecure_registries: tuple[str, ...] = ()
    """Hosts (``host`` or ``host:port``) for which unknown certificates and plain http are accepted."""
    allows_any_insecure: bool = False
    tries: int = 5
    first_delay_s: float = 0.5
    """Before the second try; doubles for each one after (arbitrary: five tries take 7.5 s of waiting)."""
    timeout_s: float = 30.0
    """For one read or write; connecting gets at most ten seconds."""
    certificate_folders: tuple[str, ...] = ("/etc/docker/certs.d", "/etc/containers/certs.d")
    run: Run = run
    sleep: Callable[[float], None] = time.sleep

    def allows_insecure(self, host: str) -> bool:
        """Say whether the user accepted this host (``name[:port]``) without a certificate."""
        return (
            self.allows_any_insecure or host in self.insecure_registries or bare_host(host) in self.insecure_registries
        )


def bare_host(host: str) -> str:
    """Return a host without its port.

    >>> bare_host("[::1]:5000"), bare_host("ghcr.io"), bare_host("localhost:80")
    ('::1', 'ghcr.io', 'localhost')
    """
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def is_loopback(host: str) -> bool:
    """Say whether a host, with or without a port, is this machine itself.

    >>> is_loopback("127.8.0.1:5000"), is_loopback("localhost"), is_loopback("localhost.example")
    (True, True, False)
    """
    name = bare_host(host)
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
