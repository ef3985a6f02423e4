"""How to reach the API: a self-signed certificate, a token, and the kubeconfig that names both.

TLS, not plain HTTP, because kubectl and Helm do not send a kubeconfig's token over an unencrypted line.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lab.topology import LOOPBACK, OOB_BRIDGE

_LIFE = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Credentials:
    certificate: Path
    key: Path
    token: str


def credentials_in(folder: Path) -> Credentials:
    """Those of this folder, made at the first call and then kept, so that old kubeconfigs keep working."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    certificate, key, token = folder / "api.crt", folder / "api.key", folder / "token"
    if not (certificate.exists() and key.exists() and token.exists()):
        _make_certificate(certificate, key)
        write_atomically(token, secrets.token_urlsafe(24), mode=0o600)
    return Credentials(certificate, key, token.read_text().strip())


def tls_context(credentials: Credentials) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.certificate, credentials.key)
    return context


def kubeconfig(credentials: Credentials, port: int, name: str, address: str = LOOPBACK) -> str:
    """JSON, which is YAML too. ``address``: loopback, or the out-of-band one that a virtual machine has a way to."""
    authority = base64.b64encode(credentials.certificate.read_bytes()).decode()
    cluster = {"server": f"https://{address}:{port}", "certificate-authority-data": authority}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": {"token": credentials.token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        },
        indent=2,
    )


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Readers see the old file or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rackroll lab API (simulated)")])
    now = datetime.now(UTC)
    addresses = (IPv4Address(LOOPBACK), OOB_BRIDGE.ip)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), *map(x509.IPAddress, addresses)]
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_atomically(key, plain.decode(), mode=0o600)
    write_atomically(certificate, built.public_bytes(serialization.Encoding.PEM).decode())
