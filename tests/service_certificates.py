"""A certificate authority for the test bed, and certificates of it that are right and wrong in one way each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Pair = tuple[Path, Path]
"""Certificate and key, as PEM."""


@dataclass(frozen=True)
class Certificates:
    """Files of one folder."""

    ca: Path
    other_ca: Path
    """Signed none of them."""
    localhost: Pair
    """Good for ``localhost``, and not for 127.0.0.1."""
    expired: Pair
    self_signed: Pair


@dataclass(frozen=True)
class _Signer:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def make_certificates(folder: Path) -> Certificates:
    """Write all certificates into a folder."""
    now = datetime.now(UTC)
    ca, other = _authority("proa test authority", now), _authority("another authority", now)
    return Certificates(
        ca=_write(folder / "ca.pem", ca.certificate),
        other_ca=_write(folder / "other-ca.pem", other.certificate),
        localhost=_leaf(folder, "localhost", ca, until=now + timedelta(days=2)),
        expired=_leaf(folder, "expired", ca, until=now - timedelta(days=1)),
        self_signed=_leaf(folder, "self-signed", None, until=now + timedelta(days=2)),
    )


def _authority(title: str, now: datetime) -> _Signer:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title)])
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        _builder(name, name, key, until=now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _Signer(name, key, certificate)


def _leaf(folder: Path, title: str, signer: _Signer | None, *, until: datetime) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    issuer, signing = (signer.name, signer.key) if signer else (name, key)
    certificate = (
        _builder(name, issuer, key, until=until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False)
        .sign(signing, hashes.SHA256())
    )
    private = folder / f"{title}.key"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    private.chmod(0o600)
    return _write(folder / f"{title}.pem", certificate), private


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=4))
        .not_valid_after(until)
    )


def _write(file: Path, certificate: x509.Certificate) -> Path:
    file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return file
