"""The certificate that a VIP shows outside: read off a real TLS server, and said to be missing where there is none."""

from __future__ import annotations

import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from rollout.adapters.probe import OutsideProbe
from rollout.model.mesh import Gateway
from tests.unit.sites import site

ENDS = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)


def written(folder: Path) -> tuple[Path, bytes]:
    """A self-signed certificate and its key in one PEM file, and the certificate's fingerprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop.example")])
    leaf = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(ENDS - datetime.timedelta(days=400))
        .not_valid_after(ENDS)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "both.pem"
    file.write_bytes(pem + leaf.public_bytes(serialization.Encoding.PEM))
    return file, leaf.fingerprint(hashes.SHA256())


@contextmanager
def serving(pem: Path | None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.86.9.1", 0), http.server.BaseHTTPRequestHandler)
    if pem is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def gateway(port: int) -> Gateway:
    return replace(site().gateways[0], vip=IPv4Address("127.86.9.1"), port=port)


def test_a_vip_that_speaks_tls_shows_its_leaf_unverified(tmp_path: Path) -> None:
    pem, fingerprint = written(tmp_path)
    with serving(pem) as port:
        found = OutsideProbe(site()).serving(gateway(port)).certificate
    assert found is not None
    assert (found.subject, found.issuer) == ("CN=shop.example", "CN=shop.example")
    assert (found.not_after, found.sha256) == (ENDS, fingerprint.hex())


def test_a_vip_that_speaks_plain_http_has_no_leaf_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "log_message", lambda *_: None)
    with serving(None) as port:
        found = OutsideProbe(site()).serving(gateway(port))
    assert found.certificate is None
    assert "TLS" in found.why or "reset" in found.why or "timed out" in found.why


def test_a_vip_that_nobody_serves_has_no_leaf_and_says_why() -> None:
    with serving(None) as port:
        pass
    assert "refused" in OutsideProbe(site()).serving(gateway(port)).why
