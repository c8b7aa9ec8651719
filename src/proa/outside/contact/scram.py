"""SCRAM-SHA-256 and its sibling with channel binding, from the client's side.

Source: RFC 5802, RFC 7677; tls-server-end-point: RFC 5929, section 4.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

import msgspec

_MOST_ITERATIONS = 2_000_000
"""A hostile server must not keep us busy; PostgreSQL's default is 4096."""


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What is known after the first message."""

    nonce: str
    binding: bytes = b""
    """End-point data; empty: no channel binding."""
    user: str = ""
    algorithm: str = "sha256"

    def _gs2(self) -> str:
        return "p=tls-server-end-point,," if self.binding else "n,,"

    def _bare(self) -> str:
        escaped = self.user.replace("=", "=3D").replace(",", "=2C")
        return f"n={escaped},r={self.nonce}"

    def first(self) -> bytes:
        """Return the client's first message."""
        return (self._gs2() + self._bare()).encode()

    def final(self, server_first: str, password: str) -> tuple[bytes, bytes]:
        """Return the client's final message and the signature the server has to show. Raises ValueError."""
        parts = dict(part.split("=", 1) for part in server_first.split(",") if "=" in part)
        nonce, rounds = parts.get("r", ""), int(parts.get("i", "0"))
        if not nonce.startswith(self.nonce) or not 0 < rounds <= _MOST_ITERATIONS:
            raise ValueError("the server's first message is wrong")
        salt = base64.b64decode(parts.get("s", ""), validate=True)
        salted = hashlib.pbkdf2_hmac(self.algorithm, _prepared(password).encode(), salt, rounds)
        client_key = hmac.digest(salted, b"Client Key", self.algorithm)
        bound = base64.b64encode(self._gs2().encode() + self.binding).decode()
        without_proof = f"c={bound},r={nonce}"
        message = f"{self._bare()},{server_first},{without_proof}".encode()
        stored = hashlib.new(self.algorithm, client_key).digest()
        signature = hmac.digest(stored, message, self.algorithm)
        proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature, strict=True))).decode()
        server = hmac.digest(hmac.digest(salted, b"Server Key", self.algorithm), message, self.algorithm)
        return f"{without_proof},p={proof}".encode(), server


def is_signed(server_final: str, signature: bytes) -> bool:
    """Whether the server showed that it knows the password too."""
    shown = dict(part.split("=", 1) for part in server_final.split(",") if "=" in part).get("v", "")
    return hmac.compare_digest(shown, base64.b64encode(signature).decode())


def end_point(certificate: bytes) -> bytes:
    """Return the channel binding data of a certificate (DER): its hash by its own signature's algorithm."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    except (ValueError, UnsupportedAlgorithm):
        return b""
    if algorithm is None:
        return b""
    name = "sha256" if algorithm.name in ("md5", "sha1") else algorithm.name
    return hashlib.new(name, certificate).digest()


def _prepared(password: str) -> str:
    """Return the password as SASLprep makes it, roughly: NFKC, as most clients do for what is not ASCII."""
    import unicodedata

    return password if password.isascii() else unicodedata.normalize("NFKC", password)
