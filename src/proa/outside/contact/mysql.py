"""MySQL and MariaDB: greeting, TLS, login, COM_PING.

Source: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html.
"""

from __future__ import annotations

import hashlib
import struct

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault

_LONG_PASSWORD, _PROTOCOL_41, _SSL, _SECURE, _WITH_DB, _PLUGIN = 1, 0x200, 0x800, 0x8000, 8, 0x80000
_NATIVE, _SHA2 = "mysql_native_password", "caching_sha2_password"


class _Packets:
    """Packets in their order: each carries a number."""

    def __init__(self, journey: Journey) -> None:
        self.journey = journey
        self.number = 0

    def next(self) -> bytes:
        """Return the next packet; the server's own errors are raised. Raises Fault."""
        head = self.journey.exactly(4)
        size = int.from_bytes(head[:3], "little")
        if size > 1 << 16 or (head[3] != self.number & 255):
            raise self.journey.fault("the answer is not MySQL's")
        self.number = head[3] + 1
        body = self.journey.exactly(size)
        if body[:1] == b"\xff":
            raise refused(self.journey, body)
        return body

    def send(self, body: bytes) -> None:
        """Send one packet."""
        self.journey.send(len(body).to_bytes(3, "little") + bytes([self.number & 255]) + body)
        self.number += 1


def visit(journey: Journey) -> None:
    """Get in and ping. Raises Fault."""
    journey.enter("protocol")
    packets = _Packets(journey)
    salt, able, plugin = _greeting(journey, packets.next())
    target = journey.target
    flags = _LONG_PASSWORD | _PROTOCOL_41 | _SECURE | _PLUGIN | (_WITH_DB if target.database else 0)
    if target.tls != "off" and able & _SSL:
        flags |= _SSL
        packets.send(struct.pack("<IIB23x", flags, 1 << 24, 45))
        journey.encrypt()
    elif target.tls not in ("off", "prefer"):
        raise Fault("tls", "the server offers no TLS", "give the server a certificate, or leave TLS out of the address")
    journey.enter("authentication")
    plugin = plugin if plugin in (_NATIVE, _SHA2) else _NATIVE
    proof = _proof(plugin, target.password.reveal().encode(), salt)
    words = target.user.encode() + b"\0" + bytes([len(proof)]) + proof
    words += (target.database.encode() + b"\0" if target.database else b"") + plugin.encode() + b"\0"
    packets.send(struct.pack("<IIB23x", flags, 1 << 24, 45) + words)
    _finish(journey, packets, plugin, salt)
    journey.asked_for_nothing = not target.password
    journey.enter("read")
    packets.number = 0
    packets.send(b"\x0e")
    if packets.next()[:1] != b"\0":
        raise journey.fault("COM_PING was not answered")


def _greeting(journey: Journey, body: bytes) -> tuple[bytes, int, str]:
    """Return the salt, what the server can do, and its way to log in."""
    end = body.find(b"\0", 1)
    if body[:1] != b"\x0a" or end < 0 or len(body) < end + 45:
        raise journey.fault("the greeting is not MySQL's")
    first = body[end + 5 : end + 13]
    low, _, _, high, size = struct.unpack("<HBHHB", body[end + 14 : end + 22])
    rest = body[end + 32 : end + 32 + max(12, size - 9)]
    name = body[end + 32 + max(13, size - 8) :].split(b"\0")[0]
    return first + rest[:12], low | high << 16, name.decode("ascii", "replace")


def _finish(journey: Journey, packets: _Packets, plugin: str, salt: bytes) -> None:
    password = journey.target.password.reveal().encode()
    for _ in range(6):
        body = packets.next()
        if body[:1] == b"\0":
            return
        if body[:1] == b"\xfe":
            name, _, salt = body[1:].partition(b"\0")
            plugin, salt = name.decode("ascii", "replace"), salt.rstrip(b"\0")
            if plugin not in (_NATIVE, _SHA2):
                raise journey.fault(f"the server asks for {plugin}, which is not known here")
            packets.send(_proof(plugin, password, salt))
        elif body == b"\x01\x04":
            packets.send(_whole(journey, packets, password, salt))
        elif body != b"\x01\x03":
            break
    raise journey.fault("the server did not say that it let us in")


def _whole(journey: Journey, packets: _Packets, password: bytes, salt: bytes) -> bytes:
    """Return the password itself for a server that has not seen it lately: inside TLS, else under its RSA key."""
    if journey.peer_certificate():
        return password + b"\0"
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    packets.send(b"\x02")
    try:
        key = load_pem_public_key(packets.next()[1:])
    except ValueError as error:
        raise journey.fault("the server's public key is none") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise journey.fault("the server's public key is none")
    mixed = bytes(sign ^ salt[at % len(salt)] for at, sign in enumerate(password + b"\0"))
    sha1 = SHA1()  # noqa: S303 (the protocol's own)
    return key.encrypt(mixed, padding.OAEP(padding.MGF1(sha1), sha1, None))


def _proof(plugin: str, password: bytes, salt: bytes) -> bytes:
    """Return the password mixed with the salt; empty for none."""
    if not password:
        return b""
    if plugin == _NATIVE:
        inner = hashlib.sha1(password).digest()  # noqa: S324 (the protocol's own)
        outer = hashlib.sha1(salt[:20] + hashlib.sha1(inner).digest()).digest()  # noqa: S324
    else:
        inner = hashlib.sha256(password).digest()
        outer = hashlib.sha256(hashlib.sha256(inner).digest() + salt[:20]).digest()
    return bytes(a ^ b for a, b in zip(inner, outer, strict=True))


def refused(journey: Journey, body: bytes) -> Fault:
    """Return what an ERR packet means. Source: the server's error reference, by number."""
    number = int.from_bytes(body[1:3], "little")
    words = body[9:] if body[3:4] == b"#" else body[3:]
    text = words.decode("utf-8", "replace")
    match number:
        case 1049:
            return Fault("read", text, "create the database, or mend its name in the address")
        case 1044:
            return Fault("read", text, "GRANT the user rights on the database")
        case 1045 | 1698 | 1862 | 1820 | 4151 | 3118:
            return Fault("authentication", text, "set the user and password the server knows, for this client's host")
        case 3159:
            return Fault("tls", text, "the server wants TLS: add it to the address")
        case 1130 | 1129:
            return Fault("authentication", text, "let this machine's address in: CREATE USER … @ host")
        case _:
            return Fault("read" if number == 1040 else journey.layer, text)
