"""A volume as a signer sees it, and what a signer serves with: shared by the signers' processes."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from lab.mesh.certificates import Certificate, PublicKey, Refused, key_to_pem, to_pem
from lab.mesh.trust import handed_over

LOOK = 0.2
"""Seconds between two looks at a volume. Upstream's signers are woken by the file system; the lag is the kubelet's."""


def files_in(folder: Path) -> Mapping[str, bytes]:
    """By name; none where the folder is not there. Kubernetes' own ``..data`` entries are not shown."""
    if not folder.is_dir():
        return {}
    found = (path for path in sorted(folder.iterdir()) if not path.name.startswith(".."))
    return {path.name: path.read_bytes() for path in found if path.is_file()}


def server_context(chain: Sequence[Certificate], key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    """TLS 1.3 with this certificate; the client need not show one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    with handed_over(to_pem(chain) + key_to_pem(key)) as file:
        context.load_cert_chain(file)
    return context


def read_request(body: object) -> tuple[x509.CertificateSigningRequest, PublicKey, str]:
    """The CSR, its key and the identity that is asked for. Raises :class:`Refused`."""
    if not isinstance(body, Mapping) or not {"csr", "identity"} <= body.keys():
        raise Refused("csr and identity are expected")
    try:
        request = x509.load_pem_x509_csr(str(body["csr"]).encode())
    except ValueError as error:
        raise Refused(f"the CSR cannot be read: {error}") from error
    key = request.public_key()
    if not request.is_signature_valid or not isinstance(key, ec.EllipticCurvePublicKey | rsa.RSAPublicKey):
        raise Refused("the CSR is not signed by its own EC or RSA key")
    return request, key, str(body["identity"])
