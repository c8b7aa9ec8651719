"""What to do about a layer that failed, where the failure itself says nothing better."""

from __future__ import annotations

from proa.outside.contact.target import Fault, Target


def remedy(target: Target, fault: Fault) -> str:
    """Return one thing to try."""
    kind, name, port = target.service.kind, target.service.name, target.port
    match fault.layer:
        case "dns":
            return f"mend the host name in {name}, or ask whether this network's resolver knows {target.host}"
        case "tcp":
            return f"start the service, or mend host and port in {name}; a firewall may be in between"
        case "tls":
            return f"see whether port {port} of {target.host} speaks TLS, and set the address in {name} to match"
        case "protocol":
            return f"see what listens on port {port}: it does not answer as {kind}; if it wants TLS, say so in {name}"
        case "authentication":
            return f"set the credentials of {name} to those the service knows"
        case "read":
            return "it let us in and could not answer: look into the service's own log"
